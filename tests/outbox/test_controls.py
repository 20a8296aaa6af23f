"""Planted bugs: each of these breaks the outbox on purpose, and the checker has to notice.

The checker drives three processes' lives over one database and one platform that remembers everything, with refusals, lost
answers and crashes, and compares what is in the chats with what the rows say. A checker that finds nothing in a broken outbox
proves nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import storage.claims as rows
import storage.notices as notices
from bot.errors import RetryLater
from bot.messages import Address, Outbound, Receipt
from bot.outbox import Lane
from bot.pacing import Pacing, PacingRule
from bot.verdicts import Verdicts
from storage.claims import Claim
from storage.outbox import PENDING, SENDING
from storage.receipts import Result, Waiting
from storage.tables import Notice
from tests.kit.fake_platform import Lost
from tests.outbox.bench import MARK, Bench

PER_SECOND = 5
IN_A_MINUTE = 4
RULE = PacingRule(per_account_per_second=PER_SECOND, per_chat_interval=0, per_chat_per_minute=IN_A_MINUTE, chat_reserve=1)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(f"sqlite:///{tmp_path}/q.db")
    yield made
    made.writer.close()


async def violations(bench: Bench) -> list[str]:
    """Live through three processes and say what went wrong."""
    rng = random.Random(11)
    calm = True
    for _ in range(2):  # a restart within a minute of a busy chat
        bench.write(*(f"REPLY-{10_000 + i}" for i in range(2 * IN_A_MINUTE)), chat="busy")
        bench.make(Pacing(default=RULE))
        await bench.drain_for(5, 0.2)
    for i in range(48):
        lane = Lane(i % 4)
        bench.write(f"{lane.name}-{i}", chat=f"g{i % 3}", lane=lane)
    platform = bench.platform
    real = platform.send
    told: dict[str, Any] = {}
    found: list[str] = []
    ambiguous: Counter[str] = Counter()

    async def send(to: Address, what: Outbound) -> Receipt:
        now = bench.clock()
        scopes = (f"chat:{to.chat}", "account")
        found.extend(f"a request to {scope} within its pause" for scope in scopes if scope in told and now < told[scope])
        dice = 1.0 if calm else rng.random()
        if dice < 0.05:
            told["account"] = now + timedelta(seconds=7)
            raise RetryLater(7, "account")
        if dice < 0.10:
            told[f"chat:{to.chat}"] = now + timedelta(seconds=9)
            raise RetryLater(9, "chat")
        if dice < 0.25:
            ambiguous[what.key] += 1
            platform.fail(Lost(delivered=dice < 0.20), chat=to.chat)
        return await real(to, what)

    platform.send = send  # type: ignore[method-assign]
    for life in range(3):
        bench.make(Pacing(default=RULE))
        calm = False
        await bench.drain_for(5.0 if life < 2 else 30.0, 0.2)
        # `kill -9`: what was claimed and not sent stays claimed; the answer of one send never got written
        if life < 2:
            calm = True  # a refusal that nobody lived to write down cannot be obeyed
            await _killed_in_the_middle(bench, ambiguous)
    for _ in range(25):
        if not {"pending", "sending"} & set(bench.states().values()):
            break
        await bench.drain_for(20, 0.5)
    return found + _check(bench, ambiguous)


async def _killed_in_the_middle(bench: Bench, ambiguous: Counter[str]) -> None:
    """Die between a send and its receipt."""
    real = bench.writer.run
    dead = asyncio.Event()

    async def run(work: Callable[..., Any]) -> Any:
        if len(bench.platform.arrived) > before:
            dead.set()
            await asyncio.Event().wait()
        return await real(work)

    before = len(bench.platform.arrived)
    bench.writer.run = run  # type: ignore[method-assign]
    for _ in range(200):
        bench.clock.forward(0.1)
        task = asyncio.create_task(bench.outbox.drain())
        died = asyncio.create_task(dead.wait())
        await asyncio.wait([task, died], return_when=asyncio.FIRST_COMPLETED)
        task.cancel()
        died.cancel()
        await asyncio.gather(task, died, return_exceptions=True)
        if dead.is_set():
            break
    bench.writer.run = real  # type: ignore[method-assign]
    for arrival in bench.platform.arrived[before:]:
        ambiguous[arrival.what.key] += 1


def _check(bench: Bench, ambiguous: Counter[str]) -> list[str]:
    found: list[str] = []
    arrivals = bench.platform.arrived
    counts = Counter(arrival.what.key for arrival in arrivals)
    states = bench.states()
    for key, state in states.items():
        if state not in ("sent", "unknown"):
            found.append(f"{key} is {state}")
        if state == "sent" and not counts[key]:
            found.append(f"{key} is said to be sent and never came")
        if key.startswith("CAMPAIGN") and counts[key] > 1:
            found.append(f"{key} came {counts[key]} times although it is a campaign")
        if counts[key] - 1 > ambiguous[key]:
            found.append(f"{key} came {counts[key]} times, only {ambiguous[key]} answers were lost")
    seen: set[str] = set()
    for arrival in arrivals:
        key = arrival.what.key
        if key in seen and not arrival.what.text.startswith(MARK):
            found.append(f"{key} was repeated without a mark")
        seen.add(key)
    found += _order(bench) + _pace(bench)
    return found


def _order(bench: Bench) -> list[str]:
    """In every chat and lane the first arrivals come in the order of writing, except what stayed unknown."""
    found: list[str] = []
    last: dict[tuple[str, str], int] = {}
    seen: set[str] = set()
    for arrival in bench.platform.arrived:
        key = arrival.what.key
        if key in seen:
            continue
        seen.add(key)
        lane, _, number = key.partition("-")
        place = (arrival.to.chat, lane)
        if int(number) < last.get(place, -1):
            found.append(f"{key} came after a later one in {place}")
        last[place] = max(int(number), last.get(place, -1))
    return found


def _pace(bench: Bench) -> list[str]:
    """No second with more than the account's rate (and one slot of grace), no chat above its minute, alarms aside."""
    found: list[str] = []
    times = [at for at, _, _ in bench.platform.attempts]
    for i, at in enumerate(times):
        if sum(1 for other in times[i:] if (other - at).total_seconds() < 1) > PER_SECOND + 1:
            found.append(f"too fast at {at}")
    by_chat: dict[str, list[Any]] = {}
    for at, to, what in bench.platform.attempts:
        if not what.key.startswith("ALARM"):
            by_chat.setdefault(to.chat, []).append(at)
    for chat, spoken in by_chat.items():
        for i, at in enumerate(spoken):
            if sum(1 for other in spoken[i:] if (other - at).total_seconds() < 60) > IN_A_MINUTE:
                found.append(f"{chat} heard more than {IN_A_MINUTE} in a minute from {at}")
    return found


async def test_the_real_outbox_passes(bench: Bench) -> None:
    assert await violations(bench) == []
    assert bench.writer.read_now(lambda session: session.get(Notice, 1)) is not None


def _retry_on_time_out(patch: pytest.MonkeyPatch) -> None:
    """The usual bug: no answer means try again."""

    def uncertain(self: Verdicts, adapter: object, claim: Claim, why: str) -> Result:
        return Waiting(claim, self._clock() + timedelta(seconds=1), why)

    patch.setattr(Verdicts, "uncertain", uncertain)


def _forget_the_claim(patch: pytest.MonkeyPatch) -> None:
    """Claimed rows are put back as if nothing had left."""

    def uncertain(connection: Any, *, me: str, node: str | None, now: Any) -> Any:
        connection.execute(sa.update(rows.OUTBOX).where(SENDING).values(owner="", attempt=0))
        return [], None

    patch.setattr(rows, "abandoned", uncertain)


def _no_recovery(patch: pytest.MonkeyPatch) -> None:
    """Claims of the dead are never looked at."""
    patch.setattr(rows, "abandoned", lambda *_, **__: ([], None))


def _limiter_in_memory(patch: pytest.MonkeyPatch) -> None:
    """Budgets and pauses die with the process."""
    patch.setattr(Pacing, "restore", lambda *_: None)


def _pauses_in_memory(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(notices, "write_pauses", lambda *_: None)
    patch.setattr(notices, "read_pauses", lambda *_: dict)


def _no_order(patch: pytest.MonkeyPatch) -> None:
    """Whatever is due may go, whoever waits before it in its chat."""
    statement = sa.select(*rows._CLAIM_COLUMNS, rows.OUTBOX.c.attempt + 1).where(
        PENDING,
        rows.OUTBOX.c.platform == sa.bindparam("platform"),
        rows.OUTBOX.c.account == sa.bindparam("account"),
        sa.or_(rows.OUTBOX.c.due_at.is_(None), rows.OUTBOX.c.due_at <= rows._now),
    )
    newest_first = statement.order_by(rows.OUTBOX.c.lane, rows.OUTBOX.c.id.desc())
    behind = sa.tuple_(rows.OUTBOX.c.lane, rows.OUTBOX.c.id) > sa.tuple_(sa.bindparam("lane"), sa.bindparam("id"))
    further = newest_first.where(behind)
    patch.setattr(rows, "heads", cache(lambda most, *, onward: (further if onward else newest_first).limit(most)))


def _no_mark(patch: pytest.MonkeyPatch) -> None:
    real = Verdicts.outbound

    def outbound(self: Verdicts, adapter: Any, claim: Claim) -> Outbound:
        self._mark = ""
        return real(self, adapter, claim)

    patch.setattr(Verdicts, "outbound", outbound)


Plant = Callable[[pytest.MonkeyPatch], None]
BUGS: list[Plant] = [
    _retry_on_time_out,
    _forget_the_claim,
    _no_recovery,
    _limiter_in_memory,
    _pauses_in_memory,
    _no_order,
    _no_mark,
]


@pytest.mark.parametrize("plant", BUGS, ids=lambda plant: plant.__name__.strip("_"))
async def test_a_planted_bug_is_noticed(bench: Bench, monkeypatch: pytest.MonkeyPatch, plant: Plant) -> None:
    plant(monkeypatch)
    found = await violations(bench)
    assert found, f"{plant.__name__} went unnoticed"

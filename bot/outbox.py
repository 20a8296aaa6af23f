"""The way out: claim, pace, send, receipt.

Rows are claimed in small numbers just before their slot comes, so that a reply or an alarm that is written meanwhile overtakes a
campaign; within one lane a chat hears its notices in the order in which they were written. One transaction per round writes back
what ended and claims what comes next. What a failed send means is decided in bot/verdicts.py.

Where several nodes share the database, an account is ours only while we hold its lease (`hold`), whose token every claiming
transaction looks at, and the slots are booked in storage (decisions 0102 and 0103).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import threading
from bisect import insort
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from sqlmodel import Session

from bot.errors import AnswerLost, NeverDelivered, RetryLater
from bot.messages import Address
from bot.notices import Lane, NewNotice, cancel_campaign, enqueue
from bot.pacing import NEVER, AccountKey, Pacing
from bot.platforms.base import Adapter
from bot.verdicts import OutboxRule, Verdicts, account_scope, chat_scope
from storage import claims, notices
from storage.caps import Caps
from storage.claims import Claim, Ended, Result, Sent, Waiting
from storage.failpoints import failpoint
from storage.paces import Booking, book
from storage.writer import StorageUnavailable, Writer, take_turn

__all__ = ["Lane", "NewNotice", "OnGone", "Outbox", "OutboxRule", "cancel_campaign", "enqueue"]


class Hold(Protocol):
    """Which accounts are ours, where several nodes share them; `bot.leases.Leases` by account."""

    holder: str

    def token(self, account: AccountKey) -> int | None:
        """The fencing token while this account is ours to begin something for."""
        ...

    def stands(self, session: Session, account: AccountKey, token: int) -> bool:
        """Whether it still is, inside this transaction and until its end."""
        ...


OnGone = Callable[[Session, Address, int | None, str], None]

BOOK_AGAIN = timedelta(milliseconds=5)

log = structlog.get_logger(__name__)


class _Account:
    """What one of our accounts has claimed and is sending."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.queue: list[Claim] = []  # claimed, waits for its slot; best first
        self.sending: dict[int, Claim] = {}
        self.look = True  # rows may have come that go before those in the queue
        self.more = False  # more rows wait behind those in the queue
        self.token: int | None = None  # the lease under which we took it over, and whose past we know


class Outbox:
    """Sends what the outbox table holds, for the accounts in `adapters` (platform, account).

    `clock` gives the time in UTC. `node` names this process for ever: what an earlier process of that name had claimed is taken
    over at the start. `on_gone` is called once, inside the transaction, when a group turns out to have removed the bot.
    `repeat_mark` precedes the text of a repetition. `caps` says what a group bears of posts at a time.
    """

    def __init__(
        self,
        writer: Writer,
        adapters: Mapping[AccountKey, Adapter],
        pacing: Pacing,
        clock: Callable[[], datetime],
        *,
        node: str,
        on_gone: OnGone | None = None,
        repeat_mark: str = "（重发）",
        rule: OutboxRule | None = None,
        rng: random.Random | None = None,
        hold: Hold | None = None,
        caps: Callable[[datetime], Caps] | None = None,
    ) -> None:
        self._caps = caps
        self.rule = rule or OutboxRule()
        self._hold = hold
        self._writer = writer
        self._accounts = {key: _Account(adapter) for key, adapter in adapters.items()}
        self._pacing = pacing
        self._clock = clock
        self._node = node
        self._me = hold.holder if hold is not None else f"{node}/{secrets.token_hex(4)}"
        self._on_gone = on_gone
        self._verdicts = Verdicts(self.rule, clock, repeat_mark, rng or random.Random())
        self._results: list[Result] = []
        self._new_pauses: list[tuple[str, datetime]] = []
        self._gone: list[tuple[Address, str]] = []
        self._pauses: dict[str, datetime] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._turn = asyncio.Lock()
        self._picture = threading.Lock()  # queues and pacing: the writer's thread looks at them while sends are started
        self._started = False
        self._stopping = False
        self._leases_checked_until: datetime | None = None
        self._next_due: datetime | None = None
        self._patrol_at: datetime | None = None
        self._troubles = 0
        self._in_doubt = False  # a transaction of ours may have been committed without our knowing

    def wake(self) -> None:
        """Rows were committed: look at once. Cheap, and safe to call too often; only from the event loop."""
        self._look_everywhere()
        self._woken.set()

    async def run(self) -> None:
        """Send until stopped. Sleeps without polling while nothing is due."""
        while not self._stopping:
            self._woken.clear()
            come_back = await self._round()
            if not self._stopping:
                await self._rest(come_back)

    async def drain(self) -> None:
        """Send until nothing more is due by the clock and nothing is under way. What waits for a slot or a pause is not due."""
        self._look_everywhere()
        while True:
            come_back = await self._round()
            if self._tasks:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            elif not self._results and (come_back is None or come_back > self._clock()):
                return

    async def stop(self) -> None:
        """Stop within ten seconds: let sends finish, give unsent claims back, write everything down."""
        self._stopping = True
        self._woken.set()
        async with self._turn:
            for account in self._accounts.values():
                self._results += [Waiting(claim, None, used=False) for claim in account.queue]
                account.queue.clear()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self.rule.grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1.0)
        self._in_doubt = self._in_doubt or not self._tasks
        try:
            async with asyncio.timeout(1.0), self._turn:
                await self._exchange(claiming=False)
        except (TimeoutError, StorageUnavailable):
            log.error("outbox.stop", unwritten=len(self._results))  # the next start treats them as sends whose answer was lost

    def busy(self, key: AccountKey) -> bool:
        """Whether something of this account is under way or not written down yet."""
        account = self._accounts.get(key)
        if account is None:
            return False
        written = all((result.claim.platform, result.claim.account) != key for result in self._results)
        return bool(account.sending or account.queue) or not written

    async def stop_campaign(self, campaign_id: int) -> int:
        """Cancel what has not left yet of a campaign; returns how many notices that were. Sends under way finish."""
        async with self._turn:
            mine: list[Result] = []
            for account in self._accounts.values():
                mine += [Ended(claim, "cancelled") for claim in account.queue if claim.campaign_id == campaign_id]
                account.queue = [claim for claim in account.queue if claim.campaign_id != campaign_id]

            def work(session: Session) -> int:
                claims.write_back(session.connection(), self._me, mine)
                return notices.cancel_campaign(session.connection(), campaign_id)

            return await self._writer.run(work) + len(mine)

    # --- one round ------------------------------------------------------------------------------------------------

    async def _round(self) -> datetime | None:
        """Write back, claim, launch. Returns when to come again if nobody wakes us."""
        async with self._turn:
            if self._stopping:
                return None
            try:
                await (self._exchange(claiming=True) if self._hold is None else self._exchange_and_launch())
            except Exception as problem:
                self._troubles += 1
                log.error("outbox.storage", problem=type(problem).__name__, troubles=self._troubles)
                return self._clock() + timedelta(seconds=self._verdicts.jittered(min(5.0, 0.1 * 2 ** min(self._troubles, 8))))
            self._troubles = 0
            return self._launch()

    async def _exchange_and_launch(self) -> None:
        """An exchange with a server may take longer than a slot; what is claimed already is started in the meantime."""
        exchange = asyncio.create_task(self._exchange(claiming=True), name="outbox exchange")
        try:
            while not exchange.done():
                come_back = self._launch() if self._started else None
                wait = 0.05 if come_back is None else (come_back - self._clock()).total_seconds()
                await asyncio.wait([exchange], timeout=min(0.05, max(0.002, wait)))
            exchange.result()
        finally:
            if not exchange.done():
                exchange.cancel()
                await asyncio.wait([exchange])

    async def _exchange(self, *, claiming: bool) -> None:
        """One transaction: results in, claims out."""
        now = self._clock()
        if self._next_due is not None and self._next_due <= now:
            self._next_due = None
            self._look_everywhere()
        if self.rule.patrol is not None:
            later = now + timedelta(seconds=self.rule.patrol)
            if self._patrol_at is None or not now < self._patrol_at <= later:  # due, or the clock was set back
                self._patrol_at = later
                self._look_everywhere()
        recover = claiming and self._must_recover(now)
        taken = self._notice_leases() if claiming else {}
        recover = recover or bool(taken)
        asking = [key for key in self._accounts if self._asks(key, now)] if claiming else []
        if not (self._results or self._gone or self._new_pauses or self._in_doubt or recover or asking):
            return
        results, self._results = self._results, []
        pauses, self._new_pauses = self._new_pauses, []
        gone, self._gone = self._gone, []
        first = claiming and not self._started
        ours = self._known_claims(results) if self._in_doubt else None

        def work(session: Session) -> _Answer:
            connection = session.connection()
            claims.write_back(connection, self._me, results)
            if ours is not None:
                claims.release_others(connection, self._me, ours)
            for address, why in gone:
                self._close_chat(session, address, why, now)
            if pauses:
                notices.write_pauses(connection, pauses, now)
            answer = _Answer(notices.read_pauses(connection, now))
            if first and self._hold is None:
                answer.sent = claims.sent_since(connection, now - self._pacing.memory(self._accounts))
            for key in taken:
                answer.sent += claims.spoken_since(connection, key, now - self._pacing.memory([key]), now)
            if recover:
                answer.leases_until = self._recover(session, now, first)
            for key in asking:
                if answer.pauses.get(account_scope(key), now) <= now and self._stands(session, key):
                    self._claim(session, key, now, answer)
            if asking and self._hold is not None:
                with self._picture:
                    answer.bookings = self._pacing.wanted(self._waiting(answer), now)
                answer.booked = book(connection, answer.bookings, now)
            if claiming:
                answer.next_due = claims.next_due(connection, now)
            return answer

        try:
            answer = await self._writer.run(work)
        except BaseException:
            self._results = results + self._results
            self._new_pauses = pauses + self._new_pauses
            self._gone = gone + self._gone
            self._in_doubt = True
            raise
        self._in_doubt = False
        if results:
            failpoint("outbox.receipt")
        for key, token in taken.items():
            self._accounts[key].token = token
        self._pacing.restore(answer.sent)
        self._pacing.book(answer.bookings, answer.booked)
        self._take_over(answer, asking, recover)

    def _take_over(self, answer: _Answer, asked: list[AccountKey], recovered: bool) -> None:
        """Make the committed answer our picture of the world."""
        self._pauses = dict(answer.pauses)
        for scope, until in self._new_pauses:
            self._pauses[scope] = max(until, self._pauses.get(scope, until))
        self._started = self._started or recovered
        if recovered:
            self._leases_checked_until = answer.leases_until
        self._next_due = _earliest(answer.next_due, answer.ready_at)
        for key in asked:
            account = self._accounts[key]
            account.look, account.more = False, key in answer.more
            for claim in answer.claims.get(key, ()):
                insort(account.queue, claim, key=lambda c: c.order)
        if answer.claims:
            failpoint("outbox.claimed")

    def _asks(self, key: AccountKey, now: datetime) -> bool:
        """Whether to look for rows of this account now."""
        account = self._accounts[key]
        if self._pauses.get(account_scope(key), now) > now or not self._ours(key):
            return False
        if account.queue and self._hold is not None and self._pacing.account_ready_at(key, now) == NEVER:
            return True  # slots were missed and have to be booked again
        return account.look or (account.more and len(account.queue) * 2 <= self._most_in_queue(key))

    # --- whose account it is, where several nodes share the database --------------------------------------------

    def _ours(self, key: AccountKey) -> bool:
        """Whether something may be begun for this account."""
        return self._hold is None or self._hold.token(key) is not None

    def _notice_leases(self) -> dict[AccountKey, int]:
        """Accounts that became ours under a token that we have not worked under yet; what is not ours any more is let go of."""
        taken: dict[AccountKey, int] = {}
        if self._hold is None:
            return taken
        for key, account in self._accounts.items():
            token = self._hold.token(key)
            if token is None:
                self._give_back(account, list(account.queue))
            elif token != account.token:
                taken[key] = token
                account.look = True
                self._pacing.forget(key)
        return taken

    def _stands(self, session: Session, key: AccountKey) -> bool:
        """The fence: nobody has taken this account over, and nobody can before this transaction ends."""
        if self._hold is None:
            return True
        token = self._hold.token(key)
        return token is not None and self._hold.stands(session, key, token)

    def _waiting(self, answer: _Answer) -> dict[AccountKey, int]:
        """How many messages of each account will want a slot."""
        return {key: len(account.queue) + len(answer.claims.get(key, ())) for key, account in self._accounts.items()}

    def _most_in_queue(self, key: AccountKey) -> int:
        return int(min(2 * self.rule.in_flight, 2 + self._pacing.slots_within(key, self.rule.horizon)))

    def pause(self, scope: str, seconds: float) -> None:
        """A platform asked for a pause in answer to something that no notice was; kept like the outbox's own."""
        told = (scope, self._clock() + timedelta(seconds=seconds))
        self._new_pauses.append(told)
        self._pauses[scope] = max(told[1], self._pauses.get(*told))
        self.wake()

    def paused(self, scope: str) -> float:
        """Seconds until a pause is over; 0 when there is none."""
        until = self._pauses.get(scope)
        return 0.0 if until is None else max(0.0, (until - self._clock()).total_seconds())

    def _known_claims(self, results: list[Result]) -> list[int]:
        """The rows that are ours and that we know of."""
        known = [result.claim.id for result in (*results, *self._results)]
        for account in self._accounts.values():
            known += [claim.id for claim in account.queue]
            known += account.sending
        return known

    def _claim(self, session: Session, key: AccountKey, now: datetime, answer: _Answer) -> None:
        with self._picture:
            rooms = self._rooms(key, now, answer)
        soon = now + timedelta(seconds=self.rule.horizon)

        def room(lane: int) -> int:
            return rooms[lane]

        def ready(chat: str, lane: int, private: bool) -> bool:
            with self._picture:
                at = self._chat_ready_at(key, chat, Lane(lane), now, answer.pauses, private=private)
            if at > soon:
                answer.ready_at = _earliest(answer.ready_at, at)
            return at <= soon

        found, exhausted = claims.claim(
            session.connection(),
            key,
            owner=self._me,
            now=now,
            lease=timedelta(seconds=self.rule.lease),
            room=room,
            ready=ready,
            caps=self._caps(now) if self._caps else None,
        )
        if found:
            answer.claims[key] = found
        if not exhausted:
            answer.more.add(key)

    def _rooms(self, key: AccountKey, now: datetime, answer: _Answer) -> list[int]:
        """How many claims of each lane or better there is room for."""
        soon = now + timedelta(seconds=self.rule.horizon)
        queued = [claim.lane for claim in self._accounts[key].queue]
        rooms = [self._most_in_queue(key) - sum(other <= lane for other in queued) for lane in Lane]
        for lane in Lane:
            at = self._pacing.lane_ready_at(key, lane, now)
            if at > soon:
                rooms[lane] = 0
                answer.ready_at = _earliest(answer.ready_at, at)
        # a campaign that is stopped must not have claims that wait for the slots of a slow account
        within_a_second = max(1, int(min(self._pacing.slots_within(key, 1.0), 1e6)))
        rooms[Lane.CAMPAIGN] = min(rooms[Lane.CAMPAIGN], within_a_second - len(queued))
        slot = self._pacing.account_ready_at(key, now)
        if now + timedelta(seconds=1) < slot < NEVER:  # a slot that has yet to be booked is nobody's reason to wait
            rooms[Lane.CAMPAIGN] = 0
            answer.ready_at = _earliest(answer.ready_at, slot)
        return rooms

    def _launch(self) -> datetime | None:
        """Start what has its slot now; returns when the next slot, due time, pause or lease ends."""
        with self._picture:
            return self._launch_all()

    def _launch_all(self) -> datetime | None:
        now = self._clock()
        come_back = _earliest(self._next_due, self._leases_checked_until, self._patrol_at)
        for key, account in self._accounts.items():
            pause = self._pauses.get(account_scope(key))
            if not self._ours(key):
                self._give_back(account, list(account.queue))
            elif pause is not None and pause > now:
                self._give_back(account, list(account.queue))
                come_back = _earliest(come_back, pause if account.look or account.more else None)
            else:
                come_back = _earliest(come_back, self._launch_account(key, account, now))
        return now if self._results else come_back

    def _launch_account(self, key: AccountKey, account: _Account, now: datetime) -> datetime | None:
        come_back: datetime | None = None
        started: list[Claim] = []
        returned: list[Claim] = []
        for claim in account.queue:
            if claim.lease_until < now + timedelta(seconds=self.rule.send_timeout):
                returned.append(claim)  # we were held up; somebody else may have it by now
                continue
            if len(account.sending) >= self._places(Lane(claim.lane)):
                break
            slot = self._pacing.account_ready_at(key, now)
            chat = self._chat_ready_at(key, claim.chat, Lane(claim.lane), now, self._pauses, private=claim.private)
            if chat > now + timedelta(seconds=4 * self.rule.horizon):
                returned.append(claim)
            elif slot == NEVER:
                come_back = _earliest(come_back, now + BOOK_AGAIN)  # a slot was missed; the next exchange books another
                break
            elif slot <= now and chat <= now:
                self._pacing.take(key, claim.chat, now)
                account.sending[claim.id] = claim
                started.append(claim)
            else:
                come_back = _earliest(come_back, max(slot, chat))
        for claim in started:
            account.queue.remove(claim)
            task = asyncio.create_task(self._send(key, account, claim), name=f"send {claim.id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._give_back(account, returned)
        return now if started and self._asks(key, now) else come_back

    def _places(self, lane: Lane) -> int:
        """How many sends may be under way for one of this lane to start: the better the lane, the more."""
        if lane is Lane.ALARM:
            return self.rule.in_flight + self.rule.in_flight_reserve
        return self.rule.in_flight - (self.rule.in_flight_reserve if lane > Lane.REPLY else 0)

    def _give_back(self, account: _Account, unsent: list[Claim]) -> None:
        for claim in unsent:
            account.queue.remove(claim)
            self._results.append(Waiting(claim, None, used=False))
            account.look = True

    def _chat_ready_at(
        self, key: AccountKey, chat: str, lane: Lane, now: datetime, pauses: Mapping[str, datetime], *, private: bool
    ) -> datetime:
        pause = pauses.get(chat_scope(key, chat), now)
        return max(pause, self._pacing.chat_ready_at(key, chat, lane, now, private=private))

    async def _rest(self, until: datetime | None) -> None:
        # at most half a minute at a time, because the clock may be set while we wait
        seconds = None if until is None else min(30.0, (until - self._clock()).total_seconds())
        if seconds is not None and seconds <= 0:
            await asyncio.sleep(0)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    def _look_everywhere(self) -> None:
        for account in self._accounts.values():
            account.look = True

    # --- one send -------------------------------------------------------------------------------------------------

    async def _send(self, key: AccountKey, account: _Account, claim: Claim) -> None:
        """Send one notice and note what came of it."""
        address = Address(claim.platform, claim.account, claim.chat, claim.private, claim.thread)
        now = self._clock()
        paused = max(self._pauses.get(scope, now) for scope in (account_scope(key), chat_scope(key, claim.chat))) > now
        if paused or not self._ours(key):
            # told between the start of this task and now, by the answer to another send; or we were held up and lost the account
            self._finish(account, claim, Waiting(claim, None, used=False))
            return
        failpoint("outbox.before_send")
        try:
            async with asyncio.timeout(self.rule.send_timeout):
                result: Result = await self._deliver(account.adapter, address, claim)
            failpoint("outbox.sent")
        except RetryLater as problem:
            result, pause = self._verdicts.later(claim, problem)
            if pause is not None:
                self._new_pauses.append(pause)
                self._pauses[pause[0]] = max(pause[1], self._pauses.get(*pause))
        except NeverDelivered as problem:
            result = Ended(claim, "dead", problem.why)
            if problem.gone:
                self._gone.append((address, problem.why))
                dead = [other for other in account.queue if other.chat == claim.chat]
                account.queue = [other for other in account.queue if other.chat != claim.chat]
                self._results += [Ended(other, "dead", problem.why) for other in dead]
        except (AnswerLost, TimeoutError) as problem:
            result = self._verdicts.uncertain(account.adapter, claim, str(problem) or "no answer in time")
        except asyncio.CancelledError:
            result = self._verdicts.uncertain(account.adapter, claim, "stopped while sending")
        except Exception as problem:
            log.exception("outbox.adapter_bug", platform=claim.platform, notice=claim.id)
            result = self._verdicts.uncertain(account.adapter, claim, f"{type(problem).__name__}: {problem}"[:200])
        self._finish(account, claim, result)

    async def _deliver(self, adapter: Adapter, address: Address, claim: Claim) -> Result:
        """Say it, change what was said, or take it back."""
        if claim.changes is not None and (result := await self._change(adapter, address, claim)) is not None:
            return result
        if claim.recalls is None:
            receipt = await adapter.send(address, self._verdicts.outbound(adapter, claim))
            return Sent(claim, receipt.message_id, self._clock())
        if await adapter.recall(address, claim.recalls):
            return Sent(claim, "", self._clock())
        return Ended(claim, "dead", "the platform does not take it back")

    async def _change(self, adapter: Adapter, address: Address, claim: Claim) -> Result | None:
        """Put other words into a notice that is there; None when it is to be said anew instead."""
        target = claim.changed
        if target is not None and target.state in ("pending", "sending"):
            return Waiting(claim, self._clock() + timedelta(seconds=1), "what it changes is not there yet", used=False)
        if target is not None and target.message_id and adapter.can.edit:
            # the same words twice are the same message, so a lost answer needs no mark
            what = replace(self._verdicts.outbound(adapter, claim), text=claim.text)
            if await adapter.edit(address, target.message_id, what):
                return Sent(claim, target.message_id, self._clock())
        return None if claim.or_say else Ended(claim, "cancelled", "there is nothing to change")

    def _finish(self, account: _Account, claim: Claim, result: Result) -> None:
        account.sending.pop(claim.id, None)
        self._results.append(result)
        account.more = True  # the next notice for this chat
        account.look = account.look or claim.lane < Lane.CAMPAIGN
        self._woken.set()

    # --- on the writer --------------------------------------------------------------------------------------------

    def _must_recover(self, now: datetime) -> bool:
        return not self._started or (self._leases_checked_until is not None and self._leases_checked_until <= now)

    def _recover(self, session: Session, now: datetime, first: bool) -> datetime | None:
        """Treat what dead owners had claimed as sends whose answer was lost."""
        found, next_end = claims.abandoned(
            session.connection(), me=self._me, node=self._node if first or self._hold is not None else None, now=now
        )
        for row in found:
            key = row.claim.platform, row.claim.account
            account = self._accounts.get(key)
            if account is not None and self._stands(session, key):
                result = self._verdicts.uncertain(account.adapter, row.claim, "the process that was sending it died")
                claims.write_back(session.connection(), row.owner, [result])
        if self.rule.patrol is not None:
            next_end = _earliest(next_end, now + timedelta(seconds=self.rule.lease))
        return next_end

    def _close_chat(self, session: Session, address: Address, why: str, now: datetime) -> None:
        if self._hold is not None:
            take_turn(session)  # what is said about it is a turn like others
        group_id, changed = notices.close_chat(session.connection(), address.platform, address.account, address.chat, why, now)
        if not changed or self._on_gone is None:
            return
        try:
            with session.begin_nested():
                self._on_gone(session, address, group_id, why)
        except Exception:
            log.exception("outbox.on_gone", group=group_id)


class _Answer:
    """What one exchange with the storage brought."""

    def __init__(self, pauses: dict[str, datetime]) -> None:
        self.pauses = pauses
        self.sent: list[tuple[str, str, str, datetime]] = []
        self.leases_until: datetime | None = None
        self.claims: dict[AccountKey, list[Claim]] = {}
        self.more: set[AccountKey] = set()
        self.ready_at: datetime | None = None  # when the first chat that was passed over may be spoken to
        self.next_due: datetime | None = None
        self.bookings: list[Booking] = []
        self.booked: dict[str, datetime] = {}


def _earliest(*times: datetime | None) -> datetime | None:
    return min((time for time in times if time is not None), default=None)

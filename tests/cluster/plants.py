"""Planted bugs of a cluster: each breaks one promise, and the checker must notice. They are put into a node alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

import bot.turn.turn
from bot.kept import done
from bot.leases import Leases
from bot.outbox.accounts import Accounts
from bot.verdicts import Verdicts
from storage import claims as rows
from storage.claims import Claim
from storage.receipts import Waiting
from tests.kit.lots import take_lots_apart


def no_fencing() -> None:
    """Who once held an account goes on as if it did, and whoever worked on an event ends it, whoever owns it by now."""
    token = Leases.token
    ever: dict[str, int] = {}

    def stale(self: Leases, name: str) -> int | None:
        held = token(self, name)
        if held is not None:
            ever[name] = held
        return ever.get(name)

    Leases.token = stale  # type: ignore[method-assign]
    Accounts.stands = lambda self, session, key: lambda: True  # type: ignore[method-assign]
    claim = rows.claim

    def for_ever(*arguments: Any, **named: Any) -> tuple[list[Claim], bool]:
        claims, exhausted = claim(*arguments, **named)
        return [replace(one, lease_until=one.lease_until + timedelta(hours=1)) for one in claims], exhausted

    rows.claim = for_ever
    bot.turn.turn.done = lambda session, event, claim=None, **more: done(session, event, **more)  # type: ignore[attr-defined]


def retry_on_timeout() -> None:
    """No answer is taken for a refusal: the message is said again, as if it had certainly not arrived."""

    def uncertain(self: Verdicts, adapter: object, claim: Claim, why: str) -> Waiting:
        return Waiting(claim, self._in(0.05), why[:200])

    Verdicts.uncertain = uncertain  # type: ignore[method-assign,assignment]


PLANTS: dict[str, Callable[[], None]] = {
    "": lambda: None,
    "no fencing": no_fencing,
    "limiter in memory": lambda: None,  # tests.cluster.node gives it another Pacing
    "retry on time-out": retry_on_timeout,
    "lot taken apart": take_lots_apart,
    "own clock": lambda: None,  # and another clock
}

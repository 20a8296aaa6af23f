"""High-impact actions that wait: for the one-time password of whoever asked, then for a delay in which they can be stopped.

asked -> confirmed -> done | failed, and from the first two cancelled; what is not confirmed in time has lapsed. Each is carried
out at most once: the row leaves `confirmed` in the transaction that does the work (docs/decisions/0190).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from sqlmodel import Session, col, select

from content.refusal import Refusal
from storage.tables import Officer, PendingAction

CONFIRM_WITHIN = timedelta(minutes=30)
FETCH_WITHIN = timedelta(hours=24)
TIMER = "pending.due"
FETCHED = frozenset({"post.export"})  # when the delay is over, whoever asked fetches it at the terminal (0240); nothing runs


class PendingState(StrEnum):
    """Where a pending action stands."""

    ASKED = "asked"
    CONFIRMED = "confirmed"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"
    LAPSED = "lapsed"


OPEN = (PendingState.ASKED, PendingState.CONFIRMED)


@dataclass(frozen=True, slots=True)
class PendingRules:
    """What waits, and how long. `enabled` false: nothing does. `groups`: a campaign to more groups than this waits."""

    enabled: bool = True
    delay: timedelta = timedelta(minutes=10)
    groups: int = 50


class Waker(Protocol):
    """Sets the timer that carries an action out; see `bot.timers.Timers`."""

    def after(self, wait: timedelta, kind: str, key: str, /, **data: str) -> None: ...

    def cancel(self, kind: str, key: str) -> None: ...


class PendingActions:
    """Pending actions inside the caller's transaction."""

    def __init__(self, session: Session, now: datetime, rules: PendingRules, waker: Waker) -> None:
        self._session = session
        self._now = now
        self._waker = waker
        self.rules = rules

    def ask(
        self, kind: str, officer: Officer, platform: str, *, about: str, scope: str, payload: Mapping[str, str | int]
    ) -> PendingAction:
        """Write down that this officer wants it; the same asked again takes the place of what was asked before."""
        text = json.dumps(payload, ensure_ascii=False, sort_keys=True)
        for row in self.open():
            if row.kind == kind and row.about == about:
                if row.state == PendingState.CONFIRMED:
                    raise Refusal("confirm.waits_already", number=row.id)
                self._end(row, PendingState.LAPSED, None)
        row = PendingAction(
            kind=kind,
            scope=scope,
            about=about,
            payload=text,
            officer_id=officer.id or 0,
            platform=platform,
            asked_at=self._now,
            confirm_by=self._now + CONFIRM_WITHIN,
        )
        self._session.add(row)
        self._session.flush()
        return row

    def get(self, number: int) -> PendingAction:
        """The action with this number, locked; Refusal `confirm.no_such` when there is none."""
        row = self._session.get(PendingAction, number, with_for_update=True)
        if row is None:
            raise Refusal("confirm.no_such", number=number)
        return row

    def to_confirm(self, number: int, officer: Officer) -> PendingAction:
        """The action that this officer may confirm now. Refusal when it is another's, over, or was asked too long ago."""
        row = self.get(number)
        if row.officer_id != officer.id:
            raise Refusal("confirm.not_yours", number=number)
        if row.state == PendingState.CONFIRMED:
            raise Refusal("confirm.waits_already", number=number)
        if row.state != PendingState.ASKED:
            raise Refusal("confirm.over", number=number)
        if row.confirm_by <= self._now:
            raise Refusal("confirm.too_late", number=number)
        return row

    def confirm(self, row: PendingAction) -> datetime:
        """Its code was right: it runs when the delay is over; returns when that is."""
        row.state, row.runs_at = PendingState.CONFIRMED, self._now + self.rules.delay
        self._session.add(row)
        if row.kind not in FETCHED:
            self._waker.after(self.rules.delay, TIMER, str(row.id))
        return row.runs_at

    def cancel(self, row: PendingAction, officer: Officer) -> None:
        """It is not done. Refusal when it was already done or is over."""
        if row.state not in OPEN:
            raise Refusal("confirm.over", number=row.id)
        self._end(row, PendingState.CANCELLED, officer)
        self._waker.cancel(TIMER, str(row.id))

    def due(self, number: int) -> PendingAction | None:
        """The action whose delay is over, if it is still to be done."""
        row = self._session.get(PendingAction, number, with_for_update=True)
        if row is None or row.state != PendingState.CONFIRMED or row.runs_at is None or row.runs_at > self._now:
            return None
        return row

    def done(self, row: PendingAction) -> None:
        """It was carried out in this transaction."""
        self._end(row, PendingState.DONE, None)

    def failed(self, row: PendingAction) -> None:
        """It could not be carried out."""
        self._end(row, PendingState.FAILED, None)

    def open(self) -> Sequence[PendingAction]:
        """What waits, the oldest first; what was asked too long ago does not any more."""
        rows = self._session.exec(
            select(PendingAction).where(col(PendingAction.state).in_(OPEN)).order_by(col(PendingAction.id))
        ).all()
        for row in rows:
            asked_too_long_ago = row.state == PendingState.ASKED and row.confirm_by <= self._now
            never_fetched = row.kind in FETCHED and row.runs_at is not None and row.runs_at + FETCH_WITHIN <= self._now
            if asked_too_long_ago or never_fetched:
                self._end(row, PendingState.LAPSED, None)
        return [row for row in rows if row.state in OPEN]

    def _end(self, row: PendingAction, state: PendingState, by: Officer | None) -> None:
        # what was prepared for it is of no use to anybody any more
        row.state, row.ended_at, row.ended_by, row.payload = state, self._now, by.id if by else None, "{}"
        self._session.add(row)
        self._session.flush()


def payload_of(row: PendingAction) -> dict[str, str | int]:
    """What was written down for whoever carries it out."""
    read: dict[str, str | int] = json.loads(row.payload)
    return read

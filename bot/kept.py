"""Rows of the inbox: kept, waiting for words, done, to be unsaid, failed."""

from __future__ import annotations

from datetime import datetime

from msgspec.json import Decoder
from sqlalchemy import case, update
from sqlmodel import Session, col, select

from bot.jobs import Job
from bot.lanes import LaneKey
from bot.messages import Address, Inbound
from storage.intake import LATE, ClaimLost, EventClaim
from storage.sealing import Sealer
from storage.tables import Alarm, Case, InboxEvent

_WHOM = "whom:"
_EVENT = Decoder(Inbound)
_PROBLEM = case((col(InboxEvent.problem) == LATE, ""), else_=col(InboxEvent.problem))  # nobody is noted for talking much


def unsealed(sealer: Sealer, body: bytes) -> Inbound:
    """The event of a kept row. Raises Sealed or DecodeError."""
    return _EVENT.decode(sealer.unseal(body))


def done(session: Session, event: Inbound, claim: EventClaim | None = None, *, unsay: bool = False, whom: bool = False) -> None:
    """The event was handled in this transaction: its words go, its id stays against a second delivery.

    With `unsay` the platform still has to be asked to forget it (`bot.unsaying`), with `whom` everything of its sender.
    Raises ClaimLost when it was claimed and is another node's by now; the whole turn is then that node's.
    """
    ours = (col(InboxEvent.owner) == claim.owner, col(InboxEvent.attempt) == claim.attempt) if claim else ()
    ended = session.execute(
        update(InboxEvent)
        .where(
            col(InboxEvent.platform) == event.address.platform,
            col(InboxEvent.account) == event.address.account,
            col(InboxEvent.event_id) == event.event_id,
            *ours,
        )
        .values(
            state="unsaying" if unsay else "done",
            body=None,
            due_at=None,
            lane="",
            owner="",
            problem=f"{_WHOM}{event.sender.id}" if whom else _PROBLEM,
        )
    )
    if claim is not None and ended.rowcount == 0:  # type: ignore[attr-defined]
        raise ClaimLost(str(claim.id))


def whom(row: InboxEvent) -> str | None:
    """The person whom a platform still has to forget, if it is not this event alone."""
    return row.problem.removeprefix(_WHOM) if row.problem.startswith(_WHOM) else None


def unsaid(session: Session) -> list[InboxEvent]:
    """Events that a platform of ours still has to forget."""
    return list(session.exec(select(InboxEvent).where(InboxEvent.state == "unsaying").order_by(col(InboxEvent.id))).all())


def forgotten(session: Session, platform: str, account: str, event_id: str) -> None:
    """The platform has forgotten the event, or has no memory of its own."""
    session.execute(
        update(InboxEvent)
        .where(col(InboxEvent.platform) == platform, col(InboxEvent.account) == account, col(InboxEvent.event_id) == event_id)
        .values(state="done", problem="")
    )


def all_done(session: Session, events: list[Inbound]) -> None:
    for event in events:
        done(session, event)


def failed(session: Session, job: Job, problem: str, most: int) -> bool:
    """Count a failure; true when the event and its parts have failed `most` times and are quarantined (bodies stay, sealed)."""
    tries = 0
    for event in (job.event, *job.parts):
        row = session.exec(
            select(InboxEvent).where(
                InboxEvent.platform == event.address.platform,
                InboxEvent.account == event.address.account,
                InboxEvent.event_id == event.event_id,
            )
        ).one()
        claim = job.claim
        if claim is not None and (row.owner, row.attempt) != (claim.owner, claim.attempt):
            raise ClaimLost(str(claim.id))
        row.tries += 1
        row.problem = problem
        tries = max(tries, row.tries)
        if row.tries >= most:
            row.state = "quarantined"
        session.add(row)
    return tries >= most


def set_state(session: Session, row_id: int, state: str, problem: str) -> None:
    row = session.get(InboxEvent, row_id)
    if row is not None:
        row.state, row.problem = state, problem
        session.add(row)


def open_alarms(session: Session) -> dict[Address, int]:
    """Where an emergency is open."""
    rows = session.exec(select(Alarm).where(col(Alarm.safe_at).is_(None)).order_by(col(Alarm.id))).all()
    return {Address(row.platform, row.account, row.chat, row.private, row.thread): row.id or 0 for row in rows}


def fresh_reports(session: Session, since: datetime) -> list[tuple[LaneKey, datetime]]:
    rows = session.exec(select(Case).where(Case.created_at >= since)).all()
    return [
        (LaneKey(Address(row.platform, row.account, row.chat, row.private, row.thread), row.reporter), row.created_at)
        for row in rows
        if row.reporter is not None
    ]

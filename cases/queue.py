"""What waits: open cases, the most urgent and the oldest first."""

from __future__ import annotations

from sqlmodel import Session, col, select

from cases.lifecycle import State
from storage.tables import Case

WAITING = (
    State.DRAFT,
    State.SUBMITTED,
    State.ACCEPTED,
    State.DISPATCHED,
    State.SIGNED,
    State.IN_PROGRESS,
    State.REOPENED,
)
MOST = 500


def queue_of(session: Session) -> list[Case]:
    """Cases on which an officer can act now; tier first (T1 before T4, questions last), then age."""
    return list(
        session.exec(
            select(Case).where(col(Case.state).in_(WAITING)).order_by(col(Case.tier), col(Case.created_at)).limit(MOST)
        ).all()
    )

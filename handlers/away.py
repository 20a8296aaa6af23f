"""A platform account was away: what is told about it is only worth telling soon."""

from __future__ import annotations

from sqlalchemy import update
from sqlmodel import Session, col

from bot.router import Router
from bot.timers import Due
from storage.tables import Notice

router = Router("away")


@router.timer("away.old")
def tell_no_more(due: Due, session: Session) -> None:
    """Groups that have not been told by now need not be told any more; `key` is what their notices' keys begin with."""
    old = (col(Notice.key).startswith(due.key, autoescape=True), col(Notice.state) == "pending", col(Notice.owner) == "")
    session.execute(update(Notice).where(*old).values(state="cancelled"))

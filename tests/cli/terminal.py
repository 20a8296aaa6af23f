"""What the tests of the command line share: what a call did, and what lies in its database afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import delete
from sqlmodel import Session, col, select

from bot.app import open_database
from cases.roster import Roster
from storage.tables import Notice, Officer

ROOT = Path(__file__).parent.parent.parent


MONDAY_TEN = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Done:
    """What a call did: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


Shell = Callable[..., Done]


Answer = TypeVar("Answer")


def bind(tmp_path: Path, *badges: str) -> None:
    """These officers have bound an account of the web chat, named like the badge."""

    def work(session: Session) -> None:
        for badge in badges:
            officer = session.exec(select(Officer).where(Officer.badge == badge)).one()
            Roster(session, MONDAY_TEN).bind(officer, "web", f"account-{badge}")

    in_database(tmp_path, work)


def told(tmp_path: Path) -> list[tuple[str, str]]:
    """What waits to be said to accounts in private; afterwards nothing does."""

    def work(session: Session) -> list[tuple[str, str]]:
        rows = session.exec(select(Notice).where(col(Notice.private)).order_by(col(Notice.id))).all()
        said = [(row.chat, row.text) for row in rows]
        session.execute(delete(Notice).where(col(Notice.private)))
        return said

    return in_database(tmp_path, work)


def in_database(tmp_path: Path, work: Callable[[Session], Answer]) -> Answer:
    writer = open_database(f"sqlite:///{tmp_path / 'data/qianshao.sqlite3'}")
    try:
        return writer.run_now(work)
    finally:
        writer.close()

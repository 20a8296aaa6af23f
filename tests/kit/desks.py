"""A desk on a database in memory, for tests of what happens to a case without a conversation around it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from sqlalchemy import Engine
from sqlalchemy.pool import StaticPool
from sqlmodel import Session, SQLModel, create_engine

from bot.app import CONTENT
from cases.clocks import Clocks
from cases.desk import CaseDesk
from cases.origin import NewCase, Origin
from cases.workdays import WorkCalendar
from content.desk import DeskRules
from content.taxonomy import Taxonomy
from storage.tables import Case, Officer, Unit

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # ten o'clock in Shanghai, a Monday


class OpenGate:
    """Everybody may everything, as that officer."""

    def __init__(self, officer: Officer) -> None:
        self.officer = officer

    def require(self, action: str, *, grid_id: int | None = None, unit_ids: tuple[int, ...] = (), target: str = "") -> Officer:
        return self.officer


@dataclass
class Alarmclock:
    """Remembers which timers are set."""

    set: dict[tuple[str, str], timedelta] = field(default_factory=dict)

    def after(self, wait: timedelta, kind: str, key: str, /, **data: str) -> None:
        self.set[kind, key] = wait

    def cancel(self, kind: str, key: str) -> None:
        self.set.pop((kind, key), None)


@cache
def rules() -> DeskRules:
    return DeskRules.load(CONTENT / "desk.toml")


@cache
def taxonomy() -> Taxonomy:
    return Taxonomy.load(CONTENT / "taxonomy.toml")


CALENDAR = WorkCalendar(ZONE)


@cache
def _engine() -> Engine:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    SQLModel.metadata.create_all(engine)
    return engine


@contextmanager
def memory() -> Iterator[Session]:
    """An empty database with every table; what was written is rolled back at the end."""
    with Session(_engine(), expire_on_commit=False) as session:
        try:
            yield session
        finally:
            session.rollback()


def officers(session: Session) -> tuple[Officer, Officer, Unit, Unit]:
    """Two officers and two units."""
    people = (Officer(badge="1", name="王", title="民警"), Officer(badge="2", name="李", title="民警"))
    units = (Unit(code="a", name="物业", kind="property"), Unit(code="b", name="消防", kind="fire"))
    for row in (*people, *units):
        session.add(row)
    session.flush()
    return (*people, *units)


def desk_of(session: Session, officer: Officer, now: datetime = NOW, waker: Alarmclock | None = None) -> CaseDesk:
    """The desk as that officer finds it at that time."""
    clocks = Clocks(session, rules(), CALENDAR, now, waker or Alarmclock())
    return CaseDesk(session, OpenGate(officer), taxonomy(), ZONE, now, clocks)


def origin(sender: str = "zhang", chat: str = "g", message_id: str = "m1") -> Origin:
    return Origin("web", "web", chat, False, None, None, None, sender, sender, message_id)


def open_case(desk: CaseDesk, *, tier: str = "T3", kind: str = "hazard", place: str = "5号楼", sender: str = "zhang") -> Case:
    """A lamp that is out."""
    return desk.open(NewCase(kind, "lamp", tier, "路灯坏了", place, origin(sender)))

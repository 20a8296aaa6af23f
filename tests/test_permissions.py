"""Role x scope: who may do what where, decided from the roster at the action."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlmodel import Session, SQLModel, create_engine, select

from bot.app import CONTENT, build_router
from bot.demo import load_district, seed
from bot.errors import NotAllowed
from bot.messages import Address, Inbound, Kind, Sender
from bot.permissions import ACTIONS, IMPLIES, ROLE_NAMES, Rights, Role, acting_officer
from storage.tables import Audit, Grid, Officer, Unit

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
DISTRICT = load_district(CONTENT / "demo" / "district.toml")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    path: Path = tmp_path_factory.mktemp("roster") / "roster.sqlite3"
    engine = create_engine(f"sqlite:///{path}")
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        seed(session, DISTRICT, NOW)
        yield session
    engine.dispose()


def rights(session: Session, badge: str | None) -> Rights:
    officer = session.exec(select(Officer).where(Officer.badge == badge)).first() if badge else None
    return Rights(session, officer, "web", NOW)


def grid(session: Session, code: str) -> int | None:
    return session.exec(select(Grid.id).where(Grid.code == code)).one()


def unit(session: Session, code: str) -> int:
    found = session.exec(select(Unit.id).where(Unit.code == code)).one()
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("badge", "action", "grid_code", "allowed"),
    [
        ("3201", "case.take", "GX01", True),
        ("3201", "case.take", "GX0101", True),  # a grid inside his own
        ("3201", "case.take", "GX02", False),
        ("3201", "case.take", None, False),  # the district as a whole
        ("W101", "case.take", "GX02", True),
        ("3201", "case.dispatch", "GX01", False),
        ("D301", "case.dispatch", "GX02", True),
        ("D301", "case.take", "GX02", False),
        ("S401", "case.dispatch", "GX01", True),  # a supervisor may what those below him may
        ("S401", "case.take", None, True),
        ("A601", "stats.view", None, True),
        ("A601", "case.view", "GX01", False),
        ("E501", "post.send", None, True),
        ("M701", "case.view", "GX01", False),  # who runs the machine sees no cases
        ("M701", "tip.read", None, False),
        ("S401", "tip.grant", None, False),
        ("3202", "tip.read", None, True),
        (None, "case.view", "GX01", False),
    ],
)
def test_who_may_what_where(session: Session, badge: str | None, action: str, grid_code: str | None, allowed: bool) -> None:
    where = grid(session, grid_code) if grid_code else None
    own = rights(session, badge)
    assert own.covers(action, where) is allowed
    if allowed:
        assert own.require(action, grid_id=where).badge == badge
    else:
        with pytest.raises(NotAllowed):
            own.require(action, grid_id=where)


def test_a_unit_has_its_own_cases_wherever_they_are(session: Session) -> None:
    own, other = unit(session, "property"), unit(session, "fire")
    worker = rights(session, "P201")
    assert worker.covers("case.resolve", grid(session, "GX02"), (own,))
    assert worker.covers("case.resolve", None, (other, own))  # assisting
    assert not worker.covers("case.resolve", grid(session, "GX02"), (other,))
    assert not worker.covers("case.resolve", grid(session, "GX02"))


def test_a_refusal_says_what_is_missing(session: Session) -> None:
    cases = ((None, "refusal.not_officer"), ("E501", "refusal.role"), ("3202", "refusal.other_area"))
    for badge, phrase in cases:
        with pytest.raises(NotAllowed) as refused:
            rights(session, badge).require("case.take", grid_id=grid(session, "GX01"))
        assert refused.value.phrase == phrase


def test_what_was_allowed_is_written_down(session: Session) -> None:
    rights(session, "3201").require("case.take", grid_id=grid(session, "GX01"), target="2611-0042")
    line = session.exec(select(Audit).where(Audit.target == "2611-0042")).one()
    assert (line.action, line.allowed, line.platform) == ("case.take", True, "web")


def heard(user: str, *, kind: Kind = Kind.MESSAGE, copied: bool = False, personal: bool = True) -> Inbound:
    return Inbound("e1", Address("web", "web", "gx01"), Sender(user, "王建国", personal), NOW, kind=kind, copied=copied)


def test_only_fresh_words_of_the_bound_account_are_the_officers(session: Session) -> None:
    user = DISTRICT.web_id("3201")
    officer = acting_officer(session, heard(user))
    assert officer is not None
    assert officer.badge == "3201"
    for message in (
        heard("somebody called 王建国"),
        heard(user, copied=True),
        heard(user, personal=False),
        heard(user, kind=Kind.EDIT),
        heard(user, kind=Kind.RECALL),
    ):
        assert acting_officer(session, message) is None


def test_the_tables_are_complete() -> None:
    assert set(ROLE_NAMES) == set(Role)
    assert all(roles for roles in ACTIONS.values())
    for command in build_router().commands.values():
        assert all(role in Role for role in command.needs)
    assert not any(Role.CUSTODIAN in implied or Role.ADMIN in implied for implied in IMPLIES.values())


def test_control_a_scope_that_is_not_looked_at_would_let_everybody_in(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rights, "_reaches", lambda *_: True)
    assert rights(session, "3201").covers("case.take", grid(session, "GX02"))

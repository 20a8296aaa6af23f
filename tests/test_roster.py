"""One-time codes, badges and duty."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import Session, SQLModel, create_engine, select

from bot.app import CONTENT
from bot.demo import load_district, seed
from bot.permissions import officer_of_account
from cases.roster import CODE_DIGITS, CODE_LIVES, Roster
from content.refusal import Refusal
from storage.tables import BindCode, Duty, Grid, Officer, OfficerAccount

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        seed(session, load_district(CONTENT / "demo" / "district.toml"), NOW)
        yield session
    engine.dispose()


def officer(session: Session, badge: str) -> Officer:
    return session.exec(select(Officer).where(Officer.badge == badge)).one()


def refused(roster: Roster, code: str, badge: str | None = None) -> bool:
    try:
        roster.use_code(code, badge)
    except Refusal as refusal:
        return refusal.phrase == "officers.bad_code"
    return False


def test_a_code_works_once_for_a_day_and_only_the_newest(session: Session) -> None:
    roster = Roster(session, NOW)
    old = roster.new_code(officer(session, "3201"))
    new = roster.new_code(officer(session, "3201"))
    assert len(new) == CODE_DIGITS
    assert refused(roster, old)
    assert refused(Roster(session, NOW + CODE_LIVES), new)
    assert refused(roster, new, badge="3202")
    assert roster.use_code(f" {new} ", badge="3201").badge == "3201"
    assert refused(roster, new)


def test_the_code_itself_is_kept_nowhere(session: Session) -> None:
    code = Roster(session, NOW).new_code(officer(session, "3201"))
    assert [row.code_hash for row in session.exec(select(BindCode)).all() if code in row.code_hash] == []


def test_a_code_that_others_saw_is_spoilt(session: Session) -> None:
    roster = Roster(session, NOW)
    code = roster.new_code(officer(session, "3201"))
    roster.spoil_code(code)
    roster.spoil_code("00000000")
    assert refused(roster, code)


def test_the_code_of_somebody_who_left_is_none(session: Session) -> None:
    roster = Roster(session, NOW)
    code = roster.new_code(officer(session, "3201"))
    officer(session, "3201").active = False
    assert refused(roster, code)
    assert roster.by_badge("3201") is None


def test_an_account_belongs_to_one_officer_and_the_last_binding_counts(session: Session) -> None:
    roster = Roster(session, NOW)
    for badge in ("3201", "3202"):
        roster.bind(officer(session, badge), "telegram", "77")
        session.flush()
    bound = officer_of_account(session, "telegram", "77")
    assert bound is not None
    assert bound.badge == "3202"
    assert len(session.exec(select(OfficerAccount).where(OfficerAccount.platform == "telegram")).all()) == 1


def test_who_is_on_duty_here_now(session: Session) -> None:
    def badges(code: str | None, at: datetime = NOW) -> list[str]:
        grid = session.exec(select(Grid.id).where(Grid.code == code)).first() if code else None
        return [one.badge for one in Roster(session, at).on_duty(grid)]

    assert badges("GX01") == ["3201"]
    assert badges("GX0101") == ["3201"]  # nobody of its own: whoever is on duty around it
    assert badges(None) == ["S401"]
    for duty in session.exec(select(Duty).where(Duty.officer_id == officer(session, "3201").id)).all():
        duty.ends_at = NOW + timedelta(hours=1)
        session.add(duty)
    session.flush()
    assert badges("GX01", NOW + timedelta(hours=1)) == ["S401"]
    assert badges("GX01", NOW - timedelta(days=1)) == []

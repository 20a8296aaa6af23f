"""Questions that wait: which one a message is offered to, and what survives what."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import Session, SQLModel, create_engine, select

from bot.dialogs import DialogKey, Dialogs, open_dialogs
from storage.tables import Dialog

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ME = DialogKey("web", "web", "g1", "", "zhang")
YOU = DialogKey("web", "web", "g1", "", "chen")
PATIENT = {"callback", "rating"}
HOUR = timedelta(hours=1)


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


def at(session: Session, minutes: float = 0, own: DialogKey = ME) -> Dialogs:
    """The dialogs as a turn some minutes later sees them."""
    return Dialogs(session, NOW + timedelta(minutes=minutes), own, PATIENT)


def names(dialogs: Dialogs) -> list[tuple[str, int | None]]:
    return [(one.name, one.case_id) for one in dialogs.waiting()]


def test_nothing_is_awaited_of_somebody_who_was_not_asked(session: Session) -> None:
    at(session).ask("place", wait=HOUR, case_id=1)
    assert names(at(session)) == [("place", 1)]
    assert names(at(session, own=YOU)) == []


def test_a_patient_question_stays_beneath_a_newer_one(session: Session) -> None:
    at(session).ask("callback", wait=14 * 24 * HOUR, case_id=1)
    at(session).ask("place", wait=HOUR, case_id=2)
    assert names(at(session)) == [("place", 2), ("callback", 1)]
    dialogs = at(session)
    dialogs.current = dialogs.waiting()[0]
    dialogs.end()
    assert names(at(session)) == [("callback", 1)]


def test_an_impatient_one_is_forgotten_when_a_newer_one_is_asked(session: Session) -> None:
    at(session).ask("place", wait=HOUR, case_id=1)
    at(session).ask("place", wait=HOUR, case_id=2)
    assert names(at(session)) == [("place", 2)]


def test_the_next_step_of_a_matter_replaces_the_one_before(session: Session) -> None:
    at(session).ask("callback", wait=HOUR, case_id=1)
    at(session).ask("callback", wait=HOUR, case_id=2)
    at(session).ask("callback.reason", wait=HOUR, case_id=1)
    assert names(at(session)) == [("callback.reason", 1), ("callback", 2)]


def test_each_runs_out_for_itself(session: Session) -> None:
    at(session).ask("callback", wait=24 * HOUR, case_id=1)
    at(session).ask("place", wait=timedelta(minutes=10), case_id=2)
    assert names(at(session, 9.9)) == [("place", 2), ("callback", 1)]
    assert names(at(session, 10)) == [("callback", 1)]
    assert names(at(session, 24 * 60)) == []


def test_ending_one_in_the_middle_leaves_the_others(session: Session) -> None:
    for number in (1, 2, 3):
        at(session).ask("callback", wait=HOUR, case_id=number)
    dialogs = at(session)
    dialogs.current = dialogs.waiting()[1]
    dialogs.end()
    assert names(at(session)) == [("callback", 3), ("callback", 1)]
    at(session).end_about(3)
    at(session).end_about(99)
    assert names(at(session)) == [("callback", 1)]
    at(session, own=YOU).end_about(1, of=ME)
    assert session.exec(select(Dialog)).all() == []


def test_what_was_noted_comes_back(session: Session) -> None:
    at(session).ask("tip.more", wait=HOUR, step="two", data={"tip": "青松1"})
    pending = at(session).waiting()[0]
    assert (pending.step, pending.data) == ("two", {"tip": "青松1"})


def test_the_memory_learns_what_changed_and_a_start_finds_what_waits(session: Session) -> None:
    dialogs = at(session)
    dialogs.ask("callback", wait=24 * HOUR, case_id=1)
    dialogs.ask("place", wait=HOUR, case_id=2)
    dialogs.ask("rating", wait=timedelta(minutes=1), of=YOU)
    assert [one.name for one in dialogs.changed[ME]] == ["place", "callback"]
    found = open_dialogs(session, NOW + timedelta(minutes=2))
    assert {key: [one.name for one in waiting] for key, waiting in found.items()} == {ME: ["place", "callback"]}


def test_the_heap_is_bounded(session: Session) -> None:
    for number in range(50):
        at(session).ask("callback", wait=HOUR, case_id=number)
    assert len(at(session).waiting()) == 8


def test_control_without_patience_the_call_back_would_be_lost(session: Session) -> None:
    Dialogs(session, NOW, ME, ()).ask("callback", wait=HOUR, case_id=1)
    Dialogs(session, NOW, ME, ()).ask("place", wait=HOUR, case_id=2)
    assert names(at(session)) == [("place", 2)]

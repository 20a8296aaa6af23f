"""Every column that could hold a person is known to whoever takes people out, and to whoever shows people what is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Boolean, Column, DateTime, Float, Integer, LargeBinary, Table, create_engine
from sqlmodel import Session, SQLModel

from cases.privacy import NOT_SHOWN, SHOWN, Privacy
from storage import tables  # noqa: F401 (fills the metadata)
from storage.erasure import NOT_PERSONAL, PERSONAL
from storage.tables.columns import SealedText
from storage.types import UtcDateTime

LOOKS_PERSONAL = re.compile(
    r"reporter|sender|resident|user|person|member|mention|phone|mobile|contact|witness|helper|volunteer|claimant|party|birth|address"
    r"|^chat$|message_id|reply_to|latitude|longitude|^who"
)


def personal_columns() -> set[str]:
    return {
        f"{table.name}.{column.name}"
        for table in SQLModel.metadata.sorted_tables
        for column in table.columns
        if LOOKS_PERSONAL.search(column.name) and not (isinstance(column.type, SealedText) and table.name != "cases")
    }


def test_no_column_that_looks_personal_was_forgotten() -> None:
    known = {f"{table}.{column}" for table, columns in PERSONAL.items() for column in columns} | set(NOT_PERSONAL)
    assert personal_columns() - known == set(), "list it in storage/erasure.py, and take it out in forget_person"


def test_what_is_listed_exists() -> None:
    real = {f"{table.name}.{column.name}" for table in SQLModel.metadata.sorted_tables for column in table.columns}
    assert {f"{table}.{column}" for table, columns in PERSONAL.items() for column in columns} <= real
    assert set(NOT_PERSONAL) <= real
    assert all(NOT_PERSONAL.values())


# --- what is kept of one person, in every table at once ---

WHO = "person-of-this-test"
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
REAL: dict[str, dict[str, Any]] = {
    "cases": {"state": "closed_confirmed", "kind": "hazard"},
    "case_entry": {"author": "reporter", "kind": "addition"},
    "proposal_voice": {"kind": "comment"},
    "outbox": {"state": "sent", "case_id": None},
}
# beside the row that is the person's own: what else of it stands in somebody else's
MORE: dict[str, list[dict[str, Any]]] = {
    "outbox": [{"private": False, "chat": "a group", "message_id": "9"}],
    "linked_account": [{"user_id": "another account"}],
}


def filled(column: Column[Any], table: str) -> Any:
    name = f"{table}.{column.name}"
    if column.name in REAL.get(table, {}):
        return REAL[table][column.name]
    if column.foreign_keys or (column.primary_key and isinstance(column.type, Integer)):
        return 1
    if column.name == "platform":
        return "web"
    if isinstance(column.type, UtcDateTime | DateTime):
        return NOW
    for kind, value in ((Boolean, True), (Float, 1.5), (Integer, 1), (LargeBinary, b"x")):
        if isinstance(column.type, kind):
            return value
    personal = column.name in PERSONAL.get(table, ()) or name == "officeraccount.user_id"
    return WHO if personal else f"{column.name} of {table}"


@pytest.fixture
def everywhere() -> Iterator[Session]:
    """A database in which every table holds this person in every column that can."""
    engine = create_engine("sqlite://")
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        for table in SQLModel.metadata.sorted_tables:
            row = {column.name: filled(column, table.name) for column in table.columns if column.computed is None}
            session.execute(table.insert().values(**row))
            for number, other in enumerate(MORE.get(table.name, ()), 2):
                unique = {c.name: f"{c.name} {number}" for c in table.columns if c.unique and not c.primary_key}
                session.execute(table.insert().values(**(row | unique | other | {"id": number})))
        session.flush()
        yield session
        session.rollback()
    engine.dispose()


def places_of(session: Session, who: str) -> set[str]:
    """The columns in which `who` stands."""
    found = set()
    for table in SQLModel.metadata.sorted_tables:
        for row in session.execute(table.select()).mappings():
            found |= {f"{table.name}.{name}" for name, value in row.items() if value == who}
    return found


def test_whatever_table_holds_a_person_shows_it(everywhere: Session) -> None:
    assert set(PERSONAL) | {"officeraccount"} == set(SHOWN) | set(NOT_SHOWN), "show it in /我的数据 (cases/privacy.py)"
    kept = Privacy(everywhere, NOW).kept("web", WHO)
    kinds = {mark.kind for mark in kept.marks} | ({"case"} if kept.cases else set()) | ({"alarm"} if kept.alarms else set())
    assert {table for table, marks in SHOWN.items() if not marks & kinds} == set()
    (case,) = kept.cases
    assert (case.added, case.photos, case.rating, case.detail, case.pinned) == (1, 1, 1, True, True)


def test_control_the_search_finds_every_column(everywhere: Session) -> None:
    words = {
        f"{table.name}.{column.name}"
        for table in SQLModel.metadata.sorted_tables
        for column in table.columns
        if column.name in PERSONAL.get(table.name, ()) and not isinstance(column.type, Float)
    }
    assert places_of(everywhere, WHO) == words | {"officeraccount.user_id"}


def test_whoever_is_forgotten_stands_nowhere(everywhere: Session) -> None:
    Privacy(everywhere, NOW).forget("web", WHO, "note")
    everywhere.flush()
    assert places_of(everywhere, WHO) == {"officeraccount.user_id"}  # whoever is on the roster leaves it by /解绑 of an admin
    cases: Table = SQLModel.metadata.tables["cases"]
    assert [tuple(row) for row in everywhere.execute(cases.select().with_only_columns(cases.c.latitude, cases.c.longitude))] == [
        (None, None)
    ]
    kept = Privacy(everywhere, NOW).kept("web", WHO)
    assert (kept.cases, kept.alarms) == ((), 0)
    assert {mark.kind for mark in kept.marks} == {"badge"}

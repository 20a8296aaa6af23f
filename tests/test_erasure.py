"""Every column that could hold a person is known to whoever takes people out."""

from __future__ import annotations

import re

from sqlmodel import SQLModel

from storage import tables  # noqa: F401 (fills the metadata)
from storage.erasure import NOT_PERSONAL, PERSONAL
from storage.tables.columns import SealedText

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

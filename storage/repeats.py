"""The same report again and again from one person: counted exactly and kept once.

What is the same is told by its letters and digits (3号楼 is not 5号楼), without blanks and marks. The row's key is a keyed
fingerprint of the account and those letters, so the table by itself tells neither.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from sqlmodel import Session, col, select

from storage.sealing import mix
from storage.tables import Repeat

COUNT = (
    "INSERT INTO repeat (mark, times, last_at) VALUES (?, 1, ?) "
    "ON CONFLICT (mark) DO UPDATE SET times = repeat.times + 1, last_at = excluded.last_at"
)


def signature(text: str) -> str:
    """What nearly identical messages have in common."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text[:300]).casefold()))[:80]


def mark_of(key: bytes, platform: str, person: str, text: str) -> str:
    """The fingerprint of a report of this person in these words."""
    return mix(key, f"repeat\0{platform}\0{person}\0{signature(text)}".encode()).hex()


def times(session: Session, marks: Sequence[str]) -> int:
    """How often any of these were sent again."""
    rows = session.exec(select(Repeat.times).where(col(Repeat.mark).in_(marks))).all()
    return sum(rows)

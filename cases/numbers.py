"""Case numbers: year, month, running number of the month, as 2611-0042."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from storage.tables import Counter

_COUNTERS = Counter.__table__  # type: ignore[attr-defined]
_COUNT = {
    name: dialect.insert(_COUNTERS)
    .values(name=bindparam("counter"), value=1)
    .on_conflict_do_update(index_elements=["name"], set_={"value": _COUNTERS.c.value + 1})
    .returning(_COUNTERS.c.value)
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
}


def next_number(session: Session, now: datetime, zone: ZoneInfo) -> str:
    """The next number of the month in which `now` falls locally; unique because the counter row is in the transaction."""
    month = now.astimezone(zone).strftime("%y%m")
    connection = session.connection()
    number = connection.execute(_COUNT[connection.dialect.name], {"counter": f"case:{month}"}).scalar_one()
    return f"{month}-{number:04d}"

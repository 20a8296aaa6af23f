"""Case numbers: year, month, running number of the month, as 2611-0042."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session, select

from storage.tables import Counter


def next_number(session: Session, now: datetime, zone: ZoneInfo) -> str:
    """The next number of the month in which `now` falls locally; unique because the counter row is in the transaction."""
    month = now.astimezone(zone).strftime("%y%m")
    counter = session.exec(select(Counter).where(Counter.name == f"case:{month}").with_for_update()).first()
    if counter is None:
        counter = Counter(name=f"case:{month}", value=0)
    counter.value += 1
    session.add(counter)
    session.flush()
    return f"{month}-{counter.value:04d}"

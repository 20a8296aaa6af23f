"""The outbox's table as statements name it."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, case, literal_column

from storage.tables import Notice

_TABLES = Notice.metadata.tables
OUTBOX = _TABLES["outbox"]
GROUP = _TABLES["chat_group"]
CAMPAIGN = _TABLES["campaign"]


def is_state(column: ColumnElement[str], *states: str) -> ColumnElement[bool]:
    """A state by its literal: with a bound value no engine sees that a partial index holds the row."""
    literals: list[ColumnElement[str]] = [literal_column(f"'{state}'") for state in states]
    return column == literals[0] if len(literals) == 1 else column.in_(literals)


PENDING = is_state(OUTBOX.c.state, "pending")
SENDING = is_state(OUTBOX.c.state, "sending")
FAILED = is_state(OUTBOX.c.state, "unknown", "dead")
PENDING_IN_CHAT = and_(is_state(OUTBOX.c.state, "pending", "sending"), PENDING)  # for the index by chat, as it is written there
SPENT = case((OUTBOX.c.secret, ""), else_=OUTBOX.c.text)  # what is never sent again needs its secret no longer

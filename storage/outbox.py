"""The outbox's table as statements name it."""

from __future__ import annotations

from sqlalchemy import ColumnElement, FromClause, and_, case, literal_column

from storage.tables import Notice

_TABLES = Notice.metadata.tables
OUTBOX = _TABLES["outbox"]
GROUP = _TABLES["chat_group"]
OWNER = _TABLES["chat_owner"]
CAMPAIGN = _TABLES["campaign"]


def is_state(column: ColumnElement[str], *states: str) -> ColumnElement[bool]:
    """A state by its literal, which a prepared statement plans for."""
    literals: list[ColumnElement[str]] = [literal_column(f"'{state}'") for state in states]
    return column == literals[0] if len(literals) == 1 else column.in_(literals)


def in_phase(column: ColumnElement[int | None], *phases: int) -> ColumnElement[bool]:
    """A phase by its literal, for the partial indexes over it: 1 open, 2 failed, 3 cancelled."""
    literals: list[ColumnElement[int]] = [literal_column(str(phase)) for phase in phases]
    return column == literals[0] if len(literals) == 1 else column.in_(literals)


OPEN = in_phase(OUTBOX.c.phase, 1)
PENDING = and_(OPEN, is_state(OUTBOX.c.state, "pending"))
SENDING = and_(OPEN, is_state(OUTBOX.c.state, "sending"))
FAILED = and_(OUTBOX.c.phase >= literal_column("2"), in_phase(OUTBOX.c.phase, 2))  # as the index is written
SPENT = case((OUTBOX.c.secret, ""), else_=OUTBOX.c.text)  # what is never sent again needs its secret no longer


def of_account(table: FromClause, platform: object, account: object) -> ColumnElement[bool]:
    """Rows of one account where the index by chat is to find them: what is joined to nothing is looked up by no other index."""
    nothing: ColumnElement[str] = literal_column("''")
    return and_((table.c.platform + nothing) == platform, (table.c.account + nothing) == account)

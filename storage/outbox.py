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


# what is claimed stays "pending" and has an owner, so that a claim changes nothing that an index names (decision 0301)
_NOBODY: ColumnElement[str] = literal_column("''")
UNCLAIMED = OUTBOX.c.owner == _NOBODY
OPEN = is_state(OUTBOX.c.state, "pending")
PENDING = and_(OPEN, UNCLAIMED)
SENDING = and_(OPEN, ~UNCLAIMED)
FAILED = is_state(OUTBOX.c.state, "unknown", "dead")  # as the index is written
STATE = case((SENDING, literal_column("'sending'")), else_=OUTBOX.c.state)  # as people are told
SPENT = case((OUTBOX.c.secret, ""), else_=OUTBOX.c.text)  # what is never sent again needs its secret no longer


def of_account(table: FromClause, platform: object, account: object) -> ColumnElement[bool]:
    """Rows of one account where the index by chat is to find them: what is joined to nothing is looked up by no other index."""
    nothing: ColumnElement[str] = literal_column("''")
    return and_((table.c.platform + nothing) == platform, (table.c.account + nothing) == account)

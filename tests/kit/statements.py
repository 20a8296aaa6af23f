"""Statements that are made ready once for all tests instead of once for every database.

SQLAlchemy compiles a statement when an engine meets it for the first time, and remembers it with that engine. A running bot does
that once; a scenario, which opens a database of its own, would do it every time: a hundred statements before anybody has spoken.
So the dialect and what was compiled for it are lent from one engine to the next. Two engines never have them at once, because
the dialect carries the keyring of its database (storage/keyring.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Dialect, Engine


@dataclass(frozen=True, slots=True)
class Statements:
    """A dialect and the statements that were compiled for it."""

    dialect: Dialect
    compiled: dict[Any, Any] = field(default_factory=dict)


_idle: dict[str, list[Statements]] = {}  # by the name of the dialect


def lend(engine: Engine) -> Statements:
    """Let an engine that has not been used yet have the statements of one that is closed; to be given back when it is closed."""
    idle = _idle.setdefault(engine.dialect.name, [])
    lent = idle.pop() if idle else Statements(engine.dialect)
    lent.dialect.keyring = engine.dialect.keyring  # type: ignore[attr-defined]
    engine.dialect = lent.dialect
    engine.update_execution_options(compiled_cache=lent.compiled)
    return lent


def take_back(lent: Statements) -> None:
    """The engine is closed."""
    _idle[lent.dialect.name].append(lent)

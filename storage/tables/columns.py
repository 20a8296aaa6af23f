"""Columns that every table builds from."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Text
from sqlmodel import SQLModel

from storage.types import UtcDateTime

# every constraint has a name, so that a later revision can change it on SQLite too
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

BigKey = BigInteger().with_variant(Integer(), "sqlite")


def key_column() -> Column[int]:
    """The running number of a row."""
    return Column(BigKey, primary_key=True, autoincrement=True)


def text_column(nullable: bool = False) -> Column[str]:
    """Words of any length."""
    return Column(Text(), nullable=nullable)


def time_column(nullable: bool = True, index: bool = False) -> Column[datetime]:
    """An aware time, UTC."""
    return Column(UtcDateTime(), nullable=nullable, index=index)


def to_column(table: str, nullable: bool = True, index: bool = False, unique: bool = False) -> Column[int]:
    """A reference to a row of another table."""
    return Column(BigKey, ForeignKey(f"{table}.id"), nullable=nullable, index=index, unique=unique or None)

"""Columns that every table builds from."""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Dialect, ForeignKey, Integer, Text, type_coerce
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import TypeCoerce
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel

from storage.sealing import Sealed, open_with, seal_with
from storage.types import UtcDateTime

# every constraint has a name, so that a later revision can change it on SQLite too
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

BigKey = BigInteger().with_variant(Integer(), "sqlite")


_MARK = "\x01key:"  # what is sealed reads MARK, the key's name, a blank, and the sealed bytes in base64


class Keyed(str):
    """Words with the key under which they are to be stored."""

    __slots__ = ("key", "seal")
    key: bytes
    seal: str

    @classmethod
    def of(cls, words: str, seal: str, key: bytes) -> Keyed:
        made = cls(words)
        made.seal, made.key = seal, key
        return made


class SealedText(TypeDecorator[str]):
    """Words that lie sealed under the key of their case (`storage.keyring`); empty ones when that key was destroyed."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        if not isinstance(value, Keyed):
            return value
        return f"{_MARK}{value.seal} {b64encode(seal_with(value.key, value.encode())).decode()}"

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        if not isinstance(value, str) or not value.startswith(_MARK):
            return value  # type: ignore[no-any-return]
        seal, _, sealed = value.removeprefix(_MARK).partition(" ")
        keyring = getattr(dialect, "keyring", None)
        key = keyring.key(seal) if keyring is not None else None
        if key is None:
            return ""
        try:
            return open_with(key, b64decode(sealed)).decode()
        except (Sealed, ValueError):
            return ""


def as_stored(column: Any) -> TypeCoerce[str]:
    """A sealed column as it lies there, to be opened by `open_stored` if its words are wanted at all."""
    return type_coerce(column, Text())


def open_stored(session: Session, stored: str) -> str:
    """The words of what `as_stored` selected."""
    return _SEALED_TEXT.process_result_value(stored, session.get_bind().dialect) or ""


def new_seal(what: str) -> str:
    """A name for the key of a new row; random, so that a number given twice after a restore is never opened by the wrong key."""
    return f"{what}:{secrets.token_hex(8)}"


_SEALED_TEXT = SealedText()


def key_column() -> Column[int]:
    """The running number of a row."""
    return Column(BigKey, primary_key=True, autoincrement=True)


def text_column(nullable: bool = False) -> Column[str]:
    """Words of any length."""
    return Column(Text(), nullable=nullable)


def sealed_text_column(nullable: bool = False) -> Column[str]:
    """Words of any length that lie sealed under the key of their case. Nothing can be searched in them by SQL."""
    return Column(SealedText(), nullable=nullable)


def time_column(nullable: bool = True, index: bool = False) -> Column[datetime]:
    """An aware time, UTC."""
    return Column(UtcDateTime(), nullable=nullable, index=index)


def to_column(table: str, nullable: bool = True, index: bool = False, unique: bool = False) -> Column[int]:
    """A reference to a row of another table."""
    return Column(BigKey, ForeignKey(f"{table}.id"), nullable=nullable, index=index, unique=unique or None)

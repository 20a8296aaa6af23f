"""Reading decoded JSON without trusting it: every field is asked for by its type, and a wrong one is a `Malformed`."""

from __future__ import annotations

from collections.abc import Mapping


class Malformed(ValueError):
    """An update that is not what the Bot API promises. Its text names the field, never what was in it."""


class Fields:
    """One JSON object."""

    __slots__ = ("_values", "_where")

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, Mapping):
            raise Malformed(f"{where} is no object")
        self._values: Mapping[str, object] = value
        self._where = where

    def has(self, key: str) -> bool:
        """Whether the field is there at all."""
        return self._values.get(key) is not None

    def text(self, key: str, default: str = "") -> str:
        """A string; `default` when it is missing."""
        value = self._values.get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise Malformed(f"{self._where}.{key} is no text")
        return value.encode("utf-8", "replace").decode()  # half a surrogate pair would stop every later writer

    def whole(self, key: str) -> int:
        """An integer that has to be there."""
        value = self._values.get(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise Malformed(f"{self._where}.{key} is no whole number")
        return value

    def whole_or(self, key: str, default: int) -> int:
        """An integer, or `default` when it is missing."""
        return self.whole(key) if self.has(key) else default

    def number(self, key: str) -> float:
        """A number that has to be there."""
        value = self._values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Malformed(f"{self._where}.{key} is no number")
        return float(value)

    def flag(self, key: str) -> bool:
        """True only for a JSON true."""
        return self._values.get(key) is True

    def inner(self, key: str) -> Fields:
        """An object that has to be there."""
        return Fields(self._values.get(key), f"{self._where}.{key}")

    def maybe(self, key: str) -> Fields | None:
        """An object, or None when it is missing."""
        return self.inner(key) if self.has(key) else None

    def each(self, key: str) -> list[Fields]:
        """The objects of a list; empty when it is missing."""
        values = self._values.get(key)
        if values is None:
            return []
        if not isinstance(values, list):
            raise Malformed(f"{self._where}.{key} is no list")
        return [Fields(value, f"{self._where}.{key}") for value in values]

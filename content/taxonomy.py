"""The table of kinds, categories, tiers and scam types: `content/taxonomy.toml` as frozen values.

A key that is unknown or missing is refused with the file and the line, so that a typing mistake in the table is found at start.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar


class TaxonomyError(ValueError):
    """The table is wrong; the text names file, line and what to mend."""


@dataclass(frozen=True, slots=True)
class Tier:
    """How urgent: `code` T0 to T4, TQ (question) or TT (tip); `meaning` is the promise in plain Chinese."""

    code: str
    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class CaseKind:
    """What a resident brought: hazard, dispute, wish, question, tip, missing, lost_found, scam, feedback."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Category:
    """What exactly it is about.

    `tier` is the usual tier, `raised` the one for words that say it is worse than usual (the same when the table is silent).
    `route` are kinds of unit in order, the leading one first; `number` is the line to give or ""; `advice` one line or "".
    """

    code: str
    name: str
    kind: str
    tier: str
    raised: str
    route: tuple[str, ...]
    number: str
    advice: str


@dataclass(frozen=True, slots=True)
class ScamType:
    """A type of fraud in three lines: how it starts, the tell-tale step, what to do."""

    code: str
    name: str
    start: str
    telltale: str
    todo: str


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """All of it, by code."""

    tiers: Mapping[str, Tier]
    kinds: Mapping[str, CaseKind]
    categories: Mapping[str, Category]
    scams: Mapping[str, ScamType]

    @staticmethod
    def load(path: Path) -> Taxonomy:
        """Read the table. Raises `TaxonomyError` with file and line for whatever is not as it should be."""
        return _Reader(path).read()


T = TypeVar("T")


class _Reader:
    """One reading of one file; keeps the lines so that errors can name one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = path.read_text(encoding="utf-8").splitlines()

    def read(self) -> Taxonomy:
        try:
            data = tomllib.loads("\n".join(self.lines))
        except tomllib.TOMLDecodeError as error:
            raise TaxonomyError(f"{self.path}: {error}") from error
        for section in data:
            if section not in ("tier", "kind", "category", "scam"):
                raise self._error(section, "", f"unknown section [{section}]")
        tiers = {c: Tier(c, **self._texts("tier", c, row, ("name", "meaning"))) for c, row in self._rows(data, "tier")}
        kinds = {c: CaseKind(c, **self._texts("kind", c, row, ("name",))) for c, row in self._rows(data, "kind")}
        categories = {c: self._category(c, row, tiers, kinds) for c, row in self._rows(data, "category")}
        keys = ("name", "start", "telltale", "todo")
        scams = {c: ScamType(c, **self._texts("scam", c, row, keys)) for c, row in self._rows(data, "scam")}
        return Taxonomy(MappingProxyType(tiers), MappingProxyType(kinds), MappingProxyType(categories), MappingProxyType(scams))

    def _rows(self, data: Mapping[str, object], section: str) -> list[tuple[str, dict[str, object]]]:
        table = data.get(section)
        if not isinstance(table, dict) or not table:
            raise self._error(section, "", f"section [{section}.…] is missing")
        for code, row in table.items():
            if not isinstance(row, dict):
                raise self._error(section, code, f"{section}.{code} must be a table")
        return list(table.items())

    def _texts(self, section: str, code: str, row: dict[str, object], keys: tuple[str, ...]) -> dict[str, str]:
        texts: dict[str, str] = {}
        for key, value in row.items():
            if key not in keys:
                raise self._error(section, code, f"unknown key {key!r}; known: {', '.join(keys)}", key)
            if not isinstance(value, str):
                raise self._error(section, code, f"{key} must be a text", key)
            texts[key] = value
        missing = [key for key in keys if key not in row]
        if missing:
            raise self._error(section, code, f"missing {', '.join(missing)}")
        return texts

    def _category(self, code: str, row: dict[str, object], tiers: Mapping[str, Tier], kinds: Mapping[str, CaseKind]) -> Category:
        rest = dict(row)
        route = rest.pop("route", None)
        if not isinstance(route, list) or not route or not all(isinstance(unit, str) for unit in route):
            raise self._error("category", code, "route must be a list of kinds of unit", "route")
        rest.setdefault("raised", row.get("tier"))
        texts = self._texts("category", code, rest, ("name", "kind", "tier", "raised", "number", "advice"))
        for key, known in (("tier", set(tiers)), ("raised", set(tiers)), ("kind", set(kinds))):
            if texts[key] not in known:
                raise self._error("category", code, f"{key} {texts[key]!r} is not one of {', '.join(sorted(known))}", key)
        return Category(code, route=tuple(route), **texts)

    def _error(self, section: str, code: str, what: str, key: str = "") -> TaxonomyError:
        heads = (f'[{section}."{code}"]', f"[{section}.{code}]") if code else (f"[{section}]", f"[{section}.")
        number = next((n for n, line in enumerate(self.lines, 1) if line.startswith(heads)), 1)
        for n in range(number, len(self.lines)):
            if self.lines[n].startswith("["):
                break
            if key and self.lines[n].split("=")[0].strip() == key:
                number = n + 1
                break
        where = f"{section}.{code}: " if code else ""
        return TaxonomyError(f"{self.path}:{number}: {where}{what}")

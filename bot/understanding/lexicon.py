"""Word lists and patterns from `content/lexicon/*.toml`, compiled.

A pattern is a Python regular expression in which `{name}` stands for any word of the list `name` in the file's `[words]`.
Errors of the files name the file and the pattern.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

from bot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_MACRO = re.compile(r"\{([a-z_]+)\}")


class WordFile:
    """One file of the lexicon: its tables, and its `[words]` for use inside patterns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.tables: dict[str, object] = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{path}: {error}") from error
        self._lists = self.table("words") if "words" in self.tables else {}
        self._ready: dict[str, str] = {}

    def table(self, name: str) -> Mapping[str, object]:
        """A table of the file by name."""
        found = self.tables.get(name)
        if not isinstance(found, dict):
            raise ConfigError(f"{self.path}: table [{name}] is missing")
        return found

    def texts(self, table: Mapping[str, object], key: str) -> tuple[str, ...]:
        """A list of texts in a table; empty when the key is not there."""
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ConfigError(f"{self.path}: {key} must be a list of texts")
        return tuple(value)

    def text(self, table: Mapping[str, object], key: str, default: str | None = None) -> str:
        """One text in a table."""
        value = table.get(key, default)
        if not isinstance(value, str):
            raise ConfigError(f"{self.path}: {key} must be a text")
        return value

    def expand(self, pattern: str) -> str:
        """The pattern with every `{name}` replaced by its words."""
        return _MACRO.sub(self._words, pattern)

    def compile(self, patterns: Sequence[str]) -> re.Pattern[str] | None:
        """Any of the patterns as one; None when there is none."""
        if not patterns:
            return None
        try:
            return re.compile("|".join(f"(?:{self.expand(pattern)})" for pattern in patterns))
        except re.error:
            for pattern in patterns:  # find the one that is wrong
                try:
                    re.compile(self.expand(pattern))
                except re.error as error:
                    raise ConfigError(f"{self.path}: {error} in {pattern!r}") from error
            raise

    def _words(self, match: re.Match[str]) -> str:
        name = match[1]
        if name not in self._ready:
            if name not in self._lists:
                raise ConfigError(f"{self.path}: no list {name!r} in [words]")
            longest_first = sorted(self.texts(self._lists, name), key=len, reverse=True)
            self._ready[name] = f"(?:{'|'.join(self.expand(word) for word in longest_first)})"
        return self._ready[name]


class Wording:
    """A pattern of words as they are, which no writing can make wrong: compiled when it is first looked for.

    A thousand of them take a third of the time that everything takes to load, and few texts need more than three.
    """

    __slots__ = ("_compiled", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self._compiled: re.Pattern[str] | None = None

    def pattern(self) -> re.Pattern[str]:
        """The pattern, ready for use."""
        if self._compiled is None:
            self._compiled = re.compile(self.source)
        return self._compiled


class Beginnings:
    """Words of two characters and more, to see whether one of them begins at a place of a text.

    A pattern of some hundred words tries one after the other; by their first two characters few are left to try.
    """

    __slots__ = ("_by_two",)

    def __init__(self, words: Iterable[str]) -> None:
        by_two: dict[str, list[str]] = {}
        for word in sorted(set(words), key=len, reverse=True):
            by_two.setdefault(word[:2], []).append(word)
        self._by_two = by_two

    def end(self, text: str, at: int) -> int:
        """Where the longest word ends that begins there; `at` when none does."""
        for word in self._by_two.get(text[at : at + 2], ()):
            if text.startswith(word, at):
                return at + len(word)
        return at


def any_of(words: Iterable[str]) -> str:
    """A pattern of these words as they are, of two at one place the longer."""
    return "|".join(map(re.escape, sorted(set(words), key=len, reverse=True)))


def blank(pattern: re.Pattern[str] | None, text: str) -> str:
    """The text with every match of the pattern replaced by as many middle dots, so that positions stay."""
    if pattern is None or pattern.search(text) is None:
        return text
    return pattern.sub(lambda match: "·" * (match.end() - match.start()), text)

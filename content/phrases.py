"""The phrase book: every sentence the bot itself says, as Jinja2 templates in `content/phrases/*.toml`.

A key is addressed as "file.key" ("file.table.key" inside a table). Values are data: they pass the platform's escape and are never
read as a template. A value that is missing is an error at once, never a gap in a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from jinja2 import Environment, StrictUndefined, Template, TemplateSyntaxError, meta
from jinja2.exceptions import UndefinedError

from content.files import BrokenFile, read_text
from content.toml import TomlMistakes, line_of, parse_toml

Escape = Callable[[str], str]

# control characters (terminal escapes, nulls) and the marks that turn the direction of writing around
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


class Ready(str):
    """Text that has been rendered for its platform already and is not escaped again."""

    __slots__ = ()


class PhraseMissing(KeyError):
    """The phrase book has no such key, or a value of the phrase was not given. A mistake in our code, found by tests."""

    def __str__(self) -> str:
        return str(self.args[0])


def plain(text: str) -> str:
    """The escape of plain text (web, WeChat): invisible control characters go, everything else stays as it is."""
    return _UNSEEN.sub("", text)


@dataclass(slots=True)
class _Phrase:
    environment: Environment
    source: str
    variables: frozenset[str]
    _compiled: Template | None = None

    @property
    def template(self) -> Template:
        """Compiled when it is said for the first time: a start checks every phrase, and most of them are said seldom or never."""
        if self._compiled is None:
            self._compiled = self.environment.from_string(self.source)
        return self._compiled


@dataclass(frozen=True, slots=True)
class PhraseBook:
    """All phrases for one kind of platform. `broken` names the files, or single phrases, that could not be used."""

    folder: Path
    broken: tuple[BrokenFile, ...]
    _phrases: Mapping[str, _Phrase]

    @staticmethod
    def load(folder: Path, escape: Escape = plain) -> PhraseBook:
        """Read every file of the folder. What is broken is left out and named in `broken`."""
        environment = make_environment(escape)
        phrases: dict[str, _Phrase] = {}
        broken: list[BrokenFile] = []
        for path in sorted(folder.glob("*.toml")):
            for found in _read(path, environment):
                if isinstance(found, BrokenFile):
                    broken.append(found)
                else:
                    phrases[found[0]] = found[1]
        return PhraseBook(folder, tuple(broken), MappingProxyType(phrases))

    def escaped(self, escape: Escape) -> PhraseBook:
        """The same phrases for a platform with another escape."""
        environment = make_environment(escape)
        phrases = {key: _Phrase(environment, phrase.source, phrase.variables) for key, phrase in self._phrases.items()}
        return PhraseBook(self.folder, self.broken, MappingProxyType(phrases))

    def joined(self, other: PhraseBook) -> PhraseBook:
        """Both books in one. Raises ValueError when a key is in both: a phrase has one place."""
        twice = sorted(self.keys() & other.keys())
        if twice:
            raise ValueError(f"{other.folder} has phrases that are there already: {', '.join(twice)}")
        return PhraseBook(self.folder, (*self.broken, *other.broken), MappingProxyType({**self._phrases, **other._phrases}))

    def say(self, key: str, /, **values: object) -> Ready:
        """The phrase with its values. Raises `PhraseMissing` for an unknown key or a value that is not there."""
        phrase = self._phrases.get(key)
        if phrase is None:
            raise PhraseMissing(f"there is no phrase {key!r} in {self.folder}")
        try:
            return Ready(phrase.template.render(values).strip("\n"))
        except UndefinedError as error:
            raise PhraseMissing(f"phrase {key!r}: {error.message}") from error

    def __contains__(self, key: object) -> bool:
        return key in self._phrases

    def keys(self) -> frozenset[str]:
        """Every key of the book."""
        return frozenset(self._phrases)

    def variables(self, key: str) -> frozenset[str]:
        """The names of the values that a phrase uses."""
        return self._phrases[key].variables


def make_environment(escape: Escape) -> Environment:
    """How texts are rendered everywhere: missing values raise, values are escaped where they are put in."""

    def finish(value: object) -> object:
        return value if isinstance(value, Ready) else escape(str(value))

    # Jinja2's own autoescape knows only HTML; `finalize` puts every value, and only values, through ours
    return Environment(
        undefined=StrictUndefined,
        finalize=finish,
        autoescape=False,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _read(path: Path, environment: Environment) -> Iterator[tuple[str, _Phrase] | BrokenFile]:
    text = read_text(path)
    if isinstance(text, BrokenFile):
        yield text
        return
    try:
        table = parse_toml(text)
    except TomlMistakes as error:
        yield BrokenFile(path, error.mistakes[0].line, error.mistakes[0].problem)
        return
    for keys, source in _flatten(table, ()):
        if not isinstance(source, str) or not source.strip():
            yield BrokenFile(path, line_of(text, keys), f"{'.'.join(keys)} must be a text that is not empty")
            continue
        try:
            # whatever compiling would find wrong is found by this, too: it goes through the whole tree as the compiler does
            variables = frozenset(meta.find_undeclared_variables(environment.parse(source)))
        except TemplateSyntaxError as error:
            line = line_of(text, keys) + error.lineno - 1
            yield BrokenFile(path, line, f"{'.'.join(keys)}: {error.message}")
            continue
        yield ".".join((path.stem, *keys)), _Phrase(environment, source, variables)


def _flatten(table: Mapping[str, object], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, (*above, key))
        else:
            yield (*above, key), value

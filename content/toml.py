"""Where a key stands in a TOML text, and what is wrong with it, in one sentence for the person who has to mend it."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

KeyPath = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)

_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=(.*)$""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]\]?\s*(?:#.*)?$")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong: the path of the key, its line (from 1) and what to mend."""

    path: KeyPath
    line: int
    problem: str


class TomlMistakes(ValueError):
    """A TOML text does not say what it should. Never empty."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("; ".join(f"line {mistake.line}: {mistake.problem}" for mistake in mistakes))
        self.mistakes = mistakes


def read_toml(text: str, model: type[Model]) -> Model:
    """The text as a `model`. Raises `TomlMistakes` with the line of everything that is wrong."""
    try:
        return model.model_validate(parse_toml(text))
    except ValidationError as error:
        raise TomlMistakes(explain(error, model, text)) from error


def parse_toml(text: str) -> dict[str, object]:
    """The text as plain values. Raises `TomlMistakes` when it is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = int(found[1]) if found else max(1, len(text.splitlines()))
        problem = re.sub(r"\s*\(at .*\)", "", str(error))
        raise TomlMistakes((Mistake((), line, f"this is not TOML: {problem}"),)) from error


def explain(error: ValidationError, model: type[BaseModel], text: str) -> tuple[Mistake, ...]:
    """What a validation found, with the lines of `text`."""
    places = dict(_places(text))
    mistakes: dict[KeyPath, Mistake] = {}
    for detail in error.errors(include_url=False):
        path = tuple(detail["loc"])
        sentence = _sentence(detail["type"], detail["msg"], detail.get("input"), path, model)
        mistakes.setdefault(path, Mistake(path, line_in(places, path), sentence))
    return tuple(sorted(mistakes.values(), key=lambda mistake: mistake.line))


def line_of(text: str, path: KeyPath) -> int:
    """The line (from 1) on which the key stands, else that of the nearest table above it, else 1."""
    return line_in(dict(_places(text)), path)


def line_in(places: dict[KeyPath, int], path: KeyPath) -> int:
    """`line_of` in places that were found before."""
    while path:
        if path in places:
            return places[path]
        path = path[:-1]
    return 1


def known_keys(model: type[BaseModel], path: KeyPath) -> tuple[str, ...]:
    """The keys that the table at `path` may have, in the order of the model; empty when there is no such table."""
    current: type[BaseModel] | None = model
    for part in path:
        if current is None or isinstance(part, int):
            continue
        field = _fields(current).get(part)
        current = _table_of(field.annotation) if field is not None else None
    return tuple(_fields(current)) if current is not None else ()


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields by the name that stands in the file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _table_of(annotation: object) -> type[BaseModel] | None:
    """The model inside an annotation such as `tuple[Schedule, ...]`, `dict[str, Rule]` or `Rule | None`."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation if issubclass(annotation, BaseModel) else None
    if get_origin(annotation) in (tuple, list, dict, Union, UnionType):
        for inner in get_args(annotation):
            if (found := _table_of(inner)) is not None:
                return found
    return None


def _sentence(kind: str, message: str, value: object, path: KeyPath, model: type[BaseModel]) -> str:
    name = ".".join(str(part) for part in path if isinstance(part, str))
    if kind == "missing":
        return f"the key {name} is missing; add it"
    if kind == "extra_forbidden":
        known = known_keys(model, path[:-1])
        near = difflib.get_close_matches(str(path[-1]), known, n=1)
        mend = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}" if known else "remove it"
        return f"unknown key {name}; {mend}"
    said = message.removeprefix("Value error, ").removeprefix("Input ")
    shown = repr(value) if isinstance(value, str | int | float | bool) and len(repr(value)) <= 60 else f"a {type(value).__name__}"
    return f"{name or 'this table'} {said} (it is {shown})" if kind != "value_error" else f"{name or 'this table'}: {said}"


def _places(text: str) -> Iterator[tuple[KeyPath, int]]:
    """Every key and table header of the text with its line; keys inside inline tables are not looked for."""
    table: KeyPath = ()
    counts: dict[KeyPath, int] = {}
    pending = ""  # the delimiter that ends a value of several lines, or "[" while an array is open
    depth = 0
    for number, line in enumerate(text.splitlines(), 1):
        if pending or depth:
            pending, depth = _scan(line, pending, depth)
            continue
        if header := _HEADER.match(line):
            table = _resolve(_parts(header[2]), counts)
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            for length in range(1, len(table)):
                yield table[:length], number
            yield table, number
        elif key := _KEY.match(line):
            yield (*table, *_parts(key[1])), number
            pending, depth = _scan(key[2], "", 0)


def _parts(dotted: str) -> KeyPath:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def _resolve(parts: KeyPath, counts: dict[KeyPath, int]) -> KeyPath:
    """A table below an array of tables belongs to the array's last entry."""
    path: KeyPath = ()
    for position, part in enumerate(parts):
        path = (*path, part)
        if path in counts and position < len(parts) - 1:
            path = (*path, counts[path])
    return path


def _scan(rest: str, pending: str, depth: int) -> tuple[str, int]:
    """Read on from inside a value: which string is still open at the line's end, and how many brackets."""
    position = 0
    while position < len(rest):
        if pending:
            if pending[0] == '"' and rest[position] == "\\":
                position += 2
                continue
            if rest.startswith(pending, position):
                position += len(pending)
                pending = ""
                continue
            position += 1
            continue
        if rest.startswith(('"""', "'''"), position):
            pending = rest[position : position + 3]
            position += 3
            continue
        character = rest[position]
        if character in "\"'":
            pending = character
        elif character in "[{":
            depth += 1
        elif character in "]}":
            depth -= 1
        elif character == "#":
            break
        position += 1
    return (pending if len(pending) == 3 else ""), max(0, depth)

"""Files with a head in TOML between two lines `+++` and a body below: read one, or say what is wrong with it.

A broken file is a value, not an exception, so that the rest of a folder keeps working.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from content.toml import TomlMistakes, line_of, read_toml

FENCE = "+++"
MOST_BYTES = 1_000_000

Head = TypeVar("Head", bound=BaseModel)


class Strict(BaseModel):
    """A head whose keys are all known: unknown keys are refused, values are not bent into another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """A content file that cannot be used: the file, the line (from 1), and what to mend."""

    path: Path
    line: int
    problem: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Page(Generic[Head]):
    """A file that is well: its head as a model, its body without outer blank lines, and where the body starts."""

    path: Path
    head: Head
    body: str
    body_line: int
    head_text: str

    def broken(self, problem: str, *key: str) -> BrokenFile:
        """The same file as a broken one: a mistake that only the reader of its meaning can see. No key: the body."""
        line = 1 + line_of(self.head_text, key) if key else self.body_line
        return BrokenFile(self.path, line, problem)


def read_page(path: Path, model: type[Head]) -> Page[Head] | BrokenFile:
    """Read one file; `model` describes the head."""
    text = read_text(path)
    if isinstance(text, BrokenFile):
        return text
    lines = text.splitlines()
    if not lines or lines[0].strip() != FENCE:
        return BrokenFile(path, 1, f"the first line must be {FENCE}")
    end = next((n for n in range(1, len(lines)) if lines[n].strip() == FENCE), None)
    if end is None:
        return BrokenFile(path, len(lines), f"the head is not closed by a line {FENCE}")
    head_text = "\n".join(lines[1:end])
    try:
        head = read_toml(head_text, model)
    except TomlMistakes as error:
        return BrokenFile(path, error.mistakes[0].line + 1, "; ".join(mistake.problem for mistake in error.mistakes))
    body_line = next((n + 1 for n in range(end + 1, len(lines)) if lines[n].strip()), end + 1)
    return Page(path, head, "\n".join(lines[end + 1 :]).strip(), body_line, head_text)


def read_folder(folder: Path, model: type[Head], pattern: str = "*/*.md") -> Iterator[Page[Head] | BrokenFile]:
    """Every file below `folder` that fits the pattern, in order of its path."""
    for path in sorted(folder.glob(pattern)):
        if not path.name.startswith("."):
            yield read_page(path, model)


def read_text(path: Path) -> str | BrokenFile:
    """The file as text: UTF-8, at most 1 MB, a byte order mark is forgiven."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        return BrokenFile(path, 1, f"cannot be read: {error.strerror or error}")
    if len(raw) > MOST_BYTES:
        return BrokenFile(path, 1, f"is larger than {MOST_BYTES} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return BrokenFile(path, raw[: error.start].count(b"\n") + 1, "is not UTF-8; save it as UTF-8")

"""Guards: reasons why what sounds like an alarm is none, and the one text that they are asked about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.errors import ConfigError
from bot.understanding.gates import NONE, Gate, Gated
from bot.understanding.scenes import clause
from bot.understanding.text import sentences

if TYPE_CHECKING:
    import re

    from bot.understanding.lexicon import WordFile
    from bot.understanding.meaning import Danger
    from bot.understanding.tone import Said

SHORT = 10  # characters: a message of fewer is all danger or none, and nothing else in it bears it out
LOUD = 16  # quarters of a point: a tone from which on yielding guards are not asked


@dataclass(frozen=True, slots=True)
class Guard:
    """A reason why an alarm is none.

    `where` is "before", "any", "text", "message", "touching" (ends right before the match) or "clause" (between the commas around
    the match; only the clause can lift it too: "去年我被骗过两万 现在不接陌生电话" is long ago in spite of its "now").
    A `weak` one says nothing against signs that add up to far more than enough: a stray "别" in a long cry supposes nothing. A
    `yielding` one says nothing against a loud tone, and every weak one is yielding.
    """

    name: str
    where: str
    pattern: Gated
    lifted: re.Pattern[str] | None
    weak: bool
    yielding: bool


class Heard:
    """One text, and what is worked out of it when it is first asked for: most messages have nothing that needs it.

    `held` has the bits of the gate's words in it, `standing` those of the classes of signs (`Signs.standing`).
    """

    __slots__ = ("_cleared", "_parts", "_said", "held", "standing", "text")

    def __init__(self, said: Said, text: str, held: int, standing: int) -> None:
        self.text, self.held, self.standing = text, held, standing
        self._said = said
        self._parts: list[tuple[int, str]] | None = None
        self._cleared: dict[Danger, str] = {}

    def quarters(self) -> int:
        """Its tone, in quarters of a sign's point; a short message has none."""
        return self._said.quarters() if len(self.text) >= SHORT else 0

    def sentences(self) -> list[tuple[int, str]]:
        """Its sentences with where each begins."""
        if self._parts is None:
            self._parts = sentences(self.text)
        return self._parts

    def is_loud(self) -> bool:
        """Whether yielding guards are not asked."""
        return self.quarters() >= LOUD

    def cleared(self, danger: Danger, quiet: Gated) -> str:
        """The text with the false friends of a danger blanked out."""
        cleared = self._cleared.get(danger)
        if cleared is None:
            cleared = self._cleared[danger] = quiet.open(self.held).blank(self.text)
        return cleared


def read_guard(file: WordFile, name: str, table: object, gate: Gate) -> Guard:
    """One guard of the file. Raises `ConfigError` if there is no such place to look."""
    if not isinstance(table, dict):
        raise ConfigError(f"{file.path}: [guard.{name}] must be a table")
    where = file.text(table, "where")
    if where not in ("before", "any", "text", "touching", "clause", "message"):
        raise ConfigError(f'{file.path}: [guard.{name}] where must be "before", "any", "text", "message", "clause" or "touching"')
    pattern = Gated(file, (file.text(table, "pattern"),), gate)
    lifted = file.text(table, "lifted", "")
    weak = table.get("weak") is True
    return Guard(name, where, pattern, file.compile((lifted,)) if lifted else None, weak, weak or table.get("yielding") is True)


def holds(guard: Guard, part: str, here: tuple[int, int], heard: Heard, first: int) -> bool:
    """Whether the guard speaks against what stands `here` in a part of the text that begins at `first`, and nothing lifts it.

    What a guard wants to see before the match may stand inside of it too ("电瓶车进楼道要是烧起来").
    """
    pattern = guard.pattern.open(heard.held)
    if pattern is NONE:
        return False
    start, end = here
    if guard.where == "touching":
        return pattern.search(part[max(0, start - 4) : start]) is not None
    if guard.where == "clause":
        near = clause(part, start, end)
        return pattern.search(near) is not None and (guard.lifted is None or guard.lifted.search(near) is None)
    if guard.where == "message":
        text = heard.text
        return pattern.search(text) is not None and (guard.lifted is None or guard.lifted.search(text) is None)
    scopes = (part[:start], part[:end]) if guard.where == "before" else (part,)
    if not any(pattern.search(scope) for scope in scopes) and not (guard.where == "text" and pattern.search(heard.text[:first])):
        return False
    return guard.lifted is None or guard.lifted.search(part) is None

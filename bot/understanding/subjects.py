"""What a question is about: papers, benefits and people that an answer must name as well, or it answers something else.

Likeness of words alone takes "驾照过期了怎么办" for a question about passports that expire. The words are data:
`content/lexicon/subjects.txt`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SECTIONS = ("[things]", "[people]")


class Subjects:
    """All things and people, each with a bit of its own."""

    def __init__(self, things: Sequence[tuple[str, ...]] = (), people: Sequence[tuple[str, ...]] = ()) -> None:
        self._words = [(word, 1 << bit) for bit, names in enumerate((*things, *people)) for word in names]
        self._people = sum(1 << bit for bit in range(len(things), len(things) + len(people)))

    @staticmethod
    def load(path: Path) -> Subjects:
        """Read the file. Raises `ConfigError` with the line that stands in no section."""
        found: dict[str, list[tuple[str, ...]]] = {name: [] for name in _SECTIONS}
        section = ""
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            if line.startswith("["):
                section = line.strip()
            elif section in found:
                found[section].append(tuple(line.split()))
            if section not in found:
                raise ConfigError(f"{path}:{number}: lines stand below [things] or [people]")
        return Subjects(*(found[name] for name in _SECTIONS))

    def of(self, text: str) -> int:
        """The bits of what a text names."""
        found = 0
        for word, bit in self._words:
            if word in text:
                found |= bit
        return found

    def only_for(self, title: str) -> int:
        """The bits of the people for whom alone an answer with this title is."""
        return self.of(title) & self._people

    @staticmethod
    def misses(question: int, answer: int, only_for: int) -> bool:
        """Whether an answer names nothing of what the question names, or is for people that it does not name."""
        return (question != 0 and not question & answer) or only_for & ~question != 0

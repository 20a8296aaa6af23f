"""Names that look like an officer's, or claim an office: `content/lexicon/officials.toml` and Unicode's confusable characters.

Two names look alike when their skeletons are the same (Unicode Technical Standard 39, section 4): width, invisible characters,
marks, emoji and traditional characters taken away, and of every set of look-alikes one character taken for all.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from content.spelling import pairs
from content.toml import parse_toml

LEAST = 2  # characters of a name that is compared: one alone is like too many


@dataclass(frozen=True, slots=True)
class Officials:
    """The table of look-alikes and the words of office."""

    table: Mapping[int, str] = field(default_factory=dict)
    titles: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()

    @staticmethod
    def load(lexicon: Path) -> Officials:
        """Read `officials.toml` and `traditional.txt` of the lexicon folder."""
        words = parse_toml((lexicon / "officials.toml").read_text(encoding="utf-8"))
        table = _table([*pairs(lexicon), *_strings(words, "alike")])
        bare = Officials(table)
        titles = sorted({bare.skeleton(title) for title in _strings(words, "titles")}, key=len, reverse=True)
        return Officials(table, tuple(titles), _strings(words, "harmless"))

    def skeleton(self, name: str) -> str:
        """What a name looks like."""
        plain = unicodedata.normalize("NFKC", name)
        # a capital of another alphabet looks like one of ours, its small letter often does not
        ours = "".join(character if character.isascii() else self.table.get(ord(character), character) for character in plain)
        plain = ours.casefold()
        return "".join(self.table.get(ord(character), character) for character in plain if character.isalnum())

    def is_harmless(self, name: str) -> bool:
        """Whether a name says that somebody else is meant than an officer."""
        plain = unicodedata.normalize("NFKC", name)
        return any(word in plain for word in self.harmless)

    def without_title(self, skeleton: str) -> str:
        """A skeleton without the words of office before and behind the name."""
        while True:
            title = next((one for one in self.titles if skeleton != one and _at_an_end(skeleton, one)), None)
            if title is None:
                return skeleton
            skeleton = skeleton.removeprefix(title) if skeleton.startswith(title) else skeleton.removesuffix(title)

    def claims_office(self, skeleton: str) -> bool:
        """Whether a skeleton is a word of office, or begins or ends with one."""
        return any(_at_an_end(skeleton, title) for title in self.titles)

    def looks_like(self, name: str, officers: Iterable[str]) -> str | None:
        """The officer's name (a skeleton of `officers`) that a name looks like; None when it looks like none."""
        bare = self.without_title(self.skeleton(name))
        # one letter or digit behind it is how the same name is taken a second time; more is a house number
        stem = bare[:-1] if bare[-1:].isascii() else bare
        return next((one for one in officers if len(one) >= LEAST and one in (bare, stem)), None)


def _at_an_end(skeleton: str, title: str) -> bool:
    return skeleton.startswith(title) or skeleton.endswith(title)


def _table(groups: Iterable[str]) -> dict[int, str]:
    """Character to the one that stands for all that look like it; a group's first wins, else the smallest code point."""
    # its table takes a quarter of a second to load, for which a command of the shell need not wait
    from confusable_homoglyphs.confusables import confusables_data

    parent: dict[str, str] = {}

    def root(character: str) -> str:
        while parent.get(character, character) != character:
            character = parent[character]
        return character

    for character, others in confusables_data.items():
        for other in others:
            alike = other["c"]
            # joined only where both are letters or digits of one character, after width and case are gone
            if len(character) == len(alike) == 1 and character.isalnum() and alike.isalnum():
                one, two = sorted((root(character), root(alike)))
                parent[two] = one
    for group in groups:
        first = root(group[-1] if len(group) == 2 else group[0])
        for character in group:
            parent[root(character)] = first
    return {ord(character): root(character) for character in parent if root(character) != character}


def _strings(table: Mapping[str, object], key: str) -> tuple[str, ...]:
    found = table.get(key)
    return tuple(str(one) for one in found) if isinstance(found, list) else ()

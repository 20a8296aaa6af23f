"""Kinds of things that get lost, and the words for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Things:
    """`words` leads from a word to the kind of thing that it names."""

    words: dict[str, str]

    @staticmethod
    def load(path: Path) -> Things:
        """Read `lexicon/things.txt`: in each line a kind, then its words; # starts a comment."""
        words: dict[str, str] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            kind, *names = line.partition("#")[0].split() or [""]
            words.update(dict.fromkeys(names, kind))
        return Things(words)

    def kinds(self, text: str) -> frozenset[str]:
        """The kinds of things that a text names; a word inside a longer one that was found does not count."""
        found: set[str] = set()
        rest = text
        for word in sorted(self.words, key=len, reverse=True):
            if word in rest:
                found.add(self.words[word])
                rest = rest.replace(word, "　")
        return frozenset(found)

"""What a mistyped command was meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import takewhile

LONGEST = 20  # characters of a word that are compared; no command's name is as long
ALIKE = 0.4  # of the characters of both, for somebody who talks to us
MUCH_ALIKE = 0.5  # for somebody who may have meant nobody: most of WeChat's emojis ("/微笑") are less alike to any command


def nearest(word: str, names: Iterable[str], alike: float = ALIKE) -> str:
    """The name that is most like the word, empty when none is. Of several the one with more characters in their places."""
    tried = "".join(takewhile(lambda one: not one.isdigit(), word[:LONGEST]))
    found = difflib.get_close_matches(tried, list(names), n=5, cutoff=alike)
    best = difflib.SequenceMatcher(b=tried)

    def likeness(name: str) -> tuple[float, int]:
        best.set_seq1(name)
        return best.ratio(), sum(mine == theirs for mine, theirs in zip(tried, name, strict=False))

    return max(found, key=likeness, default="")

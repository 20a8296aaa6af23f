"""Ordinary group messages, more than ten thousand and always the same: what is said when nothing is the matter.

Seeds and slots are written by hand (`tests/data/chatter.toml`), false friends among them; none needs an officer.
"""

from __future__ import annotations

import random
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE = Path(__file__).parents[1] / "data" / "chatter.toml"
_SLOT = re.compile(r"\{([a-z]+)\}")


def chatter(count: int = 10_000) -> Iterator[str]:
    """So many distinct messages, always the same in the same order."""
    data = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    slots: dict[str, list[str]] = data["slots"]
    dice = random.Random(20261123)
    seen: set[str] = set(data["plain"])
    yield from data["plain"]
    while len(seen) < count:
        text = _SLOT.sub(lambda match: dice.choice(slots[match[1]]), dice.choice(data["seeds"]))
        if text not in seen:
            seen.add(text)
            yield text

"""Texts of ours with the places marked in them: "【张庄村】东头的变压器嗡嗡响"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PLACE = re.compile("【([^】]*)】")


def marked(path: Path) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    """The lines of a corpus without their marks, each with the spans that were marked in it."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        spans, text = [], ""
        for number, part in enumerate(_PLACE.split(line)):
            if number % 2:
                spans.append((len(text), len(text) + len(part)))
            text += part
        yield text, spans


def overlap(true: list[tuple[int, int]], found: list[tuple[int, int]]) -> tuple[int, int]:
    """How many of the true spans one of the found ones touches, and how many of the found ones a true one."""
    met = sum(any(a < d and c < b for c, d in found) for a, b in true)
    return met, sum(any(a < d and c < b for a, b in true) for c, d in found)

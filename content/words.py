"""Plain word lists of `content/lexicon`: one word a line, or several with blanks between them; # for a remark."""

from __future__ import annotations

from pathlib import Path


def load_words(path: Path) -> frozenset[str]:
    """The words of a list. Raises OSError when there is no such file."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())

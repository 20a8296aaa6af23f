"""One loaded understanding for all tests of this folder, and our own corpora."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.understanding.understanding import Understanding

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"


@pytest.fixture(scope="session")
def understanding() -> Understanding:
    return Understanding.load(ROOT / "content")


def lines(name: str) -> list[str]:
    """The lines of a corpus, without comments."""
    text = (DATA / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]

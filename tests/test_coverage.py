"""docs/coverage.md has every row of the seed systems, and every test that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/coverage.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if re.match(r"\| \d+ \|", line)]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_every_seed_system_has_its_row() -> None:
    assert [int(row.split("|")[1]) for row in ROWS] == list(range(1, 29))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_a_row_names_a_test_that_exists_or_says_what_is_missing(row: str) -> None:
    named = NAMED.findall(row)
    missing = row.split("|")[4].strip()
    assert named or missing
    for file, test in named:
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file} has no {test}"

"""The table of differences says only what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.kit import cells
from tests.scenarios.differences import DIFFERENCES

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent


pytestmark = pytest.mark.one_cell  # this file is about the matrix and not in it


def functions_in(path: Path) -> set[str]:
    return set(re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("where", sorted(DIFFERENCES), ids="-".join)
def test_every_difference_names_a_scenario_a_place_and_what_happens_instead(where: tuple[str, str]) -> None:
    place, name = where
    assert place in {*cells.PEERS, *cells.ENGINES}
    assert name in set().union(*(functions_in(path) for path in HERE.glob("test_*.py")))
    difference = DIFFERENCES[where]
    assert len(difference.why) > 20
    path, _, test = difference.instead.partition("::")
    assert test in functions_in(ROOT / path), f"{difference.instead}: there is no such test"


def test_a_cell_that_is_none_is_refused_and_nothing_runs_unseen() -> None:
    assert cells.names("") == [cells.DEFAULT]
    assert len(cells.names("all")) == len(cells.PEERS) * len(cells.ENGINES)
    with pytest.raises(ValueError, match="there is no"):
        cells.names("web-sqlite,web-mysql")

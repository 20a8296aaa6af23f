"""The table is checked when it is read, and says where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from content.taxonomy import Taxonomy, TaxonomyError
from tests.understanding.conftest import ROOT

GOOD = """[tier.T3]
name = "一般"
meaning = "五天"
[kind.hazard]
name = "隐患"
[category."lamp"]
name = "路灯"
kind = "hazard"
tier = "T3"
route = ["municipal"]
number = ""
advice = ""
[scam.rebate]
name = "刷单返利"
start = "a"
telltale = "b"
todo = "c"
"""


def test_our_table() -> None:
    taxonomy = Taxonomy.load(ROOT / "content" / "taxonomy.toml")
    assert taxonomy.categories["gas.leak"].tier == "T0"
    assert taxonomy.categories["road"].raised == "T1"
    assert taxonomy.categories["lamp"].raised == "T3"
    for scam in taxonomy.scams.values():
        assert "110" in scam.todo, scam.code


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('number = ""', 'nummer = ""', 11, "nummer"),
        ('tier = "T3"\nroute', 'tier = "T9"\nroute', 9, "T9"),
        ('route = ["municipal"]', "route = []", 10, "route"),
        ('todo = "c"\n', "", 13, "todo"),
        ("[scam.rebate]", "[scams.rebate]", 13, "scams"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
    path = tmp_path / "taxonomy.toml"
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(TaxonomyError) as error:
        Taxonomy.load(path)
    assert f"taxonomy.toml:{line}:" in str(error.value)
    assert said in str(error.value)

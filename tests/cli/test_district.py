"""The district from the terminal: the routing table, groups, invitations, laws and boundaries."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from storage.tables import Counter
from tests.cli.terminal import Shell, in_database


def test_the_routing_table(district: Shell) -> None:
    for code, name, kind in (("wy", "港新物业", "property"), ("xf", "港新消防站", "fire"), ("wy2", "火锅街物业", "property")):
        district("unit", "add", code, name, "--kind", kind)
    assert district("route", "test", "ebike.charging").out == "leads    港新物业 (0 at work)\n"  # by the taxonomy
    assert district("route", "set", "ebike.*", "xf", "wy").out == "ebike.* everywhere: 港新消防站, with 港新物业\n"
    assert district("route", "set", "ebike.charging", "wy2", "--grid", "GX0101").out == "ebike.charging in 火锅街: 火锅街物业\n"
    assert district("route", "test", "ebike.charging", "--grid", "GX01").out.split() == [
        "leads", "港新消防站", "(0", "at", "work)", "assists", "港新物业", "(0", "at", "work)"
    ]  # fmt: skip
    assert "火锅街物业" in district("route", "test", "ebike.charging", "--grid", "火锅街").out
    assert [line.split()[0] for line in district("route", "list").out.splitlines()[1:]] == ["ebike.*", "ebike.charging"]
    assert "there is no category 'ebkie'" in district("route", "set", "ebkie", "wy").err
    assert "named twice" in district("route", "set", "noise", "wy", "港新物业").err
    assert "there is no unit 'zz'" in district("route", "set", "noise", "zz").err
    assert district("route", "remove", "ebike.*").out == "ebike.*: removed\n"
    assert "there is no row for ebike.* everywhere" in district("route", "remove", "ebike.*").err
    assert district("route", "test", "tree").out == "tree: nobody; a dispatcher is asked. qianshao route set tree UNIT\n"


def test_groups(district: Shell) -> None:
    assert district("group", "label", "g1", "board:小区", "--posts", "off").out == "港新1号群: class:综合 board:小区; no posts\n"
    assert district("group", "label", "港新1号群", "board:", "--posts", "on", "--weekly", "2").out == "港新1号群: class:综合\n"
    assert "a class is one of" in district("group", "label", "g1", "class:其他").err
    assert "write class:综合, board:… or industry:…" in district("group", "label", "g1", "person:x").err
    assert district("group", "assign", "g1", "none").out == "港新1号群: no grid\n"
    assert district("group", "assign", "g1", "GX0101").out == "港新1号群: 火锅街\n"
    assert "there is a group g1 already" in district("group", "add", "g1", "x").err
    listed = district("group", "list").out
    assert "GX0101  class:综合" in listed
    assert "2 a week" in listed


def test_an_invitation_is_a_link_and_can_be_ended(district: Shell) -> None:
    assert district("group", "invite", "g1").out.startswith("http://127.0.0.1:")
    assert district("group", "invite", "g1", "--revoke").out == "1 invitations ended\n"


def test_laws_are_imported_as_a_whole_or_not_at_all(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "laws"
    folder.mkdir()
    (folder / "a.md").write_text("# 某某法\n自2020年1月1日起施行\n第一条 好。\n第二条 也好。\n", encoding="utf-8")
    done = shell("content", "import-laws", str(folder))
    assert (done.code, "2 articles of 1 laws in force" in done.out) == (0, True), done.out
    (folder / "b.md").write_text("# 别的法\n第一条 没有日期。\n", encoding="utf-8")
    done = shell("content", "import-laws", str(folder))
    assert done.code != 0
    assert "b.md:1: no day from which the law holds" in done.out + done.err
    assert "nothing was imported" in done.out + done.err
    assert shell("content", "kept").code == 0
    assert "there is no kept answer 7" in (missing := shell("content", "drop", "7")).out + missing.err


def test_boundaries_are_drawn_as_a_whole_or_not_at_all(shell: Shell, tmp_path: Path) -> None:
    assert shell("grid", "add", "G1", "一号").code == 0
    file = tmp_path / "grids.geojson"
    square = {"type": "Polygon", "coordinates": [[[124, 30], [124.1, 30], [124.1, 30.1], [124, 30]]]}
    features = [{"type": "Feature", "properties": {"code": code}, "geometry": square} for code in ("G1", "G9")]
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    done = shell("grid", "boundary", str(file))
    assert done.code != 0
    assert "G9" in done.out + done.err
    assert shell("grid", "list").out.count("drawn") == 0
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features[:1]}), encoding="utf-8")
    assert shell("grid", "boundary", str(file)).code == 0
    assert shell("grid", "list").out.count("drawn") == 1
    nameless = {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": square}]}
    file.write_text(json.dumps(nameless), encoding="utf-8")
    done = shell("grid", "boundary", str(file))
    assert "feature 1 has no property 'code'" in done.out + done.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("group", "add", "a b", "幸福2号群"), "'a b' cannot be the id of a room: write 1 to 64 of A-Z"),
        (("group", "add", "xf2", ""), "'' is no name: write one line"),
        (("group", "add", "xf2", "幸福\n2号群"), "is no name: write one line"),
        (("grid", "add", "", "幸福2号网格"), "'' is no code: write 1 to 40 characters without blanks"),
        (("grid", "add", "G 2", "幸福2号网格"), "'G 2' is no code"),
        (("unit", "add", "s2", " ", "--kind", "police"), "' ' is no name"),
        (("unit", "add", "s2", "幸福派出所", "--kind", ""), "'' is no kind"),
        (
            ("officer", "add", "民警001", "王五", "--title", "民警", "--role", "admin"),
            "'民警001' is no badge: write 1 to 40 of A-Z",
        ),
        (("officer", "add", "3299", "", "--title", "民警", "--role", "admin"), "'' is no name"),
    ],
)
def test_what_nobody_could_read_or_type_is_not_taken_and_leaves_nothing_behind(
    district: Shell, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    before = rows_of(tmp_path)
    done = district(*words)
    assert done.code == 1
    assert says in done.err
    assert rows_of(tmp_path) == before


def test_a_unit_of_a_kind_to_which_nothing_goes_is_added_with_a_word_about_it(district: Shell) -> None:
    done = district("unit", "add", "s2", "幸福派出所", "--kind", "polise")
    assert (done.code, done.out) == (0, "unit s2 added\n")
    assert "nothing is sent to units of the kind polise by itself (there are " in done.err
    assert "police" in done.err
    assert "qianshao route set CATEGORY s2" in done.err


def test_whoever_builds_on_the_sample_district_is_told(district: Shell, tmp_path: Path) -> None:
    assert district("unit", "add", "s2", "幸福派出所", "--kind", "police").err == ""
    in_database(tmp_path, lambda session: session.add(Counter(name="demo", value=1)))
    done = district("unit", "add", "s3", "平安派出所", "--kind", "police")
    assert (done.code, done.out) == (0, "unit s3 added\n")
    assert "holds the sample district" in done.err


def rows_of(tmp_path: Path) -> list[int]:
    with closing(sqlite3.connect(tmp_path / "data/qianshao.sqlite3")) as database:
        tables = ("chat_group", "grid", "unit", "officer")
        return [database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]

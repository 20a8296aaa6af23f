"""Where a case is: pin, known name, photo, group, in this order; boundaries and gazetteer are read with their mistakes named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import Session, select

from bot.demo import load_district, seed
from cases.places import Atlas, BadBoundary, Point, boundary_changed, read_boundary
from content.gazetteer import Gazetteer, normalised, numbers
from storage.database import upgrade
from storage.tables import Grid
from storage.writer import open_engine
from tests.kit.scenario import CONTENT, MORNING

DEMO = CONTENT / "demo"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('places') / 'x.sqlite3'}")
    with engine.connect() as connection:
        upgrade(connection)
        connection.commit()
    with Session(engine) as session:
        seed(session, load_district(DEMO / "district.toml"), MORNING)
        yield session
    engine.dispose()


@pytest.fixture
def atlas() -> Atlas:
    return Atlas(Gazetteer.load(DEMO / "gazetteer.toml"))


def grid(session: Session, code: str) -> int | None:
    return session.exec(select(Grid.id).where(Grid.code == code)).one()


IN_ONE, IN_HOTPOT, IN_TWO, AT_SEA = (30.002, 124.002), (30.009, 124.009), (30.005, 124.012), (30.5, 124.5)


@pytest.mark.parametrize(
    ("text", "places", "points", "place", "code", "by"),
    [
        ("路灯坏了", [], [Point(*IN_TWO)], "30.00500,124.01200", "GX02", "pin"),
        ("路灯坏了", [], [Point(*IN_TWO, "老年食堂门口")], "老年食堂门口", "GX02", "pin"),
        ("路灯坏了", [], [Point(30.0041, 124.0151)], "港新菜市场附近", "GX02", "pin"),
        ("3号楼路灯坏了", ["3号楼"], [Point(*IN_HOTPOT)], "3号楼", "GX0101", "pin"),
        ("菜场后面有人烧垃圾", ["菜场后面"], [], "港新菜市场后面", "GX02", "gazetteer"),
        ("菜场后面有人烧垃圾", ["菜场后面"], [Point(*IN_ONE, by="photo")], "港新菜市场后面", "GX02", "gazetteer"),
        ("周台村三组的电线断了", ["周台村三组"], [], "周台村三组", "GX02", "gazetteer"),
        ("有人烧垃圾", [], [Point(*IN_TWO, by="photo")], "30.00500,124.01200", "GX02", "photo"),
        ("３号楼 ２单元路灯坏了", ["３号楼 ２单元"], [], "3号楼2单元", "GX01", "group"),
        ("路灯坏了", [], [Point(*AT_SEA)], "30.50000,124.50000", "GX01", "group"),
        ("路灯坏了", [], [], "", "GX01", "group"),
    ],
)
def test_where(
    session: Session, atlas: Atlas, text: str, places: list[str], points: list[Point], place: str, code: str, by: str
) -> None:
    where = atlas.locate(session, text, places, points, grid(session, "GX01"))
    assert (where.place, where.grid_id, where.by) == (place, grid(session, code), by)
    assert where.sure > 0


def test_without_a_group_and_a_known_place_the_grid_is_unknown(session: Session, atlas: Atlas) -> None:
    where = atlas.locate(session, "3号楼路灯坏了", ["3号楼"], [], None)
    assert (where.grid_id, where.by, where.sure) == (None, "", 0.0)


def test_an_alias_of_several_places_means_the_one_in_the_groups_grid(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "places.toml"
    file.write_text(
        '[[places]]\nname = "一号院东门"\naliases = ["东门"]\ngrid = "GX0101"\n'
        '[[places]]\nname = "二号院东门"\naliases = ["东门"]\ngrid = "GX02"\n',
        encoding="utf-8",
    )
    atlas = Atlas(Gazetteer.load(file))
    for around, name in (("GX01", "一号院东门"), ("GX02", "二号院东门")):
        assert atlas.locate(session, "东门积水", ["东门"], [], grid(session, around)).place == name
    assert atlas.locate(session, "东门积水", ["东门"], [], None).grid_id is None


def test_a_new_boundary_counts_at_once(session: Session, atlas: Atlas) -> None:
    assert atlas.locate(session, "", [], [Point(*AT_SEA)], None).grid_id is None
    two = session.exec(select(Grid).where(Grid.code == "GX02")).one()
    before = two.boundary
    two.boundary = json.dumps({"type": "Polygon", "coordinates": [[[124.4, 30.4], [124.6, 30.4], [124.6, 30.6], [124.4, 30.4]]]})
    boundary_changed(session)
    session.flush()
    assert atlas.locate(session, "", [], [Point(30.45, 124.55)], None).grid_id == two.id
    two.boundary = before
    boundary_changed(session)
    session.flush()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not JSON"),
        ('{"type": "Point", "coordinates": [1, 2]}', "Polygon or MultiPolygon"),
        ('{"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}', "crosses itself"),
        ('{"type": "Polygon", "coordinates": [[[30, 124], [31, 124], [31, 125], [30, 124]]]}', "longitude before latitude"),
        ('{"type": "Polygon", "coordinates": "no"}', "cannot be read"),
        ('{"type": "Polygon", "coordinates": []}', "empty"),
    ],
)
def test_a_wrong_boundary_is_refused_with_the_mend(text: str, problem: str) -> None:
    with pytest.raises(BadBoundary, match=problem):
        read_boundary(text)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ('[[places]]\nname = "菜场"\ngird = "GX02"\n', 3, "gird"),
        ('[[places]]\nname = "菜场"\npoint = [124.0, 30.0]\n', 3, "latitude first"),
        ('[[places]]\nname = "菜场"\n[[places]]\nname = "菜场"\n', 4, "twice"),
    ],
)
def test_a_wrong_gazetteer_names_its_line(tmp_path: Path, text: str, line: int, problem: str) -> None:
    file = tmp_path / "places.toml"
    file.write_text(text, encoding="utf-8")
    found = Gazetteer.load(file)
    assert found.places == ()
    assert [(broken.line, problem in broken.problem) for broken in found.broken] == [(line, True)]


def test_the_sample_gazetteer_is_whole_and_lies_in_its_grids(session: Session, atlas: Atlas) -> None:
    assert atlas.gazetteer.broken == ()
    for place in atlas.gazetteer.places:
        assert place.point is not None
        assert atlas.locate(session, "", [], [Point(*place.point)], None).grid_id == grid(session, place.grid), place.name


def test_places_are_compared_in_one_spelling() -> None:
    assert normalised("３栋 二单元") == normalised("三号楼2单元") == "3号楼2单元"
    assert numbers("十二号楼一〇三室") == {"号楼": 12, "室": 103}

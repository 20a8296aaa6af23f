"""The sample district: complete, laid once, into an empty roster only; a mistake in the file names its line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlmodel import Session, SQLModel, col, func, select

from bot.demo import PRIVATE, load_district, seed
from bot.errors import ConfigError
from bot.permissions import Rights, Role, officer_of_account
from storage import tables
from storage.tables import Duty, Grid, Group, Officer, OfficerAccount, OfficerRole, Unit
from storage.writer import open_engine

FILE = Path(__file__).parent.parent / "content/demo/district.toml"
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@pytest.fixture
def session() -> Iterator[Session]:
    engine = open_engine("sqlite://")
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


def count(session: Session, table: type[SQLModel]) -> int:
    return session.exec(select(func.count()).select_from(table)).one()


def test_the_district_is_complete() -> None:
    district = load_district(FILE)
    assert [unit.kind for unit in district.units].count("police") == 1
    assert (len(district.units), len(district.grids), len(district.groups)) == (6, 3, 8)
    assert sum(bool(grid.parent) for grid in district.grids) == 1
    assert (len(district.officers), len(district.residents), len(district.tries)) == (9, 12, 10)
    assert {role.split()[0] for officer in district.officers for role in officer.roles} == set(Role)
    assert {group.class_label for group in district.groups} == {"综合", "专属", "行业", "特殊", "工作"}
    assert all(group.board for group in district.groups)
    assert len({group.industry for group in district.groups} - {""}) == 3


def test_everybody_is_somewhere_and_the_guided_list_leads_to_rooms_of_the_persona() -> None:
    district = load_district(FILE)
    rooms = {room.id: room for room in district.web_rooms()}
    users = {user.id for user in district.web_users()}
    assert users == {member for room in rooms.values() for member in room.members}
    assert [room.id for room in rooms.values() if room.officers_only] == ["work"]
    for suggestion, row in zip(district.web_tries(), district.tries, strict=True):
        if row.room == PRIVATE:
            assert suggestion.room == f"private-{suggestion.persona}"
        else:
            assert suggestion.persona in rooms[suggestion.room].members, suggestion.title


def test_it_is_laid_once(session: Session) -> None:
    district = load_district(FILE)
    assert seed(session, district, NOW)
    session.commit()
    expected = {Unit: 6, Grid: 3, Group: 8, Officer: 9, OfficerAccount: 9, Duty: 3}
    assert {table: count(session, table) for table in expected} == expected
    assert not seed(session, district, NOW)
    assert {table: count(session, table) for table in expected} == expected


def test_it_is_not_laid_over_a_roster(session: Session) -> None:
    session.add(Officer(badge="1", name="x", title="y"))
    assert not seed(session, load_district(FILE), NOW)
    assert count(session, Group) == 0


def test_the_officers_can_act_at_once(session: Session) -> None:
    seed(session, load_district(FILE), NOW)
    wang = officer_of_account(session, "web", "officer-3201")
    assert wang is not None
    inner = session.exec(select(Grid).where(Grid.code == "GX0101")).one()
    other = session.exec(select(Grid).where(Grid.code == "GX02")).one()
    rights = Rights(session, wang, "web", NOW)
    assert rights.require("case.take", grid_id=inner.id) is wang
    with pytest.raises(Exception, match="refusal"):
        rights.require("case.take", grid_id=other.id)
    property_role = session.exec(select(OfficerRole).where(OfficerRole.scope_kind == "unit")).one()
    assert property_role.scope_id == session.exec(select(Unit.id).where(Unit.kind == "property")).one()
    assert (
        session.exec(
            select(func.count()).where(col(tables.OfficerRole.scope_kind) == "grid", col(OfficerRole.scope_id).is_(None))
        ).one()
        == 0
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('parent = "GX01"', 'parent = "GX09"', "there is no grid 'GX09' above this one"),
        ('roles = ["editor"]', 'roles = ["edtior"]', "'edtior' is no role"),
        ('roles = ["officer grid:GX01"]', 'roles = ["officer grid:GX09"]', "there is no grid 'GX09'"),
        ('roles = ["officer grid:GX01"]', 'roles = ["officer GX01"]', "a scope is written grid:CODE or unit:CODE"),
        ('class = "专属"', 'class = "其他"', "a class is one of"),
        ('class = "专属"', 'clas = "专属"', "unknown key groups.clas; did you mean class?"),
        ('persona = "chen"', 'persona = "nobody"', "there is nobody with the id or badge 'nobody'"),
        ('room = "school"', 'room = "scool"', "there is no group 'scool'"),
        ('id = "sun"', 'id = "xu"', "'xu' is there twice"),
    ],
)
def test_a_mistake_names_its_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "d.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_district(tmp_path / "d.toml")
    line = text[: text.index(old)].count("\n") + 1
    told = next(each for each in str(caught.value).splitlines() if f"d.toml:{line}: " in each)
    assert says in told
    with pytest.raises(ConfigError, match="cannot be read"):
        load_district(tmp_path / "gone.toml")

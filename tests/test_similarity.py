"""Two reports of one thing are recognised; two of different things are not."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageEnhance
from sqlmodel import Session

from bot.photos import draw_anew, fingerprint_of
from cases.similarity import Report, likeness, metres_between, open_alike
from storage.database import upgrade
from storage.tables import Attachment, Case
from storage.writer import open_engine

DAY = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
LAMP = 0xF0F0F0F0F0F0F0F0


def report(
    text: str,
    place: str,
    *,
    category: str = "lamp",
    days: int = 0,
    grid: int | None = None,
    picture: int | None = None,
    point: tuple[float, float] | None = None,
) -> Report:
    places, pictures = ((place,) if place else ()), (() if picture is None else (picture,))
    return Report(category, places, text, DAY + timedelta(days=days), grid, pictures, point)


OLD = report("人民路菜场门口的路灯坏了", "人民路菜场门口")


def test_the_same_lamp_again() -> None:
    found = likeness(report("人民路菜场门口路灯还是不亮", "人民路菜场门口", days=3), OLD)
    assert found.alike
    assert "category lamp" in found.reasons


@pytest.mark.parametrize(
    ("text", "place", "category", "days"),
    [
        ("中山路小学旁边的路灯坏了", "中山路小学旁边", "lamp", 0),
        ("人民路菜场门口垃圾没人清", "人民路菜场门口", "env", 0),
        ("人民路菜场门口的路灯坏了", "人民路菜场门口", "lamp", 22),
    ],
    ids=["another place", "another thing", "after three weeks"],
)
def test_another_thing(text: str, place: str, category: str, days: int) -> None:
    assert not likeness(report(text, place, category=category, days=days), OLD).alike


@pytest.mark.parametrize(
    ("one", "other", "same"), [("3号楼", "5号楼", False), ("3号楼", "三栋", True), ("12幢", "十二号楼", True)]
)
def test_house_numbers(one: str, other: str, same: bool) -> None:
    new, old = report(f"{one}楼道灯坏了", f"{one}楼道"), report(f"{other}楼道灯坏了", f"{other}楼道")
    assert likeness(new, old).alike is same


def test_another_grid_is_another_thing() -> None:
    assert likeness(report("路灯坏了", "3号楼", grid=2), report("路灯坏了", "3号楼", grid=1)).score == 0


def test_the_same_picture_is_enough_even_in_another_grid() -> None:
    new = report("这里黑漆漆的", "", category="other", picture=LAMP ^ 3, grid=2)
    assert likeness(new, report("路灯坏了", "", picture=LAMP, grid=1)).alike


def test_too_little_to_go_by() -> None:
    assert not likeness(report("路灯坏了", ""), report("灯不亮", "")).alike


def test_pins_decide_where_both_have_one() -> None:
    here, near, far = (31.23040, 121.47370), (31.23055, 121.47380), (31.2360, 121.4737)
    assert metres_between(here, far) == pytest.approx(622.7, abs=1)
    assert likeness(report("路灯坏了", "", point=here), report("灯不亮", "", point=near)).alike
    assert not likeness(report("路灯坏了", "菜场门口", point=here), report("路灯坏了", "菜场门口", point=far)).alike


# --- pictures ---


def street(shift: int = 0) -> Image.Image:
    picture = Image.new("RGB", (640, 480), (120, 150, 190))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 330, 640, 480), fill=(90, 90, 90))
    draw.rectangle((60 + shift, 90, 230 + shift, 330), fill=(170, 60, 50))
    draw.rectangle((330, 180 - shift // 2, 560, 330), fill=(230, 220, 190))
    draw.ellipse((480 - shift, 20, 560 - shift, 90), fill=(250, 240, 120))
    return picture


def bits(picture: Image.Image) -> int:
    return int(fingerprint_of(picture), 16)


def test_a_picture_is_known_again_after_scaling_and_jpeg() -> None:
    data = io.BytesIO()
    ImageEnhance.Brightness(street()).enhance(0.8).resize((311, 233)).save(data, "JPEG", quality=40)
    again = int(draw_anew(data.getvalue()).fingerprint, 16)
    assert (bits(street()) ^ again).bit_count() <= 6
    assert (bits(street()) ^ bits(street(300))).bit_count() > 10


def test_a_flat_picture_has_no_fingerprint() -> None:
    assert fingerprint_of(Image.new("RGB", (640, 480), (10, 10, 10))) == ""


# --- among open cases ---


def open_case(session: Session, number: int, text: str, place: str, *, state: str = "dispatched", hours: int = 0) -> Case:
    at = DAY + timedelta(hours=hours)
    case = Case(
        number=f"2611-{number:04d}",
        kind="hazard",
        category="lamp",
        tier="T3",
        state=state,
        text=text,
        place=place,
        grid_id=None,
        platform="web",
        account="web",
        chat="g",
        private=False,
        created_at=at,
        state_since=at,
    )
    session.add(case)
    session.flush()
    return case


def test_a_new_case_finds_the_open_ones_that_it_repeats(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    with engine.connect() as connection:
        upgrade(connection)
        connection.commit()
    with Session(engine) as session:
        same = open_case(session, 1, "人民路菜场门口的路灯坏了", "人民路菜场门口")
        open_case(session, 2, "中山路小学旁边的路灯坏了", "中山路小学旁边")
        open_case(session, 3, "人民路菜场门口的路灯坏了", "人民路菜场门口", state="closed_confirmed")
        seen = open_case(session, 4, "黑灯瞎火", "")
        new = open_case(session, 5, "人民路菜场门口路灯还是不亮", "人民路菜场门口", hours=30)
        for case, fingerprint in ((seen, LAMP), (new, LAMP ^ 1)):
            session.add(
                Attachment(
                    case_id=case.id,
                    sha256="",
                    path="",
                    width=1,
                    height=1,
                    size=1,
                    fingerprint=f"{fingerprint:016x}",
                    created_at=DAY,
                )
            )
        session.flush()
        found = open_alike(session, new)
        assert [case.number for case, _ in found] == [seen.number, same.number]
        assert found[0][1].reasons == ("same picture",)
    engine.dispose()

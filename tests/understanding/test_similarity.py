"""Two reports of one thing are recognised; two of different things are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.understanding.similarity import Report, likeness

DAY = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def report(text: str, place: str, *, category: str = "lamp", days: int = 0, grid: str = "", picture: int | None = None) -> Report:
    return Report(category, (place,) if place else (), text, DAY + timedelta(days=days), grid, picture)


OLD = report("人民路菜场门口的路灯坏了", "人民路菜场门口")


def test_the_same_lamp_again() -> None:
    found = likeness(report("人民路菜场门口路灯还是不亮", "人民路菜场门口", days=3), OLD)
    assert found.alike
    assert "category lamp" in found.reasons


def test_another_place_is_another_thing() -> None:
    assert not likeness(report("中山路小学旁边的路灯坏了", "中山路小学旁边"), OLD).alike


def test_another_thing_at_the_same_place() -> None:
    assert not likeness(report("人民路菜场门口垃圾没人清", "人民路菜场门口", category="env"), OLD).alike


def test_after_three_weeks_it_is_new() -> None:
    assert likeness(report("人民路菜场门口的路灯坏了", "人民路菜场门口", days=22), OLD).score == 0


def test_another_grid_is_another_thing() -> None:
    old = report("路灯坏了", "3号楼", grid="a")
    assert likeness(report("路灯坏了", "3号楼", grid="b"), old).score == 0


def test_the_same_picture_is_enough() -> None:
    old = report("路灯坏了", "", picture=0xF0F0F0F0F0F0F0F0)
    assert likeness(report("这里黑漆漆的", "", category="other", picture=0xF0F0F0F0F0F0F0F3), old).alike


def test_too_little_to_go_by() -> None:
    assert not likeness(report("路灯坏了", ""), report("灯不亮", "")).alike

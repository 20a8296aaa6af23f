"""Whoever cries for help reads the words that fit the scene; the danger that officers read is the one that it really is."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

from bot.app.library import Library
from bot.errors import ConfigError
from bot.understanding.advice import Advice
from bot.understanding.meaning import Danger
from bot.understanding.understanding import Understanding
from content.phrases import PhraseBook
from tests.understanding.conftest import ROOT, lines

SCENES = ["poison", "lift", "car_water", "coal", "electric", "intruder", "money_now"]


def cries() -> list[tuple[str, str, str]]:
    """Every cry with the words that fit it and the danger that it is."""
    return [(words, danger, text) for words, danger, text in (line.split("|", 2) for line in lines("advice.txt"))]


def heard(understanding: Understanding, text: str) -> Danger:
    danger = understanding.glance(text).danger
    assert danger is not None, text
    return danger


def test_every_cry_is_answered_with_the_words_of_its_scene(understanding: Understanding) -> None:
    rows = cries()
    got = [(understanding.advice(heard(understanding, text), text), heard(understanding, text), text) for _, _, text in rows]
    assert got == [(f"emergency.{words}", danger, text) for words, danger, text in rows]
    for scene in SCENES:
        assert sum(words == scene for words, _, _ in rows) >= 3
    assert len(rows) >= 45


def test_without_the_table_the_words_are_wrong(understanding: Understanding) -> None:
    """The control: what the table does not say nobody says."""
    bare = Advice(())
    right = [bare.phrase(heard(understanding, text), text) == f"emergency.{words}" for words, _, text in cries()]
    assert right.count(False) >= 15


def test_blanks_and_other_writings_change_no_words(understanding: Understanding) -> None:
    for words, text in (
        ("poison", "孩子 喝了 洁厕灵 一直在吐"),
        ("lift", "我被困在電梯裡了，出不來"),
        ("money_now", "我妈正要去银行给骗子转账 劝不住"),
    ):
        assert understanding.advice(heard(understanding, text), text) == f"emergency.{words}", text


def test_every_text_says_whom_to_call_asks_nothing_and_ends_alike(understanding: Understanding) -> None:
    phrases = PhraseBook.load(ROOT / "content" / "phrases")
    assert {f"emergency.{scene}" for scene in SCENES} <= understanding.advised
    for key in understanding.advised:
        text = phrases.say(key)
        assert re.search(r"1(?:10|19|20)", text), key
        assert not re.search(r"[?？!！]|吗|照片|请问", text), key
        assert text.endswith("正在通知值班民警。"), key
        assert len(text) <= 110, key


def test_what_is_done_first_is_said_first() -> None:
    phrases = PhraseBook.load(ROOT / "content" / "phrases")
    for key, order in {
        "poison": ("120", "按120说的做", "包装留好"),
        "lift": ("警铃", "119", "别扒门"),
        "car_water": ("安全带", "开窗", "侧窗的角", "119"),
        "coal": ("人先到屋外", "120", "门窗", "别开灯", "119"),
    }.items():
        text = phrases.say(f"emergency.{key}")
        places = [text.index(words) for words in order]
        assert places == sorted(places), key


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('phrase = "lift"', 'phrase = "rocket"', "emergency.rocket"),
        ('heard = ["money"]', 'heard = ["moon"]', "moon"),
        ("scam_now.txt", "nowhere.txt", "nowhere.txt"),
    ],
)
def test_nothing_starts_with_a_table_that_names_what_is_not_there(tmp_path: Path, old: str, new: str, told: str) -> None:
    content = tmp_path / "content"
    copytree(ROOT / "content", content, ignore=ignore_patterns("model", "*.py", "__pycache__", "training"))
    table = content / "lexicon" / "advice.toml"
    table.write_text(table.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    (content / "model").symlink_to(ROOT / "content" / "model")
    with pytest.raises(ConfigError, match=told):
        Library.load(content, datetime(2026, 11, 27, tzinfo=UTC))


def test_who_tells_of_what_is_no_danger_alarms_nobody(understanding: Understanding) -> None:
    for text in (
        "门口从天上掉下来一个啤酒瓶", "地下车库B区进水了，都没过脚踝了", "桥洞积水，小车熄火，人出来了",
        "昨天单位组织看反诈片，里面那个老太太被骗了八十万", "刚去银行取钱，柜员问我是不是被骗了，挺负责的",
        "有人在里面赌博，3号楼地下室", "包里有把刀", "车被撞了对方跑了", "电梯卡在3楼，里面没人",
    ):  # fmt: skip
        assert understanding.glance(text).danger is None, text
    assert understanding.read("门口从天上掉下来一个啤酒瓶").category == "height.throw"
    assert understanding.read("有人在里面赌博，3号楼地下室").category == "crime.tip"
    assert understanding.read("车被撞了对方跑了").category == "traffic"


def test_pasted_threats_are_shown_as_bait_and_told_ones_are_cries(understanding: Understanding) -> None:
    for text in ("你儿子在我手里，不许报警，往这个账户打20万", "你女儿现在在我们手上，准备三十万打到这个卡，报警就撕票"):
        assert understanding.glance(text).bait
        assert understanding.read(text).scam.type == "kidnap"
    boss = understanding.read("小王啊，我是领导，我身份不好出面，你先帮我垫五万，回头还你")
    assert (boss.danger, boss.scam.type) == (None, "acquaintance")
    assert understanding.glance("收到短信说我儿子在他们手里，要打20万，怎么办").danger is Danger.MONEY

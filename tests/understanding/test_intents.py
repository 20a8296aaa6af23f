"""Intents, categories and tiers of messages as residents write them."""

from __future__ import annotations

import pytest

from bot.understanding.meaning import Intent
from bot.understanding.understanding import Understanding
from tests.understanding.conftest import lines

TABLE = [
    ("港新路火锅店把液化气罐放在棚子里，太危险了", Intent.HAZARD, "gas.install", "T2"),
    ("3号楼2单元楼道有人给电动车充电", Intent.HAZARD, "ebike.charging", "T2"),
    ("路灯坏了三天了", Intent.HAZARD, "lamp", "T3"),
    ("井盖没了", Intent.HAZARD, "manhole", "T1"),
    ("消防通道被车堵死了", Intent.HAZARD, "fire.exit", "T2"),
    ("三楼灭火器过期了", Intent.HAZARD, "fire.equipment", "T3"),
    ("楼上有人往下扔烟头", Intent.HAZARD, "height.throw", "T1"),
    ("外墙瓷砖往下掉", Intent.HAZARD, "height.fall", "T1"),
    ("我们这栋停电了", Intent.HAZARD, "elec.outage", "T2"),
    ("电梯又坏了", Intent.HAZARD, "elevator", "T2"),
    ("8栋电梯困人了", Intent.HAZARD, "elevator", "T1"),
    ("门口路面塌陷了", Intent.HAZARD, "road", "T1"),
    ("有人在砸承重墙", Intent.HAZARD, "illegal.build", "T1"),
    ("菜场后面垃圾堆了好几天没人清", Intent.HAZARD, "env", "T3"),
    ("大半夜工地还在施工，吵得睡不着", Intent.HAZARD, "noise", "T3"),
    ("楼上天天半夜拖椅子，说了也不听", Intent.DISPUTE, "neighbour", "T3"),
    ("老板拖欠我们三个月工资", Intent.DISPUTE, "wages", "T3"),
    ("房东不退押金", Intent.DISPUTE, "tenancy", "T3"),
    ("想举报一个赌博窝点", Intent.TIP, "crime.tip", "TT"),
    ("有人吸毒", Intent.TIP, "crime.tip", "TT"),
    ("有个陌生男的在楼下转悠，挨家挨户试门", Intent.TIP, "suspicious", "T1"),
    ("刚看到个老奶奶找不到家", Intent.MISSING, "missing.seen", "T1"),
    ("捡到一串钥匙", Intent.LOST_FOUND, "found", "T3"),
    ("我的钱包丢了，黑色的", Intent.LOST_FOUND, "lost", "T3"),
    ("我妈83岁了，店里有人叫她转账", Intent.EMERGENCY, "scam.paid", "T0"),
    ("居住证怎么办", Intent.QUESTION, "question", "TQ"),
    ("请问护照过期了去哪里换", Intent.QUESTION, "question", "TQ"),
    ("帮独居老人换灯泡", Intent.WISH, "wish", "T3"),
    ("上次反映的路灯修好了，谢谢", Intent.FEEDBACK, "feedback", "T3"),
    ("孩子走丢了，穿红衣服", Intent.EMERGENCY, "missing.child", "T0"),
    ("早上好", Intent.CHAT, None, None),
    ("今天吃火锅", Intent.CHAT, None, None),
]


@pytest.mark.parametrize(("text", "intent", "category", "tier"), TABLE)
def test_reading(understanding: Understanding, text: str, intent: Intent, category: str | None, tier: str | None) -> None:
    meaning = understanding.read(text)
    assert (meaning.intent, meaning.category, meaning.tier) == (intent, category, tier), meaning.reasons


@pytest.mark.parametrize(("text", "intent", "category", "tier"), TABLE)
def test_the_glance_agrees(
    understanding: Understanding, text: str, intent: Intent, category: str | None, tier: str | None
) -> None:
    hint = understanding.glance(text)
    assert (hint.danger is not None) == (intent is Intent.EMERGENCY)
    assert hint.tip == (intent is Intent.TIP)
    assert hint.question == (intent is Intent.QUESTION)
    kept = {Intent.HAZARD, Intent.DISPUTE, Intent.MISSING, Intent.LOST_FOUND, Intent.SCAM_REPORT, Intent.WISH, Intent.FEEDBACK}
    assert hint.report == (intent in kept)


@pytest.mark.parametrize(
    "text", ["出售二手电动车，九成新", "井盖长什么样的甜甜圈哈哈哈", "#接龙 路灯款台灯2个", "电影里井盖飞起来那段绝了"]
)
def test_adverts_chains_and_stories_are_small_talk(understanding: Understanding, text: str) -> None:
    assert understanding.read(text).intent is Intent.CHAT


def test_every_category_has_a_code_of_the_taxonomy(understanding: Understanding) -> None:
    for _, _, category, tier in TABLE:
        if category is not None:
            entry = understanding.taxonomy.categories[category]
            assert tier in (entry.tier, entry.raised)


@pytest.mark.parametrize("name", ["heldout_intents.txt", "development.txt"])
def test_the_bot_speaks_when_it_is_wanted_and_only_then(understanding: Understanding, name: str) -> None:
    rows = [tuple(line.split("|", 1)) for line in lines(name) if "|" in line]
    spoken = []
    for intent, text in rows:
        hint = understanding.glance(text)
        spoken.append((intent != "chat", bool(hint.danger or hint.report or hint.tip or hint.question)))
    hit = sum(wanted and spoke for wanted, spoke in spoken)
    assert hit >= 0.97 * sum(spoke for _, spoke in spoken)
    assert hit >= 0.90 * sum(wanted for wanted, _ in spoken)
    right = sum(understanding.read(text).intent.value == intent for intent, text in rows)
    assert right >= 0.85 * len(rows)


def test_a_word_or_two_says_nothing_in_a_group(understanding: Understanding) -> None:
    for text in ("满意", "好了", "没办法", "又来了", "不行", "谢谢"):
        hint = understanding.glance(text)
        assert (hint.report, hint.tip, hint.question) == (False, False, False), text

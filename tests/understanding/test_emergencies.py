"""Tier T0: our own corpus of cries for help, their false friends, and ten thousand ordinary messages."""

from __future__ import annotations

import pytest

from bot.understanding.meaning import Danger, Intent
from bot.understanding.understanding import Understanding
from tests.understanding.chatter import chatter
from tests.understanding.conftest import DATA, lines


def corpus() -> list[tuple[set[str], str]]:
    """Every phrase with the kinds that are right for it."""
    rows = [line.split("|", 1) for line in lines("emergencies.txt")]
    return [(set(kinds.split("/")), text) for kinds, text in rows]


def test_cries_for_help_are_heard(understanding: Understanding) -> None:
    rows = corpus()
    missed = [text for _, text in rows if understanding.glance(text).danger is None]
    assert len(rows) >= 300
    assert len(missed) <= len(rows) // 100, missed


def test_a_cry_is_heard_wherever_it_comes_from(understanding: Understanding) -> None:
    """Guards against talk of shops, offices and games must not silence who cries there."""
    texts = lines("cries_anywhere.txt")
    assert len(texts) >= 60
    assert [text for text in texts if understanding.glance(text).danger is None] == []


def test_the_kind_of_danger_is_right(understanding: Understanding) -> None:
    wrong = [(text, danger) for kinds, text in corpus() if (danger := understanding.glance(text).danger) and danger not in kinds]
    assert len(wrong) <= 6, wrong


def test_every_kind_is_in_the_corpus() -> None:
    assert {kind for kinds, _ in corpus() for kind in kinds} == {danger.value for danger in Danger}


def test_false_friends_stay_quiet(understanding: Understanding) -> None:
    texts = lines("false_friends.txt")
    alarmed = [text for text in texts if understanding.glance(text).danger]
    assert len(texts) >= 200
    assert len(alarmed) <= len(texts) * 2 // 100, alarmed


def test_ordinary_messages_get_no_flag_but_question(understanding: Understanding) -> None:
    texts = list(chatter(10_000))
    assert len(set(texts)) == 10_000
    hints = [(text, understanding.glance(text)) for text in texts]
    flagged = [text for text, hint in hints if hint.danger or hint.report or hint.tip or hint.safe]
    assert len(flagged) <= 10, flagged


@pytest.mark.parametrize("text", ["打死个蚊子", "这家店火了", "煤气卡没钱了", "笑死我了", "热死了", "昨天新闻说哪里着火"])
def test_named_false_friends(understanding: Understanding, text: str) -> None:
    hint = understanding.glance(text)
    assert hint.danger is None
    assert not hint.report


@pytest.mark.parametrize("text", ["人都安全了", "火灭了", "没事了", "孩子找到了，谢谢大家", "虚惊一场", "大火已经扑灭"])
def test_safe_is_seen(understanding: Understanding, text: str) -> None:
    hint = understanding.glance(text)
    assert hint.safe
    assert hint.danger is None


@pytest.mark.parametrize("text", ["火灭了但是又冒烟了", "还没灭，火好大", "孩子还没找到，找不到孩子了"])
def test_not_safe_yet(understanding: Understanding, text: str) -> None:
    assert understanding.glance(text).danger is not None


@pytest.mark.parametrize(
    "text",
    [
        "如果家里着火应该怎么办",
        "去年我们小区着过一次火",
        "电视剧里那个人跳楼了",
        "明天消防演练，模拟着火逃生",
        "新闻报道某地燃气爆炸",
        "着火了保险赔不赔",
        "要是煤气泄漏打哪个电话",
        "我昨晚梦见有人拿刀砍我",
    ],
)
def test_told_supposed_or_acted_is_no_alarm(understanding: Understanding, text: str) -> None:
    assert understanding.glance(text).danger is None


@pytest.mark.parametrize(
    ("text", "danger"),
    [
        ("着 火 了 快 跑", Danger.FIRE),
        ("電線掉在地上冒火花", Danger.ELECTRIC),
        ("没气味好大，头晕", Danger.GAS),
        ("液话气漏了", Danger.GAS),
        ("着\u200b火\u200b了", Danger.FIRE),
        ("哪里有ＡＥＤ", Danger.MEDICAL),
    ],
)
def test_slips_and_odd_writing_are_understood(understanding: Understanding, text: str, danger: Danger) -> None:
    assert understanding.glance(text).danger is danger


def test_an_emergency_reads_as_tier_t0(understanding: Understanding) -> None:
    meaning = understanding.read("5栋2单元着火了，快来人")
    assert meaning.intent is Intent.EMERGENCY
    assert meaning.tier == "T0"
    assert meaning.category == "fire.active"
    assert meaning.danger is Danger.FIRE
    assert [place.text for place in meaning.places] == ["5栋2单元"]
    assert meaning.reasons


def test_a_wall_of_text_is_read_in_time(understanding: Understanding) -> None:
    assert understanding.glance("救命" + "啊" * 20_000 + "着火了").danger is not None
    assert understanding.glance("好吃" * 20_000).danger is None


ROUNDS = sorted(f"rounds/{path.name}" for path in (DATA / "rounds").glob("*.txt"))
OBLIQUE = sorted(f"oblique/{path.name}" for path in (DATA / "oblique").glob("*.txt"))


@pytest.mark.parametrize(
    ("name", "missed_at_most", "alarmed_at_most"),
    [*((name, 0.03, 0.02) for name in ROUNDS), *((name, 0.16, 0.04) for name in OBLIQUE)],
)
def test_a_set_of_cries_is_heard_and_its_false_friends_are_not(
    understanding: Understanding, name: str, missed_at_most: float, alarmed_at_most: float
) -> None:
    """Each was written before the rules were widened to it; what its first reading gave stands in docs/understanding.md. The
    oblique ones say what is seen and not what it is."""
    rows = [tuple(line.split("|", 1)) for line in lines(name)]
    cries = [text for kind, text in rows if kind != "none"]
    friends = [text for kind, text in rows if kind == "none"]
    missed = [text for text in cries if understanding.glance(text).danger is None]
    alarmed = [text for text in friends if understanding.glance(text).danger is not None]
    assert len(cries) >= 50
    assert len(friends) >= 50
    assert len(missed) <= len(cries) * missed_at_most, missed
    assert len(alarmed) <= len(friends) * alarmed_at_most, alarmed


@pytest.mark.parametrize(
    ("text", "danger"),
    [
        ("有人拿镰刀", Danger.VIOLENCE),
        ("攥着把斧头来了", Danger.VIOLENCE),
        ("提着一根铁棍", Danger.VIOLENCE),
    ],
)
def test_a_word_spelled_by_its_parts_counts(understanding: Understanding, text: str, danger: Danger) -> None:
    assert understanding.glance(f"保安 {text} 快来").danger is danger


@pytest.mark.parametrize(
    ("text", "danger"),
    [
        ("儿媳吃着饭筷子忽然掉了，说话舌头捋不直", Danger.MEDICAL),  # entries with a gap between their parts
        ("戏台那边看台塌下去一块，下面坐的都是老人", Danger.COLLAPSE),
        ("也许是小题大做，别笑话，爹那屋烟囱堵了，他嘴唇红得很，话说不利索，坐地上了", Danger.MEDICAL),  # a stray "别"
        ("着火了，幸福里7号楼，快", Danger.FIRE),  # who names the danger needs no other sign
    ],
)
def test_what_is_seen_is_heard(understanding: Understanding, text: str, danger: Danger) -> None:
    assert understanding.glance(text).danger is danger


@pytest.mark.parametrize("text", ["榨菜坛子漏气，长白毛", "社区团购群解散了，换新群"])
def test_a_phrase_that_nothing_bears_out_is_no_alarm(understanding: Understanding, text: str) -> None:
    assert understanding.glance(text).danger is None


STRANGERS = [
    line.split("|", 1) for path in sorted((DATA / "strangers").glob("*.txt")) for line in lines(f"strangers/{path.name}")
]


def test_strangers_are_heard_and_their_ordinary_messages_are_not(understanding: Understanding) -> None:
    """Sets by people who had seen neither rules nor examples; what they gave at first reading stands in docs/understanding.md."""
    cries = [text for kind, text in STRANGERS if kind not in ("none", "ordinary")]
    friends = [text for kind, text in STRANGERS if kind == "none"]
    ordinary = [text for kind, text in STRANGERS if kind == "ordinary"]
    assert min(map(len, (cries, friends, ordinary))) >= 900
    assert sum(understanding.glance(text).danger is None for text in cries) <= len(cries) * 0.07
    assert sum(understanding.glance(text).danger is not None for text in friends) <= len(friends) * 0.03
    assert sum(understanding.glance(text).danger is not None for text in ordinary) <= len(ordinary) * 0.015


def test_a_cry_is_told_from_an_ordinary_message_of_the_same_words(understanding: Understanding) -> None:
    pairs = [line.split("|") for line in lines("pairs.txt")]
    assert len(pairs) >= 20
    wrong = [text for cry, _ in pairs if understanding.glance(text := cry).danger is None]
    wrong += [text for _, ordinary in pairs if understanding.glance(text := ordinary).danger is not None]
    assert len(wrong) <= 2, wrong


def test_what_is_plainly_said_is_not_asked_for_its_tone(understanding: Understanding) -> None:
    """However ordinary the rest of a message sounds."""
    ordinary = "物业费交了，车位也续了，快递在驿站，周末一起办年卡"
    assert understanding.glance(ordinary).danger is None
    for cry in ("隔壁着火了", "门口有人拿刀", "老太太晕倒了"):
        assert understanding.glance(f"{ordinary}，{cry}").danger is not None


CALM_AS_CAN_BE = (
    "新来的外卖小哥帅得我触电",
    "厨师长说着火的是火焰牛排，桌边表演",
    "公司叫我们签“触电免责书”，合法吗",
    "巷口新开的理发店叫着火了造型，洗剪吹才二十",
)


def test_a_plain_phrase_in_as_calm_a_part_is_no_cry(understanding: Understanding, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [text for text in CALM_AS_CAN_BE if understanding.glance(text).danger is not None] == []
    monkeypatch.setattr("bot.understanding.emergencies.SERENE", -1000)
    assert [text for text in CALM_AS_CAN_BE if understanding.glance(text).danger is None] == []


BY_TONE = [
    ("奶奶把降糖药当钙片吃了一大把,现在睡得喊不醒", Danger.MEDICAL),
    ("孙子没得了,工地边上只有他的小车车", Danger.MISSING),
    ("爸爸站在凳子上 脖子那里有绳子 我抱着他的腿", Danger.SELF_HARM),
    ("我妈在银行柜台非要汇款,说是孙子被抓了,谁去拦一下", Danger.MONEY),
    ("司机被乘客勒住了,车还在滑", Danger.VIOLENCE),
    ("岸边两双鞋一个书包,水面还在冒泡", Danger.DROWNING),
]


@pytest.mark.parametrize(("text", "danger"), BY_TONE)
def test_a_cry_that_no_rule_hears_is_heard_by_its_tone(understanding: Understanding, text: str, danger: Danger) -> None:
    meaning = understanding.read(text)
    assert (meaning.danger, meaning.tier) == (danger, "T0")
    assert "tone" in meaning.reasons[0]
    assert understanding.glance(text).danger is danger


def test_the_tone_is_not_believed_without_the_model(understanding: Understanding) -> None:
    """The same cries without weights, and what sounds like a cry to the tone alone."""
    alone = understanding.with_model(None)
    assert [text for text, _ in BY_TONE if alone.read(text).danger is not None] == []
    for text in ("这火锅真辣，嘴都着火了", "xiao si wo le ni men kan chun wan le ma"):
        assert understanding.tone(text) >= 0
        assert understanding.read(text).danger is not Danger.FIRE
        assert understanding.read(text).tier != "T0"


@pytest.mark.parametrize(
    "text", ["刚才在2号院门口看到一个穿蓝棉袄的老人往河边走了", "火已经扑灭了，人都出来了", "阀门关好了，人都出来了"]
)
def test_who_is_safe_or_was_only_seen_is_no_cry_by_tone(understanding: Understanding, text: str) -> None:
    assert understanding.tone(text) >= 0
    assert understanding.glance(text).danger is None


@pytest.mark.parametrize(
    "text", ["人从火里逃出来了，背上的皮都没了", "爷爷回来了，一进门就歪倒，嘴角流口水", "孩子找到了，在水塔顶上往下探头"]
)
def test_who_was_saved_and_is_in_danger_again_is_heard(understanding: Understanding, text: str) -> None:
    assert understanding.glance(text).danger is not None

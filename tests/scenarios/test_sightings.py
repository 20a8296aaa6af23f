"""What comes back to the alert of a missing person: clues for the officers alone, and what only sounds like one."""

from __future__ import annotations

import pytest

from storage.tables import Alarm, CaseEntry, Missing
from tests.kit.scenario import PRIVATE, Scenario, jpeg
from tests.scenarios.searching import CHIEF, GRANNY, ONE, SHOP, TWO, WRITER, send_out


def test_a_clue_reaches_the_officers_and_nobody_else(chat: Scenario) -> None:
    number = send_out(chat)
    chat.skip(*(row.name for row in chat.district.groups))
    chat.say("罗嫂", TWO, "刚才在2号院门口看到一个穿蓝棉袄的老人往河边走了")
    chat.expect(TWO, "谢谢您，已经转给民警。人还在您眼前，请马上打110。")
    for officer in (WRITER, CHIEF):
        chat.expect(officer, f"【线索】寻人{number}第1条，来自{TWO}：\n刚才在2号院门口看到一个穿蓝棉袄的老人往河边走了")
    chat.silence()
    entries = [(row.kind, row.author) for row in chat.rows(CaseEntry)]
    assert ("addition", "resident") in entries


def test_a_clue_by_quoting_the_alert_with_a_photo(chat: Scenario) -> None:
    number = send_out(chat)
    alert = chat.expect(SHOP, f"【寻人】编号{number}*")
    assert alert.what.photo is not None
    chat.skip(*(row.name for row in chat.district.groups))
    chat.say("胡大姐", SHOP, "是这个吗，在我店门口坐着", quoting=alert, photo=jpeg(9))
    chat.expect(SHOP, "谢谢您，已经转给民警。*")
    card = chat.expect(WRITER, f"【线索】寻人{number}第1条，来自{SHOP}，1张照片：\n是这个吗，在我店门口坐着")
    assert card.what.photo is not None
    chat.skip_officers()


@pytest.mark.parametrize(
    "words",
    [
        "早上八点半我在桥头看见她了，往东走",
        "这个奶奶刚才从我店门口走过",
        "见过这个人，在加油站",
        "我见到她了，在医院门口坐着",
        "看到照片上的人了，在公交站",
    ],
)
def test_who_saw_somebody_is_not_taken_for_who_calls_for_help(chat: Scenario, words: str) -> None:
    number = send_out(chat)
    chat.skip(*(row.name for row in chat.district.groups))
    chat.say("罗嫂", TWO, words)
    chat.expect(TWO, "谢谢您，已经转给民警。*")
    chat.expect(WRITER, f"【线索】寻人{number}第1条，来自{TWO}：\n{words}")
    chat.expect(CHIEF, "【线索】*")
    assert chat.rows(Alarm.id) == []


def test_a_clue_with_danger_in_it_is_both(chat: Scenario) -> None:
    number = send_out(chat)
    chat.skip(*(row.name for row in chat.district.groups))
    chat.say("罗嫂", TWO, "我看到她了，倒在河边一动不动")
    chat.expect(TWO, "马上打120*")
    chat.expect(TWO, "谢谢您，已经转给民警。*")
    chat.expect(WRITER, f"【线索】寻人{number}第1条*倒在河边一动不动")
    chat.skip_officers()
    assert len(chat.rows(Alarm.id)) == 1


def test_somebody_else_who_is_missing_is_no_clue(chat: Scenario) -> None:
    send_out(chat)
    chat.skip(*(row.name for row in chat.district.groups))
    chat.say("罗嫂", TWO, "我妈也走丢了，刚才还看见她在门口，快帮帮忙")
    chat.expect(TWO, "现在就打110，不用等24小时。*")
    chat.skip_officers()
    assert len(chat.rows(Alarm.id)) == 1
    assert [row.clues for row in chat.rows(Missing)] == [0]


def test_who_breaks_in_is_no_clue(chat: Scenario) -> None:
    send_out(chat)
    chat.skip(*(row.name for row in chat.district.groups))
    chat.say("罗嫂", TWO, "刚才看到有人翻窗进了2号楼201，现在还在里面")
    chat.expect(TWO, "马上打110*")
    chat.skip_officers()
    assert len(chat.rows(Alarm.id)) == 1


def test_a_hazard_that_somebody_saw_is_no_clue(chat: Scenario) -> None:
    send_out(chat)
    chat.skip(*(row.name for row in chat.district.groups))
    chat.say("罗嫂", TWO, "我看到3号楼楼道有人给电动车充电")
    chat.expect(TWO, "收到，编号*（电动车违规停放充电）*")
    assert [row.clues for row in chat.rows(Missing)] == [0]
    chat.skip_officers()


def test_a_clue_from_a_group_that_got_no_alert_and_from_a_private_chat(chat: Scenario) -> None:
    number = send_out(chat, f"{GRANNY} 发到 综合")
    chat.skip(ONE, TWO)
    chat.say("黄老板", SHOP, "我刚看见一个穿蓝棉袄的老奶奶在桥头")
    chat.expect(SHOP, "谢谢您，已经转给民警。*")
    chat.expect(WRITER, f"【线索】寻人{number}第1条，来自{SHOP}：*")
    chat.say("丁丁", PRIVATE, "在超市门口看到她了")
    chat.expect("丁丁", "谢谢您，已经转给民警。*")
    chat.expect(WRITER, f"【线索】寻人{number}第2条，来自私聊：*")
    chat.say("黄老板", SHOP, "刚才看到老李了")
    chat.silence_in(SHOP)
    chat.skip_officers()


def test_what_is_said_to_an_alert_and_tells_nothing_about_the_person(chat: Scenario) -> None:
    number = send_out(chat)
    alert = chat.expect(TWO, f"【寻人】编号{number}*")
    chat.skip(*(row.name for row in chat.district.groups))
    for words in ("收到", "好的收到🙏", "希望早点找到", "已转发"):
        chat.say("罗嫂", TWO, words, quoting=alert)
        chat.silence()
    chat.say("罗嫂", TWO, "这是真的吗？", quoting=alert)
    chat.expect(TWO, f"{number}是我们发的寻人，人还没找到。*")
    chat.say("罗嫂", TWO, "找到了吗", quoting=alert)
    chat.expect(TWO, f"编号{number}：还没找到。找到了，我会在这里说。")
    chat.say("马姐", TWO, "找到没有？", quoting=alert)
    chat.silence()
    assert [row.clues for row in chat.rows(Missing)] == [0]
    chat.say("马姐", PRIVATE, f"/核验 {number}")
    chat.expect("马姐", f"{number}是我们发的寻人，人还没找到。*")


def test_what_is_no_clue_stays_unanswered(chat: Scenario) -> None:
    send_out(chat)
    chat.skip(*(row.name for row in chat.district.groups))
    for words in ("有没有人看到啊", "希望早点找到", "没看到呢", "今天菜价又涨了"):
        chat.say("罗嫂", TWO, words)
        chat.silence()


def test_without_an_alert_the_same_words_mean_nothing(chat: Scenario) -> None:
    chat.say("罗嫂", TWO, "刚才在门口碰到老同学，一起往菜场走了")
    chat.silence()


@pytest.mark.every_cell
# none of these has seen whom the group looks for, although each has words of one who has
@pytest.mark.parametrize(
    ("where", "words", "advice"),
    [
        (TWO, "刚才有人在我家门口拧门把手，我一个人在家怕", "马上打110*"),
        (TWO, "衣柜里好像是有人，我不敢动，求你们快来人", "*110*"),
        (TWO, "刚才孩子在楼下玩，转眼人没影了，快帮忙找", "现在就打110*"),
        (PRIVATE, "我看到有陌生男人进了我家院子，快来人", "马上打110*"),
    ],
)
def test_a_cry_that_sounds_like_a_sighting_is_a_cry(chat: Scenario, where: str, words: str, advice: str) -> None:
    send_out(chat)
    chat.skip(*(row.name for row in chat.district.groups))
    chat.say("罗嫂", where, words)
    chat.expect("罗嫂" if where == PRIVATE else where, advice)
    assert len(chat.rows(Alarm.id)) == 1
    chat.skip("罗嫂", where)  # that the officers read it as a clue too does no harm
    chat.skip_officers()

"""Appeals and urgent notices: verified by a second person, answered to whoever stands for them, ended where they went."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import NeverDelivered
from storage.tables import Appeal, Attachment, Audit, Campaign, Case, CaseEntry, Notice
from tests.kit.scenario import PRIVATE, Scenario, jpeg

ONE, TWO, SHOP, WORK = "港新1号网格", "港新2号网格", "火锅街商户群", "港新警务工作群"
WRITER, CHIEF, EDITOR = "王建国", "刘卫东", "孙悦"
BLOOD = "区中医院急需O型血，今天下午3点前可到人民路献血点，带身份证"
WATER = "今晚10点到明早6点，港新路抢修水管，沿街停水，请先存些水"


def write(chat: Scenario, words: str = BLOOD, who: str = WRITER, *, photo: bool = False) -> str:
    """Somebody writes an appeal; returns its number."""
    chat.say(who, PRIVATE, f"/急告 {words}", photo=jpeg(7) if photo else None)
    said = chat.expect(who, "急告*写好了，还没发出。要发到*个群*（*）：*【急告】编号*").what.text
    return said.removeprefix("急告").partition("写好了")[0]


def send_out(chat: Scenario, words: str = BLOOD, who: str = WRITER, *, photo: bool = False) -> str:
    number = write(chat, words, who, photo=photo)
    chat.skip_officers()
    chat.say(CHIEF, PRIVATE, f"/批准 {number}")
    chat.expect(CHIEF, f"急告{number}正在发到*个群（推送1号）。*/急告 {number} 结束 说明")
    chat.expect(who, f"值班所长刘卫东核对了急告{number}，正在发到*")
    for _ in range(3):
        chat.wait(seconds=5)
    chat.skip_officers()
    return number


def groups(chat: Scenario) -> list[str]:
    return [row.name for row in chat.district.groups]


def reached(chat: Scenario, beginning: str) -> set[str]:
    """The chats in which a message that begins so has arrived."""
    return {
        arrival.to.chat for arrival in chat.platform.arrived if arrival.what.text.startswith(beginning) and not arrival.to.private
    }


def files(chat: Scenario) -> list[Path]:
    return sorted((chat.folder / "media").rglob("*.photo"))


def test_nothing_goes_out_before_a_second_person_verified_it(chat: Scenario) -> None:
    number = write(chat)
    chat.expect(CHIEF, f"【待核对的急告】{number}，社区民警王建国写的。*请先向医院、单位或当事人核实*属实，回：/批准 {number}*")
    chat.skip_officers()
    chat.wait(minutes=9)
    chat.silence()
    chat.say(WRITER, PRIVATE, f"/批准 {number}")
    chat.expect(WRITER, "没有执行：*")
    chat.say(EDITOR, PRIVATE, f"/批准 {number}")
    chat.expect(EDITOR, "*")
    chat.say("张阿姨", PRIVATE, f"/批准 {number}")
    chat.expect("张阿姨", "*")
    assert chat.rows(Campaign.id) == []
    assert ("appeal.verify", number) in [(row.action, row.target) for row in chat.rows(Audit) if not row.allowed]


def test_whoever_may_verify_still_needs_another_one_for_his_own(chat: Scenario) -> None:
    number = write(chat, who=CHIEF)
    chat.skip_officers()
    chat.say(CHIEF, PRIVATE, f"/批准 {number}")
    chat.expect(CHIEF, "自己写的急告，要请另一位同事核对。")
    assert chat.rows(Campaign.id) == []


def test_the_alert_the_update_and_the_end_go_to_exactly_the_same_groups(chat: Scenario) -> None:
    chat.platform.fail(NeverDelivered("no right to write"), chat=chat.address("", SHOP).chat)
    number = send_out(chat)
    chat.expect(ONE, f"【急告】编号{number}\n{BLOOD}\n有消息、有问题，直接回复这条。")
    chat.skip(*groups(chat))
    got = reached(chat, "【急告】")
    assert chat.address("", ONE).chat in got
    assert not {chat.address("", SHOP).chat, chat.address("", WORK).chat} & got
    chat.say(WRITER, PRIVATE, f"/急告 {number} 补充 献血点延长到晚上8点")
    chat.expect(WRITER, f"急告{number}的补充正在发到{len(got)}个群。*")
    chat.wait(seconds=5)
    chat.wait(seconds=5)
    chat.expect(ONE, f"【急告补充】编号{number}\n献血点延长到晚上8点")
    chat.skip(*groups(chat))
    chat.skip_officers()
    assert reached(chat, "【急告补充】") == got
    chat.say(WRITER, PRIVATE, f"/急告 {number} 结束 血量够了")
    chat.expect(WRITER, f"急告{number}结束了，正在告诉收到过的{len(got)}个群。")
    chat.wait(seconds=5)
    chat.wait(seconds=5)
    chat.expect(ONE, f"【急告结束】编号{number}\n前面说的事已经结束：血量够了。谢谢大家。\n前面的消息，请勿再转。")
    assert reached(chat, "【急告结束】") == got
    chat.skip(*groups(chat))
    chat.skip_officers()
    chat.say(WRITER, PRIVATE, f"/急告 {number} 结束")
    chat.expect(WRITER, f"{number}的急告已经结束了。*")


def test_only_to_the_groups_that_are_named_and_as_long_as_it_is_true(chat: Scenario) -> None:
    number = send_out(chat, f"{WATER} 有效到 明天6:00 发到 港新1号网格 与 综合")
    chat.expect(ONE, f"【急告】编号{number}\n{WATER}\n有效到11月24日06:00。\n有消息、有问题，直接回复这条。")
    assert reached(chat, "【急告】") == {chat.address("", ONE).chat}
    chat.wait(hours=21)
    chat.expect(WRITER, f"急告{number}到期，自动结束了，没有再打扰各群。*")
    chat.silence()
    chat.say("罗嫂", TWO, f"【急告】编号{number}\n{WATER}", copied=True)
    chat.expect(TWO, f"编号{number}：已结束，请勿再转。")


def test_a_reply_reaches_whoever_stands_for_it_and_nobody_else(chat: Scenario) -> None:
    number = send_out(chat)
    alert = chat.expect(TWO, f"【急告】编号{number}*")
    chat.skip(*groups(chat))
    for words in ("收到，谢谢", "希望早点好起来🙏"):
        chat.say("罗嫂", TWO, words, quoting=alert)
        chat.silence()
    chat.say("罗嫂", TWO, "这是真的吗", quoting=alert)
    chat.expect(TWO, "*是我们发的急告，还有效。*")
    chat.silence()
    chat.say("罗嫂", TWO, "我是O型，下了班就去", quoting=alert)
    chat.expect(TWO, "谢谢您，已经转给负责的人。")
    for officer in (WRITER, CHIEF):
        chat.expect(officer, f"【回复】急告{number}第1条，{TWO}，罗嫂：\n我是O型，下了班就去")
    chat.silence()
    chat.say("胡大姐", PRIVATE, f"{number} 献血点几点关门")
    chat.expect("胡大姐", "谢谢您，已经转给负责的人。")
    chat.expect(WRITER, f"【回复】急告{number}第2条，私聊，胡大姐：\n{number} 献血点几点关门")
    chat.skip_officers()
    chat.say(WRITER, PRIVATE, f"/急告 {number}")
    chat.expect(WRITER, f"急告{number}正在进行，收到2条回复：*谁收到了：/推送 1 进度")
    chat.say(EDITOR, PRIVATE, "/推送 1 进度")
    chat.expect(EDITOR, "*急告*")


def test_a_forward_is_left_alone_while_it_is_active_and_answered_once_an_hour_when_it_is_over(chat: Scenario) -> None:
    number = send_out(chat)
    alert = chat.expect(ONE, "【急告】*")
    chat.skip(*groups(chat))
    chat.say("罗嫂", TWO, alert.what.text, copied=True)
    chat.silence()
    chat.say(EDITOR, PRIVATE, f"/急告 {number} 结束")
    chat.skip(EDITOR)
    chat.wait(seconds=5)
    chat.wait(seconds=5)
    chat.skip(*groups(chat))
    chat.skip_officers()
    for _ in range(3):
        chat.say("罗嫂", TWO, alert.what.text, copied=True)
    chat.expect(TWO, f"编号{number}：已结束，请勿再转。")
    chat.silence()
    chat.say("胡大姐", SHOP, "我去献血", quoting=alert)
    chat.expect(SHOP, f"编号{number}：已结束，请勿再转。")
    chat.wait(hours=1)
    chat.say("罗嫂", TWO, alert.what.text, copied=True)
    chat.expect(TWO, f"编号{number}：已结束，请勿再转。")


def test_whether_a_number_is_genuine(chat: Scenario) -> None:
    number = write(chat)
    chat.skip_officers()
    chat.say("罗嫂", PRIVATE, f"/核验 {number}")
    chat.expect("罗嫂", "*")
    chat.say(CHIEF, PRIVATE, f"/批准 {number}")
    for _ in range(3):
        chat.wait(seconds=5)
    chat.skip_officers()
    chat.skip("罗嫂", *groups(chat))
    for words in (f"/核验 {number}", f"/查 {number}"):
        chat.say("罗嫂", PRIVATE, words)
        chat.expect("罗嫂", f"{number}是我们发的急告，还有效。*")
    chat.say(WRITER, PRIVATE, f"/急告 {number} 结束")
    chat.wait(seconds=5)
    chat.wait(seconds=5)
    chat.skip_officers()
    chat.skip(*groups(chat))
    chat.say("罗嫂", PRIVATE, f"/核验 {number}")
    chat.expect("罗嫂", f"{number}是我们发过的急告，已结束，请勿再转。")


def test_the_photo_and_the_words_are_gone_within_a_day(chat: Scenario) -> None:
    number = send_out(chat, "今早8点在菜市场捡到一个装钱的布包，失主请带证明来所里领", photo=True)
    assert chat.expect(ONE, f"【急告】编号{number}*").what.photo is not None
    chat.skip(*groups(chat))
    chat.wait(days=2)
    chat.skip_officers()
    assert len(files(chat)) == 1, "as long as it is active its photo is no loose one"
    got = reached(chat, "【急告】")
    chat.say(WRITER, PRIVATE, f"/急告 {number} 找到了 失主领走了")
    chat.expect(WRITER, f"急告{number}结束了，*带图的消息能撤回的正在撤回。")
    chat.wait(seconds=5)
    assert {to.chat for to, _ in chat.platform.recalled} == got
    chat.restart(hours=12)
    assert files(chat) == []
    assert chat.rows(Attachment.id) == []
    assert chat.rows(Appeal.photo, Appeal.text, Appeal.state) == [(None, "", "ended")]
    assert not any(chat.rows(Campaign.photo))
    assert not any("布包" in text for text, campaign in chat.rows(Notice.text, Notice.campaign_id) if campaign is not None)
    chat.skip(*groups(chat))
    chat.skip_officers()


def test_from_a_post_of_the_library(chat: Scenario) -> None:
    number = write(chat, "人找到了，就别再转 发到 综合", EDITOR)
    chat.skip_officers()
    chat.say(CHIEF, PRIVATE, f"/批准 {number}")
    chat.skip_officers()
    for _ in range(3):
        chat.wait(seconds=5)
    chat.expect(ONE, f"【急告】编号{number}\n人平安回家*")
    chat.skip(*groups(chat))
    chat.skip_officers()
    assert chat.rows(Appeal.post) == ["lost_and_missing/found-stop-sharing"]


def test_from_a_case_whose_history_tells_of_it(chat: Scenario) -> None:
    chat.say("张阿姨", PRIVATE, "我在3号楼下捡到一个钱包，里面有不少钱")
    chat.expect("张阿姨", "收到，编号*")
    case = chat.number
    chat.skip("张阿姨")
    chat.skip_officers()
    chat.say(WRITER, PRIVATE, f"/急告 {case} 有人在3号楼一带丢了钱包吗，失主请来所里认领")
    chat.expect(WRITER, "急告*写好了，还没发出。*")
    number = chat.rows(Appeal.number)[0]
    assert number != case
    chat.skip_officers()
    chat.say(CHIEF, PRIVATE, f"/批准 {number}")
    for _ in range(3):
        chat.wait(seconds=5)
    chat.skip_officers()
    chat.skip(*groups(chat))
    assert any(f"急告{number}发到" in row.text for row in chat.rows(CaseEntry))
    assert chat.rows(Case.number) == [case]
    alert = [arrival for arrival in chat.platform.arrived if arrival.what.text.startswith("【急告】")][-1]
    assert case not in alert.what.text


def test_changed_before_it_is_verified(chat: Scenario) -> None:
    number = write(chat)
    chat.skip_officers()
    chat.say("马宏", PRIVATE, f"/急告 {number} {WATER} 发到 综合")
    chat.expect("马宏", f"急告{number}写好了，还没发出。要发到2个群*停水*")
    chat.skip_officers()
    chat.say("马宏", PRIVATE, f"/急告 {number} 结束")
    chat.expect("马宏", f"急告{number}结束了，不用告诉谁，还没有群收到过。")
    chat.say(CHIEF, PRIVATE, f"/批准 {number}")
    chat.expect(CHIEF, f"{number}的急告不在等核对。*")


def test_whoever_can_verify_is_asked_again_by_day(chat: Scenario) -> None:
    number = write(chat)
    chat.skip_officers()
    for minutes in (10, 20, 30):
        chat.wait(minutes=10)
        chat.expect(CHIEF, f"【还没核对】急告{number}写好{minutes}分钟了，等着发：\n*属实，回：/批准 {number}\n*结束")
        if minutes != 20:
            chat.expect(WRITER, f"急告{number}过了{minutes}分钟还没人核对，没有发出。已再请*打电话催一下。")
    chat.wait(minutes=10)
    assert not any("还没核对" in arrival.what.text for arrival in chat.unseen(CHIEF))
    chat.skip_officers()


def test_nobody_verifies_it_for_three_days(chat: Scenario) -> None:
    number = write(chat)
    chat.skip_officers()
    chat.wait(days=3)
    chat.expect(WRITER, f"急告{number}三天没人核对，不发了。*")
    chat.skip_officers()
    chat.say("罗嫂", TWO, f"{number} 是什么")
    chat.silence()


def test_at_night_and_with_a_phone_number_the_card_says_so(chat: Scenario) -> None:
    chat.wait(hours=13)
    chat.skip_officers()
    chat.say(WRITER, PRIVATE, f"/急告 {BLOOD}，电话 13812345678")
    chat.expect(WRITER, "*里面有电话或证件号，会原样发到群里，请确认能公开。*")
    chat.expect(CHIEF, "*里面有电话或证件号，会原样发到群里。*现在是安静时段，批准了马上就发。*")
    chat.skip_officers()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("/急告", "请写清楚：什么事、什么时间*"),
        ("/appeal 献血", "请写清楚：什么事、什么时间*"),
        ("/急告 2611-9999", "*"),
        ("/急告 " + "很长" * 300, "*最多400个字*"),
        (f"/急告 {BLOOD} 发到 火星", "没有带“火星”的群。*"),
        (f"/急告 {BLOOD} 有效到 改天", "“改天”看不懂是到什么时候。*"),
        (f"/急告 {BLOOD} 有效60天", "“60天”看不懂是到什么时候。*"),
        ("/急告 失物招领（待填写）", "《失物招领（待填写）》还是草稿*"),
    ],
)
def test_wrong_words_are_told_the_next_step(chat: Scenario, words: str, says: str) -> None:
    chat.say(WRITER, PRIVATE, words)
    chat.expect(WRITER, says)


def test_stop_with_its_number_names_the_command_that_ends_it(chat: Scenario) -> None:
    chat.say(CHIEF, PRIVATE, "/停止 2611-0001")
    chat.expect(CHIEF, "寻人和急告用编号来结束：*/急告 编号 结束。*")


def test_a_resident_cannot(chat: Scenario) -> None:
    chat.say("张阿姨", PRIVATE, f"/急告 {BLOOD}")
    chat.expect("张阿姨", "*")
    chat.silence()
    assert chat.rows(Appeal.id) == []

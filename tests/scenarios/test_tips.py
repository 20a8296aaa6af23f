"""Tips: in a group one sentence and no trace; in private sealed, with a receipt and a dialogue."""

from __future__ import annotations

import re

from sqlmodel import select

from storage.tables import Case, InboxEvent, Tip, TipMessage, TipRead
from tests.kit.scenario import PRIVATE, Scenario, jpeg

GROUP = "港新1号网格"
TIP = "有人在3号楼租房开赌局，天天半夜散场"
IN_GROUP = "这类情况请不要在群里说。点我的头像私聊我*"


def told(chat: Scenario, text: str = TIP) -> str:
    """A private tip; gives the receipt."""
    chat.say("林小雨", PRIVATE, text)
    received = chat.expect("林小雨", "收到了，已加密保存。*")
    found = re.search(r"(?:\d{4} ){4}\d{4}", received.what.text)
    assert found is not None
    return found[0]


def name_of(chat: Scenario) -> str:
    card = chat.expect("李敏", "有一条新线索，代号*")
    return card.what.text.rpartition(" ")[2]


def test_in_a_group_one_sentence_and_nothing_of_the_words_in_any_file(chat: Scenario) -> None:
    for number, line in enumerate((TIP, f"@前哨 {TIP}", f"/举报 {TIP}", f"／tip {TIP}")):
        chat.say("林小雨", GROUP, line, photo=jpeg(number))
        chat.expect(GROUP, IN_GROUP)
    chat.silence()
    assert chat.traces("赌局", "3号楼", "散场", "林小雨") == []
    assert not list(chat.folder.rglob("*.jpg"))
    assert chat.rows(Tip.id) == []
    assert chat.rows(Case.id) == []


def test_nothing_stays_when_the_bot_stops_between_keeping_and_answering(chat: Scenario) -> None:
    """What is kept of a tip in a group is that one was told, not what: even unsealed the row has no words."""
    held: list[bytes] = []
    keep = chat.app.inbox._sealer.seal
    chat.app.inbox._sealer.seal = lambda text: held.append(text.encode()) or keep(text)  # type: ignore[method-assign,func-returns-value]
    chat.say("林小雨", GROUP, TIP)
    chat.expect(GROUP, IN_GROUP)
    assert held
    assert all("赌".encode() not in body for body in held)


def test_control_the_search_of_the_files_finds_what_is_kept(chat: Scenario) -> None:
    chat.say("林小雨", GROUP, "3号楼2单元楼道有人给电动车充电")
    chat.skip(GROUP)
    chat.skip_officers()
    assert chat.traces("楼道有人给电动车")


def test_a_private_tip_is_sealed_and_gives_a_receipt(chat: Scenario) -> None:
    receipt = told(chat)
    name = name_of(chat)
    chat.silence()
    assert chat.traces("赌局", "散场", receipt, receipt.replace(" ", "")) == []
    tip = chat.app.writer.read_now(lambda session: session.exec(select(Tip)).one())
    assert tip.receipt_hash.startswith("$argon2id$")
    assert tip.designation == name
    columns = {column.name for table in (Tip, TipMessage) for column in table.__table__.columns}  # type: ignore[attr-defined]
    assert not columns & {"sender", "platform", "account", "chat", "user_id", "reporter", "group_id", "message_id"}
    assert chat.rows(InboxEvent.body) == [None]


def test_the_custodian_reads_and_answers_and_every_read_is_recorded(chat: Scenario) -> None:
    receipt = told(chat)
    name = name_of(chat)
    chat.say("林小雨", PRIVATE, receipt)
    chat.expect("林小雨", "还没有人看。\n*")
    chat.say("林小雨", PRIVATE, "没有了")
    chat.expect("林小雨", "好的。")
    chat.say("李敏", PRIVATE, "/线索")
    chat.expect("李敏", f"{name}，11月23日收到，还保存90天\n*")
    chat.say("李敏", PRIVATE, f"/线索 {name}")
    chat.expect("李敏", f"线索{name}（查看已记录，请勿转发）\n* 来源：{TIP}\n*")
    assert len(chat.rows(TipRead.id)) == 1
    chat.say("李敏", PRIVATE, f"/回线索 {name} 一般几点散场？")
    chat.expect("李敏", f"已加密存好，对方凭回执码能看到（{name}）。")
    chat.silence()
    chat.wait(days=2)
    chat.say("林小雨", PRIVATE, receipt.replace(" ", ""))
    chat.expect("林小雨", "11月23日的答复：一般几点散场？\n*")
    chat.say("林小雨", PRIVATE, "大概两三点，有保安放风")
    chat.expect("林小雨", "补充好了，已加密保存。")
    chat.expect("李敏", f"线索{name}有补充。*")
    chat.say("李敏", PRIVATE, f"/tips {name}")
    chat.expect("李敏", "*来源：大概两三点，有保安放风*")
    assert len(chat.rows(TipRead.id)) == 2
    assert chat.traces("赌局", "放风", "几点散场") == []


def test_step_by_step_and_stopping(chat: Scenario) -> None:
    chat.say("林小雨", PRIVATE, "/举报")
    chat.expect("林小雨", "请说说是什么事、在哪里、什么时候*")
    chat.say("林小雨", PRIVATE, photo=jpeg())
    chat.expect("林小雨", "照片现在还没法加密收*")
    chat.say("林小雨", PRIVATE, "有人")
    chat.expect("林小雨", "再多说几句好吗？*")
    chat.say("林小雨", PRIVATE, "五楼天天有人打牌，输赢很大")
    chat.expect("林小雨", "收到了，已加密保存。*")
    chat.skip("李敏")
    chat.say("林小雨", PRIVATE, "/举报")
    chat.skip("林小雨")
    chat.say("林小雨", PRIVATE, "算了")
    chat.expect("林小雨", "好的。")
    assert len(chat.rows(Tip.id)) == 1
    assert not list(chat.folder.rglob("*.jpg"))


def test_only_the_custodian_sees_tips_and_only_in_private(chat: Scenario) -> None:
    told(chat)
    name = name_of(chat)
    chat.say("王建国", PRIVATE, f"/线索 {name}")
    chat.expect("王建国", "没有执行：“/线索”不在您的权限里。*")
    chat.say("张阿姨", PRIVATE, f"/线索 {name}")
    chat.expect("张阿姨", "这个命令只有登记过的民警和网格员能用。*")
    chat.say("李敏", "港新警务工作群", f"/线索 {name}")
    chat.expect("港新警务工作群", "为了安全，“/线索”请在和我的私聊里发。")
    chat.say("李敏", PRIVATE, f"/回线索 {name}")
    chat.expect("李敏", "还差一点：*")
    chat.say("李敏", PRIVATE, "/线索 金凤000")
    chat.expect("李敏", "没有代号“金凤000”的线索*")
    assert chat.rows(TipRead.id) == []


def test_a_receipt_in_a_group_a_wrong_one_and_none(chat: Scenario) -> None:
    receipt = told(chat)
    name_of(chat)
    chat.say("林小雨", GROUP, receipt, mention=True)
    chat.expect(GROUP, "回执码请只在私聊里发。请把群里这条撤回。")
    chat.say("林小雨", PRIVATE, "0000 1111 2222 3333 4444")
    chat.expect("林小雨", "没有找到。请核对20位数字*")
    chat.say("林小雨", PRIVATE, "-" * 24)  # looks like one and is none
    chat.expect("林小雨", "有安全隐患、纠纷*")
    chat.say("林小雨", PRIVATE, f"/举报 {receipt}")
    chat.expect("林小雨", "这串数字是回执码，不要当成线索发。*")


def test_after_ninety_days_nobody_finds_it(chat: Scenario) -> None:
    receipt = told(chat)
    name = name_of(chat)
    chat.wait(days=91)
    chat.say("林小雨", PRIVATE, receipt)
    chat.expect("林小雨", "没有找到。*")
    chat.say("李敏", PRIVATE, f"/线索 {name}")
    chat.expect("李敏", f"没有代号“{name}”的线索*")


def test_a_tip_in_the_group_is_no_answer_to_a_question_of_ours(chat: Scenario) -> None:
    chat.say("林小雨", GROUP, "楼道里又停满了电动车，还在充电")
    chat.expect(GROUP, "*在哪个位置？*")
    chat.say("林小雨", GROUP, TIP)
    chat.expect(GROUP, IN_GROUP)
    chat.silence()
    assert chat.traces("赌局") == []

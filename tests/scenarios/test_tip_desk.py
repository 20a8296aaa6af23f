"""Tips at the desk: who may read, answer, grant, close and learn the source, and every step written down."""

from __future__ import annotations

import pytest
from sqlalchemy import delete
from sqlmodel import col, select

from storage.tables import (
    Officer,
    OfficerRole,
    ShredKey,
    Tip,
    TipKey,
    TipMessage,
    TipRead,
)
from tests.kit.scenario import PRIVATE, Scenario
from tests.scenarios.tips import TIP, name_of, told


@pytest.mark.every_cell
def test_the_custodian_reads_and_answers_and_every_read_is_recorded(chat: Scenario) -> None:
    receipt = told(chat)
    name = name_of(chat)
    chat.say("林小雨", PRIVATE, receipt)
    chat.expect("林小雨", "还没有人看。\n*")
    chat.say("林小雨", PRIVATE, "没有了")
    chat.expect("林小雨", "好的。")
    chat.say("李敏", PRIVATE, "/线索")
    chat.expect("李敏", f"{name}，新收到，11月23日收到，还保存90天\n*您还没设口令*")
    chat.say("李敏", PRIVATE, f"/线索 {name}")
    chat.expect("李敏", f"线索{name}（已阅看；查看已记录，请勿转发）\n* 来源：{TIP}\n*")
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
    assert len(chat.rows(TipRead.id)) == 4  # one for the first message, then three
    assert chat.traces("赌局", "放风", "几点散场") == []


def test_only_the_custodian_sees_tips_and_only_in_private(chat: Scenario) -> None:
    told(chat)
    name = name_of(chat)
    chat.say("王建国", PRIVATE, f"/线索 {name}")
    chat.expect("王建国", f"没有代号“{name}”的线索*")  # an officer to whom it is not sealed hears the same as of none
    chat.say("王建国", PRIVATE, "/线索")
    chat.expect("王建国", "现在没有您能看的线索。*")
    chat.say("王建国", PRIVATE, f"/办线索 {name} 授权 3201")
    chat.expect("王建国", "没有执行：这一步要由线索保管员来做。")
    chat.say("张阿姨", PRIVATE, f"/线索 {name}")
    chat.expect("张阿姨", "这个命令只有登记过的民警和网格员能用。*")
    chat.say("李敏", "港新警务工作群", f"/线索 {name}")
    chat.expect("港新警务工作群", "为了安全，“/线索”请在和我的私聊里发。")
    chat.say("李敏", PRIVATE, f"/回线索 {name}")
    chat.expect("李敏", "还差一点：*")
    chat.say("李敏", PRIVATE, "/线索 金凤000")
    chat.expect("李敏", "没有代号“金凤000”的线索*")
    assert chat.rows(TipRead.id) == []


def test_a_granted_officer_works_on_it_and_loses_it_again(chat: Scenario) -> None:
    told(chat)
    name = name_of(chat)
    chat.say("李敏", PRIVATE, f"/办线索 {name} 授权 3201")
    chat.expect("李敏", f"好的，王建国可以看线索{name}了。")
    chat.expect("王建国", f"您可以看线索{name}了。*")
    chat.say("王建国", PRIVATE, f"/线索 {name}")
    chat.expect("王建国", f"线索{name}（已阅看*来源：{TIP}*")
    chat.say("王建国", PRIVATE, f"/办线索 {name} 核查")
    chat.expect("王建国", f"好的，线索{name}：核查中。")
    chat.say("王建国", PRIVATE, f"/办线索 {name} 封存")
    chat.expect("王建国", "没有执行：这一步要由线索保管员来做。")
    chat.say("李敏", PRIVATE, f"/办线索 {name} 收回 3201")
    chat.expect("李敏", "好的，王建国不能再看*")
    chat.say("王建国", PRIVATE, f"/线索 {name}")
    chat.expect("王建国", f"没有代号“{name}”的线索*")
    chat.say("李敏", PRIVATE, f"/办线索 {name} 收回 3202")
    chat.expect("李敏", "只剩这一个人能看了*")
    assert len(chat.rows(TipRead.officer_id)) == 1


def test_the_chain_to_its_end_and_what_is_refused_on_the_way(chat: Scenario) -> None:
    receipt = told(chat)
    name = name_of(chat)
    steps = (
        ("已处理", "这一步现在不能做，线索的状态是：新收到。"),
        ("封存", "这一步现在不能做*"),
        ("核查", "这一步现在不能做*"),
        ("", "还差一点：请发 /办线索*"),
        ("延期 0", "请写要延长的天数*"),
        ("延期 30", f"好的，线索{name}保存到2027年03月24日。"),
    )
    for step, said in steps:
        chat.say("李敏", PRIVATE, f"/办线索 {name} {step}")
        chat.expect("李敏", said)
    chat.say("李敏", PRIVATE, f"/线索 {name}")
    chat.skip("李敏")
    for step, state in (("核查", "核查中"), ("不足", "线索不足")):
        chat.say("李敏", PRIVATE, f"/办线索 {name} {step}")
        chat.expect("李敏", f"好的，线索{name}：{state}。")
    chat.say("林小雨", PRIVATE, receipt)
    chat.expect("林小雨", "*凭现有情况还查不下去，知道更多的话请补充。*")
    chat.say("李敏", PRIVATE, f"/办线索 {name} 封存")
    chat.expect("李敏", f"好的，线索{name}：已封存。")
    chat.say("李敏", PRIVATE, f"/线索 {name}")
    chat.expect("李敏", "这一步现在不能做，线索的状态是：已封存。")
    chat.say("李敏", PRIVATE, f"/办线索 {name} 销毁")
    chat.expect("李敏", f"线索{name}已销毁，备份里的也打不开了。")
    chat.say("李敏", PRIVATE, f"/线索 {name}")
    chat.expect("李敏", f"没有代号“{name}”的线索*")
    chat.say("林小雨", PRIVATE, receipt)
    chat.skip("林小雨")
    assert (chat.rows(TipMessage.id), chat.rows(TipKey.id), chat.rows(Tip.state)) == ([], [], ["destroyed"])
    assert not chat.app.writer.read_now(lambda session: session.exec(select(ShredKey).where(ShredKey.name == "tip:1")).all())


def test_who_the_source_is_stays_behind_another_custodian(chat: Scenario) -> None:
    receipt = told(chat)
    name = name_of(chat)
    chat.say("林小雨", PRIVATE, receipt)
    chat.skip("林小雨")
    chat.say("林小雨", PRIVATE, "留联系方式")
    chat.expect("林小雨", "请发您的姓名和联系方式。*")
    chat.say("林小雨", PRIVATE, "小林，微信同手机 13900002222")
    chat.expect("林小雨", "存好了，单独加密。*")
    chat.expect("李敏", f"线索{name}的来源留了联系方式*")
    chat.say("李敏", PRIVATE, f"/线索 {name}")
    chat.expect("李敏", f"线索{name}（已阅看；查看已记录，请勿转发）\n11月23日 来源：{TIP}\n回复发：*")
    chat.say("李敏", PRIVATE, f"/办线索 {name} 授权 3201")
    chat.skip("李敏", "王建国")
    chat.say("王建国", PRIVATE, f"/办线索 {name} 看身份")
    chat.expect("王建国", "要先申请，并由保管员同意。")
    chat.say("王建国", PRIVATE, f"/办线索 {name} 身份 要当面核实")
    chat.expect("王建国", f"已请保管员决定，同意后会告诉您（线索{name}）。")
    chat.expect("李敏", f"王建国（工号3201）申请看线索{name}来源的身份。*")
    chat.say("王建国", PRIVATE, f"/办线索 {name} 准 3201")
    chat.expect("王建国", "没有执行：这一步要由线索保管员来做。")
    chat.say("李敏", PRIVATE, f"/办线索 {name} 身份 我也想看")
    chat.expect("李敏", "没有另一位保管员能决定。*")
    chat.say("李敏", PRIVATE, f"/办线索 {name} 申请")
    chat.expect("李敏", "王建国（工号3201）的理由：要当面核实*")
    chat.say("李敏", PRIVATE, f"/办线索 {name} 准 3201")
    chat.expect("李敏", f"好的，王建国看线索{name}来源的身份：已同意。")
    chat.expect("王建国", f"线索{name}的身份申请：保管员同意了。*")
    chat.say("王建国", PRIVATE, f"/办线索 {name} 看身份")
    chat.expect("王建国", "*小林，微信同手机 13900002222")
    chat.say("林小雨", PRIVATE, receipt)
    chat.expect("林小雨", "*您留的联系方式：经保管员同意，有1位办案人员看过。*")
    assert chat.traces("13900002222", "小林，", "当面核实") == []


def test_a_passphrase_of_ones_own(chat: Scenario) -> None:
    told(chat)
    name = name_of(chat)
    chat.say("李敏", PRIVATE, "/设口令 短")
    chat.expect("李敏", "口令至少要10个字符*")
    chat.say("李敏", PRIVATE, "/设口令 梅雨 纸船 四十九 收音机")
    chat.expect("李敏", "口令设好了，请牢记*")
    chat.say("李敏", PRIVATE, f"/线索 {name}")
    chat.expect("李敏", f"*来源：{TIP}*")
    chat.wait(minutes=11)
    chat.say("李敏", PRIVATE, f"/线索 {name}")
    chat.expect("李敏", "您的线索钥匙锁着。*")
    chat.say("李敏", PRIVATE, "/解锁 猜猜看猜猜看猜猜看")
    chat.expect("李敏", "口令不对，请再试一次。")
    chat.say("李敏", PRIVATE, "/解锁 梅雨 纸船 四十九 收音机")
    chat.expect("李敏", "打开了*")
    chat.say("李敏", PRIVATE, f"/线索 {name}")
    chat.expect("李敏", f"*来源：{TIP}*")
    chat.say("李敏", PRIVATE, "/上锁")
    chat.expect("李敏", "锁上了。")
    chat.restart()
    told(chat, "五楼的租房里有人天天打牌，输赢很大")
    second = name_of(chat)
    chat.say("李敏", PRIVATE, f"/线索 {second}")
    chat.expect("李敏", "您的线索钥匙锁着。*")  # sealed to the public key without the passphrase
    chat.say("李敏", PRIVATE, "/设口令 另一个 忘了 旧的 口令")
    chat.expect("李敏", "*有2条以前的线索您看不了了*")
    assert chat.traces("纸船", "收音机", "猜猜看") == []


def test_without_custodians_nothing_is_lost_and_the_first_one_reads_it(chat: Scenario) -> None:
    chat.app.writer.run_now(lambda session: session.execute(delete(OfficerRole).where(col(OfficerRole.role) == "custodian")))
    chat.say("林小雨", PRIVATE, TIP)
    chat.expect("林小雨", "收到了，已加密保存。*")
    chat.app.writer.run_now(lambda session: session.add(OfficerRole(officer_id=2, role="custodian", scope_kind="district")))
    reader = chat.app.writer.read_now(lambda session: session.get(Officer, 2))
    assert reader is not None
    chat.say(reader.name, PRIVATE, "/线索")
    listed = chat.expect(reader.name, "*，新收到，*")
    name = listed.what.text.partition("，")[0]
    chat.say(reader.name, PRIVATE, f"/线索 {name}")
    chat.expect(reader.name, f"*来源：{TIP}*")

"""Tips: in a group one sentence and no trace; in private sealed, with a receipt and a dialogue."""

from __future__ import annotations

import io
import os
import re

import pytest
from PIL import ExifTags, Image
from sqlalchemy import delete
from sqlmodel import col, select

from bot.app.tips import FormTips
from content.refusal import Refusal
from storage.media import opened
from storage.tables import (
    Attachment,
    Case,
    Dialog,
    InboxEvent,
    Officer,
    OfficerRole,
    ShredKey,
    Tip,
    TipKey,
    TipMessage,
    TipPicture,
    TipRead,
)
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


@pytest.mark.parametrize("line", [TIP, f"/举报 {TIP}"])
def test_photos_that_came_just_before_a_tip_in_a_group_go_with_nothing_else(chat: Scenario, line: str) -> None:
    chat.say("林小雨", GROUP, photo=jpeg(1))
    chat.say("林小雨", GROUP, line)
    chat.expect(GROUP, IN_GROUP)
    chat.say("林小雨", GROUP, "3号楼2单元楼道有人给电动车充电")
    chat.expect(GROUP, "收到，编号*")
    chat.skip_officers()
    assert chat.rows(Attachment.id) == []
    assert not list(chat.folder.rglob("*.photo"))


def test_in_a_group_one_sentence_and_nothing_of_the_words_in_any_file(chat: Scenario) -> None:
    for number, line in enumerate((TIP, f"@前哨 {TIP}", f"/举报 {TIP}", f"／tip {TIP}")):
        chat.say("林小雨", GROUP, line, photo=jpeg(number))
        chat.expect(GROUP, IN_GROUP)
    chat.silence()
    assert chat.traces("赌局", "3号楼", "散场", "林小雨") == []
    assert not list(chat.folder.rglob("*.photo"))
    assert chat.rows(Tip.id) == []
    assert chat.rows(Case.id) == []


def test_nothing_stays_when_the_bot_stops_between_keeping_and_answering(chat: Scenario) -> None:
    """What is kept of a tip in a group is that one was told, not what: even unsealed the row has no words."""
    held: list[bytes] = []
    keep = chat.app.inbox._sealer.seal_bytes
    chat.app.inbox._sealer.seal_bytes = lambda body: held.append(body) or keep(body)  # type: ignore[method-assign,func-returns-value]
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
    assert tip.designation == name
    assert tip.created_on.hour == tip.created_on.minute == 0  # no time of day that could be laid beside a log
    columns = {column.name for table in (Tip, TipKey, TipMessage) for column in table.__table__.columns}  # type: ignore[attr-defined]
    assert not columns & {"sender", "platform", "account", "chat", "user_id", "reporter", "group_id", "message_id"}
    assert chat.rows(InboxEvent.body) == [None]


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


def test_step_by_step_and_stopping(chat: Scenario) -> None:
    chat.say("林小雨", PRIVATE, "/举报")
    chat.expect("林小雨", "请说说是什么事、在哪里、什么时候*")
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
    assert not list(chat.folder.rglob("*.photo"))


def look(chat: Scenario, link: str) -> bytes:
    """What an officer's browser gets for a link."""
    token = link.rpartition("/")[2]
    return chat.run(FormTips(chat.app.writer, chat.settings, chat.clock, [chat.app]).picture(token))


def test_pictures_come_sealed_like_the_words_and_each_look_is_recorded(chat: Scenario) -> None:
    picture = with_place(jpeg(7))
    chat.say("林小雨", PRIVATE, TIP, photo=picture)
    received = chat.expect("林小雨", "收到了，照片1张也在内，已加密保存。*")
    name = name_of(chat)
    (stored,) = chat.rows(TipPicture.path)
    assert chat.rows(Attachment.id) == []
    keys = chat.app.writer.read_now(lambda session: session.exec(select(ShredKey.name)).all())
    assert not [key for key in keys if key.startswith("photo")]  # nobody's key opens it but the tip's
    raw = (chat.folder / stored).read_bytes()
    with pytest.raises(FileNotFoundError):
        opened(raw)
    assert os.stat(chat.folder / stored).st_mtime % 86_400 == 0  # no time of day
    chat.say("李敏", PRIVATE, f"/线索 {name}")
    said = chat.expect("李敏", f"*来源：{TIP}（照片1张）\n*").what.text
    (link,) = re.findall(r"http\S+/tip/picture/\S+", said)
    before = len(chat.rows(TipRead.id))
    seen = look(chat, link)
    assert seen[6:10] == b"JFIF"
    assert b"Exif" in picture
    assert b"Exif" not in seen
    assert len(chat.rows(TipRead.id)) == before + 1
    assert chat.traces("赌局", received.what.text[-60:], link.rpartition("/")[2]) == []
    # the link ends by itself, and with the tip
    chat.wait(minutes=11)
    with pytest.raises(Refusal, match=r"tips\.link_over"):
        look(chat, link)
    chat.say("李敏", PRIVATE, f"/线索 {name}")
    (link,) = re.findall(r"http\S+/tip/picture/\S+", chat.expect("李敏", f"线索{name}*").what.text)
    assert look(chat, link) == seen
    chat.say("李敏", PRIVATE, f"/办线索 {name} 销毁")
    chat.expect("李敏", f"线索{name}已销毁*")
    with pytest.raises(Refusal, match=r"tips\.link_over"):
        look(chat, link)
    assert chat.rows(TipPicture.id) == []
    chat.run(chat.app.tidy.round())
    assert (chat.folder / stored).exists()  # swept with other files that no row names, by their age; unreadable already


def test_a_link_opens_nothing_for_whoever_lost_the_tip_or_made_it_up(chat: Scenario) -> None:
    chat.say("林小雨", PRIVATE, TIP, photo=jpeg())
    chat.skip("林小雨")
    name = name_of(chat)
    chat.say("李敏", PRIVATE, f"/办线索 {name} 授权 3201")
    chat.skip("李敏", "王建国")
    chat.say("王建国", PRIVATE, f"/线索 {name}")
    (link,) = re.findall(r"http\S+/tip/picture/\S+", chat.expect("王建国", f"线索{name}*").what.text)
    assert look(chat, link)
    chat.say("李敏", PRIVATE, f"/办线索 {name} 收回 3201")
    chat.skip("李敏")
    for token in (link, link[:-1] + ("A" if link[-1] != "A" else "B"), "x", ""):
        with pytest.raises(Refusal, match=r"tips\.link_over"):
            look(chat, token)


def test_pictures_before_after_and_without_words(chat: Scenario) -> None:
    chat.say("林小雨", PRIVATE, "/举报")
    chat.skip("林小雨")
    chat.say("林小雨", PRIVATE, photo=jpeg(1))
    chat.expect("林小雨", "收到了，照片1张也在内*")
    name = name_of(chat)
    chat.say("林小雨", PRIVATE, "五楼天天有人打牌，输赢很大")
    chat.expect("林小雨", "补充好了，已加密保存。")
    chat.expect("李敏", f"线索{name}有补充。*")
    chat.say("林小雨", PRIVATE, "/举报")
    chat.skip("林小雨")
    chat.say("林小雨", PRIVATE, "三楼也有人天天打牌，输赢很大")
    chat.expect("林小雨", "收到了，已加密保存。*")
    name_of(chat)
    chat.say("林小雨", PRIVATE, photo=jpeg(2))
    chat.expect("林小雨", "补充好了，照片1张也在内，已加密保存。")
    chat.skip("李敏")
    assert len(chat.rows(Tip.id)) == 2
    assert len(chat.rows(TipPicture.id)) == 2
    assert chat.rows(TipMessage.author) == ["source"] * 4
    chat.say("林小雨", PRIVATE, "/举报")
    chat.skip("林小雨")
    chat.say("林小雨", PRIVATE, photo=b"no picture at all")
    chat.expect("林小雨", "这个文件不是照片。*")
    assert len(chat.rows(Tip.id)) == 2


def with_place(raw: bytes) -> bytes:
    """The same photo as a telephone would take it: with the place and the maker in it."""
    picture = Image.open(io.BytesIO(raw))
    metadata = Image.Exif()
    metadata[ExifTags.Base.Make] = "Telephone"
    metadata.get_ifd(ExifTags.IFD.GPSInfo).update({ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (31.0, 12.0, 3.0)})
    out = io.BytesIO()
    picture.save(out, "JPEG", exif=metadata)
    return out.getvalue()


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


def test_guessing_is_slowed_down(chat: Scenario) -> None:
    told(chat)
    name_of(chat)
    for number in range(5):
        chat.say("林小雨", PRIVATE, f"{number:020d}")
        chat.expect("林小雨", "没有找到。*")
    chat.say("林小雨", PRIVATE, "0" * 20)
    chat.expect("林小雨", "试的次数太多了，请过1分钟再试。")
    chat.wait(minutes=1)
    chat.say("林小雨", PRIVATE, "0" * 20)
    chat.expect("林小雨", "没有找到。*")


def test_after_a_restart_the_receipt_is_asked_for_again(chat: Scenario) -> None:
    receipt = told(chat)
    name = name_of(chat)
    chat.say("林小雨", PRIVATE, receipt)
    chat.skip("林小雨")
    assert name not in str(chat.rows(Dialog.data))  # what staff call it stands nowhere beside the person who asked
    chat.restart()
    chat.say("林小雨", PRIVATE, "补充：大概两三点")
    chat.expect("林小雨", "离上次输入回执码有一会儿了。*")


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


def test_a_tip_that_is_sent_over_and_over_is_no_new_tip_each_time(chat: Scenario) -> None:
    for _ in range(6):
        chat.say("林小雨", PRIVATE, f"/举报 {TIP}")
    assert len(chat.rows(Tip.id)) == 3, "the same words are heard so often, with a command or without one"
    chat.skip("林小雨")
    chat.skip_officers()


def test_saying_that_one_wants_to_tell_is_no_tip_yet(chat: Scenario) -> None:
    for line in ("我想举报", "你好，我要举报", "举报个人"):
        chat.say("林小雨", PRIVATE, line)
        chat.expect("林小雨", "请说说是什么事*")
    assert chat.rows(Tip.id) == []
    chat.say("林小雨", PRIVATE, TIP)
    chat.expect("林小雨", "收到了，已加密保存。*")
    name_of(chat)
    assert len(chat.rows(Tip.id)) == 1


def test_what_goes_on_about_a_tip_is_no_second_tip(chat: Scenario) -> None:
    told(chat)
    name = name_of(chat)
    for line in ("补充一下，带头的开一辆白车", "还有，车停在小区东门"):
        chat.say("林小雨", PRIVATE, line)
        chat.expect("林小雨", "补充好了，已加密保存。")
        chat.expect("李敏", f"线索{name}有补充。*")
    chat.say("林小雨", PRIVATE, "没有了")
    chat.expect("林小雨", "好的。")
    assert len(chat.rows(Tip.id)) == 1
    assert chat.traces("白车", "东门") == []
    chat.say("林小雨", PRIVATE, "3号楼2单元楼道有人给电动车充电")  # control: another matter is another matter
    chat.expect("林小雨", "收到，编号*")
    chat.skip_officers()


def test_after_a_picture_was_the_tip_and_its_words_came_more_pictures_belong_to_it(chat: Scenario) -> None:
    chat.say("林小雨", PRIVATE, "/举报")
    chat.expect("林小雨", "请说说是什么事*")
    chat.say("林小雨", PRIVATE, photo=jpeg(1))
    chat.expect("林小雨", "收到了，照片1张也在内*")
    name = name_of(chat)
    chat.say("林小雨", PRIVATE, TIP)
    chat.expect("林小雨", "补充好了，已加密保存。")
    chat.expect("李敏", f"线索{name}有补充。*")
    chat.say("林小雨", PRIVATE, photo=jpeg(2))
    chat.expect("林小雨", "补充好了，照片1张也在内*")
    chat.expect("李敏", f"线索{name}有补充。*")
    assert len(chat.rows(Tip.id)) == 1

"""A group that the bot is added to works at once, and is nobody's until an officer says whose."""

from __future__ import annotations

import pytest
from sqlmodel import Session, select

from bot.errors import RetryLater
from bot.messages import Kind, Standing
from storage.tables import Audit, Case, Dialog, Group, Notice
from tests.kit.scenario import PRIVATE, Scenario

NEW = "newgroup"
REPORT = "3号楼2单元楼道有人给电动车充电"
UNCLEAR = "楼道里又停满了电动车，还在充电"


def added(chat: Scenario, name: str = "港新3号楼群") -> None:
    chat.happens(Kind.JOINED, "群主", NEW, group_name=name)


def row(chat: Scenario) -> Group:
    def find(session: Session) -> Group:
        group = session.exec(select(Group).where(Group.chat == chat.chat_id(NEW))).one()
        session.expunge(group)
        return group

    return chat.app.writer.read_now(find)


def welcomed(chat: Scenario) -> int:
    """The new group's number."""
    added(chat)
    keeper = "加密留7天，然后删掉。" if chat.platform.name == "web" else "群里发的内容，聊天平台自己能看到。"
    chat.expect(NEW, f"大家好，我是前哨*平时聊天我不回也不记*{keeper}*")
    chat.expect("赵航", "进了一个新群：“港新3号楼群”*还没归网格*")
    chat.silence()
    return row(chat).id or 0


@pytest.mark.every_cell
def test_it_introduces_itself_once_and_asks_whose_group_this_is(chat: Scenario) -> None:
    welcomed(chat)
    added(chat)
    chat.silence()
    assert row(chat).active


def test_its_cases_go_to_the_dispatcher_until_it_has_a_grid(chat: Scenario) -> None:
    number = welcomed(chat)
    chat.say("张阿姨", NEW, REPORT)
    chat.expect(NEW, "收到，编号2611-0001*")
    chat.expect("赵航", "【新】2611-0001*")
    chat.silence()
    assert chat.rows(Case.state) == ["submitted"]
    chat.say("赵航", PRIVATE, f"/群 {number} GX01 综合")
    chat.expect("赵航", "港新3号楼群定好了：网格是港新1号网格，标签是综合。")
    chat.say("李叔", NEW, "5号楼2单元楼道有人给电动车充电")
    chat.expect(NEW, "收到，编号2611-0002*安居物业*")
    chat.expect("马宏", "【派单】2611-0002*")
    chat.silence()


def test_control_a_group_that_belongs_somewhere_is_dispatched_by_the_table(chat: Scenario) -> None:
    chat.say("张阿姨", "港新1号网格", REPORT)
    chat.expect("港新1号网格", "收到，编号2611-0001*安居物业*")
    chat.expect("马宏", "【派单】*")


def test_the_private_list_of_groups_that_wait(chat: Scenario) -> None:
    number = welcomed(chat)
    chat.say("赵航", PRIVATE, "/group")
    chat.expect("赵航", f"还没归网格的群：\n{number} 港新3号楼群*")
    chat.say("赵航", PRIVATE, f"/group #{number} 港新2号网格 行业：餐饮 板块:商圈")
    chat.expect("赵航", "港新3号楼群定好了：网格是港新2号网格，标签是商圈、餐饮。")
    assert (row(chat).board, row(chat).industry, row(chat).class_label) == ("商圈", "餐饮", "")
    chat.say("赵航", PRIVATE, "/群")
    chat.expect("赵航", "没有等着归网格的群。*")
    chat.say("赵航", PRIVATE, f"/群 {number} 不归网格 行业: 类别:专属")
    chat.expect("赵航", "港新3号楼群定好了：不归网格，标签是专属、商圈。")


def test_in_the_group_itself(chat: Scenario) -> None:
    welcomed(chat)
    chat.say("赵航", NEW, "/群")
    chat.expect(NEW, "港新3号楼群：还没归网格。")
    chat.say("赵航", NEW, "/群 gx02 综合")
    chat.expect(NEW, "港新3号楼群定好了：网格是港新2号网格，标签是综合。")


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("/群 99999 GX01", "没有群号是“99999”的群。*"),
        ("/群 {} 火星", "没有叫“火星”的网格，也没有这个类别。网格有：GX01 港新1号网格、*类别有：综合、*"),
        ("/群 {} 类别:闲聊", "没有“闲聊”这个类别。有：综合、专属、行业、特殊、工作。"),
    ],
)
def test_what_does_not_exist_is_named_with_what_does(chat: Scenario, line: str, answer: str) -> None:
    number = welcomed(chat)
    chat.say("赵航", PRIVATE, line.format(number))
    chat.expect("赵航", answer)
    assert row(chat).grid_id is None


@pytest.mark.parametrize(("who", "answer"), [("张阿姨", "这个命令只有登记过的*"), ("王建国", "没有执行：“/群”不在您的权限里。*")])
def test_only_dispatchers_and_administrators_may(chat: Scenario, who: str, answer: str) -> None:
    welcomed(chat)
    chat.say(who, NEW, "/群 GX01 综合")
    chat.expect(NEW, answer)
    assert row(chat).grid_id is None
    assert ("command.group", False) in chat.rows(Audit.action, Audit.allowed)


def test_removed_it_forgets_what_it_need_not_keep(chat: Scenario) -> None:
    welcomed(chat)
    chat.say("张阿姨", NEW, UNCLEAR)
    chat.expect(NEW, "收到，编号2611-0001*在哪个位置？*")
    assert len(chat.rows(Dialog.id)) == 1
    chat.platform.fail(RetryLater(3600.0, "chat"), chat=NEW)
    chat.say("张阿姨", NEW, "/帮助")
    assert "pending" in chat.rows(Notice.state)
    chat.happens(Kind.LEFT, "群主", NEW)
    assert not row(chat).active
    assert chat.rows(Dialog.id) == []
    assert chat.app.mind.dialogs == {}
    there = [state for place, state in chat.rows(Notice.chat, Notice.state) if place == chat.chat_id(NEW)]
    assert "pending" not in there
    assert len(chat.rows(Case.id)) == 1  # what was reported is still somebody's matter
    chat.happens(Kind.LEFT, "群主", NEW)
    chat.wait(seconds=3601)  # some platforms make the whole account wait
    told = [arrival.what.text for arrival in chat.unseen("赵航") if "已经不在“港新3号楼群”里了" in arrival.what.text]
    assert len(told) == 1
    chat.wait(hours=2)
    chat.skip_officers()
    chat.silence_in(NEW)
    added(chat)
    assert row(chat).active
    chat.silence()


def test_what_it_cannot_hear_is_told_to_the_owner_and_the_operator_once(chat: Scenario) -> None:
    if chat.platform.name != "web":
        return  # real platforms say it in their own way; see tests/platforms
    deaf = Standing(hears_all=False)
    chat.happens(Kind.JOINED, "群主", NEW, group_name="老群", standing=deaf)
    chat.expect(NEW, "大家好，我是前哨*")
    asked = chat.expect(NEW, "群主请看：*请在群设置里把我设成管理员*")
    assert asked.what.mention == "群主"
    chat.expect("赵航", "进了一个新群*")
    chat.expect("郑凯", "机器人在“老群”里只听得到命令*")
    chat.happens(Kind.JOINED, "群主", NEW, group_name="老群", standing=deaf)
    chat.silence()
    chat.happens(Kind.JOINED, "群主", NEW, group_name="老群", standing=Standing())
    chat.expect(NEW, "好了，现在群里的话我都能听到了。*")
    chat.happens(Kind.JOINED, "群主", NEW, group_name="老群", standing=deaf)
    chat.expect(NEW, "群主请看：*")
    chat.expect("郑凯", "机器人在“老群”里只听得到命令*")
    chat.happens(Kind.JOINED, "群主", NEW, group_name="老群", standing=Standing(may_write=False))
    chat.expect("郑凯", "机器人在“老群”里不能发言*")

"""Below the answer to a report stands how far it is: changed in place, without a new message in the group."""

from __future__ import annotations

import pytest

from bot.errors import AnswerLost, NeverDelivered, RetryLater
from storage.tables import Notice
from tests.kit.scenario import PRIVATE, Scenario

GROUP = "港新1号网格"
REPORT = "3号楼2单元楼道有人给电动车充电"


def reported(chat: Scenario) -> str:
    """A report, answered in the group; gives the answer's id."""
    chat.say("张阿姨", GROUP, REPORT)
    answer = chat.expect(GROUP, "收到，编号2611-0001*")
    chat.skip_officers()
    return answer.message_id


def step(chat: Scenario, line: str) -> None:
    chat.say("马宏", PRIVATE, line)
    chat.skip("马宏", "张阿姨", GROUP)
    chat.skip_officers()


def lines(chat: Scenario) -> list[str]:
    """The last line of the answer after each change."""
    return [arrival.what.text.splitlines()[-1] for arrival in chat.platform.edited]


def test_each_step_is_written_below_the_answer(chat: Scenario) -> None:
    answer = reported(chat)
    assert chat.platform.edited == []  # the answer says itself where the case is
    step(chat, "/接单 2611-0001")
    assert {arrival.message_id for arrival in chat.platform.edited} == {answer}
    first = chat.platform.edited[-1].what.text
    assert first.startswith("收到，编号2611-0001")
    assert lines(chat) == ["进展：已接单，安居物业港新服务处（11-23 10:00）"]
    chat.wait(hours=1)
    step(chat, "/办结 2611-0001 车已清走，装了充电桩")
    assert lines(chat)[-1].startswith("进展：")
    assert "11-23 11:00" in lines(chat)[-1]
    assert chat.platform.edited[-1].what.text.count("进展：") == 1
    assert {arrival.message_id for arrival in chat.platform.edited} == {answer}
    chat.say("张阿姨", GROUP, "解决了")
    chat.skip("张阿姨", GROUP)
    chat.skip_officers()
    assert lines(chat)[-1].startswith("进展：已办结，")


def test_a_case_of_the_private_chat_has_no_line(chat: Scenario) -> None:
    chat.say("张阿姨", PRIVATE, REPORT)
    chat.expect("张阿姨", "收到，编号2611-0001*")
    chat.skip_officers()
    step(chat, "/接单 2611-0001")
    assert chat.platform.edited == []


def test_steps_while_the_platform_asks_for_a_pause_become_one_change(chat: Scenario) -> None:
    reported(chat)
    chat.platform.fail(RetryLater(30.0, "chat"), chat="edit:gx01")
    step(chat, "/接单 2611-0001")
    step(chat, "/联系 2611-0001 说好下午去")
    assert chat.platform.edited == []
    chat.restart()
    chat.wait(seconds=31)
    assert lines(chat)[-1].startswith("进展：办理中")
    assert len(chat.platform.edited) <= 2


@pytest.mark.parametrize("fault", [AnswerLost("scripted"), RetryLater(1.0, "message")])
def test_a_change_whose_answer_was_lost_is_made_again(chat: Scenario, fault: Exception) -> None:
    reported(chat)
    chat.platform.fail(fault, chat="edit:gx01")
    step(chat, "/接单 2611-0001")
    chat.wait(seconds=10)
    assert lines(chat)[-1] == "进展：已接单，安居物业港新服务处（11-23 10:00）"
    assert "（重发）" not in chat.platform.edited[-1].what.text


def test_where_nothing_can_be_changed_nothing_more_is_said(chat: Scenario) -> None:
    reported(chat)
    chat.platform.fail(NeverDelivered("too old"), chat="edit:gx01")
    step(chat, "/接单 2611-0001")
    chat.wait(minutes=1)
    assert chat.platform.edited == []
    chat.silence_in(GROUP)
    assert "pending" not in chat.rows(Notice.state)

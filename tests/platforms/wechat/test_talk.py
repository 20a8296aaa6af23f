"""What people do on WeChat where other platforms have buttons, edits and quotes: scenarios over a real puppet service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.messages import Quote
from storage.tables import Case
from tests.kit import cells
from tests.kit.cells import Cell
from tests.kit.scenario import Scenario
from tests.kit.wechat_peer import WechatPeer
from tests.platforms.wechat.conftest import Line

pytestmark = [pytest.mark.timeout(120), pytest.mark.filterwarnings("ignore::storage.database.OldLibrary")]

GROUP = "港新1号网格"
REPORT = "3号楼2单元楼道有人给电动车充电"


@pytest.fixture
def chat(tmp_path: Path, line: Line) -> Iterator[Scenario]:
    del line  # it sees to it that the service is there
    token = cells.cell.set(Cell(WechatPeer, plain=False))
    try:
        with Scenario(tmp_path / "talk") as scenario:
            yield scenario
    finally:
        cells.cell.reset(token)


def case_state(chat: Scenario) -> str:
    return str(chat.rows(Case.state)[-1])


def test_what_was_wrong_is_taken_back_and_said_anew(chat: Scenario) -> None:
    wrong = chat.say("张阿姨", GROUP, "4号楼2单元楼道有人给电动车充电")
    chat.expect(GROUP, "收到，编号*")
    chat.skip_officers()
    chat.recall(wrong)
    assert case_state(chat) == "withdrawn"
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()
    chat.say("张阿姨", GROUP, REPORT)
    answer = chat.expect(GROUP, "收到，编号*")
    assert answer.what.mention == "zhang"  # called by name, because nothing can be quoted
    assert case_state(chat) != "withdrawn"
    chat.skip_officers()


def test_without_buttons_the_typed_word_decides(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, REPORT)
    chat.expect(GROUP, "收到，编号*")
    number = chat.number
    chat.skip_officers()
    chat.say("马宏", "私聊", f"/接单 {number}")
    chat.say("马宏", "私聊", f"/办结 {number} 车已清走")
    chat.skip_officers()
    chat.skip(GROUP, "张阿姨")
    asked = chat.last(GROUP)
    assert asked is not None
    assert asked.what.choices == ()
    assert "解决了" in asked.what.text  # the question itself says what to type
    chat.say("陈大爷", GROUP, "解决了", quoting=asked)
    assert case_state(chat) == "verifying"  # a neighbour decides nothing
    chat.skip(GROUP, "陈大爷")
    chat.skip_officers()
    chat.say("张阿姨", GROUP, "解决了", quoting=asked)
    assert case_state(chat) == "closed_confirmed"
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()


def test_a_chat_history_never_acts(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, REPORT)
    chat.expect(GROUP, "收到，编号*")
    number, before = chat.number, case_state(chat)
    chat.skip_officers()
    chat.say("马宏", "私聊", f"/办结 {number} 好了", copied=True)
    chat.say("马宏", "私聊", f"/接单 {number}", copied=True)
    assert case_state(chat) == before
    chat.skip_officers()
    # and what is quoted is no word of whoever quotes it
    chat.say("马宏", "私聊", "好", quote=Quote("", f"/办结 {number} 好了"))
    assert case_state(chat) == before
    chat.skip_officers()

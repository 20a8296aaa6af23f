"""The bot stops in the middle and starts again: every question still waits, nothing is said twice."""

from __future__ import annotations

from bot.errors import RetryLater
from storage.tables import Attachment, Case
from tests.kit.scenario import PRIVATE, Scenario, jpeg

GROUP = "港新1号网格"
REPORT = "3号楼2单元楼道有人给电动车充电"


def test_a_whole_case_with_a_restart_after_every_step(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, photo=jpeg())
    chat.restart()
    chat.say("张阿姨", GROUP, "楼道里又停满了电动车，还在充电")
    chat.restart()
    chat.expect(GROUP, "收到，编号2611-0001*在哪个位置？*")
    chat.say("张阿姨", GROUP, "3号楼2单元")
    chat.restart()
    chat.expect(GROUP, "好的，3号楼2单元*")
    assert chat.rows(Attachment.case_id) == [1]
    chat.say("马宏", PRIVATE, "/接单 2611-0001")
    chat.restart()
    chat.expect("张阿姨", "2611-0001已由*接手。")
    chat.say("马宏", PRIVATE, "/办结 2611-0001 车已清走")
    chat.restart()
    chat.expect(GROUP, "2611-0001处理好了：*")
    chat.say("马宏", PRIVATE, photo=jpeg(1))
    chat.expect(GROUP, "2611-0001处理后的照片。")
    chat.say("张阿姨", GROUP, "没解决")
    chat.restart()
    chat.expect(GROUP, "好的，还差在哪里？*")
    chat.wait(minutes=31)
    chat.expect("马宏", "【派单】*")
    chat.skip_officers()
    assert chat.rows(Case.state) == ["reopened"]
    chat.say("马宏", PRIVATE, "/办结 2611-0001 又去清了一遍")
    chat.expect(GROUP, "2611-0001处理好了：*")
    chat.restart()
    chat.say("张阿姨", GROUP, "解决了")
    chat.restart()
    chat.expect(GROUP, "2611-0001（*）已解决*")
    chat.expect("张阿姨", "*回1到5*")
    chat.say("张阿姨", PRIVATE, "4")
    chat.expect("张阿姨", "谢谢您的评价。")
    chat.skip_officers()


def test_the_time_for_an_answer_runs_while_the_bot_is_away(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "楼道里又停满了电动车，还在充电")
    chat.expect(GROUP, "*在哪个位置？*")
    chat.restart(minutes=20)
    chat.expect("赵航", "【新，位置没说】*")
    chat.say("张阿姨", GROUP, "3号楼2单元")
    chat.silence()


def test_what_could_not_be_sent_is_sent_after_the_restart(chat: Scenario) -> None:
    chat.platform.fail(RetryLater(30.0, "chat"), chat="gx01")
    chat.say("张阿姨", GROUP, REPORT)
    chat.silence_in(GROUP)
    chat.restart()
    chat.wait(seconds=31)
    chat.expect(GROUP, "收到，编号2611-0001*")
    chat.skip_officers()
    chat.silence()


def test_what_was_kept_and_not_handled_is_handled_after_the_restart(chat: Scenario) -> None:
    async def lost(_: object) -> None:
        """The bot dies here."""

    chat.app.inbox.hand = lost  # type: ignore[method-assign,assignment]
    chat.say("张阿姨", GROUP, REPORT)
    chat.say("林小雨", GROUP, "有人在3号楼租房开赌局，天天半夜散场")
    chat.say("陈大爷", GROUP, "着火了，快来人")
    chat.silence()
    assert chat.traces("电动车", "赌局") == []
    chat.restart()
    said = {arrival.what.text[:4] for arrival in chat._unseen(chat._key(GROUP))}
    assert said == {"收到，编", "这类情况", "马上打1"}
    chat.skip(GROUP)
    chat.skip_officers()

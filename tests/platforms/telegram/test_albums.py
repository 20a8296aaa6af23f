"""An album is one message: one report with all its photos, one answer, whatever it is about."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.gathering import Gathering
from storage.tables import Case, CaseEntry, InboxEvent
from tests.kit.scenario import PRIVATE, Scenario, jpeg

GROUP = "港新1号网格"
REPORT = "3号楼2单元楼道有人给电动车充电"


def photos_of_cases(chat: Scenario) -> int:
    return len([one for one in chat.rows(CaseEntry.attachment_id) if one is not None])


def open_rows(chat: Scenario) -> list[str]:
    return [state for state in chat.rows(InboxEvent.state) if state != "done"]


def test_an_album_with_a_caption_is_one_report_with_all_photos(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, REPORT, photos=10)
    chat.expect(GROUP, "收到，编号2611-0001*")
    chat.expect("马宏", "【派单】*（10张照片）*")
    chat.silence()
    assert photos_of_cases(chat) == 10
    assert len(chat.rows(InboxEvent.id)) == 10
    assert open_rows(chat) == []


def test_an_album_that_answers_us_is_added_once(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, REPORT)
    answer = chat.expect(GROUP, "收到，编号2611-0001*")
    chat.skip_officers()
    chat.say("张阿姨", GROUP, photos=4, quoting=answer)
    chat.expect(GROUP, "好的，已补充到2611-0001。")
    chat.expect("马宏", "*2611-0001*")
    chat.silence()
    assert photos_of_cases(chat) == 4


def test_control_without_gathering_each_photo_gets_an_answer(chat: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(gathering: Gathering, job: object) -> None:
        await gathering._put(job)  # type: ignore[arg-type]

    monkeypatch.setattr(Gathering, "take", at_once)
    chat.say("张阿姨", GROUP, REPORT)
    answer = chat.expect(GROUP, "收到，编号2611-0001*")
    chat.skip_officers()
    chat.say("张阿姨", GROUP, photos=4, quoting=answer)
    assert len(chat.unseen(GROUP)) == 4
    chat.skip(GROUP)
    chat.skip_officers()


def test_an_album_without_words_waits_for_them(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, photos=3)
    chat.silence()
    chat.say("张阿姨", GROUP, REPORT)
    chat.expect(GROUP, "收到，编号2611-0001*")
    chat.expect("马宏", "【派单】*（3张照片）*")
    assert open_rows(chat) == []


def test_an_album_without_words_is_forgotten_after_two_minutes(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, photos=3)
    chat.wait(minutes=2, seconds=1)
    chat.silence()
    assert open_rows(chat) == []
    assert chat.rows(InboxEvent.body) == [None] * 3


def test_an_album_in_the_private_chat_is_asked_about_once(chat: Scenario) -> None:
    chat.say("张阿姨", PRIVATE, photos=3)
    chat.expect("张阿姨", "*")
    chat.silence()
    chat.say("张阿姨", PRIVATE, REPORT)
    chat.expect("张阿姨", "收到，编号2611-0001*")
    chat.expect("马宏", "【派单】*（3张照片）*")


def test_a_caption_that_tells_of_a_danger_waits_for_no_photo(chat: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_: Gathering) -> None:
        """Whatever was held stays held."""

    monkeypatch.setattr(Gathering, "flush", never)
    chat.say("张阿姨", GROUP, "3号楼着火了，快来人", photos=3)
    chat.expect(GROUP, "马上打119*")
    chat.skip_officers()


def test_it_is_handed_on_when_no_more_come_and_after_ten_seconds_at_the_latest(chat: Scenario) -> None:
    """The real waiting, by the clock: 2.5 seconds after the last part, 10 after the first."""
    gathering = chat.app.inbox.albums
    steps: list[int] = []
    for second in range(12):
        attachment = chat.platform.keep_photo(f"a{second}", b"")
        chat.shout("张阿姨", GROUP, REPORT if second == 0 else "", attachments=(attachment,), album="long")
        chat.hear()
        steps.append(len(gathering._albums))
        chat.clock.advance(timedelta(seconds=1))
        chat.breathe()
    assert steps == [1] * 12
    assert len(chat.rows(Case.id)) == 1  # after ten seconds, though parts still came
    chat.clock.advance(timedelta(seconds=1.4))
    chat.breathe()
    assert len(gathering._albums) == 1
    chat.clock.advance(timedelta(seconds=0.2))
    chat.breathe()
    assert gathering._albums == {}
    chat.settle()
    chat.skip(GROUP)
    chat.skip_officers()
    assert len(chat.rows(Case.id)) == 1


def test_what_is_said_after_an_album_comes_after_it(chat: Scenario) -> None:
    chat.shout("张阿姨", GROUP, REPORT, attachments=(chat.platform.keep_photo("one", b"x"),), album="first")
    chat.shout("张阿姨", GROUP, "/查")
    chat.settle()
    chat.expect(GROUP, "收到，编号2611-0001*")
    chat.expect(GROUP, "已在私聊里发给您。")
    assert "2611-0001" in chat.expect("张阿姨", "您最近反映的*").what.text
    chat.skip_officers()


def test_a_restart_while_it_is_held_loses_no_photo(chat: Scenario) -> None:
    for n in range(3):
        photo = chat.platform.keep_photo(f"p{n}", jpeg(n))
        chat.shout("张阿姨", GROUP, REPORT if n == 0 else "", attachments=(photo,), album="held")
    chat.hear()
    assert len(open_rows(chat)) == 3
    chat.restart()
    chat.expect(GROUP, "收到，编号2611-0001*")
    chat.expect("马宏", "【派单】*（3张照片）*")
    assert photos_of_cases(chat) == 3
    assert open_rows(chat) == []

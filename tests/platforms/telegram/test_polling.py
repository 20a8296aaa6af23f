"""The offset passes an update only when it is done; nothing blocks anybody; a dead connection is noticed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.errors import ConfigError
from bot.messages import Inbound
from bot.platforms.telegram import polling
from bot.platforms.telegram.polling import Stalled
from tests.kit.fake_bot_api import Answer, Cut, Dropped, TooFast, refusal
from tests.platforms.telegram.conftest import Line

pytestmark = pytest.mark.timeout(60)


async def test_what_was_said_is_taken_then_confirmed(line: Line) -> None:
    line.api.say("张阿姨", "群", "一")
    line.api.say("张阿姨", "群", "二")
    line.listen()
    await line.api.all_confirmed()
    assert line.feed.texts == ["一", "二"]
    assert line.platform.health().listening
    assert line.platform.health().last_inbound is not None
    assert line.platform.health().last_error == ""


async def the_offset_waits(line: Line) -> None:
    """Nothing is confirmed while the storage does not take it; what comes after it is taken, once."""
    full = True
    line.feed.refuse = lambda event: full and event.text == "二"
    line.api.say("甲", "群", "一")
    number = line.api.say("乙", "群", "二") and line.api.every_update[-1]["update_id"]
    line.api.say("乙", "群", "三")
    line.api.say("丙", "群", "四")
    line.listen()

    def too_far() -> bool:
        return any(confirmed >= number for confirmed in line.api.confirmed)

    await line.api.until(lambda: too_far() or [event.text for event in line.feed.offered].count("二") >= 3)
    assert not too_far(), "an update that nobody kept was confirmed"
    full = False
    await line.api.all_confirmed()
    assert sorted(line.feed.texts) == sorted(["一", "二", "三", "四"])
    assert line.feed.texts.index("二") < line.feed.texts.index("三")
    assert line.waits.seconds[:3] == [0.5, 1.0, 2.0]


async def test_the_offset_waits_for_the_commit(line: Line) -> None:
    await the_offset_waits(line)


async def test_a_poller_that_confirms_first_is_caught(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: with the offset moved as python-telegram-bot's own loop moves it, the test above fails."""

    async def hasty(self: polling.Polling, updates: list[Any]) -> bool:
        done = await self._intake.take(updates)
        self.offset = max((raw["update_id"] for raw in updates), default=-1) + 1 or self.offset
        return all(done)

    monkeypatch.setattr(polling.Polling, "_take", hasty)
    with pytest.raises(AssertionError, match="nobody kept"):
        await the_offset_waits(line)


async def test_a_poison_update_in_the_middle_blocks_nobody(line: Line) -> None:
    line.api.say("甲", "群", "一")
    line.api.update(message={"message_id": "seven", "chat": 5})
    line.api.put({"update_id": line.api.next_update, "message": {"chat": {"id": 1, "type": "private"}, "text": 5}})
    line.api.next_update += 1
    line.api.say("乙", "群", "二")
    line.listen()
    await line.api.all_confirmed()
    assert sorted(line.feed.texts) == ["一", "二"]
    assert [why for _, _, why in line.feed.put_away] == ["update.message.chat is no object", "update.message.text is no text"]
    assert b"seven" in line.feed.put_away[0][1]


async def test_an_update_that_breaks_the_bot_is_put_away_after_three_tries(line: Line) -> None:
    line.feed.break_on = lambda event: event.text == "毒"
    line.api.say("甲", "群", "毒")
    line.api.say("乙", "群", "好")
    line.listen()
    await line.api.all_confirmed()
    assert [event.text for event in line.feed.offered].count("毒") == 3
    assert line.feed.texts == ["好"]
    assert [why for _, _, why in line.feed.put_away] == ["KeyError"]


async def test_order_is_kept_for_each_person_and_nobody_waits_for_another(line: Line) -> None:
    gate = asyncio.Event()

    async def hold(event: Inbound) -> None:
        if event.text == "甲1":
            await gate.wait()

    line.feed.before = hold
    for text in ("甲1", "乙1", "甲2", "乙2"):
        line.api.say(text[0], "群", text)
    line.listen()
    await line.feed.until(lambda: len(line.feed.taken) == 2)
    assert line.feed.texts == ["乙1", "乙2"]
    gate.set()
    await line.api.all_confirmed()
    assert line.feed.texts == ["乙1", "乙2", "甲1", "甲2"]


async def test_trouble_is_waited_out(line: Line) -> None:
    line.api.fail("getUpdates", Answer(502, "<html>"), Cut(), Dropped(), TooFast(7), refusal(500, "Internal Server Error"))
    line.api.say("甲", "群", "一")
    line.listen()
    await line.api.all_confirmed()
    assert line.feed.texts == ["一"]
    assert line.waits.seconds == [0.5, 1.0, 2.0, 7, 8.0]


async def test_after_ninety_seconds_without_success_everything_is_built_anew(line: Line) -> None:
    line.api.fail("getUpdates", *[Answer(502, "<html>")] * 200)

    async def a_minute_passes(seconds: float) -> None:
        line.now += seconds
        await asyncio.sleep(0)

    line.platform._sleep = a_minute_passes
    with pytest.raises(Stalled, match="no successful poll for 90 s"):
        await line.listen()
    assert 90 <= line.now < 105
    assert not line.platform.health().listening
    line.api.faults.clear()
    line.api.say("甲", "群", "一")
    line.listen()
    await line.api.all_confirmed()
    assert line.platform.health().last_error == ""


async def test_a_second_poller_is_named(line: Line) -> None:
    conflict = refusal(409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running")
    said: list[str] = []

    async def look(seconds: float) -> None:
        said.append(line.platform.health().last_error)
        await asyncio.sleep(0)

    line.platform._sleep = look
    line.api.fail("getUpdates", conflict)
    line.api.say("甲", "群", "一")
    line.listen()
    await line.api.all_confirmed()
    assert said[0].startswith("another program asks for this bot's updates with the same token; stop it")


async def test_a_webhook_that_was_left_is_taken_away(line: Line) -> None:
    line.api.webhook = {"url": "https://old.example"}
    line.api.say("甲", "群", "一")
    line.listen()
    await line.api.all_confirmed()
    assert line.feed.texts == ["一"]


async def test_a_wrong_token_is_told_without_the_token(line: Line) -> None:
    line.api.token = "1000001:another"
    with pytest.raises(ConfigError, match="ask @BotFather") as caught:
        await line.listen()
    assert "test-token" not in str(caught.value)


async def test_privacy_mode_is_told_to_the_operator(line: Line) -> None:
    line.api.me["can_read_all_group_messages"] = False
    line.api.say("甲", "群", "一")
    line.listen()
    await line.api.all_confirmed()
    assert line.platform.health().last_error.startswith("privacy mode is on")


async def test_a_group_that_moves_is_told_before_anything_else(line: Line) -> None:
    group = line.api.group("老群", type="group")
    line.api.say("甲", group, "一")
    new = line.api.migrate(group)
    line.api.say("甲", new, "二")
    line.listen()
    await line.api.all_confirmed()
    assert {(move.old, move.new) for move in line.moves} == {(str(group.id), str(new.id))}
    assert [event.address.chat for event in line.feed.taken] == [str(group.id), str(new.id)]


async def test_a_tap_is_answered_so_that_the_button_rests(line: Line) -> None:
    message = line.api.message(line.api.group("群"), dict(line.api.me), text="解决了吗？")
    line.api.tap("甲", message, "解决了")
    line.listen()
    await line.api.until(lambda: len(line.api.answered) == 1)
    assert line.feed.texts == ["解决了"]


async def test_a_server_that_does_not_hold_the_question_is_asked_calmly(line: Line) -> None:
    line.api.hold = 0.0
    line.listen()
    await line.api.until(lambda: line.api.polls >= 3)
    assert line.waits.seconds[:2] == [polling.REST] * 2

"""Ordinary talk gets no answer and leaves nothing behind (ten thousand messages of it: tests/test_silence.py)."""

from __future__ import annotations

from datetime import datetime

import pytest

from bot import inbox
from bot.glance import Senses, glance
from bot.jobs import QUIET, Job
from bot.messages import Inbound, Kind
from bot.mind import Mind
from storage.tables import Alarm, Case, InboxEvent
from tests.kit.scenario import Scenario, jpeg

GROUP = "港新1号网格"
TALK = """
大家早上好，今天天气真不错
晚上跳舞还是老地方
谁有空帮我收个快递，谢谢啦
今天菜场的鱼不错，十五块一斤
哈哈哈笑死我了
孩子作业写完没有
这家店真火，排队排到马路上
作业多得写不完
昨晚的球赛看了吗，救命，太刺激了
楼上的吉他弹得真好听
明天停水记得接水
新开的火锅店味道可以的
@张阿姨 你家的猫又上树了
老公气死我了
[微笑]
祝大家周末愉快
手机没电了，先下了
收到
1
""".strip().splitlines()


def talk(chat: Scenario) -> None:
    for line in TALK:
        chat.say("张阿姨", GROUP, line)
    chat.say("陈大爷", GROUP, photo=jpeg())
    chat.say("陈大爷", GROUP, "这是我孙子，可爱吧")


@pytest.mark.every_cell
def test_ordinary_talk_is_neither_answered_nor_kept(chat: Scenario) -> None:
    talk(chat)
    chat.silence()
    assert chat.rows(Case.id) == []
    assert chat.rows(Alarm.id) == []
    assert len(chat.rows(InboxEvent.id)) == 1  # the photo, for two minutes, and only as a reference
    chat.wait(minutes=3)
    assert chat.rows(InboxEvent.body) == [None]
    assert not list(chat.folder.rglob("*.photo"))
    assert chat.traces(*(line[:12] for line in TALK if len(line) > 4)) == []


def test_other_peoples_answers_to_each_other_edits_and_recalls_are_not_kept(chat: Scenario) -> None:
    said = chat.say("张阿姨", GROUP, "晚上吃什么")
    chat.edit(said, "晚上吃鱼")
    chat.recall(said)
    chat.happens(Kind.EDIT, "陈大爷", GROUP, text="改成明天", message_id="m1")
    chat.happens(Kind.RECALL, "陈大爷", GROUP, message_id="m1")
    chat.silence()
    assert chat.rows(InboxEvent.id) == []


def test_control_a_glance_that_keeps_everything_is_found_out(chat: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    def keeps_all(event: Inbound, mind: Mind, senses: Senses, now: datetime) -> Job | None:
        return glance(event, mind, senses, now) or Job(event, QUIET, addressed=False)

    monkeypatch.setattr(inbox, "glance", keeps_all)
    with pytest.raises(AssertionError):
        test_ordinary_talk_is_neither_answered_nor_kept(chat)
    chat._seen = {(arrival.to.chat, arrival.to.private): len(chat.platform.arrived) for arrival in chat.platform.arrived}

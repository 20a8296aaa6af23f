"""One turn: all or nothing for each step, and every message gets exactly one handler."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.messages import Inbound
from bot.router import Router
from bot.say import Say
from bot.turn import NotMine, Turn
from cases.desk import CaseDesk, NewCase
from content.refusal import Refusal
from handlers.origin import origin_of
from storage.tables import Alarm, Case, Notice
from tests.kit.scenario import PRIVATE, Scenario

GROUP = "港新1号网格"


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Scenario]:
    with Scenario(tmp_path) as scenario:
        yield scenario


def with_handlers(chat: Scenario, table: Router) -> None:
    chat.app.router.include(table)


def half_done(chat: Scenario) -> None:
    table = Router("planted")

    @table.command("半途", "halfway", about="x")
    def halfway(message: Inbound, desk: CaseDesk, say: Say) -> None:
        desk.open(NewCase("hazard", "lamp", "T3", "路灯", "5号楼", origin_of(message, None)))
        say.reply("help.what_i_do")
        raise Refusal("refusal.too_long", most=7)

    with_handlers(chat, table)


def test_a_refusal_takes_back_what_was_done_and_said(chat: Scenario) -> None:
    half_done(chat)
    chat.say("张阿姨", PRIVATE, "/半途")
    chat.expect("张阿姨", "这条太长了（超过7个字）*")
    chat.silence()
    assert chat.rows(Case.id) == []
    assert len(chat.rows(Notice.id)) == 1


def test_the_refusal_of_a_command_does_not_take_back_the_emergency_before_it(chat: Scenario) -> None:
    half_done(chat)
    chat.say("张阿姨", PRIVATE, "/半途 着火了，快来人")
    chat.expect("张阿姨", "马上打119*")
    chat.expect("张阿姨", "这条太长了（超过7个字）*")
    chat.skip_officers()
    assert chat.rows(Case.id) == []
    assert len(chat.rows(Alarm.id)) == 1


def test_control_without_the_savepoint_half_of_it_would_stay(chat: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    half_done(chat)

    def run(turn: Turn) -> object:
        assert turn.job is not None
        for step in turn._steps(turn.job):
            try:
                step()
            except Refusal as refusal:
                turn._refuse(refusal)
        return turn.effects

    monkeypatch.setattr(Turn, "run", run)
    chat.say("张阿姨", PRIVATE, "/半途")
    chat.skip("张阿姨")
    assert len(chat.rows(Case.id)) == 1


def test_who_does_not_want_a_message_leaves_it_to_the_next(chat: Scenario) -> None:
    table = Router("planted")

    @table.keyword("口令")
    def not_mine(say: Say) -> None:
        raise NotMine

    @table.keyword("口令.*芝麻")
    def mine(say: Say) -> None:
        say.reply("help.welcome")

    with_handlers(chat, table)
    chat.say("张阿姨", PRIVATE, "口令芝麻")
    chat.expect("张阿姨", "不客气。")
    chat.say("张阿姨", PRIVATE, "口令西瓜")
    chat.expect("张阿姨", "有安全隐患*")
    chat.say("张阿姨", GROUP, "口令芝麻")  # a keyword needs to be said to us
    chat.silence()

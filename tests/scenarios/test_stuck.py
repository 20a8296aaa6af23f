"""What was to be done by itself and goes on failing: an admin hears of it, machines see it, and it is done once it can be."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import Session

from bot.say import Say
from bot.timers import Due, Timers
from tests.kit.scenario import Scenario

ADMIN = "郑凯"


def test_a_timer_that_goes_on_failing_is_told_once_and_done_when_it_is_mended(chat: Scenario) -> None:
    handlers = chat.app.router.timers
    right, done = handlers["wish.due"], list[str]()

    def wrong(due: Due, say: Say) -> None:
        raise RuntimeError("planted")

    def mended(due: Due, say: Say) -> None:
        done.append(due.key)

    def set_it(session: Session) -> None:
        Timers(session, chat.clock()).after(timedelta(0), "wish.due", "7")

    handlers["wish.due"] = wrong
    chat.app.writer.run_now(set_it)
    chat.wait(seconds=1)
    chat.wait(seconds=31)
    chat.silence()
    chat.wait(seconds=61)
    chat.expect(ADMIN, "心愿的提醒连着3次没做成（wish.due）。没有丢，会接着再试*qianshao check*")
    assert 'qianshao_timers_failing{kind="wish.due"} 1.0' in chat.run(chat.app.metrics_text())
    chat.wait(minutes=5)
    chat.silence()
    handlers["wish.due"] = mended
    chat.wait(hours=1)
    assert done == ["7"]
    assert "qianshao_timers_failing{" not in chat.run(chat.app.metrics_text())
    handlers["wish.due"] = right

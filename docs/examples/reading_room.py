"""A handler file of one's own: opening hours of the community's reading room, and a reminder that can be asked for."""

from __future__ import annotations

from datetime import timedelta

from bot.dialogs import Dialogs
from bot.messages import Address, Inbound
from bot.router import Router
from bot.say import Say
from bot.timers import Due, Timers
from bot.turn import NotMine

router = Router("reading room")


@router.command("阅览室", "reading", about="看社区阅览室几点开门")
def hours(say: Say, dialogs: Dialogs) -> None:
    """Says the hours and offers a reminder; the person's next message may accept it."""
    say.reply("reading_room.hours")
    dialogs.ask("reading.remind", wait=timedelta(minutes=5))


@router.dialog("reading.remind")
def remind(message: Inbound, dialogs: Dialogs, timers: Timers, say: Say) -> None:
    """ "提醒我" sets a timer; anything else is no answer to us and goes its usual way."""
    if message.text.strip() != "提醒我":
        raise NotMine
    dialogs.end()
    chat = "private" if message.address.private else "group"
    timers.after(timedelta(hours=1), "reading.due", message.event_id, chat=message.address.chat, kind=chat)
    say.reply("reading_room.will_remind")


@router.timer("reading.due")
def due(due: Due, say: Say) -> None:
    """An hour later."""
    say.at(Address("web", "web", due.data["chat"], private=due.data["kind"] == "private"), "reading_room.reminder")

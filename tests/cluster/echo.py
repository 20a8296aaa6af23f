"""A handler whose every run leaves a trace: `/回声 3` answers with its number and how often this person was answered."""

from __future__ import annotations

from sqlmodel import Session

from bot.messages import Inbound
from bot.router import Router, Words
from bot.say import Say
from storage.tables import Counter

router = Router("echo")


@router.command("回声", "echo", about="重复一个数")
def echo(words: Words, message: Inbound, session: Session, say: Say) -> None:
    """Count and answer; both are in the turn's transaction or neither is."""
    name = f"echo:{message.sender.id}"
    row = session.get(Counter, name) or Counter(name=name, value=0)
    row.value += 1
    session.add(row)
    say.reply("test.echo", number=str(words), count=row.value)

"""What a person may do about what is kept: look at it, and be forgotten. Only in the private chat."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session

from bot.dialogs import Dialogs
from bot.messages import Inbound
from bot.router import Router
from bot.say import Say
from bot.turn import Effects, NotMine, Rules
from cases.blocks import Blocks
from cases.privacy import Mark, Privacy
from handlers.origin import platform_name

router = Router("privacy")

SURE_WAIT = timedelta(minutes=10)
SURE = frozenset({"忘记", "忘记我", "确认", "确定", "是", "是的"})
NOT_SURE = frozenset({"算了", "不", "不用", "取消", "不要"})
MOST_SHOWN = 20
MOST_MARKS = 40


@router.command("我的数据", "mydata", about="看我们存了您的哪些信息（只在私聊里）", private=True, always=True)
def my_data(message: Inbound, privacy: Privacy, say: Say, zone: ZoneInfo, rules: Rules, blocks: Blocks) -> None:
    """Everything that is kept about the person, and for how long."""
    kept = privacy.kept(message.address.platform, message.sender.id)
    shown = [(one, one.created_at.astimezone(zone).strftime("%Y年%m月%d日")) for one in kept.cases[-MOST_SHOWN:]]
    lines = [_line(mark, say, zone) for mark in kept.marks[:MOST_MARKS]]
    block = blocks.active(message.address.platform, message.sender.id)
    if block is not None:
        lines.insert(0, _line(Mark("block", about=block.reason, at=block.until), say, zone))
    say.reply(
        "privacy.kept",
        cases=shown,
        more=max(0, len(kept.cases) - MOST_SHOWN),
        alarms=kept.alarms,
        lines=lines,
        unlisted=max(0, len(kept.marks) - MOST_MARKS),
        rooms=rules.rooms_keep_days if message.address.platform == "web" else 0,
        quote=False,
    )


def _line(mark: Mark, say: Say, zone: ZoneInfo) -> str:
    """One line about something that is kept."""
    about = platform_name(say, mark.about) if mark.kind == "link" else mark.about
    day = mark.at.astimezone(zone).strftime("%Y年%m月%d日") if mark.at else ""
    return say.word(f"privacy.mark.{mark.kind}", about=about, state=mark.state, count=mark.count, day=day)


@router.command("忘记我", "forget", about="从我们的记录里删掉您（只在私聊里）", private=True, always=True)
def forget_me(message: Inbound, privacy: Privacy, dialogs: Dialogs, say: Say, session: Session) -> None:
    """Says what will go and what cannot be taken back, and asks once."""
    kept = privacy.kept(message.address.platform, message.sender.id)
    dialogs.ask("privacy.forget", wait=SURE_WAIT)
    dumps = session.get_bind().dialect.name != "sqlite"  # pg_dump knows nothing of storage.pseudonyms
    say.reply("privacy.sure", cases=len(kept.cases), platform=message.address.platform, dumps=dumps, quote=False)


@router.dialog("privacy.forget", always=True)
def sure(message: Inbound, privacy: Privacy, dialogs: Dialogs, say: Say, effects: Effects) -> None:
    """Only a clear yes."""
    text = message.text.strip().rstrip("。.!！")
    if text in NOT_SURE:
        dialogs.end()
        say.reply("privacy.stays", quote=False)
        return
    if text not in SURE:
        raise NotMine
    dialogs.end()
    note = say.word("privacy.note")
    cases = privacy.forget(message.address.platform, message.sender.id, note)
    effects.forgotten = True
    say.reply("privacy.forgotten", cases=cases, quote=False)

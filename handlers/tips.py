"""Confidential tips. In a group one sentence that leads to the private chat, nothing kept; in private sealed, with a receipt."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.dialogs import Dialogs, Pending
from bot.messages import Inbound
from bot.permissions import Rights, Role
from bot.router import Router, Words
from bot.say import Say
from bot.turn import NotMine
from cases.roster import Roster
from cases.tips import Tips, read_receipt
from content.refusal import Refusal

router = Router("tips")

TELL_WAIT = timedelta(minutes=30)
SHORTEST = 6  # characters; less cannot be followed up


@router.intent("tip")
def tip_told(message: Inbound, tips: Tips, say: Say, roster: Roster) -> None:
    """A tip in a group is answered only with the way to the private chat; in private it is taken."""
    if not message.address.private:
        say.reply("tips.in_group", quote=False)
        return
    _receive(message.text, tips, say, roster)


@router.command("举报", "tip", about="悄悄提供线索（只在私聊里），内容加密，给您一个回执码", confidential=True)
def tip_command(message: Inbound, words: Words, tips: Tips, dialogs: Dialogs, say: Say, roster: Roster) -> None:
    """`/举报`: in private, with the words at once or in the next message."""
    if not message.address.private:
        say.reply("tips.in_group", quote=False)
    elif len(words) >= SHORTEST:
        _receive(words, tips, say, roster)
    else:
        dialogs.ask("tip.words", wait=TELL_WAIT)
        say.reply("tips.tell", quote=False)


@router.dialog("tip.words")
def tip_words(message: Inbound, tips: Tips, dialogs: Dialogs, say: Say, roster: Roster) -> None:
    """The next message is the tip."""
    text = message.text.strip()
    if text in ("算了", "取消", "不说了"):
        dialogs.end()
        say.reply("tips.stopped", quote=False)
        return
    if len(text) < SHORTEST:
        say.reply("tips.no_photo" if message.attachments and not text else "tips.more_words", quote=False)
        return
    dialogs.end()
    _receive(text, tips, say, roster)


@router.keyword(r"^[\s\d０-９\-－—]{20,40}$")
def receipt_shown(message: Inbound, tips: Tips, dialogs: Dialogs, say: Say, zone: ZoneInfo) -> None:
    """The receipt opens the dialogue again: what officers answered, and the next message is added."""
    digits = read_receipt(message.text)
    if digits is None:
        raise NotMine
    if not message.address.private:
        say.reply("tips.receipt_in_group", quote=False)
        return
    tip = tips.by_receipt(digits)
    lines = [(line.at.astimezone(zone).strftime("%m月%d日"), line.text) for line in tips.answers(tip)]
    dialogs.ask("tip.more", wait=TELL_WAIT, data={"tip": tip.designation})
    say.secretly("tips.status", lines=lines, reads=tips.reads(tip))


@router.dialog("tip.more")
def tip_more(message: Inbound, pending: Pending, tips: Tips, dialogs: Dialogs, say: Say, roster: Roster) -> None:
    """After the receipt: more about the same tip."""
    dialogs.end()
    if message.text.strip() in ("没了", "没有了", "算了", "不用"):
        say.reply("tips.stopped", quote=False)
        return
    if len(message.text.strip()) < 2:
        raise NotMine
    tip = tips.by_designation(pending.data["tip"])
    tips.add(tip, "source", message.text)
    say.reply("tips.added", quote=False)
    say.to_officers(roster.with_role(Role.CUSTODIAN), "tips.card_more", name=tip.designation)


@router.command("线索", "tips", usage="代号", about="看线索（只在私聊里；每次查看都有记录）", needs=Role.CUSTODIAN, private=True)
def tips_for_custodian(words: Words, tips: Tips, rights: Rights, say: Say, zone: ZoneInfo, now: datetime) -> None:
    """Without a name the list; with a name the words, and the read is written down."""
    if not words:
        rights.require("tip.list")
        listed = [
            (tip.designation, tip.created_at.astimezone(zone).strftime("%m月%d日"), (tip.expires_at - now).days)
            for tip in tips.open()
        ]
        say.reply("tips.list", tips=listed, quote=False)
        return
    tip = tips.by_designation(words)
    officer = rights.require("tip.read", target=tip.designation)
    lines = [
        ("来源" if line.author == "source" else "我们", line.at.astimezone(zone).strftime("%m月%d日%H:%M"), line.text)
        for line in tips.read(tip, officer)
    ]
    say.secretly("tips.dialogue", name=tip.designation, lines=lines)


@router.command(
    "回线索", "answertip", usage="代号 要说的话", about="回复线索的来源（对方凭回执码看到）", needs=Role.CUSTODIAN, private=True
)
def answer_tip(words: Words, tips: Tips, rights: Rights, say: Say) -> None:
    """`/回线索 青松123 …`."""
    name, _, text = words.partition(" ")
    if not text.strip():
        raise Refusal("refusal.usage", command="回线索", usage="代号 要说的话")
    tip = tips.by_designation(name)
    rights.require("tip.answer", target=tip.designation)
    tips.add(tip, "officer", text.strip())
    say.reply("tips.answered", name=tip.designation, quote=False)


def _receive(text: str, tips: Tips, say: Say, roster: Roster) -> None:
    receipt = tips.receive(text)
    say.secretly("tips.received", receipt=receipt.shown)
    say.to_officers(roster.with_role(Role.CUSTODIAN), "tips.card", name=receipt.designation)

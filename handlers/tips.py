"""Confidential tips, as their source meets them. In a group one sentence that leads to the private chat, nothing kept; in private
sealed, with a receipt. What was said and shown is taken out of our own web rooms, too (`Effects.unsay`)."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from bot.dialogs import Dialogs, Pending
from bot.messages import Inbound
from bot.router import Router, Words
from bot.say import Say
from bot.turn import Effects, NotMine
from cases.tips import Tips, read_receipt
from cases.tips.room import Held

router = Router("tips")

TELL_WAIT = timedelta(minutes=30)
SHORTEST = 6  # characters; less cannot be followed up
NO_MORE = frozenset({"没了", "没有了", "算了", "不用", "取消", "不说了"})


@router.intent("tip")
def tip_told(message: Inbound, tips: Tips, say: Say, effects: Effects) -> None:
    """A tip in a group is answered only with the way to the private chat; in private it is taken."""
    if not message.address.private:
        say.reply("tips.in_group", quote=False)
        return
    _receive(message, message.text, tips, say, effects)


@router.command("举报", "tip", about="悄悄提供线索（只在私聊里），内容加密，给您一个回执码", confidential=True)
def tip_command(message: Inbound, words: Words, tips: Tips, dialogs: Dialogs, say: Say, effects: Effects) -> None:
    """`/举报`: in private, with the words at once or in the next message."""
    if not message.address.private:
        say.reply("tips.in_group", quote=False)
    elif len(words) >= SHORTEST:
        _receive(message, words, tips, say, effects)
    else:
        dialogs.ask("tip.words", wait=TELL_WAIT)
        say.reply("tips.tell", platform=message.address.platform, quote=False)


@router.dialog("tip.words")
def tip_words(message: Inbound, tips: Tips, dialogs: Dialogs, say: Say, effects: Effects) -> None:
    """The next message is the tip."""
    text = message.text.strip()
    if text in NO_MORE:
        dialogs.end()
        say.reply("tips.stopped", quote=False)
        return
    effects.unsay = True
    if len(text) < SHORTEST:
        say.reply("tips.no_photo" if message.attachments and not text else "tips.more_words", quote=False)
        return
    dialogs.end()
    _receive(message, text, tips, say, effects)


@router.keyword(r"^[\s\d０-９\-－—]{20,40}$")
def receipt_shown(message: Inbound, tips: Tips, dialogs: Dialogs, say: Say, zone: ZoneInfo, effects: Effects) -> None:
    """The receipt opens the dialogue again: what officers answered, and the next message is added."""
    digits = read_receipt(message.text)
    if digits is None:
        raise NotMine
    if not message.address.private:
        say.reply("tips.receipt_in_group", quote=False)
        return
    effects.unsay = True
    held = tips.by_receipt(digits, f"{message.address.platform}:{message.sender.id}")
    dialogs.ask("tip.more", wait=TELL_WAIT, data={"held": tips.begin(held)})
    _tell_status(held, tips, say, zone)


@router.dialog("tip.more")
def tip_more(message: Inbound, pending: Pending, tips: Tips, dialogs: Dialogs, say: Say, effects: Effects) -> None:
    """After the receipt: more about the same tip, or who the source is."""
    text = message.text.strip()
    if read_receipt(text):
        raise NotMine
    dialogs.end()
    if text in NO_MORE:
        say.reply("tips.stopped", quote=False)
        return
    if len(text) < 2:
        raise NotMine
    effects.unsay = True
    if text == "留联系方式":
        dialogs.ask("tip.identity", wait=TELL_WAIT, data=dict(pending.data))
        say.reply("tips.tell_identity", quote=False)
        return
    held = tips.resume(pending.data["held"])
    tips.tell_more(held, text)
    say.reply("tips.added", quote=False)
    say.to_officers(tips.to_notify(held.tip.designation), "tips.card_more", name=held.tip.designation)


@router.dialog("tip.identity")
def tip_identity(message: Inbound, pending: Pending, tips: Tips, dialogs: Dialogs, say: Say, effects: Effects) -> None:
    """The source says who they are; only a custodian can let an officer see it."""
    dialogs.end()
    text = message.text.strip()
    if text in NO_MORE or len(text) < 2:
        say.reply("tips.stopped", quote=False)
        return
    effects.unsay = True
    held = tips.resume(pending.data["held"])
    tips.reveal(held, text)
    say.reply("tips.identity_kept", quote=False)
    say.to_officers(tips.to_notify(held.tip.designation), "tips.card_identity", name=held.tip.designation)


def _receive(message: Inbound, text: str, tips: Tips, say: Say, effects: Effects) -> None:
    effects.unsay = True
    receipt = tips.receive(text)
    say.secretly("tips.received", receipt=receipt.shown, platform=message.address.platform)
    say.to_officers(tips.to_notify(receipt.designation), "tips.card", name=receipt.designation)


def _tell_status(held: Held, tips: Tips, say: Say, zone: ZoneInfo) -> None:
    status = tips.status(held)
    lines = [(line.at.astimezone(zone).strftime("%m月%d日"), line.text) for line in status.answers]
    say.secretly(
        "tips.status",
        lines=lines,
        readers=status.readers,
        state=status.state,
        identity=status.identity_given,
        asked=status.asked,
        allowed=status.allowed,
    )

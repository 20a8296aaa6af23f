"""Confidential tips, as their source meets them. In a group one sentence that leads to the private chat, nothing kept; in private
sealed, with a receipt. What was said and shown is taken out of our own web rooms, too (`Effects.unsay`)."""

from __future__ import annotations

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

from bot.dialogs import Dialogs, Pending
from bot.messages import Inbound
from bot.router import Router, Words
from bot.say import Say
from bot.turn import Effects, LoosePhotos, NotMine
from bot.understanding.meaning import Intent, Meaning
from cases.tips import MOST_PICTURES, NewPicture, Tips, read_receipt
from cases.tips.records import Held
from handlers.cards import trouble_with
from handlers.hearing import RECEIPT
from handlers.scene import listen_no_more

router = Router("tips")

TELL_WAIT = timedelta(minutes=30)
PICTURES_WAIT = timedelta(minutes=10)
SHORTEST = 6  # characters; less cannot be followed up
NO_MORE = frozenset({"没了", "没有了", "算了", "不用", "取消", "不说了"})
_GOES_ON = re.compile("补充|还有|另外|对了|再补|再说")
_OPENS = (
    r"^[\s,，.。]*(?:(?:你好|您好|请问)[\s,，.。!！]*)?我?(?:想|要|可以|能)?(?:来)?(?:举报|检举|提供线索|反映线索)"
    r"(?:一下|个人|人|一件事|件事|线索|情况)?[吗么]?[\s?？!！。.]*$"
)
_ANNOUNCED = re.compile(_OPENS)


@router.keyword(_OPENS)
def tip_announced(message: Inbound, dialogs: Dialogs, say: Say) -> None:
    """ "我想举报" is no tip yet."""
    if not message.address.private or message.attachments or message.copied:
        raise NotMine
    listen_no_more(dialogs)
    dialogs.ask("tip.words", wait=TELL_WAIT)
    say.reply("tips.tell", platform=message.address.platform, quote=False)


@router.intent("tip")
def tip_told(message: Inbound, photos: LoosePhotos, tips: Tips, dialogs: Dialogs, say: Say, effects: Effects) -> None:
    """A tip in a group is answered only with the way to the private chat; in private it is taken."""
    if not message.address.private:
        say.reply("tips.in_group", quote=False)
        return
    _receive(message, message.text, photos, tips, dialogs, say, effects)


@router.command("举报", "tip", about="悄悄提供线索（只在私聊里），内容加密，给您一个回执码", confidential=True)
def tip_command(
    message: Inbound, words: Words, photos: LoosePhotos, tips: Tips, dialogs: Dialogs, say: Say, effects: Effects
) -> None:
    """`/举报`: in private, with the words at once or in the next message."""
    if not message.address.private:
        say.reply("tips.in_group", quote=False)
    elif len(words) >= SHORTEST or photos.photos:
        _receive(message, words, photos, tips, dialogs, say, effects)
    else:
        listen_no_more(dialogs)
        dialogs.ask("tip.words", wait=TELL_WAIT)
        say.reply("tips.tell", platform=message.address.platform, quote=False)


@router.dialog("tip.words")
def tip_words(message: Inbound, photos: LoosePhotos, tips: Tips, dialogs: Dialogs, say: Say, effects: Effects) -> None:
    """The next message is the tip; pictures without a word are one, too."""
    text = message.text.strip()
    if _ANNOUNCED.search(text):
        raise NotMine
    if text in NO_MORE:
        dialogs.end()
        say.reply("tips.stopped", quote=False)
        return
    effects.unsay = True
    if len(text) < SHORTEST and not photos.photos:
        _say_lost(photos, say)
        if not photos.lost:
            say.reply("tips.more_words", quote=False)
        return
    dialogs.end()
    _receive(message, text, photos, tips, dialogs, say, effects)


@router.dialog("tip.pictures", hears="")
def tip_pictures(
    message: Inbound,
    meaning: Meaning,
    pending: Pending,
    photos: LoosePhotos,
    tips: Tips,
    dialogs: Dialogs,
    say: Say,
    effects: Effects,
) -> None:
    """Pictures that follow belong to the tip with their words ("这是他们的门口"), and so does what says so of itself.

    Other words are something else.
    """
    text = message.text.strip()
    if text in NO_MORE:
        dialogs.end()
        say.reply("tips.stopped", quote=False)
        return
    goes_on = len(text) >= SHORTEST and _GOES_ON.match(text) is not None
    goes_on = goes_on or (bool(text and message.attachments) and meaning.intent in (Intent.CHAT, Intent.TIP))
    if (text and not goes_on) or not (text or message.attachments):
        raise NotMine
    effects.unsay = True
    if goes_on:
        held = tips.resume(pending.data["held"])
        tips.tell_more(held, _words(text, photos, say), _pictures(photos))
        say.reply("tips.added", pictures=len(photos.photos), quote=False)
        say.to_officers(tips.to_notify(held.tip.designation), "tips.card_more", name=held.tip.designation)
        _say_lost(photos, say)
        return
    if photos.photos:
        held = tips.resume(pending.data["held"])
        tips.tell_more(held, _words("", photos, say), _pictures(photos))
        say.reply("tips.added", pictures=len(photos.photos), quote=False)
        say.to_officers(tips.to_notify(held.tip.designation), "tips.card_more", name=held.tip.designation)
    _say_lost(photos, say)


@router.keyword(RECEIPT)
def receipt_shown(message: Inbound, tips: Tips, dialogs: Dialogs, say: Say, zone: ZoneInfo, effects: Effects) -> None:
    """The receipt opens the dialogue again: what officers answered, and the next message is added."""
    digits = read_receipt(message.text)
    if digits is None:
        raise NotMine
    if not message.address.private:
        say.reply("tips.receipt_in_group", quote=False)
        return
    effects.unsay = True
    held = tips.by_receipt(digits, _who(message))
    listen_no_more(dialogs)
    dialogs.ask("tip.more", wait=TELL_WAIT, data={"held": tips.begin(held)})
    _tell_status(held, tips, say, zone)


@router.dialog("tip.more")
def tip_more(
    message: Inbound,
    pending: Pending,
    photos: LoosePhotos,
    tips: Tips,
    dialogs: Dialogs,
    say: Say,
    effects: Effects,
) -> None:
    """After the receipt: more about the same tip, or who the source is."""
    text = message.text.strip()
    if read_receipt(text):
        raise NotMine
    dialogs.end()
    if text in NO_MORE:
        say.reply("tips.stopped", quote=False)
        return
    if len(text) < 2 and not message.attachments:
        raise NotMine
    effects.unsay = True
    if text == "留联系方式":
        dialogs.ask("tip.identity", wait=TELL_WAIT, data=dict(pending.data))
        say.reply("tips.tell_identity", quote=False)
        return
    if len(text) < 2 and not photos.photos:
        dialogs.ask("tip.more", wait=TELL_WAIT, data=dict(pending.data))
        _say_lost(photos, say)
        return
    held = tips.resume(pending.data["held"])
    tips.tell_more(held, _words(text, photos, say), _pictures(photos))
    dialogs.ask("tip.pictures", wait=PICTURES_WAIT, data=dict(pending.data))
    say.reply("tips.added", pictures=len(photos.photos), quote=False)
    _say_lost(photos, say)
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


def _receive(message: Inbound, text: str, photos: LoosePhotos, tips: Tips, dialogs: Dialogs, say: Say, effects: Effects) -> None:
    effects.unsay = True
    listen_no_more(dialogs)
    receipt = tips.receive(_words(text, photos, say), _pictures(photos))
    say.secretly("tips.received", receipt=receipt.shown, platform=message.address.platform, pictures=len(_pictures(photos)))
    _say_lost(photos, say)
    say.to_officers(tips.to_notify(receipt.designation), "tips.card", name=receipt.designation)
    # people send the words and the pictures one after the other
    held = tips.begin(tips.by_receipt(receipt.digits, _who(message)))
    dialogs.ask("tip.pictures" if text else "tip.more", wait=PICTURES_WAIT if text else TELL_WAIT, data={"held": held})


def _who(message: Inbound) -> str:
    return f"{message.address.platform}:{message.sender.id}"


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


def _words(text: str, photos: LoosePhotos, say: Say) -> str:
    return text or (say.word("tips.only_pictures") if photos.photos else "")


def _pictures(photos: LoosePhotos) -> list[NewPicture]:
    return [NewPicture(photo.path, photo.key) for photo in photos.photos[:MOST_PICTURES]]


def _say_lost(photos: LoosePhotos, say: Say) -> None:
    """A picture that cannot be had is said so; the words are kept all the same."""
    if photos.lost:
        say.reply("tips.photo_lost", trouble=trouble_with(photos, say), quote=False)

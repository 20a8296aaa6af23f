"""What comes from where somebody is in danger, after the cry: photos and words go to whoever was called or has taken it over.

The group hears nothing of it; in private, where nobody else reads along, it is said that it was passed on.
"""

from __future__ import annotations

import re
from datetime import timedelta

from sqlmodel import Session

from bot.dialogs import Dialogs, Pending
from bot.messages import Inbound
from bot.notices import Lane
from bot.router import Router
from bot.say import Say
from bot.turn import NotMine, Photos
from bot.understanding.meaning import Intent, Meaning
from cases.alarms import Alarms
from handlers.additions import THANKS
from handlers.cards import trouble_with
from handlers.hearing import ADDRESS
from storage.tables import Alarm, Attachment

router = Router("scene")

HEARD_FOR = timedelta(minutes=15)  # so long after a cry what its author sends belongs to it
MOST_PHOTOS = 20  # of one emergency; who sends more is believed
LONGEST = 300
ABOUT_IT = (Intent.CHAT, Intent.FEEDBACK, Intent.HAZARD, Intent.DISPUTE)  # 我在楼顶上 is no loose tile then
_ADDRESS = re.compile(ADDRESS)


def listen(alarm: Alarm, dialogs: Dialogs) -> None:
    """From now on what whoever cried sends goes to the officers."""
    dialogs.listen("alarm.scene", wait=HEARD_FOR, data={"alarm": str(alarm.id)})


def photos_of(dialogs: Dialogs, alarm: Alarm) -> list[int]:
    """The photos that whoever writes now has sent of an emergency: for the case that is made of it."""
    return [int(photo) for pending in dialogs.waiting() if _is_of(pending, alarm) for photo in _kept(pending)]


@router.special("scene")
def came_with_the_cry(photos: Photos, alarms: Alarms, dialogs: Dialogs, say: Say, session: Session) -> None:
    """The photos of the cry itself, once the advice is given."""
    for pending in dialogs.waiting():
        alarm = alarms.get(int(pending.data["alarm"])) if pending.name == "alarm.scene" else None
        if alarm is not None:
            _show(alarm, photos, len(_kept(pending)), alarms, say, session)
            data = {**pending.data, "photos": ",".join([*_kept(pending), *map(str, photos.ids)])}
            dialogs.listen("alarm.scene", wait=HEARD_FOR, data=data)


@router.dialog("alarm.scene", hears=rf"|{ADDRESS}")
def came_after_the_cry(
    message: Inbound,
    meaning: Meaning,
    pending: Pending,
    photos: Photos,
    alarms: Alarms,
    dialogs: Dialogs,
    say: Say,
    session: Session,
) -> None:
    """A photo, an address, and in private whatever is no other matter."""
    alarm = alarms.get(int(pending.data["alarm"]))
    if alarm is None or alarm.safe_at is not None:
        dialogs.end()
        raise NotMine
    text, kept = message.text.strip(), _kept(pending)
    if message.copied or message.quote is not None or len(kept) >= MOST_PHOTOS or not _belongs(message, meaning, text):
        raise NotMine
    if text:
        say.to_officers(
            alarms.concerned(alarm), "emergency.words_card", lane=Lane.ALARM, place=alarms.group_name(alarm), text=text[:LONGEST]
        )
    _show(alarm, photos, len(kept), alarms, say, session)
    data = {**pending.data, "photos": ",".join([*kept, *map(str, photos.ids)])}
    dialogs.listen("alarm.scene", wait=HEARD_FOR, data=data)
    if photos.lost:
        say.reply("report.photo_trouble", trouble=trouble_with(photos, say))
    elif message.address.private:
        say.reply("emergency.passed_on")


def _kept(pending: Pending) -> list[str]:
    return [photo for photo in pending.data.get("photos", "").split(",") if photo]


def _is_of(pending: Pending, alarm: Alarm) -> bool:
    return pending.name == "alarm.scene" and pending.data.get("alarm") == str(alarm.id)


def _belongs(message: Inbound, meaning: Meaning, text: str) -> bool:
    if not text:
        return bool(message.attachments)
    if _ADDRESS.fullmatch(text):
        return True
    return message.address.private and meaning.intent in ABOUT_IT and THANKS.fullmatch(text) is None


def _show(alarm: Alarm, photos: Photos, sent: int, alarms: Alarms, say: Say, session: Session) -> None:
    """Every photo to every officer; without a case they are kept for some days only."""
    rows = [session.get(Attachment, photo) for photo in photos.ids[: max(0, MOST_PHOTOS - sent)]]
    for row in rows:
        say.to_officers(
            alarms.concerned(alarm),
            "emergency.photo_card",
            photo=row.path if row else None,
            lane=Lane.ALARM,
            place=alarms.group_name(alarm),
            danger=say.word(f"emergency.names.{alarm.danger}"),
        )

"""What comes from where somebody is in danger, after the cry: photos and words go to whoever was called or has taken it over.

The group hears nothing of it; in private, where nobody else reads along, it is said that it was passed on. Photos are heard for
an hour, and once it has become a case they are added to that while it is open; words are heard until nothing was said for a
quarter of an hour, and no longer than the hour either.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from bot.dialogs import Dialogs, Pending
from bot.messages import Inbound
from bot.notices import Lane
from bot.router import Router, named_number
from bot.say import Say
from bot.turn import LoosePhotos, Menu, NotMine, Photos
from bot.understanding.meaning import Danger, Intent, Meaning
from cases.alarms import BEFORE_A_CRY, Alarms
from cases.desk import CaseDesk
from cases.lifecycle import ABOUT, State
from handlers.additions import THANKS
from handlers.cards import place_or_group, tell_holder, trouble_with
from handlers.cries import MAY_SHOW, NO_TALK, calls_ours, is_address, is_another_matter, is_kin, is_no_talk, shows_scene
from handlers.hearing import ADDRESS, SURELY
from handlers.origin import origin_of
from handlers.reports import author_of
from handlers.shown import FRESH, HEARD_FOR, OWN_REPORT, PHOTOS, WORDS, listen, note_lone
from storage.tables import Alarm, Case, Missing

router = Router("scene")

MOST_PHOTOS = 20  # of one person in one emergency; who sends more is believed
LONGEST = 300


def listen_no_more(dialogs: Dialogs) -> None:
    """What this person says and shows here from now on is something else; of a tip no officer may learn whose it is."""
    dialogs.stop(WORDS, FRESH, PHOTOS)


def take_in_noted(alarm: Alarm, sender: str, alarms: Alarms, dialogs: Dialogs) -> None:
    """The photos whose numbers an older version noted with what it listened for."""
    for pending in dialogs.waiting():
        if pending.name == WORDS and pending.data["alarm"] == str(alarm.id):
            alarms.show(alarm, [int(photo) for photo in pending.data.get("photos", "").split(",") if photo], sender)


@router.special("scene")
def came_with_the_cry(
    message: Inbound, meaning: Meaning, photos: Photos, alarms: Alarms, dialogs: Dialogs, say: Say, now: datetime
) -> None:
    """The photos of the cry itself, once the advice is given."""
    danger = meaning.danger or Danger.MEDICAL
    alarm = alarms.open_of(message.address.platform, message.address.chat, danger)
    if alarm is not None:
        listen(alarm, dialogs, now)
        _show(alarm, photos, message.sender.id, alarms, say)


@router.dialog(WORDS, hears=ADDRESS)
def told_after_the_cry(
    message: Inbound,
    meaning: Meaning,
    pending: Pending,
    menu: Menu,
    alarms: Alarms,
    dialogs: Dialogs,
    say: Say,
    now: datetime,
) -> None:
    """An address, and in private whatever is no other matter."""
    alarm = alarms.get(int(pending.data["alarm"]))
    if alarm is None or alarm.safe_at is not None:
        dialogs.end()
        raise NotMine
    text = message.text.strip()
    if message.copied or message.quote is not None or message.attachments or not _belongs(message, meaning, text, alarm, menu):
        raise NotMine
    _pass_on(alarm, text, alarms, say)
    data = {"until": (now + HEARD_FOR).isoformat()} | pending.data  # what was noted by an older version knows no end
    left = datetime.fromisoformat(data["until"]) - now
    dialogs.listen(WORDS, wait=min(HEARD_FOR, left), data=data)
    if message.address.private:
        say.reply("emergency.passed_on")


@router.dialog(FRESH, hears="", shows=NO_TALK)
def shown_soon_after_the_cry(message: Inbound, meaning: Meaning, photos: LoosePhotos) -> None:  # noqa: ARG001
    """Has it looked at, and its photo fetched; what becomes of it is said below."""
    aloud = not (message.address.private or message.addressed)
    if aloud and message.text.strip() and meaning.intent is Intent.TIP and meaning.confidence < SURELY:
        return  # nobody was to answer it
    raise NotMine


@router.dialog(PHOTOS, hears="", shows=MAY_SHOW)
def shown_after_the_cry(
    message: Inbound,
    meaning: Meaning,
    pending: Pending,
    photos: Photos,
    alarms: Alarms,
    desk: CaseDesk,
    dialogs: Dialogs,
    say: Say,
    session: Session,
    now: datetime,
) -> None:
    """A photo of it, with its words if they are no other matter."""
    alarm = alarms.get(int(pending.data["alarm"]))
    case = _case_of(alarm, desk, session) if alarm is not None else None
    if alarm is None or (alarm.safe_at is not None and case is None):
        dialogs.end()
        raise NotMine
    text = message.text.strip()
    fresh = any(one.name == FRESH for one in dialogs.waiting())
    if (
        not message.attachments
        or not _shows_it(message, meaning, text, alarm, fresh=fresh)
        or alarms.shown(alarm, message.sender.id) >= MOST_PHOTOS
    ):
        raise NotMine
    report = _reported_since(message, alarm, case, desk)
    if report is not None and alarm.safe_at is not None:
        raise NotMine
    if alarm.safe_at is None:
        if text:
            _pass_on(alarm, text, alarms, say)
        _show(alarm, photos, message.sender.id, alarms, say)
        if case is not None:
            desk.attach(case, photos.ids, author_of(message, case, desk), message_id=message.message_id)
        elif report is not None and message.lone_photo and alarm.danger != Danger.MISSING:
            known = desk.master_of(report)
            desk.attach(known, photos.ids, author_of(message, known, desk), message_id=message.message_id)
    elif case is not None:
        alarms.show(alarm, photos.ids, message.sender.id)
        about = fresh or meaning.intent is not Intent.CHAT or shows_scene(text, meaning, Danger(alarm.danger))
        desk.add(case, text if about else "", photos.ids, author_of(message, case, desk), message.message_id)
        if photos.ids or text:
            shown = text[:LONGEST] or say.word("emergency.shown_more")
            _tell_who_has_it(case, alarm, alarms, say, session, text=shown, photos=len(photos.ids))
    if message.lone_photo:
        note_lone(pending, photos.ids, dialogs, now)
    if not message.address.private:
        return
    if photos.lost:
        say.reply("report.photo_trouble", trouble=trouble_with(photos, say))
    elif alarm.safe_at is not None and case is not None:
        say.reply("report.added", case=case, number=case.number, trouble="")
    else:
        say.reply("emergency.passed_on")


def _reported_since(message: Inbound, alarm: Alarm, case: Case | None, desk: CaseDesk) -> Case | None:
    """What this person has just reported besides; while people are in danger, nothing that may be the same danger."""
    newer = [one for one in desk.recent_of(origin_of(message, None), OWN_REPORT) if case is None or one.id != case.id]
    return next((one for one in newer if alarm.safe_at is not None or not is_kin(one.category, Danger(alarm.danger))), None)


def own_search(alarm: Alarm, desk: CaseDesk) -> Case | None:
    """The one case that whoever cried has brought about the person, as by `/寻人`: then, or not long before."""
    since = alarm.started_at - BEFORE_A_CRY
    mine = [case for case in desk.of_reporter(alarm.platform, alarm.sender) if case.created_at >= since and _is_search(case)]
    return mine[0] if len(mine) == 1 else None


def search_of(alarm: Alarm, desk: CaseDesk, session: Session) -> Case | None:
    """The one search that is surely for whom this cry is about: of whoever cried, or written since by whoever took it over.
    None: it may be another, and a photo of somebody else must not go out with it."""
    own = own_search(alarm, desk)
    if own is not None:
        return own
    if alarm.officer_id is None:
        return None
    since = select(Case).join(Missing, col(Missing.case_id) == col(Case.id)).where(Case.created_at >= alarm.started_at)
    found = [case for case in session.exec(since.where(Missing.officer_id == alarm.officer_id)).all() if _is_search(case)]
    return found[0] if len(found) == 1 else None


def _is_search(case: Case) -> bool:
    return case.kind == "missing" and ABOUT[State(case.state)].open


def _case_of(alarm: Alarm, desk: CaseDesk, session: Session) -> Case | None:
    """The case of an emergency, if there is one and it is open; of somebody missing only when it is surely for that person."""
    search = search_of(alarm, desk, session) if alarm.danger == Danger.MISSING else None
    if alarm.case_id is None:
        return search if alarm.safe_at is None else None
    case = desk.get(alarm.case_id)
    if case is None or (case.kind == "missing" and (search is None or search.id != case.id)):
        return None
    known = desk.master_of(case)
    return known if ABOUT[State(known.state)].open else None


def _tell_who_has_it(case: Case, alarm: Alarm, alarms: Alarms, say: Say, session: Session, **values: Any) -> None:
    """Whoever took the case; before somebody did, those who had the emergency."""
    if case.officer_id is not None:
        tell_holder(case, "desk.addition", say, session, **values)
        return
    officers, place = alarms.concerned(alarm), place_or_group(case, session)
    say.to_officers(officers, "desk.addition", case=case, number=case.number, place=place, **values)


def _belongs(message: Inbound, meaning: Meaning, text: str, alarm: Alarm, menu: Menu) -> bool:
    if is_address(text):
        return True
    if not message.address.private or THANKS.fullmatch(text) or calls_ours(text, menu):
        return False
    return not is_another_matter(text, meaning, Danger(alarm.danger))


def _shows_it(message: Inbound, meaning: Meaning, text: str, alarm: Alarm, *, fresh: bool) -> bool:
    """Whether it is no other matter, nor about a case that is named; of what comes soon after the cry, no small talk."""
    if message.quote is not None and (message.copied or named_number(message.quote.text) is not None):
        return False
    if not text:
        return True
    danger = Danger(alarm.danger)
    if message.copied or named_number(text) is not None or is_another_matter(text, meaning, danger):
        return False
    if message.address.private or message.addressed or shows_scene(text, meaning, danger):
        return True
    return fresh and is_no_talk(text) and (danger is Danger.MONEY or not meaning.scam.is_scam)


def _pass_on(alarm: Alarm, text: str, alarms: Alarms, say: Say) -> None:
    place = alarms.group_name(alarm)
    say.to_officers(alarms.concerned(alarm), "emergency.words_card", lane=Lane.ALARM, place=place, text=text[:LONGEST])


def _show(alarm: Alarm, photos: Photos, sender: str, alarms: Alarms, say: Say) -> None:
    """Every photo to every officer; without a case they are kept for some days only."""
    room = max(0, MOST_PHOTOS - alarms.shown(alarm, sender))
    for row in alarms.show(alarm, photos.ids, sender)[:room]:
        say.to_officers(
            alarms.concerned(alarm),
            "emergency.photo_card",
            photo=row.path,
            lane=Lane.ALARM,
            place=alarms.group_name(alarm),
            danger=say.word(f"emergency.names.{alarm.danger}"),
        )

"""Photos that went to an emergency before the words came which say what they show."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session, col, update

from bot.dialogs import DialogKey, Dialogs, Pending
from bot.understanding.meaning import Danger
from cases.alarms import Alarms
from cases.desk import CaseDesk
from handlers.cries import is_kin
from storage.tables import Alarm, Attachment, Case, CaseEntry

WORDS = "alarm.scene"
FRESH = "fresh.photo"  # a photo so soon after a cry, whatever is written below it
HEARD_FOR = timedelta(minutes=15)  # so long after a cry, or after the last of his words, what its author says belongs to it
SHOWN_FOR = timedelta(hours=1)  # and what he shows after the cry
PHOTOS = "scene.photo"
OWN_REPORT = timedelta(minutes=2)  # a photo so close to a report, before or after it, is of that


def listen(alarm: Alarm, dialogs: Dialogs, now: datetime, of: DialogKey | None = None) -> None:
    """From now on what whoever cried (default: this message's sender) sends goes to the officers."""
    data = {"alarm": str(alarm.id)}
    dialogs.listen(WORDS, wait=HEARD_FOR, data=data | {"until": (now + SHOWN_FOR).isoformat()}, of=of)
    dialogs.listen(FRESH, wait=HEARD_FOR, data=data, of=of)
    dialogs.listen(PHOTOS, wait=SHOWN_FOR, data=data, of=of)


def note_lone(pending: Pending, photos: tuple[int, ...], dialogs: Dialogs, now: datetime) -> None:
    """These came without words: what their sender reports next may be what they show."""
    noted = [*filter(None, pending.data.get("lone", "").split(",")), *map(str, photos)]
    dialogs.listen(PHOTOS, wait=pending.until - now, data=pending.data | {"lone": ",".join(noted)})


def attach_shown(case: Case, alarm: Alarm, alarms: Alarms, desk: CaseDesk) -> None:
    """The photos of an emergency into its case, each as of whoever sent it."""
    for row in alarms.photos_for_case(alarm):
        sender = row.sender if row.sender is not None else alarm.sender
        desk.attach(case, [row.id or 0], desk.author(case, alarm.platform, sender))


def take_back_lone(case: Case, dialogs: Dialogs, desk: CaseDesk, session: Session) -> None:
    """What its reporter showed without words just before is of this report, unless that may be part of the emergency; while
    people are in danger it stays with whoever was called, and who is missing goes nowhere else."""
    for pending in dialogs.waiting():
        alarm = session.get(Alarm, int(pending.data["alarm"])) if pending.name == PHOTOS else None
        if alarm is None or is_kin(case.category, Danger(alarm.danger)):
            continue
        if alarm.safe_at is None and alarm.danger == Danger.MISSING:
            continue
        for photo in filter(None, pending.data.get("lone", "").split(",")):
            row = session.get(Attachment, int(photo))
            if row is None or row.alarm_id != alarm.id or row.created_at <= desk.now - OWN_REPORT:
                continue
            if alarm.safe_at is None:
                if row.case_id is None:
                    desk.attach(case, [int(photo)], "reporter")
                continue
            row.alarm_id, row.platform, row.sender = None, None, None
            session.execute(update(CaseEntry).where(col(CaseEntry.attachment_id) == row.id).values(attachment_id=None))
            desk.attach(case, [int(photo)], "reporter")

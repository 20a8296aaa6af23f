"""Emergencies that were answered: who has to be called until somebody says that he has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, or_, select

from cases.dispatch import dispatchers, officers_with, on_duty
from storage.tables import Alarm, Attachment, Group, Officer

SAME_EMERGENCY = timedelta(minutes=30)  # a second call within this time in one chat is the same emergency
OPEN_FOR = timedelta(hours=24)  # so long somebody may say that the people are safe; after that it is another matter
BEFORE_A_CRY = timedelta(hours=2)  # a search that was written down before the cry may be about the same person
ANSWER_AGAIN_AFTER = timedelta(seconds=60)  # and is answered again only after this time
MISSING = "missing"  # `Danger.MISSING`, of whose house this one knows nothing: its end is that somebody is found


@dataclass(frozen=True, slots=True)
class Raised:
    """An emergency as it stands after a call for help: is it new, and does the group need the advice (again)?"""

    alarm: Alarm
    new: bool
    advise: bool


def open_alarm(session: Session, platform: str, chat: str, now: datetime, danger: str = "") -> Alarm | None:
    """The newest emergency (of a kind) in a chat of which nobody has said yet that the people are safe."""
    wanted = (
        select(Alarm)
        .where(Alarm.platform == platform, Alarm.chat == chat, col(Alarm.safe_at).is_(None), Alarm.started_at > now - OPEN_FOR)
        .order_by(col(Alarm.id).desc())
    )
    return session.exec(wanted.where(Alarm.danger == danger) if danger else wanted).first()


class Alarms:
    """Raises, repeats and acknowledges alarms inside the caller's transaction."""

    def __init__(self, session: Session, now: datetime) -> None:
        self._session = session
        self._now = now
        self._gone_on: list[Alarm] = []  # by what is being handled

    def raise_(self, new: Alarm) -> Raised:
        """Register a call for help; the same danger in the same chat within half an hour is one alarm, and what was just said
        not to be over is the one that goes on."""
        mine = (new.platform, new.chat, new.danger)
        gone_on = next((one for one in self._gone_on if (one.platform, one.chat, one.danger) == mine), None)
        if gone_on is not None:
            return Raised(gone_on, new=False, advise=True)
        known = self._session.exec(
            select(Alarm).where(
                Alarm.platform == new.platform,
                Alarm.chat == new.chat,
                Alarm.danger == new.danger,
                col(Alarm.safe_at).is_(None),
                Alarm.started_at > self._now - SAME_EMERGENCY,
            )
        ).first()
        if known is not None:
            advise = known.sender != new.sender or self._now - known.started_at >= ANSWER_AGAIN_AFTER
            return Raised(known, new=False, advise=advise)
        self._session.add(new)
        self._session.flush()
        return Raised(new, new=True, advise=True)

    def get(self, alarm_id: int) -> Alarm | None:
        return self._session.get(Alarm, alarm_id)

    def open_in(self, platform: str, chat: str) -> Alarm | None:
        return open_alarm(self._session, platform, chat, self._now)

    def open_of(self, platform: str, chat: str, danger: str) -> Alarm | None:
        """The newest one of a kind."""
        return open_alarm(self._session, platform, chat, self._now, danger)

    def shown(self, alarm: Alarm, sender: str) -> int:
        """How many photos of it there are from this person."""
        of_it = select(func.count()).select_from(Attachment).where(Attachment.alarm_id == alarm.id, Attachment.sender == sender)
        return self._session.exec(of_it).one()

    def show(self, alarm: Alarm, photos: Sequence[int], sender: str) -> list[Attachment]:
        """These stored photos are of it, sent by this person."""
        rows = [row for photo in photos if (row := self._session.get(Attachment, photo)) is not None]
        for row in rows:
            row.alarm_id, row.platform, row.sender = alarm.id, alarm.platform, sender
            self._session.add(row)
        return rows

    def photos_for_case(self, alarm: Alarm) -> list[Attachment]:
        """The photos, whoever sent them, that no case has yet: of this emergency, and of another kind of it which the same person
        cried within half an hour and which is open too. Somebody who is missing is a matter of its own."""
        wanted = select(Alarm.id).where(Alarm.id == alarm.id)
        if alarm.danger != MISSING:
            wanted = select(Alarm.id).where(
                Alarm.platform == alarm.platform,
                Alarm.chat == alarm.chat,
                Alarm.sender == alarm.sender,
                Alarm.danger != MISSING,
                or_(Alarm.id == alarm.id, col(Alarm.safe_at).is_(None)),
                col(Alarm.started_at).between(alarm.started_at - SAME_EMERGENCY, alarm.started_at + SAME_EMERGENCY),
            )
        loose = select(Attachment).where(col(Attachment.alarm_id).in_(wanted), col(Attachment.case_id).is_(None))
        return list(self._session.exec(loose.order_by(col(Attachment.id))).all())

    def waiting(self) -> list[Alarm]:
        """Alarms that nobody has acknowledged, oldest first."""
        return list(self._session.exec(select(Alarm).where(col(Alarm.acknowledged_at).is_(None)).order_by(col(Alarm.id))).all())

    def called(self, alarm: Alarm) -> list[Officer]:
        """Whom to call: the duty officer of the grid; from the third round on, the supervisors too; never nobody."""
        grid_id = self.grid_id(alarm)
        officers = on_duty(self._session, grid_id, self._now) or dispatchers(self._session, grid_id)
        if alarm.rounds >= 2 or not officers:
            officers = [
                *officers,
                *(o for o in officers_with(self._session, ("supervisor",), "district", ()) if o not in officers),
            ]
        return officers

    def concerned(self, alarm: Alarm) -> list[Officer]:
        """Whoever was called, and whoever has taken it over, who need not be on duty."""
        taker = self._session.get(Officer, alarm.officer_id) if alarm.officer_id is not None else None
        called = self.called(alarm)
        return called if taker is None or taker in called else [taker, *called]

    def grid_id(self, alarm: Alarm) -> int | None:
        group = self._session.get(Group, alarm.group_id) if alarm.group_id else None
        return group.grid_id if group else None

    def group_name(self, alarm: Alarm) -> str:
        group = self._session.get(Group, alarm.group_id) if alarm.group_id else None
        return group.name if group else "私聊"

    def acknowledge(self, alarm: Alarm, officer: Officer) -> None:
        alarm.acknowledged_at, alarm.officer_id = self._now, officer.id
        self._session.add(alarm)

    def safe(self, alarm: Alarm, case_id: int | None) -> None:
        """Somebody said that the people are safe; from now on it may be a case."""
        alarm.safe_at, alarm.case_id = self._now, case_id
        self._session.add(alarm)

    def goes_on(self, alarm: Alarm) -> None:
        """It was not over after all; if it became a case, that is still the one."""
        alarm.safe_at = None
        self._session.add(alarm)
        self._gone_on.append(alarm)

    def opened_again(self, alarm: Alarm) -> list[Alarm]:
        """Other emergencies of the kind that the same person cried in this chat, and that were taken for over once."""
        wanted = select(Alarm).where(
            Alarm.platform == alarm.platform,
            Alarm.chat == alarm.chat,
            Alarm.sender == alarm.sender,
            Alarm.danger == alarm.danger,
            Alarm.id != alarm.id,
            col(Alarm.safe_at).is_(None),
            col(Alarm.case_id).is_not(None),
        )
        return list(self._session.exec(wanted.order_by(col(Alarm.id).desc())).all())

    def is_recent(self, alarm: Alarm) -> bool:
        """Whether it can still be told to be over, or not to be."""
        return alarm.started_at > self._now - OPEN_FOR

    def next_round(self, alarm: Alarm) -> None:
        alarm.rounds += 1
        self._session.add(alarm)

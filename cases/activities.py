"""Volunteers' activities: published in a group, signed up for, checked in on the spot; hours and points only by consent."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from cases.desk import Gate
from content.refusal import Refusal
from storage.tables import Activity, ActivityEntry, Group, Officer, Volunteer

POINTS_PER_HOUR = 10


@dataclass(frozen=True, slots=True)
class Person:
    """The account that speaks."""

    platform: str
    account: str
    user_id: str
    name: str


@dataclass(frozen=True, slots=True)
class NewActivity:
    """What is planned. `seats` None: as many as like."""

    title: str
    place: str
    starts_at: datetime
    hours: float
    seats: int | None


class Activities:
    """Activities and the volunteers' own accounts of them, inside the caller's transaction."""

    def __init__(self, session: Session, gate: Gate, now: datetime) -> None:
        self._session = session
        self._gate = gate
        self._now = now

    def publish(self, new: NewActivity, group: Group) -> Activity:
        """Announce it to the group in which it is said."""
        officer = self._gate.require("activity.publish", grid_id=group.grid_id, target=new.title[:20])
        if new.starts_at <= self._now:
            raise Refusal("activities.past")
        activity = Activity(
            group_id=group.id or 0,
            officer_id=officer.id or 0,
            title=new.title,
            place=new.place,
            starts_at=new.starts_at,
            hours=new.hours,
            seats=new.seats,
            code="".join(secrets.choice("0123456789") for _ in range(4)),
        )
        self._session.add(activity)
        self._session.flush()
        return activity

    def find(self, number: int) -> Activity:
        """The activity of that number; Refusal when there is none."""
        activity = self._session.get(Activity, number)
        if activity is None:
            raise Refusal("activities.no_such", number=number)
        return activity

    def coming(self, group_id: int | None) -> list[Activity]:
        """Open activities, of one group or of all, the next one first."""
        wanted = select(Activity).where(Activity.state == "open").order_by(col(Activity.starts_at))
        return list(self._session.exec(wanted if group_id is None else wanted.where(Activity.group_id == group_id)).all())

    def entries(self, activity: Activity) -> list[ActivityEntry]:
        return list(
            self._session.exec(
                select(ActivityEntry).where(ActivityEntry.activity_id == activity.id).order_by(col(ActivityEntry.id))
            ).all()
        )

    def sign_up(self, activity: Activity, person: Person) -> int:
        """Take a seat; returns how many have. Raises Refusal when it is full, over, or taken already."""
        self._still_open(activity)
        if self._entry(activity, person) is not None:
            raise Refusal("activities.signed_already", number=activity.id)
        taken = self._session.exec(
            select(func.count()).select_from(ActivityEntry).where(ActivityEntry.activity_id == activity.id)
        ).one()
        if activity.seats is not None and taken >= activity.seats:
            raise Refusal("activities.full", number=activity.id)
        self._session.add(
            ActivityEntry(
                activity_id=activity.id or 0,
                platform=person.platform,
                account=person.account,
                user_id=person.user_id,
                name=person.name,
                signed_at=self._now,
            )
        )
        return taken + 1

    def sign_off(self, activity: Activity, person: Person) -> None:
        """Give the seat back, at any time before it is held."""
        self._still_open(activity)
        entry = self._entry(activity, person)
        if entry is None:
            raise Refusal("activities.not_signed", number=activity.id)
        self._session.delete(entry)
        self._session.flush()

    def check_in(self, code: str, person: Person) -> Activity:
        """Be there: the code is told on the spot. Whoever comes without having signed up is welcome."""
        activity = self._session.exec(select(Activity).where(Activity.code == code, Activity.state == "open")).first()
        if activity is None:
            raise Refusal("activities.wrong_code")
        entry = self._entry(activity, person) or ActivityEntry(
            activity_id=activity.id or 0,
            platform=person.platform,
            account=person.account,
            user_id=person.user_id,
            name=person.name,
            signed_at=self._now,
        )
        entry.came_at = entry.came_at or self._now
        self._session.add(entry)
        return activity

    def finish(self, activity: Activity, *, held: bool) -> list[ActivityEntry]:
        """It is over, or called off; the hours of those who came and want them are counted. Returns who was concerned."""
        self._allowed("activity.finish", activity)
        self._still_open(activity)
        activity.state = "held" if held else "cancelled"
        self._session.add(activity)
        entries = self.entries(activity)
        if not held:
            return entries
        came = [entry for entry in entries if entry.came_at is not None]
        for entry in came:
            volunteer = self.volunteer(entry.platform, entry.user_id)
            if volunteer is not None:
                volunteer.hours += activity.hours
                volunteer.points += round(activity.hours * POINTS_PER_HOUR)
                self._session.add(volunteer)
        return came

    def see(self, activity: Activity) -> Officer:
        """Ask for the right to see who comes and the code."""
        return self._allowed("activity.view", activity)

    # --- a volunteer's own account ---

    def volunteer(self, platform: str, user_id: str) -> Volunteer | None:
        return self._session.exec(select(Volunteer).where(Volunteer.platform == platform, Volunteer.user_id == user_id)).first()

    def agree(self, person: Person, trade: str = "") -> Volunteer:
        """From now on hours and points of this person are kept, because he asked for it."""
        volunteer = self.volunteer(person.platform, person.user_id) or Volunteer(
            platform=person.platform, user_id=person.user_id, name=person.name, agreed_at=self._now
        )
        volunteer.trade = trade or volunteer.trade
        self._session.add(volunteer)
        return volunteer

    def leave(self, person: Person) -> bool:
        """Forget hours, points and all sign-ups of this person; false when there was nothing."""
        entries = self._session.exec(
            select(ActivityEntry).where(ActivityEntry.platform == person.platform, ActivityEntry.user_id == person.user_id)
        ).all()
        volunteer = self.volunteer(person.platform, person.user_id)
        for row in (*entries, *([volunteer] if volunteer else [])):
            self._session.delete(row)
        self._session.flush()
        return bool(entries) or volunteer is not None

    def _entry(self, activity: Activity, person: Person) -> ActivityEntry | None:
        return self._session.exec(
            select(ActivityEntry).where(
                ActivityEntry.activity_id == activity.id,
                ActivityEntry.platform == person.platform,
                ActivityEntry.user_id == person.user_id,
            )
        ).first()

    def _still_open(self, activity: Activity) -> None:
        if activity.state != "open":
            raise Refusal("activities.over", number=activity.id)

    def _allowed(self, action: str, activity: Activity) -> Officer:
        group = self._session.get(Group, activity.group_id)
        return self._gate.require(action, grid_id=group.grid_id if group else None, target=str(activity.id))

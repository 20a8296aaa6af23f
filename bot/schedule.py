"""Schedules as rows: every due time is an `Occurrence`, unique by schedule and time, and ends "sent" or "skipped" with a reason.

There is always one row ahead of the present for every schedule. After a downtime that row says from where on due times were
missed; each of them gets a row and an end by the schedule's own rule. The row is taken with a conditional update in the
transaction that writes the campaign, so that of two nodes, or of two starts, one fires it and nobody fires it twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, delete, func, select, update

from bot.campaigns import Campaigns, CampaignState, Plan, Request
from bot.clock import Clock
from bot.config import ScheduleSettings
from bot.occurrences import due_after, due_between
from bot.permissions import Role
from bot.say import Say, Voice
from content.expressions import any_of
from content.refusal import Refusal
from storage.failpoints import failpoint
from storage.tables import Campaign, Occurrence, Officer, OfficerRole
from storage.writer import StorageUnavailable, Writer

log = structlog.get_logger(__name__)

ON_TIME = timedelta(minutes=5)  # up to here a post counts as punctual and carries no note
PATROL = timedelta(seconds=60)  # the clock on the wall can jump, and a machine can sleep
AFTER_TROUBLE = timedelta(seconds=5)

NOT_LOADED = {"synchronize_session": False}  # no object of these rows is in the session yet, so there is none to look after

REMOVED = "schedule removed"
NEWER = "a newer one follows"
QUIET = "quiet hours"


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of one occurrence. `phrase` says in Chinese why it was skipped."""

    schedule: str
    due_at: datetime
    state: str
    reason: str = ""
    phrase: str = ""
    campaign_id: int | None = None


class Schedules:
    """The schedules inside one transaction."""

    def __init__(self, session: Session, now: datetime, schedules: Sequence[ScheduleSettings], zone: ZoneInfo) -> None:
        self._session = session
        self._now = now
        self._by_name: Mapping[str, ScheduleSettings] = {schedule.name: schedule for schedule in schedules}
        self._zone = zone

    def prepare(self) -> list[tuple[int, bool]]:
        """Give every due time up to now, and the next one, its row. Returns what is due, oldest first, and whether it is the
        newest of its schedule."""
        for schedule in self._by_name.values():
            self._fill(schedule)
        self._drop_removed()
        self._session.flush()
        due = self._session.exec(
            select(Occurrence)
            .where(Occurrence.state == "due", Occurrence.due_at <= self._now)
            .order_by(col(Occurrence.due_at), col(Occurrence.id))
        ).all()
        newest = {occurrence.schedule: occurrence.id for occurrence in due}
        return [(occurrence.id or 0, newest[occurrence.schedule] == occurrence.id) for occurrence in due]

    def end(self, occurrence_id: int, newest: bool, campaigns: Campaigns) -> Ended | None:
        """Send the occurrence or skip it, and write down which; None when somebody else was faster."""
        taken = self._session.exec(
            update(Occurrence).where(col(Occurrence.id) == occurrence_id, col(Occurrence.state) == "due").values(state="taken")
        )
        row = self._session.get(Occurrence, occurrence_id, populate_existing=True)
        if taken.rowcount == 0 or row is None:
            return None
        ended = self._decide(row, newest, campaigns)
        row.state, row.reason, row.campaign_id = ended.state, ended.reason, ended.campaign_id
        self._session.add(row)
        self._session.flush()
        return ended

    def _decide(self, row: Occurrence, newest: bool, campaigns: Campaigns) -> Ended:
        schedule = self._by_name.get(row.schedule)
        late = self._now - row.due_at
        minutes = int(late.total_seconds() // 60)
        if schedule is None:
            return _skip(row, REMOVED, campaigns.say("skipped_removed"))
        if not newest:
            return _skip(row, NEWER, campaigns.say("skipped_newer"))
        allowed = timedelta(minutes=schedule.late_minutes) if schedule.on_late == "send" else ON_TIME
        if late > allowed:
            return _skip(row, f"{minutes} minutes late", campaigns.say("skipped_late", hours=minutes // 60, minutes=minutes % 60))
        if campaigns.rules.is_quiet(self._now):
            return _skip(row, QUIET, campaigns.say("skipped_quiet"))
        request = Request(
            schedule.category,
            any_of(schedule.labels),
            f"schedule:{schedule.name}",
            no_repeat=timedelta(weeks=schedule.no_repeat_weeks),
            late_for=row.due_at if late > ON_TIME else None,
        )
        try:
            campaign, plan = campaigns.send(request)
        except Refusal as refusal:
            return _skip(row, refusal.phrase, campaigns.say("skipped_nothing", why=campaigns.refusal(refusal)))
        failpoint("schedule.enqueued")
        return _sent(row, campaign, plan, campaigns, minutes if request.late_for else 0)

    def _fill(self, schedule: ScheduleSettings) -> None:
        mine = select(Occurrence.due_at).where(Occurrence.schedule == schedule.name)
        behind = self._session.exec(
            mine.where(Occurrence.due_at <= self._now).order_by(col(Occurrence.due_at).desc()).limit(1)
        ).first()
        days, at = schedule.due_days, schedule.time
        wanted = list(due_between(days, at, self._zone, behind, self._now)) if behind else []
        ahead = due_after(days, at, self._zone, self._now)
        # a row ahead that no longer fits is of an older wording of the schedule
        self._session.exec(
            delete(Occurrence).where(
                col(Occurrence.schedule) == schedule.name,
                col(Occurrence.state) == "due",
                col(Occurrence.due_at) > self._now,
                col(Occurrence.due_at) != (ahead or self._now),
            ),
            execution_options=NOT_LOADED,
        )
        for due in [*wanted, *([ahead] if ahead else [])]:
            self._insert(schedule.name, due)

    def _insert(self, schedule: str, due: datetime) -> None:
        dialect = sqlite if self._session.get_bind().dialect.name == "sqlite" else postgresql
        row = {"schedule": schedule, "due_at": due, "state": "due", "reason": ""}
        self._session.execute(dialect.insert(Occurrence).values(**row).on_conflict_do_nothing())

    def _drop_removed(self) -> None:
        self._session.exec(
            delete(Occurrence).where(
                col(Occurrence.state) == "due",
                col(Occurrence.due_at) > self._now,
                col(Occurrence.schedule).not_in(list(self._by_name)),
            ),
            execution_options=NOT_LOADED,
        )


class ScheduleLoop:
    """Wakes when the next occurrence is due.

    `campaigns` makes the service for one transaction; `sent` is called after a commit, to wake the outbox.
    """

    def __init__(
        self,
        writer: Writer,
        clock: Clock,
        schedules: Sequence[ScheduleSettings],
        zone: ZoneInfo,
        voice: Voice,
        campaigns: Callable[[Session, datetime], Campaigns],
        sent: Callable[[], None],
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._schedules = schedules
        self._zone = zone
        self._voice = voice
        self._campaigns = campaigns
        self._sent = sent
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Serve the schedules until cancelled."""
        while True:
            self._wake.clear()
            now = self._clock()
            try:
                next_due = await self.run_due()
            except StorageUnavailable as problem:
                log.error("schedules_wait_for_storage", problem=type(problem).__name__)
                next_due = now + AFTER_TROUBLE
            await self._clock.wait(min(next_due or now + PATROL, now + PATROL), self._wake)

    async def run_due(self) -> datetime | None:
        """End everything that is due; returns when the next one is."""
        now = self._clock()
        due, next_due = await self._writer.run(lambda session: self._prepare(session, now))
        failpoint("schedule.recorded")
        for occurrence_id, newest in due:
            await self._end(occurrence_id, newest, now)
        return next_due

    def _prepare(self, session: Session, now: datetime) -> tuple[list[tuple[int, bool]], datetime | None]:
        schedules = Schedules(session, now, self._schedules, self._zone)
        due = schedules.prepare()
        ahead = session.exec(select(func.min(Occurrence.due_at)).where(Occurrence.state == "due", Occurrence.due_at > now)).one()
        return due, ahead

    async def _end(self, occurrence_id: int, newest: bool, now: datetime) -> None:
        def work(session: Session) -> Ended | None:
            ended = Schedules(session, now, self._schedules, self._zone).end(occurrence_id, newest, self._campaigns(session, now))
            if ended is not None and ended.state == "skipped" and ended.reason != NEWER:
                self._tell_editors(session, ended, now)
            return ended

        try:
            ended = await self._writer.run(work)
        except StorageUnavailable:
            raise
        except Exception as problem:
            # it stays due: it is tried again with every patrol until its schedule calls it too late
            log.error("occurrence_failed", occurrence=occurrence_id, exc_info=problem)
            return
        if ended is None:
            return
        log.info("occurrence_ended", schedule=ended.schedule, due=ended.due_at, state=ended.state, reason=ended.reason)
        self._sent()

    def _tell_editors(self, session: Session, ended: Ended, now: datetime) -> None:
        editors = session.exec(
            select(Officer)
            .join(OfficerRole, col(OfficerRole.officer_id) == col(Officer.id))
            .where(col(Officer.active), OfficerRole.role == Role.EDITOR)
            .distinct()
        ).all()
        due = ended.due_at.astimezone(self._zone)
        say = Say(session, self._voice, now, f"s:{ended.schedule}:{ended.due_at.isoformat()}", None)
        when = f"{due.month}月{due.day}日{due:%H:%M}"
        say.to_officers(editors, "posts.schedule.skipped", schedule=ended.schedule, due=when, reason=ended.phrase)


def _skip(row: Occurrence, reason: str, phrase: str) -> Ended:
    return Ended(row.schedule, row.due_at, "skipped", reason, phrase)


def _sent(row: Occurrence, campaign: Campaign, plan: Plan, campaigns: Campaigns, minutes: int) -> Ended:
    if not plan.sent:
        reasons = ", ".join(f"{reason.value} {count}" for reason, count in plan.reasons.items())
        phrase = campaigns.say("skipped_nobody", reasons=campaigns.why(plan.reasons))
        return Ended(row.schedule, row.due_at, "skipped", f"no group: {reasons}", phrase, campaign.id)
    if campaign.state == CampaignState.WAITING:
        return Ended(row.schedule, row.due_at, "sent", "waits for a second person", "", campaign.id)
    return Ended(row.schedule, row.due_at, "sent", f"{minutes} minutes late" if minutes else "", "", campaign.id)

"""The officers' day in their own groups: the morning card, the card at the end of the shift, and handing the duty over."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session

from bot.messages import Inbound
from bot.notices import Lane
from bot.permissions import Rights, Role
from bot.router import Router, Words
from bot.say import Say
from bot.timers import Due, Timers
from bot.turn import NotMine, Photos
from bot.understanding.meaning import Meaning
from cases.desk import CaseDesk, NewCase
from cases.dispatch import dispatchers, on_duty
from cases.roster import Roster
from cases.shift import MORNING, TIMER, TOO_LATE, count_shift, hand_over, next_card, work_groups
from content.refusal import Refusal
from handlers.cards import moment, place_or_group
from handlers.origin import origin_of
from handlers.reports import KIND
from storage.tables import Group, Officer

router = Router("shift")

_CALL = re.compile(r"[@＠]\s*值班[\s,，：:]*")
CALENDAR_ENDS_SOON = timedelta(days=30)


@router.timer(TIMER)
def card_is_due(due: Due, desk: CaseDesk, timers: Timers, say: Say, session: Session, zone: ZoneInfo, now: datetime) -> None:
    """One card for each of the officers' groups; one that is hours late, after a downtime, is left out."""
    clocks = desk.clocks
    timers.after(next_card(clocks.calendar, due.key, now) - now, TIMER, due.key)
    local = now.astimezone(zone)
    planned = datetime.combine(local.date(), clocks.calendar.opens if due.key == MORNING else clocks.calendar.closes, zone)
    if not clocks.calendar.works(local.date()) or not timedelta(0) <= now - planned <= TOO_LATE:
        return
    for group in work_groups(session):
        _say_card(due.key, group, desk, say, session, zone, now)


def _say_card(kind: str, group: Group, desk: CaseDesk, say: Say, session: Session, zone: ZoneInfo, now: datetime) -> None:
    today, calendar = now.astimezone(zone).date(), desk.clocks.calendar
    ends = datetime.combine(today + timedelta(days=1), datetime.min.time(), zone)
    since = now - timedelta(days=1) if kind == MORNING else datetime.combine(today, calendar.opens, zone)
    counts = count_shift(session, group, since.astimezone(now.tzinfo), ends.astimezone(now.tzinfo))
    rows = [
        (one.case.number, desk.category(one.case).name, place_or_group(one.case, session), moment(one.due_at, zone))
        for one in counts.listed
    ]
    duty = "、".join(f"{officer.title}{officer.name}" for officer in on_duty(session, group.grid_id, now))
    known_until = calendar.ends
    say.to_group(
        group,
        f"shift.{kind}",
        lane=Lane.OFFICER,
        key=f"card:{kind}:{group.id}:{today.isoformat()}",
        day=f"{today.month}月{today.day}日",
        count=counts,
        rows=rows,
        duty=duty,
        holidays=f"{known_until.year}年" if known_until - today < CALENDAR_ENDS_SOON else "",
    )


@router.keyword(r"[@＠]\s*值班")
def call_duty(
    message: Inbound,
    meaning: Meaning,
    group: Group | None,
    photos: Photos,
    desk: CaseDesk,
    say: Say,
    session: Session,
    now: datetime,
) -> None:
    """ "@值班 …" in a group reaches whoever is on duty for it; a report goes on as any report, beside that."""
    grid_id = group.grid_id if group else None
    officers = on_duty(session, grid_id, now)
    called = officers or dispatchers(session, grid_id)
    text = _CALL.sub(" ", message.text).strip() or say.word("duty.no_words")
    where = group.name if group else say.word("duty.privately")
    if meaning.intent in KIND:
        say.to_officers(called, "duty.called", where=where, text=text, number="")
        raise NotMine
    case = desk.open(NewCase("question", "question", "TQ", text, "", origin_of(message, group), needs_place=False), photos.ids)
    say.to_officers(called, "duty.called", case=case, where=where, text=text, number=case.number)
    titles = "、".join(dict.fromkeys(officer.title for officer in officers))
    say.reply("duty.coming" if officers else "duty.nobody_on_duty", case=case, number=case.number, titles=titles)


@router.command(
    "交班",
    "handover",
    usage="接班人的工号",
    about="把值班交给别人",
    needs=(Role.OFFICER, Role.GRID_WORKER, Role.DISPATCHER, Role.SUPERVISOR),
    names=True,
)
def give_duty_to(
    words: Words, officer: Officer, roster: Roster, rights: Rights, say: Say, session: Session, now: datetime
) -> None:
    """Whoever is on duty names the next one, who is told what waits."""
    if not words:
        raise Refusal("refusal.usage", command="交班", usage="接班人的工号")
    successor = roster.by_badge(words)
    if successor is None:
        raise Refusal("duty.nobody", badge=words[:20])
    passed = hand_over(session, officer, successor, now)
    for duty in passed:
        rights.audit("duty.hand_over", target=f"duty {duty.id}", allowed=True)
    who = f"{successor.title}{successor.name}"
    say.reply("duty.handed_over", who=who)
    say.to_officers([successor], "duty.yours", who=f"{officer.title}{officer.name}")

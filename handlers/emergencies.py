"""Emergencies: the right sentence first, the duty officer called until he answers, a case only when people are safe."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session

from bot.dialogs import Dialogs
from bot.errors import NotAllowed
from bot.messages import Inbound
from bot.notices import Lane
from bot.permissions import Rights, Role
from bot.router import Router
from bot.say import Say
from bot.timers import Due, Timers
from bot.turn import Effects, Menu, NotMine, Rules
from bot.understanding.meaning import CATEGORY, Danger, Meaning
from cases.alarms import Alarms
from cases.desk import CaseDesk, NewCase
from cases.lifecycle import ABOUT, State
from cases.roster import Roster
from handlers.cards import tell_holder
from handlers.cries import follows_command
from handlers.found import LONGEST_FOUND, listen_for_not_found, searches_for, tell_found
from handlers.hearing import says_found, says_only_back, says_only_found
from handlers.origin import origin_of
from handlers.reports import author_of
from handlers.scene import own_search, search_of, take_in_noted
from handlers.shown import attach_shown, listen
from storage.tables import Alarm, Group

router = Router("emergencies")

MOST_ROUNDS = 30  # an hour of calling


@router.special("danger")
def answer_emergency(
    message: Inbound,
    meaning: Meaning,
    group: Group | None,
    alarms: Alarms,
    dialogs: Dialogs,
    say: Say,
    timers: Timers,
    effects: Effects,
    rules: Rules,
    menu: Menu,
    now: datetime,
) -> None:
    """Whom to call and what to do, in a fixed text, before anything else; then the duty officer is called."""
    danger = meaning.danger or Danger.MEDICAL
    address = message.address
    raised = alarms.raise_(
        Alarm(
            danger=danger.value,
            group_id=group.id if group else None,
            platform=address.platform,
            account=address.account,
            chat=address.chat,
            private=address.private,
            thread=address.thread,
            sender=message.sender.id,
            message_id=message.message_id,
            started_at=now,
        )
    )
    if not follows_command(message.text, menu):
        listen(raised.alarm, dialogs, now)
    if raised.advise:
        say.reply(rules.advice(danger, message.text), lane=Lane.ALARM)
    if raised.new:
        _call(raised.alarm, alarms, say)
        timers.after(rules.alarm_repeat, "alarm.repeat", str(raised.alarm.id))
        effects.alarms[address] = raised.alarm.id


@router.timer("alarm.repeat")
def call_again(due: Due, alarms: Alarms, say: Say, timers: Timers, rules: Rules) -> None:
    """Every two minutes until somebody acknowledges it."""
    alarm = alarms.get(int(due.key))
    if alarm is None or alarm.acknowledged_at is not None or alarm.rounds >= MOST_ROUNDS:
        return
    alarms.next_round(alarm)
    _call(alarm, alarms, say)
    timers.after(rules.alarm_repeat, "alarm.repeat", due.key)


@router.command(
    "值班",
    "duty",
    about="看谁在值班；有紧急求助时，回它就表示您已接手",
    needs=(Role.OFFICER, Role.GRID_WORKER, Role.DISPATCHER, Role.SUPERVISOR),
)
def acknowledge(
    group: Group | None, alarms: Alarms, roster: Roster, rights: Rights, say: Say, timers: Timers, zone: ZoneInfo
) -> None:
    """Take over the emergencies that wait; without any, show who is on duty."""
    mine = [alarm for alarm in alarms.waiting() if rights.covers("alarm.acknowledge", alarms.grid_id(alarm))]
    for alarm in mine:
        officer = rights.require("alarm.acknowledge", grid_id=alarms.grid_id(alarm), target=f"alarm {alarm.id}")
        alarms.acknowledge(alarm, officer)
        timers.cancel("alarm.repeat", str(alarm.id))
        say.to_alarm_place(alarm, "emergency.taken", title=officer.title)
        time = alarm.started_at.astimezone(zone).strftime("%H:%M")
        say.reply(
            "emergency.yours", place=alarms.group_name(alarm), time=time, danger=say.word(f"emergency.names.{alarm.danger}")
        )
    if mine:
        return
    if alarms.waiting():
        raise NotAllowed("emergency.not_your_area", action="alarm.acknowledge", target="")
    grid_id = group.grid_id if group else None
    names = "、".join(f"{officer.title}{officer.name}" for officer in roster.on_duty(grid_id))
    say.reply("emergency.on_duty" if names else "emergency.nobody_on_duty", names=names)


@router.special("safe")
def people_are_safe(
    message: Inbound,
    group: Group | None,
    alarms: Alarms,
    desk: CaseDesk,
    dialogs: Dialogs,
    say: Say,
    timers: Timers,
    effects: Effects,
    session: Session,
    zone: ZoneInfo,
) -> None:
    """Now that nobody is in danger it becomes a case, so that it is followed up; who is found belongs to the search."""
    alarm = _meant(message, alarms)
    if alarm is None:
        raise NotMine
    take_in_noted(alarm, message.sender.id, alarms, dialogs)
    own = message.sender.id == alarm.sender
    if alarm.danger == Danger.MISSING:
        searched = searches_for(session, alarm, alarms.grid_id(alarm))
        for missing, sought in searched:
            tell_found(message, missing, sought, alarms.group_name(alarm), desk, say, timers, session, alarm=alarm)
        if searched:
            listen_for_not_found(message, [sought for _, sought in searched], dialogs, alarm)
        if says_only_found(message.text) and not own:
            # whoever did not cry may have found something else: the officers look, and nothing ends by it
            told = alarms.concerned(alarm)
            say.to_officers(told, "emergency.found_card", place=alarms.group_name(alarm), text=message.text[:LONGEST_FOUND])
            return
        brought = own_search(alarm, desk) if own else None
        if brought is not None and brought.id not in (sought.id for _, sought in searched):
            desk.add(brought, message.text, (), "reporter", message.message_id)
            tell_holder(brought, "desk.addition", say, session, text=message.text, photos=0)
        if searched or brought is not None:
            ended = brought if brought is not None else searched[0][1]
            if (surely := search_of(alarm, desk, session)) is not None:
                attach_shown(surely, alarm, alarms, desk)
            for one in (*alarms.opened_again(alarm), alarm):
                alarms.safe(one, ended.id)
            listen_for_not_found(message, [ended, *(one for _, one in searched)], dialogs, alarm)
            effects.alarms[message.address] = None
            say.reply("emergency.found")
            return
    twins = alarms.opened_again(alarm)
    known = next(
        (case for one in (alarm, *twins) if one.case_id is not None and (case := desk.get(one.case_id)) is not None), None
    )
    again = desk.master_of(known) if known is not None else None
    if again is not None and ABOUT[State(again.state)].open:
        desk.add(again, message.text, (), author_of(message, again, desk), message.message_id)
        if again.kind != "missing" or again == search_of(alarm, desk, session):
            attach_shown(again, alarm, alarms, desk)
        listen_for_not_found(message, [again], dialogs, alarm)
        for one in (*twins, alarm):
            alarms.safe(one, again.id)
        effects.alarms[message.address] = None
        tell_holder(again, "desk.addition", say, session, text=message.text, photos=0)
        say.reply("emergency.safe", case=again, number=again.number, category=desk.category(again).name)
        return
    category = CATEGORY[Danger(alarm.danger)]
    name = desk.taxonomy.categories[category].name
    when = alarm.started_at.astimezone(zone).strftime("%m月%d日%H:%M")
    case = desk.open(
        NewCase(
            "hazard", category, "T1", f"{when}群里求助：{name}。{message.text}", "", origin_of(message, group), needs_place=False
        )
    )
    if alarm.danger == Danger.MISSING:
        listen_for_not_found(message, [case], dialogs, alarm)
    for one in (*twins, alarm):
        alarms.safe(one, case.id)
    effects.alarms[message.address] = None
    say.reply("emergency.safe", case=case, number=case.number, category=name)
    attach_shown(case, alarm, alarms, desk)
    officers = alarms.concerned(alarm)
    say.to_officers(officers, "emergency.safe_card", case=case, number=case.number, category=name, place=alarms.group_name(alarm))


def _meant(message: Inbound, alarms: Alarms) -> Alarm | None:
    """Which open emergency of this chat is over: who is found was looked for; and "回来了" only its author says of anybody."""
    where = message.address.platform, message.address.chat
    if not says_found(message.text):
        return alarms.open_in(*where)
    sought = alarms.open_of(*where, Danger.MISSING)
    if not says_only_found(message.text):
        return sought or alarms.open_in(*where)
    if sought is not None and says_only_back(message.text) and message.sender.id != sought.sender:
        return None
    return sought


def _call(alarm: Alarm, alarms: Alarms, say: Say) -> None:
    officers = alarms.called(alarm)
    say.to_officers(
        officers,
        "emergency.card" if alarm.rounds == 0 else "emergency.card_again",
        lane=Lane.ALARM,
        danger=say.word(f"emergency.names.{alarm.danger}"),
        place=alarms.group_name(alarm),
        round=alarm.rounds + 1,
    )

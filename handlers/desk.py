"""The officers' desk in the chat: what waits, how a case stands, and the numbers."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session

from bot.errors import NotAllowed
from bot.messages import Inbound
from bot.permissions import Rights, Role
from bot.router import CaseNumber, Router, Words
from bot.say import Say
from bot.turn import Rules
from cases.desk import CaseDesk
from cases.drawing import next_steps
from cases.lifecycle import ABOUT, CASE_CHAIN, State
from cases.queue import queue_of
from cases.repeats import Repeats
from cases.statistics import count
from content.refusal import Refusal
from handlers.appeals import is_public
from handlers.cards import case_card, moment
from handlers.month import month_chart
from storage.tables import Case, CaseEntry, Officer

router = Router("desk")

DESK = (Role.OFFICER, Role.GRID_WORKER, Role.DISPATCHER, Role.SUPERVISOR)
MOST_SHOWN = 12
THIS_MONTH, LAST_MONTH = ("本月", "这个月"), ("上月", "上个月", "last")


@router.command("待办", "queue", about="看等您处理的事", needs=DESK)
def queue(message: Inbound, officer: Officer, rights: Rights, desk: CaseDesk, say: Say, session: Session) -> None:
    """Open cases of the officer's own scope, most urgent and oldest first."""
    cases = [case for case in queue_of(session) if rights.covers("case.queue", case.grid_id, desk.units(case))]
    own = [case for case in cases if case.officer_id == officer.id]
    rest = [case for case in cases if case.officer_id is None]
    shown = [(case_card(case, desk, session), case in own) for case in [*own, *rest][:MOST_SHOWN]]
    rights.audit("case.queue", target="", allowed=True)
    more = max(0, len(own) + len(rest) - MOST_SHOWN)
    out_of_the_group(message, say, "desk.queue", cases=shown, more=more)


@router.command("查", "show", usage="号", about="看一件事办到哪一步了；不写号就看您最近反映的")
def show(
    message: Inbound,
    number: CaseNumber | None,
    words: Words,
    rights: Rights,
    desk: CaseDesk,
    repeats: Repeats,
    say: Say,
    session: Session,
    zone: ZoneInfo,
) -> None:
    """A resident sees his own cases; an officer sees those of his scope, with the history, in private only."""
    if number is None and words:
        raise Refusal("desk.no_such", number=f"“{words[:20]}”")
    if number is None:
        mine = desk.of_reporter(message.address.platform, message.sender.id)
        rows = [case_card(case, desk, session) for case in mine]
        out_of_the_group(message, say, "desk.mine" if rows else "desk.none_of_mine", cases=rows)
        return
    if (appeal := is_public(number, session)) is not None:
        say.reply(f"appeals.genuine.{appeal}", number=number)
        return
    case = desk.find(number)
    if desk.brought_by(case, message.address.platform, message.sender.id):
        if case.private or case.platform != message.address.platform:
            out_of_the_group(message, say, "desk.status", case=case, result=case.result, **case_card(case, desk, session))
        else:
            say.reply("desk.status", case=case, result=case.result, **case_card(case, desk, session))
        return
    if rights.officer is not None and not rights.covers("case.view", case.grid_id, desk.units(case)):
        raise NotAllowed("desk.no_such", action="case.view", target=number, number=number)
    if rights.officer is None or not rights.covers("case.view", case.grid_id, desk.units(case)):
        # a number that is not yours looks exactly like one that never existed
        raise Refusal("desk.no_such", number=number)
    desk.look(case)
    history = [
        (line.at.astimezone(zone).strftime("%m-%d %H:%M"), say.word(f"desk.line.{line.kind}"), _told(line))
        for line in desk.history(case)
    ]
    out_of_the_group(
        message,
        say,
        "desk.full",
        case=case,
        history=history[-12:],
        grid=case.grid_code,
        police_grid=case.police_grid,
        units=desk.unit_names(case),
        due=moment(desk.clocks.due(case), zone),
        many=many if (many := desk.witnesses.count(case)) > 1 else 0,
        reports=repeats.reports(case),
        steps=[(line.command, line.name) for line in next_steps(case.state, CASE_CHAIN)],
        **case_card(case, desk, session),
    )


def _told(line: CaseEntry) -> str:
    """What a line of the history says; of a step where it led, too."""
    state = ABOUT[State(line.state)].name if line.state else ""
    return "，".join(part for part in (state, line.text) if part)


@router.command(
    "统计", "stats", usage="（上月的写“上月”）", about="看本月的件数和办结情况", needs=(*DESK, Role.AUDITOR), names=True
)
def stats(message: Inbound, words: Words, rights: Rights, desk: CaseDesk, say: Say, session: Session, rules: Rules) -> None:
    """This month, or the last one, in the officer's scope; what could not be confirmed is counted apart, what concerns few people
    is not told."""
    if words not in ("", *THIS_MONTH, *LAST_MONTH):
        raise Refusal("refusal.usage", command="统计", usage="（上月的写“上月”）")
    rights.audit("stats.view", target="", allowed=True)

    def mine(case: Case) -> bool:
        return rights.covers("stats.view", case.grid_id, desk.units(case))

    table = count(session, desk.now, desk.zone, mine, rules.least_shown, before=words in LAST_MONTH)
    categories = desk.taxonomy.categories
    trends = [(categories[code].name, number, before) for code, number, before in table.trends if code in categories]
    missed = [(say.word(f"clocks.name.{name}"), number) for name, number in table.missed]
    photo = month_chart(table, trends, rules.least_shown, rules.station, say)
    out_of_the_group(message, say, "desk.stats", photo=photo, table=table, missed=missed, trends=trends, least=rules.least_shown)


def out_of_the_group(message: Inbound, say: Say, phrase: str, **values: Any) -> None:
    """What is not for everybody's eyes goes to the private chat, and the group hears only that."""
    if not message.address.private:
        say.reply("help.sent_privately")
    say.privately(phrase, **values)

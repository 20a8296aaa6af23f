"""Who handles it: accept, refuse, send to units, give back, refer, and put two reports of one thing together."""

from __future__ import annotations

import re

from sqlmodel import Session

from bot.permissions import Role
from bot.router import CaseNumber, Router, Words, parse_number
from bot.say import Say
from cases.desk import CaseDesk
from cases.dispatch import dispatchers, find_unit, handlers_of
from cases.routing import all_units, choose_units, load
from content.refusal import Refusal
from content.spelling import named
from handlers.cards import case_card, tell_holder
from storage.tables import Unit

router = Router("dispatching")

DESK = (Role.OFFICER, Role.GRID_WORKER, Role.DISPATCHER)
SHORTEST_REASON = 4  # characters
UNDO = ("撤销", "取消", "分开", "undo")
_UNITS = re.compile(r"[\s、,，+＋]+")


@router.command("受理", "accept", usage="号", about="受理一件事", needs=(Role.DISPATCHER,))
def accept(number: CaseNumber, desk: CaseDesk, say: Say) -> None:
    """Within remit."""
    case = desk.find(number)
    desk.accept(case)
    say.reply("desk.accepted", case=case, number=case.number)
    say.to_reporter_alone(case, "progress.accepted", number=case.number)


@router.command("不受理", "reject", usage="号 理由和该找谁", about="不受理，要写理由和该找谁", needs=(Role.DISPATCHER,))
def reject(number: CaseNumber, words: Words, desk: CaseDesk, say: Say) -> None:
    """With the reason and the right channel."""
    if len(words) < SHORTEST_REASON:
        raise Refusal("refusal.usage", command="不受理", usage="号 理由和该找谁")
    case = desk.find(number)
    desk.reject(case, words)
    say.reply("desk.rejected", case=case, number=case.number)
    say.to_reporter(case, "progress.rejected", number=case.number, reason=words)


@router.command(
    "派单", "dispatch", usage="号 单位（可以写几个，第一个牵头）", about="派给单位；不写单位就看该派谁", needs=(Role.DISPATCHER,)
)
def dispatch(number: CaseNumber, words: Words, desk: CaseDesk, say: Say, session: Session) -> None:
    """To one lead unit and, if named, assisting ones; without a name, who would be asked and how much they have."""
    names = [name for name in _UNITS.split(words) if name]
    case = desk.find(number)
    if not names:
        suggested = choose_units(session, desk.category(case), case.grid_id)
        busy = load(session, all_units(session))
        raise Refusal(
            "desk.which_unit", number=case.number, suggested="、".join(unit.name for unit in suggested), load=list(busy.items())
        )
    units = [_unit(name, session) for name in names]
    desk.dispatch(case, units)
    listed = "、".join(unit.name for unit in units)
    say.reply("desk.dispatched_by_you", case=case, number=case.number, units=listed, load=list(load(session, units).items()))
    say.to_reporter_alone(case, "progress.dispatched", number=case.number, units=listed)
    say.to_officers(handlers_of(session, case), "desk.dispatched", case=case, **case_card(case, desk, session))


@router.command("退单", "return", usage="号 理由", about="不归本单位管，退给调度员（只能退一次）", needs=DESK[:2])
def give_back(number: CaseNumber, words: Words, desk: CaseDesk, say: Say, session: Session) -> None:
    """Once; the dispatcher who sends it out again has the last word."""
    if len(words) < SHORTEST_REASON:
        raise Refusal("refusal.usage", command="退单", usage="号 理由，最好写该派给谁")
    case = desk.find(number)
    unit = desk.unit_name(case)
    desk.give_back(case, words)
    say.reply("desk.given_back", case=case, number=case.number)
    card = case_card(case, desk, session) | {"unit": unit}
    say.to_officers(dispatchers(session, case.grid_id), "desk.returned", case=case, reason=words, **card)


@router.command("转办", "refer", usage="号 转给谁和对方编号", about="转给外面的部门办，本单位继续盯着", needs=DESK)
def refer(number: CaseNumber, words: Words, desk: CaseDesk, say: Say) -> None:
    """To a department outside, with its number; our unit keeps the duty and the clock."""
    case = desk.find(number)
    desk.refer(case, words)
    say.reply("desk.referred", case=case, number=case.number, outside=words)
    say.to_reporter_alone(case, "progress.referred", number=case.number, outside=words)


@router.command("并单", "merge", usage="号 更早那件的号（撤销：号 撤销）", about="同一件事并成一件", needs=(Role.DISPATCHER,))
def merge(number: CaseNumber, words: Words, desk: CaseDesk, say: Say, session: Session) -> None:
    """The later of the two follows the earlier one; "撤销" parts them again."""
    case = desk.find(number)
    if named(words) in UNDO:
        master = desk.unmerge(case)
        say.reply("desk.parted", case=case, number=case.number, master=master.number, state=desk.state_name(case))
        tell_holder(case, "desk.parted_card", say, session, master=master.number)
        return
    other = parse_number(words)
    if other is None:
        raise Refusal("refusal.usage", command="并单", usage="号 更早那件的号")
    first, second = sorted((case, desk.find(other)), key=lambda one: one.id or 0)
    desk.merge(second, first)
    count = desk.witnesses.count(first)
    say.reply("desk.merged", case=first, number=second.number, master=first.number, count=count)
    say.to_reporter_alone(second, "progress.merged", number=second.number, master=first.number)
    tell_holder(first, "desk.merged_card", say, session, merged=second.number, count=count)


def _unit(name: str, session: Session) -> Unit:
    unit = find_unit(session, name)
    if unit is None:
        raise Refusal("desk.no_unit", name=name[:20], known="、".join(unit.name for unit in all_units(session)))
    return unit

"""`/拉黑`: whoever only disturbs is not worked for until a day, with a reason and somewhere to turn; emergencies always are."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from sqlmodel import Session

from bot.messages import Inbound
from bot.permissions import Rights, Role
from bot.router import CaseNumber, Router, Words
from bot.say import Say
from bot.turn import Rules
from cases.blocks import Blocks
from cases.desk import CaseDesk
from cases.dispatch import supervisors
from content.masking import mask
from content.refusal import Refusal
from storage.tables import Block, Case, Officer, Unit

router = Router("blocks")

WHO = (Role.OFFICER, Role.SUPERVISOR)
_DAYS = re.compile(r"\s*(\d{1,3})\s*天[\s，,：:]*(.*)", re.DOTALL)


@router.command(
    "拉黑", "block", usage="编号 天数 原因", about="一段时间不受理某人的消息，紧急求助照常；不写编号看名单", needs=WHO
)
def block(
    number: CaseNumber | None,
    words: Words,
    rights: Rights,
    desk: CaseDesk,
    blocks: Blocks,
    say: Say,
    session: Session,
    rules: Rules,
    zone: ZoneInfo,
) -> None:
    """`/拉黑 2611-0042 7天 连发广告` is about whoever brought that case, and shows nothing more of them; alone it is the list."""
    if number is None:
        _list(rights, blocks, say, session, zone)
        return
    case = desk.find(number)
    officer = rights.require("person.block", grid_id=case.grid_id, unit_ids=desk.units(case), target=case.number)
    found = _DAYS.fullmatch(words)
    reason = mask(found[2].strip()) if found else ""
    try:
        row = blocks.block(case, officer, reason, int(found[1]) if found else 0)
    except Refusal as refusal:  # in a group the neighbours would learn from it who brought the case, or what is thought of them
        rights.audit("person.block", target=case.number, allowed=False, reason=refusal.phrase)
        say.privately(refusal.phrase, **refusal.values)
        return
    rights.audit("person.block", target=case.number, allowed=True, reason=f"until {row.until:%Y-%m-%d}")
    until = _day(row, zone)
    say.privately("blocks.done", case=case, number=case.number, until=until)
    blocks.tell(row)
    say.to_reporter_alone(case, "blocks.told", reason=reason, until=until, turn_to=_turn_to(officer, rules, session))
    others = [one for one in supervisors(session, case.grid_id, desk.units(case)) if one.id != officer.id]
    say.to_officers(others, "blocks.card", number=case.number, reason=reason, until=until, by=f"{officer.title}{officer.name}")


@router.command("解除拉黑", "unblock", usage="编号", about="提前恢复受理某人的消息", needs=WHO)
def unblock(number: CaseNumber, rights: Rights, desk: CaseDesk, blocks: Blocks, say: Say) -> None:
    """By any case of that person; they are told."""
    case = desk.find(number)
    officer = rights.require("person.block", grid_id=case.grid_id, unit_ids=desk.units(case), target=f"{case.number} lift")
    row = blocks.of(case)
    if row is None:
        raise Refusal("blocks.none", number=number)
    blocks.lift(row, officer)
    say.privately("blocks.lifted", number=case.number)
    say.to_reporter_alone(case, "blocks.told_lifted")


@router.special("blocked")
def blocked(message: Inbound, blocks: Blocks, say: Say, session: Session, rules: Rules, zone: ZoneInfo) -> None:
    """One polite sentence a day, to the person alone."""
    row = blocks.active(message.address.platform, message.sender.id)
    if row is None or not blocks.tell(row):
        return
    officer = session.get(Officer, row.officer_id)
    say.privately("blocks.today", until=_day(row, zone), turn_to=_turn_to(officer, rules, session))


def _list(rights: Rights, blocks: Blocks, say: Say, session: Session, zone: ZoneInfo) -> None:
    rights.require_anywhere("person.block")
    rows = []
    for row in blocks.running():
        if not rights.covers("person.block", row.grid_id):
            continue
        case, by = session.get(Case, row.case_id) if row.case_id else None, session.get(Officer, row.officer_id)
        rows.append((case.number if case else "", row.reason, _day(row, zone), f"{by.title}{by.name}" if by else ""))
    say.privately("blocks.list", rows=rows)


def _turn_to(officer: Officer | None, rules: Rules, session: Session) -> str:
    """Where somebody who does not agree is heard: the unit, with its telephone."""
    unit = session.get(Unit, officer.unit_id) if officer is not None and officer.unit_id else None
    if unit is None:
        return rules.station
    return f"{unit.name}（{unit.phone}）" if unit.phone else unit.name


def _day(row: Block, zone: ZoneInfo) -> str:
    return row.until.astimezone(zone).strftime("%m月%d日%H:%M")

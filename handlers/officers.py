"""Binding an officer's account, and letting residents check who is an officer."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session

from bot.campaigns.missing import alerted
from bot.errors import RefusedInput
from bot.messages import Inbound
from bot.permissions import Rights, Role
from bot.router import CaseNumber, Router, Words, parse_number
from bot.say import Say
from cases.codes import MOST_WRONG, Guesses
from cases.desk import CaseDesk
from cases.roster import Roster
from cases.statistics import KIND_NAMES, SENSITIVE_KINDS
from content.refusal import Refusal
from handlers.appeals import is_public
from handlers.origin import platform_name
from storage.tables import Unit

router = Router("officers")


@router.command("绑定", "bind", usage="码", about="民警、网格员用一次性的码绑定账号（只在私聊里）", names=True)
def bind(message: Inbound, words: Words, roster: Roster, rights: Rights, say: Say, session: Session, now: datetime) -> None:
    """The code proves who it is; shown in a group it is worthless from that moment, and nobody may try many."""
    code = re.sub(r"\D", "", words)
    if not message.address.private:
        roster.spoil_code(code)
        say.reply("officers.code_in_group")
        return
    if not code:
        raise RefusedInput("refusal.usage", command="绑定", usage="码")
    guesses = Guesses(session, message.address.platform, message.sender.id, now)
    guesses.check()
    try:
        officer = roster.use_code(code)
    except Refusal as refusal:
        rights.audit("account.bind", target="", allowed=False, reason=refusal.phrase)
        if guesses.note() == MOST_WRONG:
            where = platform_name(say, message.address.platform)
            say.to_officers(roster.with_role(Role.ADMIN), "officers.guessing", platform=where, most=MOST_WRONG)
        say.reply(refusal.phrase, **refusal.values)
        return
    roster.bind(officer, message.address.platform, message.sender.id)
    rights.audit("account.bind", target=officer.badge, allowed=True)
    say.reply("officers.bound", title=officer.title, name=officer.name, quote=False)


@router.command("核验", "verify", usage="工号或编号", about="核验对方是不是登记的民警、网格员，或一个编号是不是真的", names=True)
def verify(words: Words, roster: Roster, desk: CaseDesk, say: Say, session: Session, zone: ZoneInfo) -> None:
    """Yes or no, with title, unit and whether an account is bound, or with day and kind of a number; never whose it is."""
    if not words:
        raise Refusal("refusal.usage", command="核验", usage="工号或编号")
    officer = roster.by_badge(words)
    if officer is not None:
        unit = session.get(Unit, officer.unit_id) if officer.unit_id else None
        say.reply(
            "officers.genuine",
            badge=officer.badge,
            title=officer.title,
            surname=officer.name[:1],
            unit=unit.name if unit else "",
            bound=roster.is_bound(officer),
        )
        return
    number: CaseNumber | None = parse_number(words)
    if number is not None:
        if (appeal := is_public(number, session)) is not None:
            say.reply(f"appeals.genuine.{appeal}", number=number)
            return
        try:
            case = desk.find(number)
        except Refusal:
            say.reply("officers.number_unknown", number=number)
            return
        if (missing := alerted(session, case.id)) is not None:
            say.reply(f"missing.verified.{missing}", number=number)
            return
        # what kind of trouble somebody has is told to nobody who only knows a number
        kind = "" if case.kind in SENSITIVE_KINDS else KIND_NAMES.get(case.kind, "")
        say.reply("officers.number_known", number=number, day=case.created_at.astimezone(zone).strftime("%m月%d日"), kind=kind)
        return
    say.reply("officers.unknown" if any(map(str.isdigit, words)) else "officers.needs_badge", badge=words[:20])

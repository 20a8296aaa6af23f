"""High-impact actions: `/确认` with a one-time password, a delay, `/取消` by whoever is concerned, then the action (0190)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session

from bot.campaigns import Campaigns
from bot.errors import NotAllowed
from bot.messages import Inbound
from bot.permissions import Rights, Role
from bot.router import Router, Words
from bot.say import Say
from bot.timers import Due, given_up
from cases.pending import PendingActions, PendingState, payload_of
from cases.roster import Roster
from cases.tips import Tips
from cases.totp import MOST_WRONG, Totp, read_code
from content.refusal import Refusal
from handlers.asking import Act, concerned
from handlers.posts import carry_out_approval, carry_out_correction, carry_out_post
from handlers.roles import carry_out_role
from handlers.tip_desk import carry_out_grant, carry_out_identity, carry_out_step, carry_out_transfer
from storage.tables import Officer, PendingAction

router = Router("confirm")

WHO = (Role.SUPERVISOR, Role.EDITOR, Role.APPROVER, Role.CUSTODIAN, Role.ADMIN)
_NUMBER = re.compile(r"\s*(\d{1,9})\s*[号號]?(?:\s+|$)(.*)", re.DOTALL)

CARRY_OUT: dict[str, Callable[[Act], None]] = {
    "post.approve": carry_out_approval,
    "post.send": carry_out_post,
    "post.correct": carry_out_correction,
    "tip.grant": carry_out_grant,
    "tip.transfer": carry_out_transfer,
    "tip.decide": carry_out_identity,
    "tip.unseal": carry_out_step,
    "tip.destroy": carry_out_step,
    "roster.role": carry_out_role,
}


@router.command(
    "确认", "confirm", usage="编号 六位动态码", about="用动态码确认一项重要操作（只在私聊里）", needs=WHO, confidential=True
)
def confirm(
    message: Inbound,
    words: Words,
    rights: Rights,
    pending: PendingActions,
    totp: Totp,
    roster: Roster,
    say: Say,
    zone: ZoneInfo,
) -> None:
    """The code counts once and for whoever asked; others who are concerned hear of it before it happens."""
    if not message.address.private:
        say.privately("confirm.in_private", command="确认")
        return
    found = _NUMBER.match(words)
    code = read_code(found[2]) if found else ""
    if found is None or not code:
        raise Refusal("refusal.usage", command="确认", usage="编号 六位动态码")
    officer = rights.require_anywhere("pending.confirm", target=f"pending {found[1]}")
    row = pending.to_confirm(int(found[1]), officer)
    if not _take(totp, officer, code, rights, roster, say):
        return
    runs_at = pending.confirm(row)
    at = runs_at.astimezone(zone).strftime("%H:%M:%S" if pending.rules.delay.total_seconds() < 60 else "%H:%M")
    say.reply("confirm.waits", number=row.id, about=row.about, at=at, quote=False)
    told = concerned(row.kind, officer, roster)
    say.to_officers(told, "confirm.told", number=row.id, about=row.about, scope=row.scope, who=_called(officer), at=at)


@router.command("取消", "cancel", usage="编号", about="停下一项还没执行的重要操作", needs=WHO, names=True)
def cancel(words: Words, rights: Rights, pending: PendingActions, roster: Roster, say: Say) -> None:
    """Whoever asked for it, or is told of such things; it stays undone whatever happens afterwards."""
    found = _NUMBER.match(words)
    if found is None:
        raise Refusal("refusal.usage", command="取消", usage="编号")
    row = pending.get(int(found[1]))
    if rights.officer is None or row.officer_id != rights.officer.id:
        officer = rights.require_anywhere("pending.cancel", target=f"pending {row.id} {row.kind}")
    else:
        officer = rights.require_anywhere("pending.confirm", target=f"pending {row.id} {row.kind}")
    confirmed = row.state == PendingState.CONFIRMED
    pending.cancel(row, officer)
    say.privately("confirm.cancelled", number=row.id, about=row.about)
    asker = roster.get(row.officer_id)
    told = concerned(row.kind, officer, roster) if confirmed else []
    if asker is not None and asker.id != officer.id:
        told = [asker, *(one for one in told if one.id != asker.id)]
    say.to_officers(told, "confirm.was_cancelled", number=row.id, about=row.about, who=_called(officer))


@router.command("待确认", "pending", about="看等着确认、等着执行的重要操作", needs=WHO)
def show_pending(rights: Rights, pending: PendingActions, roster: Roster, say: Say, zone: ZoneInfo) -> None:
    """What waits, by whom, and until when it can be cancelled."""
    rights.require_anywhere("pending.confirm")
    rows = []
    for row in pending.open():
        asker = roster.get(row.officer_id)
        at = row.runs_at.astimezone(zone).strftime("%m月%d日%H:%M") if row.runs_at else ""
        rows.append((row.id, row.about, _called(asker) if asker else "", at))
    say.privately("confirm.list", rows=rows)


@router.command(
    "动态码", "totp", usage="（绑定后写六位码）", about="绑定手机上的动态码，重要操作要用", needs=WHO, confidential=True
)
def enrol(message: Inbound, words: Words, rights: Rights, totp: Totp, roster: Roster, say: Say) -> None:
    """The key is shown once; its first code proves that it arrived. A new one takes a code of the old one."""
    if not message.address.private:
        say.privately("confirm.in_private", command="动态码")
        return
    officer = rights.require_anywhere("totp.enrol")
    code, renew = read_code(words), words.strip().startswith(("更换", "换", "renew"))
    if code and not renew:
        _prove(officer, code, totp, rights, roster, say)
        return
    if totp.enrolled(officer):
        if not renew:
            say.reply("confirm.enrolled_already", quote=False)
            return
        if not code:
            raise Refusal("confirm.renew_usage")
        if not _take(totp, officer, code, rights, roster, say):
            return
    key, link = totp.begin(officer)
    say.secretly("confirm.key", letters=" ".join(key[place : place + 4] for place in range(0, len(key), 4)), link=link)


@router.timer("pending.due")
def carry_out(
    due: Due, pending: PendingActions, roster: Roster, campaigns: Campaigns, tips: Tips, say: Say, session: Session, now: datetime
) -> None:
    """The delay is over: done in this transaction or not at all, by the rights that the officer has today."""
    row = pending.due(int(due.key))
    if row is None:
        return
    officer = roster.get(row.officer_id)
    rights = Rights(session, officer if officer is not None and officer.active else None, row.platform, now)
    savepoint = session.begin_nested()
    try:
        if officer is None or rights.officer is None:
            raise NotAllowed("refusal.not_officer", action=row.kind, target=f"pending {row.id}")
        CARRY_OUT[row.kind](Act(row, payload_of(row), officer, rights, session, now, say, roster, campaigns, tips))
        savepoint.commit()
    except Refusal as refusal:
        savepoint.rollback()
        rights.audit(row.kind, target=f"pending {row.id}", allowed=False, reason=refusal.phrase)
        _failed(row, refusal, officer, pending, roster, say)
        return
    pending.done(row)
    say.to_officers([officer], "confirm.done", number=row.id, about=row.about)


@router.timer(given_up("pending.due"))
def give_up(due: Due, pending: PendingActions, roster: Roster, say: Say, session: Session, now: datetime) -> None:
    """It broke off three times: it ends, and whoever asked for it and whoever was told of it hears that nothing was done."""
    row = pending.due(int(due.key))
    if row is None:
        return
    officer = roster.get(row.officer_id)
    Rights(session, officer, row.platform, now).audit(
        row.kind, target=f"pending {row.id}", allowed=False, reason="confirm.broke_off"
    )
    pending.failed(row)
    told = concerned(row.kind, officer, roster) if officer is not None else roster.with_role(Role.SUPERVISOR)
    if officer is not None and officer.active:
        told = [officer, *told]
    say.to_officers(told, "confirm.failed", number=row.id, about=row.about, why=say.word("confirm.broke_off"))


def _failed(
    row: PendingAction, refusal: Refusal, officer: Officer | None, pending: PendingActions, roster: Roster, say: Say
) -> None:
    pending.failed(row)
    why = say.word(refusal.phrase, **refusal.values)
    told = [officer] if officer is not None and officer.active else roster.with_role(Role.SUPERVISOR)
    say.to_officers(told, "confirm.failed", number=row.id, about=row.about, why=why)


def _prove(officer: Officer, code: str, totp: Totp, rights: Rights, roster: Roster, say: Say) -> None:
    if not totp.prove(officer, code):
        _wrong(officer, totp, rights, roster, say)
        return
    rights.audit("totp.enrol", target=officer.badge, allowed=True, reason="proved")
    say.reply("confirm.enrolled", quote=False)
    admins = [one for one in roster.with_role(Role.ADMIN) if one.id != officer.id]
    say.to_officers(admins, "confirm.someone_enrolled", who=_called(officer))


def _take(totp: Totp, officer: Officer, code: str, rights: Rights, roster: Roster, say: Say) -> bool:
    """Whether the code counts; a wrong one is answered here, because a refusal would take its count back."""
    if totp.take(officer, code):
        return True
    _wrong(officer, totp, rights, roster, say)
    return False


def _wrong(officer: Officer, totp: Totp, rights: Rights, roster: Roster, say: Say) -> None:
    rights.audit("pending.confirm", target=officer.badge, allowed=False, reason="confirm.wrong_code")
    left = MOST_WRONG - totp.wrong(officer)
    say.reply("confirm.wrong_code", left=max(0, left), quote=False)
    if left == 0:
        admins = [one for one in roster.with_role(Role.ADMIN) if one.id != officer.id]
        say.to_officers(admins, "confirm.guessing", who=_called(officer), most=MOST_WRONG)


def _called(officer: Officer) -> str:
    return f"{officer.title}{officer.name}（工号{officer.badge}）"

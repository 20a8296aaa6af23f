"""Appeals and urgent notices as a chain: one person writes it, a second one verifies it, and its end goes where it went."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, select

from bot.campaigns import Campaigns
from bot.campaigns.appeals import (
    LONGEST_FOR,
    NOT_VERIFIED_AFTER,
    AppealState,
    appeal_of,
    end_appeal,
    update_appeal,
    verify_appeal,
)
from bot.campaigns.chain import EVERYBODY, hearers, split_groups
from bot.campaigns.steps import officers_for
from bot.campaigns.wording import read_wording
from bot.errors import NotAllowed
from bot.messages import Inbound
from bot.permissions import Rights, Role
from bot.router import CaseNumber, Router, Words
from bot.say import Say
from bot.timers import Due, Timers
from bot.turn import Photos
from bot.understanding.clues import adds_nothing, asks_if_genuine
from cases.desk import CaseDesk
from cases.numbers import next_number
from content.masking import mask
from content.refusal import Refusal
from content.spelling import simplified
from handlers.cards import trouble_with
from storage.tables import Appeal, Attachment, Case, Group, Officer

router = Router("appeals")

SHORTEST, LONGEST = 8, 400  # characters
LONGEST_REPLY = 300
SHOWN = 5  # names of those who are asked
UNVERIFIED = "appeals.unverified"
ASK_AGAIN_AFTER = timedelta(minutes=10)
MOST_REMINDERS = 3
_UNTIL = re.compile(
    r"[\s,，。;；]+有效(?:期)?(?:到|至)?[:： ]*(?P<when>.{1,20}?)(?=[\s,，。;；]*(?:发到|发给|发往|$))", re.DOTALL
)
_OVER = re.compile(r"\s*(?:结束|撤回|撤销|取消|解决|找到)[了啦]?(?:$|[\s,，。:：]+)(.*)", re.DOTALL)
_MORE = re.compile(r"^\s*(?:补充|更新)[\s:：]*")


@router.command(
    "急告",
    "appeal",
    usage="要发的话，或推送的标题",
    about="发急事（献血、找失主、停水等），另一位同事核对后发到群；完了用 /急告 号 结束",
    needs=(Role.EDITOR, Role.APPROVER, Role.OFFICER, Role.GRID_WORKER, Role.DISPATCHER, Role.SUPERVISOR),
)
def appeal(
    number: CaseNumber | None,
    words: Words,
    photos: Photos,
    rights: Rights,
    campaigns: Campaigns,
    desk: CaseDesk,
    say: Say,
    timers: Timers,
    session: Session,
) -> None:
    """A new one that waits for a second person, from words, a post of the library or a case; or what becomes of a known one."""
    known = appeal_of(session, number)
    if known is None:
        case = desk.find(number) if number is not None else None
        known = _write(case, words, photos, rights, campaigns, say)
        timers.after(ASK_AGAIN_AFTER, UNVERIFIED, str(known.id), round="1")
    elif found := _OVER.fullmatch(simplified(words)):
        _end(known, words[found.start(1) :], rights, campaigns, desk, say)
    elif known.state == AppealState.PENDING:
        _write_again(known, words, photos, rights, campaigns, say)
        timers.after(ASK_AGAIN_AFTER, UNVERIFIED, str(known.id), round="1")
    else:
        _tell_more(known, words, photos, rights, campaigns, desk, say)


@router.timer(UNVERIFIED)
def ask_again(due: Due, campaigns: Campaigns, say: Say, timers: Timers, session: Session) -> None:
    """Nobody has verified it yet: whoever can is asked again, not at night, and the writer is told whom to call."""
    known, count = session.get(Appeal, int(due.key)), int(due.data["round"])
    if known is None or known.state != AppealState.PENDING or campaigns.rules.is_quiet(campaigns.now):
        return
    if known.until is not None and known.until <= campaigns.now:
        return
    others = [officer for officer in officers_for(session, "appeal.verify") if officer.id != known.officer_id]
    minutes = int(count * ASK_AGAIN_AFTER.total_seconds() // 60)
    say.to_officers(others, "appeals.verify_again", number=known.number, minutes=minutes, text=known.text)
    writer = session.get(Officer, known.officer_id)
    if writer is not None and count in (1, MOST_REMINDERS):
        names = "、".join(f"{officer.title}{officer.name}" for officer in others[:SHOWN])
        say.to_officers([writer], "appeals.unverified", number=known.number, minutes=minutes, names=names)
    if count < MOST_REMINDERS:
        timers.after(ASK_AGAIN_AFTER, UNVERIFIED, due.key, round=str(count + 1))


def approve_appeal(known: Appeal, rights: Rights, campaigns: Campaigns, desk: CaseDesk, say: Say) -> None:
    """`/批准 2611-0043`: a second person stands for what is said."""
    officer = rights.require("appeal.verify", target=known.number)
    if known.officer_id == officer.id:
        raise NotAllowed("appeals.own", action="appeal.verify", target=known.number)
    alert, groups = verify_appeal(campaigns, known, officer, _alert(known, campaigns, say))
    _note(known, desk, say.word("appeals.noted_out", number=known.number, groups=groups))
    say.privately("appeals.out", number=known.number, campaign=alert.id, groups=groups)
    writer = campaigns.session.get(Officer, known.officer_id)
    if writer is not None:
        by = f"{officer.title}{officer.name}"
        say.to_officers([writer], "appeals.was_verified", number=known.number, by=by, groups=groups, campaign=alert.id)


def about_appeal(
    message: Inbound,
    number: str,
    group: Group | None,
    photos: Photos,
    rights: Rights,
    say: Say,
    session: Session,
    now: datetime,
) -> bool:
    """A message that quotes an appeal or names its number: a reply, or a late forward. False when there is no such appeal."""
    known = appeal_of(session, number)
    if known is None:
        return False
    if known.state in (AppealState.ENDED, AppealState.EXPIRED):
        if known.campaign_id is not None:
            key = f"appeal over:{known.id}:{message.address.platform}:{message.address.chat}:{now:%Y%m%d%H}"
            say.at(message.address, "appeals.late", key=key, number=known.number)
    elif known.state == AppealState.ACTIVE and not message.copied and not _stands_for(known, rights):
        _take_reply(message, known, group, photos, say, session)
    return True


def is_public(number: str, session: Session) -> str | None:
    """How an appeal stands that people may ask about by its number: active, ended or expired; None when none went out."""
    known = session.exec(select(Appeal).where(Appeal.number == number)).first()
    return known.state if known is not None and known.campaign_id is not None else None


def _take_reply(message: Inbound, known: Appeal, group: Group | None, photos: Photos, say: Say, session: Session) -> None:
    """Shown to whoever stands for the appeal, kept nowhere else; the group reads thanks and nothing of the reply."""
    if not photos.ids and asks_if_genuine(message.text):
        say.reply("appeals.genuine.active", number=known.number)
        return
    if not photos.ids and adds_nothing(message.text):
        return
    known.replies += 1
    session.add(known)
    say.reply("appeals.thanks", trouble=trouble_with(photos, say))
    first = session.get(Attachment, photos.ids[0]) if photos.ids else None
    wanted = dict.fromkeys((known.officer_id, known.verified_by))
    officers = [officer for key in wanted if key is not None and (officer := session.get(Officer, key)) is not None]
    say.to_officers(
        officers,
        "appeals.reply",
        photo=first.path if first else None,
        number=known.number,
        count=known.replies,
        group=group.name if group else say.word("appeals.privately"),
        name=message.sender.name,
        text=message.text[:LONGEST_REPLY],
        photos=len(photos.ids),
    )


def _write(case: Case | None, words: str, photos: Photos, rights: Rights, campaigns: Campaigns, say: Say) -> Appeal:
    # who verifies it looks after the whole district, so who writes it may look after a part of it
    officer = rights.require_anywhere("appeal.write", target=case.number if case else "")
    now, session = campaigns.now, campaigns.session
    words, until = _until(words, campaigns)
    text, labels = split_groups(words, campaigns)
    post = campaigns.library.find(text)
    if post is not None:
        post = campaigns.sendable(post.slug, campaigns.rules.today(now))
        text = post.render_body(campaigns.audiences.anybody)
    else:
        _check(text)
    made = Appeal(
        number=next_number(session, now, campaigns.rules.zone),
        post=post.slug if post else "",
        case_id=case.id if case else None,
        text=text,
        labels=labels,
        photo=_photo(photos, session) or (post.card_path if post and campaigns.rules.cards else None),
        officer_id=officer.id or 0,
        created_at=now,
        until=until,
        expires_at=now + NOT_VERIFIED_AFTER,
    )
    session.add(made)
    session.flush()
    _ask_to_verify(made, trouble_with(photos, say), campaigns, say)
    return made


def _write_again(known: Appeal, words: str, photos: Photos, rights: Rights, campaigns: Campaigns, say: Say) -> None:
    """Before it is verified everything can still be changed, by anybody who may write one."""
    officer = rights.require_anywhere("appeal.write", target=known.number)
    words, until = _until(words, campaigns)
    text, labels = split_groups(_MORE.sub("", words), campaigns)
    if text:
        _check(text)
        known.text, known.post = text, ""
    if labels != EVERYBODY or text:
        known.labels = labels
    known.until = until or known.until
    known.photo = _photo(photos, campaigns.session) or known.photo
    known.officer_id = officer.id or 0  # whoever wrote the words may not verify them
    campaigns.session.add(known)
    _ask_to_verify(known, trouble_with(photos, say), campaigns, say)


def _ask_to_verify(known: Appeal, trouble: str, campaigns: Campaigns, say: Say) -> None:
    session = campaigns.session
    writer = session.get(Officer, known.officer_id)
    others = [officer for officer in officers_for(session, "appeal.verify") if officer.id != known.officer_id]
    whom, getting = hearers(campaigns, known.labels)
    values: dict[str, Any] = {
        "number": known.number,
        "text": _alert(known, campaigns, say),
        "groups": len(getting),
        "members": sum(group.members or 0 for group in getting),
        "whom": whom,
        "numbers": mask(known.text) != known.text,
        "quiet": campaigns.rules.is_quiet(campaigns.now),
    }
    by = f"{writer.title}{writer.name}" if writer else ""
    asked = say.to_officers(others, "appeals.verify_card", photo=known.photo, by=by, **values)
    say.privately("appeals.written", asked=asked, trouble=trouble, **values)


def _tell_more(known: Appeal, words: str, photos: Photos, rights: Rights, campaigns: Campaigns, desk: CaseDesk, say: Say) -> None:
    text = _MORE.sub("", words)
    if not text and not photos.ids:
        rights.require_anywhere("appeal.write", target=known.number)
        say.privately(
            "appeals.status",
            number=known.number,
            active=known.state == AppealState.ACTIVE,
            replies=known.replies,
            campaign=known.campaign_id,
            text=known.text,
        )
        return
    # what one person adds alone goes to every group: only whoever wrote it, or may stand for one
    officer = _mine_or(known, "appeal.verify", rights)
    _check(text)
    groups = update_appeal(
        campaigns,
        known,
        officer,
        say.word("appeals.update", number=known.number, text=text),
        _photo(photos, campaigns.session),
    )
    _note(known, desk, say.word("appeals.noted_more", number=known.number, text=text))
    say.privately("appeals.told_more", number=known.number, groups=groups, trouble=trouble_with(photos, say))


def _end(known: Appeal, words: str, rights: Rights, campaigns: Campaigns, desk: CaseDesk, say: Say) -> None:
    officer = _mine_or(known, "appeal.end", rights)
    note = words.strip(" ，,。.")[:LONGEST]
    text = say.word("appeals.cancel", number=known.number, note=note)
    groups = end_appeal(campaigns, known, officer, text)
    _note(known, desk, say.word("appeals.noted_end", number=known.number, note=note))
    say.privately("appeals.ended", number=known.number, groups=groups, pictured=known.photo is not None)


def _alert(known: Appeal, campaigns: Campaigns, say: Say) -> str:
    until = campaigns.rules.local(known.until, campaigns.now) if known.until else ""
    return say.word("appeals.alert", number=known.number, text=known.text, until=until)


def _stands_for(known: Appeal, rights: Rights) -> bool:
    return rights.officer is not None and rights.officer.id in (known.officer_id, known.verified_by)


def _mine_or(known: Appeal, action: str, rights: Rights) -> Officer:
    """Whoever wrote it, or may do this with anybody's in the whole district."""
    if rights.officer is not None and rights.officer.id == known.officer_id:
        return rights.require_anywhere("appeal.write", target=known.number)
    return rights.require(action, target=known.number)


def _note(known: Appeal, desk: CaseDesk, text: str) -> None:
    """What became of it, in the history of the case that it was made from."""
    case = desk.get(known.case_id) if known.case_id is not None else None
    if case is not None:
        desk.note(case, text)


def _photo(photos: Photos, session: Session) -> str | None:
    """The last of the photos that came with the command."""
    last = session.get(Attachment, photos.ids[-1]) if photos.ids else None
    return last.path if last else None


def _until(words: str, campaigns: Campaigns) -> tuple[str, datetime | None]:
    """The words without "有效到 明天18:00" or "有效2天", and that time."""
    found = _UNTIL.search(words)
    if found is None:
        return words, None
    now = campaigns.now
    try:
        said = read_wording(found["when"], now, campaigns.rules.zone, frozenset())
    except Refusal:
        raise Refusal("appeals.until", text=found["when"].strip()) from None
    until = said.starts_at or (now + said.over if said.over else None)
    if said.rest or until is None or until - now > LONGEST_FOR:
        raise Refusal("appeals.until", text=found["when"].strip())
    return words[: found.start()] + words[found.end() :], until


def _check(text: str) -> None:
    if len(text) < SHORTEST:
        raise Refusal("appeals.usage")
    if len(text) > LONGEST:
        raise Refusal("appeals.too_long", most=LONGEST)

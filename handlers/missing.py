"""Missing people: an officer writes it down, a second one verifies it, the groups hear of it, and hear when it is over."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from msgspec.structs import replace as changed
from sqlmodel import Session, col, select

from bot.campaigns import Campaigns
from bot.campaigns.chain import EVERYBODY, hearers, split_groups
from bot.campaigns.missing import Chain, end, missing_of, tell_more, verify
from bot.errors import NotAllowed
from bot.messages import Inbound
from bot.permissions import Rights, Role
from bot.router import CaseNumber, Router, Words
from bot.say import Say
from bot.timers import Due, Timers
from bot.turn import Photos
from bot.understanding.meaning import Intent, Meaning
from cases.desk import CaseDesk, NewCase
from content.masking import mask
from content.refusal import Refusal
from content.spelling import simplified
from handlers.cards import trouble_with
from handlers.found import ASK_AGAIN_AFTER, UNANSWERED, UNVERIFIED, said_found, take_up, verifiers
from handlers.hearing import says_not_found
from handlers.origin import origin_of
from handlers.reports import Reports, said_already
from storage.tables import Attachment, Case, Group, Missing, Officer, OfficerAccount

router = Router("missing")

SHORTEST, LONGEST = 8, 400  # characters of a description
SHOWN = 5  # names of those who are asked
SHORTEST_MORE = 3  # of what is told later
SHORTEST_NOTE = 2  # of the words for the groups; a single character is a slip
ALL_THE_SAME = "照发"
MOST_REMINDERS = 5
_OFF = re.compile(r"\s*(?:撤回|撤销|不找了|取消)\s*(.*)", re.DOTALL)


@router.command(
    "寻人", "missing", usage="长相、衣着、在哪儿不见的，带照片", about="登记走失的人；民警核实后发到各群", record=True
)
def look_for(
    message: Inbound,
    number: CaseNumber | None,
    words: Words,
    meaning: Meaning,
    group: Group | None,
    photos: Photos,
    rights: Rights,
    campaigns: Campaigns,
    desk: CaseDesk,
    say: Say,
    reports: Reports,
    timers: Timers,
    session: Session,
) -> None:
    """From an officer: a notice that waits for a second officer, more about one that is out, or its withdrawal.

    From anybody else: a report like any other that somebody is missing.
    """
    if rights.officer is None:
        if number is not None or len(words) < SHORTEST:
            raise Refusal("missing.usage_resident")
        category = meaning.category if (meaning.category or "").startswith("missing.") else "missing.adult"
        if (same := said_already(message, words, desk, say)) is not None:
            desk.add(same, words, photos.ids, "reporter", message.message_id)
            say.reply("report.added", case=same, number=same.number, trouble=trouble_with(photos, say))
            return
        told = replace(meaning, intent=Intent.MISSING, category=category, tier="T1")
        reports.take(changed(message, text=words), told, photos)
        return
    case = desk.find(number) if number is not None else None
    missing = missing_of(session, case.id) if case is not None else None
    if case is None or missing is None:
        case = _write_down(message, case, words, group, photos, rights, campaigns, desk, say, session)
        timers.after(ASK_AGAIN_AFTER, UNVERIFIED, str(case.id), round="1")
    elif found := _OFF.fullmatch(simplified(words)):
        _end(case, missing, Chain.WITHDRAWN, words[found.start(1) :], rights, campaigns, desk, say)
    elif says_not_found(words) and said_found(case, desk) is not None:
        rights.require("missing.write", grid_id=case.grid_id, unit_ids=desk.units(case), target=case.number)
        take_up(missing, case, words, "", desk, say, timers, session, by=rights.officer)
        say.privately("missing.taken_up", case=case, number=case.number)
    elif missing.state == Chain.PENDING:
        _write_again(case, missing, words, photos, rights, campaigns, say, session)
        timers.after(ASK_AGAIN_AFTER, UNVERIFIED, str(case.id), round="1")
    else:
        _tell_more(case, missing, words, photos, rights, campaigns, desk, say, session)


@router.command(
    "找到",
    "found",
    usage="号 说明",
    about="走失的人找到了：告诉收到寻人的群，照片随后删除",
    needs=(Role.OFFICER, Role.GRID_WORKER, Role.DISPATCHER, Role.SUPERVISOR),
)
def found(
    number: CaseNumber, words: Words, rights: Rights, campaigns: Campaigns, desk: CaseDesk, say: Say, session: Session
) -> None:
    """The cancel to exactly the groups that got the alert."""
    case = desk.find(number)
    missing = missing_of(session, case.id)
    if missing is None:
        raise Refusal("missing.no_notice", number=case.number)
    _end(case, missing, Chain.FOUND, words, rights, campaigns, desk, say)


@router.timer(UNVERIFIED)
def ask_again(due: Due, campaigns: Campaigns, desk: CaseDesk, say: Say, timers: Timers, session: Session) -> None:
    """Nobody has verified it yet, and minutes count: whoever can is asked again, and the writer is told whom to call."""
    case, count = desk.get(int(due.key)), int(due.data["round"])
    missing = missing_of(session, case.id) if case is not None else None
    if case is None or missing is None or missing.state != Chain.PENDING or said_found(case, desk) is not None:
        return
    others = [officer for officer in verifiers(session, case, campaigns.now) if officer.id != missing.officer_id]
    minutes = int(count * ASK_AGAIN_AFTER.total_seconds() // 60)
    say.to_officers(others, "missing.verify_again", case=case, number=case.number, minutes=minutes, text=mask(missing.text))
    writer = session.get(Officer, missing.officer_id)
    if writer is not None and count in (1, MOST_REMINDERS):
        names = "、".join(f"{officer.title}{officer.name}" for officer in others[:SHOWN])
        say.to_officers([writer], "missing.unverified", case=case, number=case.number, minutes=minutes, names=names)
    if count < MOST_REMINDERS:
        timers.after(ASK_AGAIN_AFTER, UNVERIFIED, due.key, round=str(count + 1))


def verify_missing(
    case: Case, words: str, rights: Rights, campaigns: Campaigns, desk: CaseDesk, say: Say, timers: Timers
) -> None:
    """`/批准 2611-0042`: a second officer stands for it; with "照发" although somebody says that the person is found."""
    officer = rights.require("missing.verify", grid_id=case.grid_id, unit_ids=desk.units(case), target=case.number)
    missing = missing_of(campaigns.session, case.id)
    if missing is None:
        raise Refusal("missing.no_notice", number=case.number)
    if missing.officer_id == officer.id:
        raise NotAllowed("missing.own", action="missing.verify", target=case.number)
    said = said_found(case, desk)
    if said is not None and missing.state == Chain.PENDING and words != ALL_THE_SAME:
        raise Refusal("missing.said_found", number=case.number, text=said)
    text = say.word("missing.alert", number=case.number, text=mask(missing.text))
    alert, groups = verify(campaigns, missing, case, officer, text)
    timers.cancel(UNANSWERED, str(case.id))
    desk.note(case, say.word("missing.noted_out", groups=groups))
    say.privately("missing.out", case=case, number=case.number, campaign=alert.id, groups=groups)
    writer = campaigns.session.get(Officer, missing.officer_id)
    if writer is not None:
        by = f"{officer.title}{officer.name}"
        say.to_officers([writer], "missing.was_verified", case=case, number=case.number, by=by, groups=groups, campaign=alert.id)


def _write_down(
    message: Inbound,
    case: Case | None,
    words: str,
    group: Group | None,
    photos: Photos,
    rights: Rights,
    campaigns: Campaigns,
    desk: CaseDesk,
    say: Say,
    session: Session,
) -> Case:
    text, labels = split_groups(words, campaigns)
    if case is None:
        origin = origin_of(message, group)
        # what an officer writes down in the private chat is a matter of the grid that he has
        origin = replace(origin, grid_id=origin.grid_id if group else rights.own_grid)
        officer = rights.require("missing.write", grid_id=origin.grid_id)
        _check(text)
        new = NewCase("missing", "missing.adult", "T1", text, "", origin, needs_place=False)
        case = desk.open(new, photos.ids)
        if rights.covers("case.take", case.grid_id):
            # whoever writes it down has it in hand, and has spoken with whoever reported it
            desk.take(case)
            desk.contact(case, text)
    else:
        officer = rights.require("missing.write", grid_id=case.grid_id, unit_ids=desk.units(case), target=case.number)
        if case.kind != "missing":
            raise Refusal("missing.other_case", number=case.number)
        text = text or case.text
        _check(text)
        desk.attach(case, photos.ids, "officer", message_id=message.message_id, officer_id=officer.id)
    missing = Missing(
        case_id=case.id or 0,
        text=text,
        labels=labels,
        photo=_photo(case, session),
        officer_id=officer.id or 0,
        created_at=campaigns.now,
    )
    session.add(missing)
    session.flush()
    _ask_to_verify(case, missing, trouble_with(photos, say), campaigns, say, session)
    return case


def _write_again(
    case: Case, missing: Missing, words: str, photos: Photos, rights: Rights, campaigns: Campaigns, say: Say, session: Session
) -> None:
    """Before it is verified the text, the groups and the photo can still be changed, by anybody who may write one."""
    officer = rights.require("missing.write", grid_id=case.grid_id, target=case.number)
    text, labels = split_groups(words, campaigns)
    if text:
        _check(text)
        missing.text = text
    if labels != EVERYBODY or text:
        missing.labels = labels
    for photo in photos.ids:
        attachment = session.get(Attachment, photo)
        if attachment is not None:
            attachment.case_id = case.id
            session.add(attachment)
    session.flush()
    missing.photo = _photo(case, session)
    missing.officer_id = officer.id or 0  # whoever wrote the words may not verify them
    session.add(missing)
    _ask_to_verify(case, missing, trouble_with(photos, say), campaigns, say, session)


def _ask_to_verify(case: Case, missing: Missing, trouble: str, campaigns: Campaigns, say: Say, session: Session) -> None:
    writer = session.get(Officer, missing.officer_id)
    others = [officer for officer in verifiers(session, case, campaigns.now) if officer.id != missing.officer_id]
    text = say.word("missing.alert", number=case.number, text=mask(missing.text))
    whom, getting = hearers(campaigns, missing.labels)
    values: dict[str, Any] = {
        "number": case.number,
        "text": text,
        "groups": len(getting),
        "whom": whom,
        "photo_there": missing.photo is not None,
    }
    asked = say.to_officers(
        others,
        "missing.verify_card",
        case=case,
        photo=missing.photo,
        by=f"{writer.title}{writer.name}" if writer else "",
        **values,
    )
    say.privately("missing.written", case=case, asked=asked, trouble=trouble, **values)


def _tell_more(
    case: Case,
    missing: Missing,
    words: str,
    photos: Photos,
    rights: Rights,
    campaigns: Campaigns,
    desk: CaseDesk,
    say: Say,
    session: Session,
) -> None:
    officer = rights.require("missing.verify", grid_id=case.grid_id, unit_ids=desk.units(case), target=case.number)
    if missing.state != Chain.ACTIVE:
        raise Refusal("missing.over", number=case.number)
    text = re.sub(r"^\s*(?:补充|更新)[\s:：]*", "", words)
    if not text and not photos.ids:
        say.privately("missing.status", case=case, number=case.number, clues=missing.clues, text=mask(missing.text))
        return
    if text and len(text) < SHORTEST_MORE:
        raise Refusal("missing.more", number=case.number)
    if len(text) > LONGEST:
        raise Refusal("missing.too_long", most=LONGEST)
    desk.attach(case, photos.ids, "officer", officer_id=officer.id)
    photo = _photo(case, session) if photos.ids else None
    words_out = say.word("missing.update", number=case.number, text=mask(text))
    groups = tell_more(campaigns, missing, case, officer, words_out, photo)
    desk.note(case, text)
    say.privately("missing.told_more", case=case, number=case.number, groups=groups)


def _end(
    case: Case, missing: Missing, state: Chain, words: str, rights: Rights, campaigns: Campaigns, desk: CaseDesk, say: Say
) -> None:
    action = "missing.found" if state is Chain.FOUND else "missing.withdraw"
    officer = rights.require(action, grid_id=case.grid_id, unit_ids=desk.units(case), target=case.number)
    note = mask(words.strip(" ，,。.")[:LONGEST])
    text = say.word(f"missing.cancel.{state}", number=case.number, note=note if len(note) >= SHORTEST_NOTE else "")
    groups = end(campaigns, missing, case, officer, state, text)
    desk.note(case, text)
    say.privately(f"missing.ended.{state}", case=case, number=case.number, groups=groups)
    if state is Chain.FOUND and not _is_officer(case, campaigns.session):
        say.to_reporter_alone(case, "missing.reporter_told", number=case.number)


def _is_officer(case: Case, session: Session) -> bool:
    """Whether the case was brought by somebody on the roster, who is told as an officer."""
    mine = select(OfficerAccount).where(OfficerAccount.platform == case.platform, OfficerAccount.user_id == case.reporter)
    return session.exec(mine).first() is not None


def _check(text: str) -> None:
    if len(text) < SHORTEST:
        raise Refusal("missing.usage")
    if len(text) > LONGEST:
        raise Refusal("missing.too_long", most=LONGEST)


def _photo(case: Case, session: Session) -> str | None:
    """The newest photo of the case: what was sent last is the better one. What came with a cry for help may show anything, and
    goes to the groups only when an officer sends it himself."""
    sent = select(Attachment).where(Attachment.case_id == case.id, col(Attachment.alarm_id).is_(None))
    newest = session.exec(sent.order_by(col(Attachment.id).desc())).first()
    return newest.path if newest else None

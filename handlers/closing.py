"""How a case ends and how it comes back: one line to every group concerned, a second look by another unit, or to work again."""

from __future__ import annotations

import secrets
from datetime import timedelta

from sqlmodel import Session

from bot.dialogs import DialogKey, Dialogs
from bot.messages import Address, Choice, Inbound
from bot.permissions import Role
from bot.router import CaseNumber, Router, Words
from bot.say import Say, case_address
from bot.timers import Timers
from bot.turn import Rules
from cases.desk import CaseDesk
from cases.lifecycle import State
from cases.reviews import Reviews
from cases.wishes import helper_of
from content.refusal import Refusal
from content.spelling import simplified
from handlers.cards import case_card, place_or_group, tell_holder
from storage.tables import Case

router = Router("closing")

RATING_WAIT = timedelta(hours=24)
ASKED = (State.VERIFYING, State.RESOLVED)
TRUE, FALSE = "属实", "不属实"


def close(
    message: Inbound,
    case: Case,
    desk: CaseDesk,
    dialogs: Dialogs,
    timers: Timers,
    say: Say,
    rules: Rules,
    session: Session,
) -> None:
    """The reporter said that it is solved: everybody who reported it hears so, once, signed by the unit."""
    desk.confirm(case)
    dialogs.end_about(case.id, of=asked_where(case))
    dialogs.end_about(case.id)
    for timer in ("callback.ask", "callback.unreached", "callback.no_reason"):
        timers.cancel(timer, str(case.id))
    tell_everybody(case, desk, say, session)
    _thank_helper(case, say, session)
    stars = tuple(Choice(str(n), str(n)) for n in range(1, 6))
    say.privately("callback.rate", case=case, number=case.number, choices=stars)
    private = Address(case.platform, case.account, message.sender.id, private=True)
    dialogs.ask("rating", wait=RATING_WAIT, case_id=case.id, of=DialogKey.of(private, message.sender.id))
    rule = desk.clocks.rules.callback
    if case.category in rule.recurring:
        timers.after(rule.again_after, "callback.second", str(case.id))
    if secrets.SystemRandom().random() < rules.review_share:
        _ask_for_review(case, desk, say, session)


def tell_everybody(case: Case, desk: CaseDesk, say: Say, session: Session) -> None:
    """One closing line to each group concerned, with the photo of the result; to its own group the one from before, too."""
    place, unit = place_or_group(case, session), desk.unit_names(case)
    category, count = desk.category(case).name, desk.witnesses.count(case)
    before, after = desk.photos_by(case, "reporter"), desk.result_photos(case)
    for group in desk.witnesses.groups(case):
        own = group.id == case.group_id
        # a resident's photo stays where he showed it; the unit's own is for everybody who reported it
        if own and before and after:
            say.to_group(group, "callback.before", case=case, number=case.number, photo=before[0].path)
        say.to_group(
            group,
            "callback.closed",
            case=case,
            number=case.number,
            category=category,
            place=place,
            unit=unit,
            many=count if count > 1 else 0,
            photo=after[-1].path if after else None,
        )
    for witness in desk.witnesses.private(case):
        to = Address(witness.platform, witness.account, witness.chat, private=True)
        say.at(to, "callback.closed_private", case=case, number=case.number, category=category, place=place, unit=unit)


def _thank_helper(case: Case, say: Say, session: Session) -> None:
    """A neighbour who fulfilled a wish hears that it is confirmed."""
    helper = helper_of(session, case) if case.kind == "wish" else None
    if helper is not None:
        to = Address(helper.platform, helper.account, helper.user_id, private=True)
        say.at(to, "wishes.thanks", case=case, number=case.number)


def reopen(case: Case, reason: str, desk: CaseDesk, dialogs: Dialogs, say: Say, session: Session, by: str = "reporter") -> None:
    """Not solved: back to whoever had it, with the reason."""
    desk.deny(case, reason, by)
    dialogs.end_about(case.id, of=asked_where(case))
    tell_holder(case, "callback.not_solved", say, session, reason=reason, category=desk.category(case).name)


def asked_where(case: Case) -> DialogKey:
    """The dialog of the reporter where the case was brought."""
    return DialogKey.of(case_address(case), case.reporter or "")


# --- 抽查回访: another unit asks once more ---


def _ask_for_review(case: Case, desk: CaseDesk, say: Say, session: Session) -> None:
    reviewers = Reviews(session, desk.now).ask(case)
    if not reviewers:
        return
    say.to_officers(reviewers, "callback.review", case=case, result=case.result, **case_card(case, desk, session))


@router.command(
    "回访",
    "review",
    usage="号 属实（或：号 不属实 还差在哪里）",
    about="抽查回访的结果",
    needs=(Role.OFFICER, Role.GRID_WORKER, Role.DISPATCHER),
)
def review(number: CaseNumber, words: Words, desk: CaseDesk, dialogs: Dialogs, say: Say, session: Session) -> None:
    """Another unit asked the reporter once more: it is as he said, or it is not solved after all."""
    said = words.strip()
    case = desk.find(number)
    reviews = Reviews(session, desk.now)
    asked = reviews.open(case)
    if asked is None:
        desk.look(case)
        raise Refusal("desk.no_review", number=case.number)
    spelled = simplified(said)
    agreed = spelled.startswith(TRUE)
    note = said[len(TRUE if agreed else FALSE) :].strip(" ，,：:。")
    if not agreed and not (spelled.startswith(FALSE) and note):
        raise Refusal("refusal.usage", command="回访", usage="号 属实，或者：号 不属实 还差在哪里")
    officer = desk.review(case)
    if reviews.own(case, officer):
        raise Refusal("desk.own_review", number=case.number)
    reviews.answer(asked, officer, agreed, note)
    if agreed:
        desk.note(case, note or TRUE, "review")
        say.reply("callback.review_agreed", case=case, number=case.number)
        return
    desk.overturn(case, note)
    dialogs.end_about(case.id, of=asked_where(case))
    say.reply("callback.review_overturned", case=case, number=case.number)
    tell_holder(case, "callback.not_solved", say, session, reason=note, category=desk.category(case).name)
    say.to_reporter_alone(case, "callback.review_reopened", number=case.number)

"""Wishes: an officer puts one on a card, a neighbour takes it, the officer agrees, the resident says whether it came true."""

from __future__ import annotations

from sqlmodel import Session

from bot.dialogs import Dialogs
from bot.messages import Address, Inbound
from bot.permissions import Role
from bot.router import CaseNumber, Router, Words
from bot.say import Say
from bot.timers import Due, Timers
from cases.desk import CaseDesk
from cases.dispatch import handlers_of
from cases.wishes import CLAIM_LASTS, CLASS_WORDS, WishClass, Wishes
from content.refusal import Refusal
from content.spelling import named
from handlers.callback import ask_reporter
from handlers.cards import place_or_group
from storage.tables import Case, Group, WishCard, WishClaim

router = Router("wishes")

DESK = (Role.OFFICER, Role.GRID_WORKER, Role.DISPATCHER)
SHORTEST = 4
PUBLISH_USAGE = "号 公益 能公开的话（公益、市场、政务选一个；不写姓名、门牌和电话）"


@router.command("心愿", "wish", usage=PUBLISH_USAGE, about="把一个心愿发给邻居认领", needs=DESK, aside=True)
def publish(number: CaseNumber, words: Words, desk: CaseDesk, wishes: Wishes, say: Say, session: Session) -> None:
    """`/心愿 2611-0007 公益 想请人周末帮忙修一下收音机`: into the group where it was said."""
    word, _, text = words.partition(" ")
    wish_class = CLASS_WORDS.get(named(word))
    if wish_class is None or len(text.strip()) < SHORTEST:
        raise Refusal("refusal.usage", command="心愿", usage=PUBLISH_USAGE)
    case = desk.find(number)
    card = wishes.publish(case, wish_class, text.strip())
    if wish_class is WishClass.GOVERNMENT:
        # what an office has to do is nobody's favour: it stays with the unit
        say.reply("wishes.government", case=case, number=case.number)
        say.to_reporter_alone(case, "wishes.sorted_government", number=case.number)
        return
    group = session.get(Group, case.group_id) if case.group_id else None
    if group is None:
        raise Refusal("wishes.no_group", number=case.number)
    _show(card, case, group, say)
    say.reply("wishes.published", case=case, number=case.number, group=group.name)
    say.to_reporter_alone(case, "wishes.told_reporter", number=case.number)


@router.command("认领", "claim", usage="号", about="认领一个邻居的心愿", aside=True)
def claim(number: CaseNumber, message: Inbound, desk: CaseDesk, wishes: Wishes, say: Say, session: Session) -> None:
    """A neighbour wants to help."""
    case = desk.find(number)
    wishes.claim(case, message.address.platform, message.address.account, message.sender.id, message.sender.name)
    say.reply("wishes.claimed", case=case, number=case.number)
    say.to_officers(handlers_of(session, case), "wishes.card_claim", case=case, number=case.number, name=message.sender.name)


@router.command("同意", "agree", usage="号", about="同意邻居认领这个心愿", needs=DESK, aside=True)
def agree(number: CaseNumber, desk: CaseDesk, wishes: Wishes, timers: Timers, say: Say, session: Session) -> None:
    """The helper learns where, and how long he has."""
    case = desk.find(number)
    helper = wishes.decide(case, agree=True)
    timers.after(CLAIM_LASTS, "wish.due", str(helper.id))
    place = place_or_group(case, session)
    say.at(
        _private(helper),
        "wishes.go_ahead",
        case=case,
        number=case.number,
        text=case.text,
        place=place,
        name=case.reporter_name,
        hours=int(CLAIM_LASTS.total_seconds() // 3600),
    )
    say.to_reporter_alone(case, "wishes.somebody_helps", number=case.number, name=helper.name)
    say.reply("wishes.agreed", case=case, number=case.number)


@router.command("婉拒", "decline", usage="号", about="这个心愿不由这位邻居来办", needs=DESK, aside=True)
def decline(number: CaseNumber, desk: CaseDesk, wishes: Wishes, say: Say) -> None:
    """Without a reason that others could read; the card stays."""
    case = desk.find(number)
    helper = wishes.decide(case, agree=False)
    say.at(_private(helper), "wishes.declined", case=case, number=case.number)
    say.reply("wishes.card_stays", case=case, number=case.number)


@router.command("帮完", "helped", usage="号 做了什么", about="您认领的心愿办好了", aside=True)
def helped(
    number: CaseNumber,
    words: Words,
    message: Inbound,
    desk: CaseDesk,
    wishes: Wishes,
    dialogs: Dialogs,
    timers: Timers,
    say: Say,
    session: Session,
) -> None:
    """The helper says so, the resident is asked."""
    if len(words) < 2:
        raise Refusal("refusal.usage", command="帮完", usage="号 做了什么")
    case = desk.find(number)
    result = say.word("wishes.result", name=message.sender.name, text=words)
    helper = wishes.helped(case, message.address.platform, message.sender.id, result)
    timers.cancel("wish.due", str(helper.id))
    say.reply("wishes.helped", case=case, number=case.number)
    ask_reporter(case, desk, dialogs, timers, say, session)


@router.command("让出", "giveup", usage="号", about="认领的心愿办不了，让给别人", aside=True)
def give_up(
    number: CaseNumber, message: Inbound, desk: CaseDesk, wishes: Wishes, timers: Timers, say: Say, session: Session
) -> None:
    """No reproach; somebody else may."""
    case = desk.find(number)
    helper = wishes.give_up(case, message.address.platform, message.sender.id)
    timers.cancel("wish.due", str(helper.id))
    say.reply("wishes.given_up", case=case, number=case.number)
    _free_again(case, "wishes.card_free", say, session)


@router.timer("wish.due")
def time_is_over(due: Due, wishes: Wishes, say: Say, session: Session) -> None:
    """The helper's time is over: he is told, the officer, and the card is free again."""
    found = wishes.expire(int(due.key))
    if found is None:
        return
    case, helper = found
    say.at(_private(helper), "wishes.expired", case=case, number=case.number)
    _free_again(case, "wishes.card_expired", say, session)


def _show(card: WishCard, case: Case, group: Group, say: Say) -> None:
    say.to_group(group, f"wishes.card_{card.wish_class}", case=case, number=case.number, text=card.text)


def _free_again(case: Case, phrase: str, say: Say, session: Session) -> None:
    say.to_officers(handlers_of(session, case), phrase, case=case, number=case.number)


def _private(helper: WishClaim) -> Address:
    return Address(helper.platform, helper.account, helper.user_id, private=True)

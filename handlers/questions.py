"""Questions: answered from the checked library when the bot is asked and sure; else a person answers."""

from __future__ import annotations

import re

from sqlmodel import Session

from bot.campaigns.echo import campaign_quoted
from bot.messages import Inbound
from bot.router import Router, Words
from bot.say import Say
from bot.turn import Answered, NotMine, Photos
from bot.understanding.meaning import Meaning
from bot.understanding.openers import only_opens
from cases.desk import CaseDesk, NewCase
from cases.dispatch import handlers_of
from content.refusal import Refusal
from handlers.additions import THANKS
from handlers.bulletins import is_bulletin
from handlers.cards import case_card
from handlers.hearing import calls_a_person, is_opening
from handlers.origin import origin_of
from handlers.reports import said_already
from storage.tables import Case, Group

router = Router("questions")

HINTS = 2
NEAR = 0.45  # of the confidence of two answers together; seen to part what belongs to a subject from what does not
SHORTEST_COMPLAINT = 8  # characters; of less nobody can tell what it is about
LONGEST_ARTICLE = 400  # characters of an article that are said in a chat

# whoever asks us something we cannot place still wants an answer; greetings such as "在吗" do not
_ASKS = re.compile(
    r"[?？]\s*$|什么|怎么|怎样|几点|几号|多少|多久|哪[里儿个天家]|谁|能不能|可不可以|可以.*吗|要不要|有没有|是不是"
)

_COMPLAINS = re.compile(
    "投诉|不作为|没人|不管|[太很真]慢|拖|[太很真]差|不好|不行|不满|不像话|又[坏漏堵停来]|推[诿脱来]|敷衍|糊弄|没(?:有)?(?:用|解决|修|处理|回)|态度"
)


@router.intent("question")
def question(
    message: Inbound, photos: Photos, group: Group | None, answered: Answered, desk: CaseDesk, say: Say, session: Session
) -> None:
    """In the private chat and when addressed: an answer or a person. Unaddressed: only an answer that is certain."""
    if not message.addressed and is_opening(message.text):
        return  # 要带什么, said to a neighbour, is certainly answered by something, but not by what was meant
    if answer(message, answered, say):
        return
    if message.addressed:
        ask_a_person(message, message.text, photos, group, answered, desk, say, session)


@router.command("问", "ask", usage="您的问题", about="问办事、法律、反诈的问题")
def ask(
    message: Inbound,
    meaning: Meaning,
    words: Words,
    photos: Photos,
    group: Group | None,
    answered: Answered,
    desk: CaseDesk,
    say: Say,
    session: Session,
) -> None:
    """`/问 居住证怎么办`."""
    if meaning.danger is not None:
        return  # the emergency has been answered; it becomes a case when people are safe
    if not words:
        raise Refusal("refusal.usage", command="问", usage="您的问题")
    if not answer(message, answered, say, asked=True):
        ask_a_person(message, words, photos, group, answered, desk, say, session)


def answer(message: Inbound, answered: Answered, say: Say, *, asked: bool = False) -> bool:
    """Say the best answer if the library is sure enough for whoever was asked; true when something was said."""
    if (message.addressed or asked) and _say_law(answered, say):
        return True
    if not answered.hits:
        return False
    best = answered.hits[0]
    if not (best.certain or (best.sure and (asked or message.addressed))):
        return False
    say.reply(
        "question.answer", text=best.answer.body, source=best.answer.source, checked=best.answer.checked_on.strftime("%Y年%m月")
    )
    return True


def _say_law(answered: Answered, say: Say) -> bool:
    """The article that the question names, word for word."""
    named = next((hit.article for hit in answered.laws if hit.named), None)
    if named is None:
        return False
    text = named.text[:LONGEST_ARTICLE] + ("……" if len(named.text) > LONGEST_ARTICLE else "")
    say.reply(
        "question.article", name=named.name, text=text, since=named.valid_from.strftime("%Y年%m月%d日"), source=named.source
    )
    return True


def hints(answered: Answered) -> str:
    """What an officer may find useful beside a question: the next best answers and articles, by name."""
    names = [hit.answer.title for hit in answered.hits[:HINTS]] + [hit.article.name for hit in answered.laws[:HINTS]]
    return "、".join(names)


def subject_of(answered: Answered) -> str:
    """What a question is about that no answer fits well enough: the class of the two best ones when it is the same and they are
    near together; empty when that is not clear."""
    first, second = (answered.hits[0], answered.hits[1]) if len(answered.hits) > 1 else (None, None)
    if first is None or second is None or first.answer.class_ != second.answer.class_:
        return ""
    return first.answer.class_ if first.confidence + second.confidence >= NEAR else ""


def ask_a_person(
    message: Inbound,
    text: str,
    photos: Photos,
    group: Group | None,
    answered: Answered,
    desk: CaseDesk,
    say: Say,
    session: Session,
    *,
    phrase: str = "question.passed_on",
) -> Case | None:
    """A question case for whoever answers in this grid, with what may help there; None when it was added to a known one."""
    if (same := said_already(message, text, desk, say)) is not None:
        desk.add(same, text, photos.ids, "reporter", message.message_id)
        return None
    new = NewCase("question", "question", "TQ", text, "", origin_of(message, group), needs_place=False)
    case = desk.open(new, photos.ids)
    experts = desk.ask_experts(case, subject) if (subject := subject_of(answered)) else []
    say.to_officers(
        handlers_of(session, case), "desk.question", case=case, hints=hints(answered), **case_card(case, desk, session)
    )
    say.reply(phrase, case=case, number=case.number, unit=experts[0].name if experts else "")
    return case


@router.intent("feedback")
def feedback(message: Inbound, photos: Photos, group: Group | None, desk: CaseDesk, say: Say, session: Session) -> None:
    """Thanks and praise are heard, in a few words, and only when they are meant for us; a complaint goes to a person."""
    if not message.addressed or (not _COMPLAINS.search(message.text) and _is_said_to_all(message, photos, session)):
        return
    if _only_thanks(message.text):
        say.reply("help.welcome")
    elif message.copied or not _COMPLAINS.search(message.text):
        say.reply("question.thanks")
    elif len(message.text.strip()) < SHORTEST_COMPLAINT:
        say.reply("help.tell_me", private=message.address.private)
    else:
        ask_a_person(message, message.text, photos, group, Answered(), desk, say, session, phrase="question.complaint")


@router.intent("chat")
def small_talk(
    message: Inbound, photos: Photos, group: Group | None, answered: Answered, desk: CaseDesk, say: Say, session: Session
) -> None:
    """Talked to without a matter: one polite line about what the bot can do; a question that nobody foresaw goes to a person."""
    if not message.addressed:
        raise NotMine
    wants_person = calls_a_person(message.text)
    if not (wants_person or _ASKS.search(message.text)) and _is_said_to_all(message, photos, session):
        return
    if _only_thanks(message.text):
        say.reply("help.welcome")
    elif is_bulletin(message):
        say.reply("report.bulletin")
    elif only_opens(message.text):
        say.reply("help.what_i_do")
    elif (_ASKS.search(message.text) or (answered.hits and answered.hits[0].certain)) and answer(message, answered, say):
        pass  # what asks nothing (这是照片) is not answered by what it merely resembles
    elif _ASKS.search(message.text) or photos.ids or wants_person:
        ask_a_person(message, message.text, photos, group, answered, desk, say, session)
    else:
        say.reply("help.what_i_do")


@router.special("otherwise")
def not_understood(say: Say) -> None:
    """Said to us and not understood: the way to say it."""
    say.reply("help.what_i_do")


def _is_said_to_all(message: Inbound, photos: Photos, session: Session) -> bool:
    """Whether a word ("收到", "太可怕了") is said to a post, and so to the neighbours: nobody waits for an answer."""
    if message.quote is None or message.mentions_me or photos.ids:
        return False
    return campaign_quoted(session, message.address, message.quote.message_id) is not None


def _only_thanks(text: str) -> bool:
    return THANKS.fullmatch(text) is not None and re.search("谢|辛苦", text) is not None

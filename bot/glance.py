"""The glance: a pure look in memory that decides whether an event is kept. What it lets go is never written anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from bot.jobs import QUIET, Job
from bot.lanes import LaneKey
from bot.messages import Inbound, Kind
from bot.mind import CASE_NUMBER, Mind
from bot.router import Command
from bot.understanding.meaning import Danger, Hint
from content.spelling import simplified

# "刚才在公园门口往东走了" sounds like somebody who is missing, "见过这个人，在加油站" like somebody who breaks in
LIKE_A_SIGHTING = (Danger.MISSING, Danger.INTRUDER)


@dataclass(frozen=True, slots=True)
class Senses:
    """What the glance may ask: the reading of words, which command a text calls, whether an answer is certain, our name,
    whether a text asks if something is true, and whether it looks like an officers' command, mistyped."""

    glance: Callable[[str], Hint]
    command: Callable[[str], Command | None]
    certain: Callable[[str], bool]
    me: str = ""
    doubts: Callable[[str], bool] = lambda _: False
    slip: Callable[[str], bool] = lambda _: False


def glance(event: Inbound, mind: Mind, senses: Senses, now: datetime) -> Job | None:
    """Decide in memory whether an event is kept; None means forget it on the spot."""
    if event.kind is not Kind.MESSAGE:
        return _glance_other(event, senses)
    text, private, addressed = event.text, event.address.private, event.addressed
    if not (text.strip() or event.attachments or event.location or event.quote or event.mentions_me):
        return None  # a sticker, or whatever else has no words for us
    hint = hint_of(event, senses, mind, now)
    if hint.danger:
        return Job(event, hint, addressed=addressed)
    command = senses.command(text) if text.lstrip()[:1] in ("/", "／") else None
    if command is not None and command.confidential and not private:
        return Job(_without_words(event, f"/{command.name}"), QUIET, addressed=addressed)
    if command is not None:
        return Job(event, hint, addressed=addressed)
    if hint.tip and not private and not event.copied:
        # the words of a tip in a group are dropped here: only the way to the private chat is answered
        return Job(_without_words(event), hint, addressed=False, told_as_tip=True)
    if addressed or mind.expects(event, now):
        return Job(event, hint, addressed=addressed, waiting=event.lone_photo)
    if mind.is_late_forward(text):
        return Job(event, hint, addressed=addressed)
    if hint.bait:
        return Job(event, hint, addressed=addressed, asking=True)  # passed on or pasted: a neighbour may be about to believe it
    if event.copied:
        return None
    if (
        hint.report
        or mind.may_be_clue(event)
        or (hint.safe and (event.address in mind.alarms or mind.is_alerted(event)))
        or (("-" in text or "－" in text) and CASE_NUMBER.search(text))
        or (hint.question and senses.certain(text))
    ):
        return Job(event, hint, addressed=addressed)
    if text.lstrip()[:1] in ("/", "／") and senses.slip(text):
        return Job(event, hint, addressed=False, slip=True)
    if event.lone_photo:
        return Job(replace(event, text="", quote=None), QUIET, addressed=addressed, waiting=True)
    if _brings_something(event, mind, now) and senses.doubts(text):
        return Job(event, hint, addressed=addressed, asking=True)
    return None


def _brings_something(event: Inbound, mind: Mind, now: datetime) -> bool:
    """Whether there is something beside the words that they may ask about: a picture, one sent just before, a quoted message."""
    quoted = event.quote is not None and event.quote.text != ""
    key = LaneKey(event.address, event.sender.id)
    return bool(event.attachments) or quoted or key in mind.photos or mind.shown.get(key, now) > now


def _glance_other(event: Inbound, senses: Senses) -> Job | None:
    if event.kind is Kind.RECALL or (event.kind is Kind.EDIT and senses.command(event.text) is None):
        # it is only looked at when its message belongs to a case; Inbox.take finds that out
        return Job(event, QUIET, addressed=False, waiting=True)
    return Job(event, QUIET, addressed=True)


def hint_of(event: Inbound, senses: Senses, mind: Mind, now: datetime) -> Hint:
    hint = senses.glance(_said(event.text, senses)) if event.text else QUIET
    if hint.danger is Danger.MISSING and mind.is_late_forward(event.text):
        return QUIET  # whoever it was is found
    if hint.danger in LIKE_A_SIGHTING and mind.is_calm(event, now):
        return hint  # "认错人了，还没找到" of whoever said that somebody is found: a cry only if the question does not take it
    if hint.danger in LIKE_A_SIGHTING and mind.may_be_sighting(event, stranger=hint.danger is Danger.INTRUDER):
        return replace(hint, danger=None, report=True, sighting=True)  # who saw somebody sounds like who looks for somebody
    if hint.danger and event.copied and not event.address.private:
        return replace(hint, danger=None)  # passed-on news of a fire somewhere; brought to us alone it is a call for help
    return hint


def _said(text: str, senses: Senses) -> str:
    """The words without the command's own name, which may be one of danger ("/寻人")."""
    command = senses.command(text) if text.lstrip()[:1] in ("/", "／") else None
    if command is None or not command.record:
        return text
    rest = simplified(text).lstrip(" \u3000/／")
    spelled = rest.lower()
    return next((rest[len(name) :] for name in (command.name, command.alias) if spelled.startswith(name)), rest)


def _without_words(event: Inbound, text: str = "") -> Inbound:
    """The event with nothing left of what was said; it is not even known to have been said to us."""
    return replace(event, text=text, attachments=(), quote=None, location=None, mentions_me=False)

"""A kept event on its way to a handler, and what was found out about it at the first glance."""

from __future__ import annotations

from dataclasses import replace as changed

from msgspec import Struct
from msgspec.structs import replace

from bot.messages import Inbound
from bot.understanding.meaning import Hint
from storage.intake import EventClaim

QUIET = Hint()


class _Kept(Struct, frozen=True):
    event: Inbound
    hint: Hint


class Job(_Kept, frozen=True, kw_only=True):
    """A kept event on its way to a handler. `told_as_tip` marks a tip said in a group, whose words were not kept.

    `hint.danger` is set only when the words are the sender's own or were brought to the private chat.
    """

    addressed: bool
    advised: bool = False  # what to do in the danger was said in a turn of its own
    told_as_tip: bool = False
    waiting: bool = False  # a photo without words, that may belong to a report
    late: bool = False  # its sender, group or platform talks too much just now (`bot.flood`)
    parts: tuple[Inbound, ...] = ()  # the other photos of the same album
    asking: bool = False  # kept only because it asks whether something is true: if there is nothing to say, nothing is kept
    slip: bool = False  # kept only because it looks like an officers' command, mistyped: nobody but an officer is told
    in_turn: bool = False  # it had overtaken what the same person said before, and was put behind that
    claim: EventClaim | None = None  # where several nodes work: the right to end it


def storable(job: Job) -> Job:
    """The job without the one character that no PostgreSQL text can hold; it means nothing to anybody."""
    event = job.event
    quote = event.quote
    quoted = quote.text if quote else ""
    if not ("\0" in event.text or "\0" in event.sender.name or "\0" in event.group_name or "\0" in quoted):
        return job
    clean = replace(
        event,
        text=event.text.replace("\0", ""),
        sender=replace(event.sender, name=event.sender.name.replace("\0", "")),
        group_name=event.group_name.replace("\0", ""),
        quote=changed(quote, text=quote.text.replace("\0", "")) if quote else None,
    )
    return replace(job, event=clean)

"""Is what somebody brings bait: the words, the message that they quote, the pictures.

It is looked at before the transaction, and kept nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from bot.album import Album
from bot.jobs import Job
from bot.messages import Attachment, Inbound, Kind
from bot.photos import Photo
from bot.turn import Brought, Verdict
from bot.understanding.meaning import Intent, Meaning, Scam
from bot.understanding.pictures import PictureReader
from bot.understanding.understanding import Understanding
from content.words import load_words

MOST_PICTURES = 3  # of one message are read: a screenshot or two is what people bring
# Pasted bait almost always scores 0.9 and more (547 of 563 of our own examples that are found); questions about money that are
# none of it ("小孩办证要带户口本吗") stay below 0.75.
SURE_UNASKED = 0.94
# with these a picture in the private chat is brought to be looked at; with any other want it belongs to a case
_LOOKED_AT = (Intent.CHAT, Intent.QUESTION)


class Doubts:
    """Whether a text asks if something is true."""

    def __init__(self, words: Iterable[str]) -> None:
        self._asks = re.compile("|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) or "(?!)")

    @staticmethod
    def load(content: Path) -> Doubts:
        """Read `lexicon/doubts.txt`."""
        return Doubts(load_words(content / "lexicon" / "doubts.txt"))

    def __call__(self, text: str) -> bool:
        return self._asks.search(text) is not None


class Judge:
    """Judges what is brought. `reader` is None where the extra `pictures` is not installed or switched off."""

    def __init__(self, understanding: Understanding, doubts: Doubts, album: Album, reader: PictureReader | None) -> None:
        self._understanding = understanding
        self._doubts = doubts
        self._album = album
        self._reader = reader

    async def judge(self, job: Job, meaning: Meaning, before: Sequence[Inbound], *, kept: bool) -> Brought:
        """The verdict. `before` are photos that the person sent shortly before, `kept` says that a case waits for this photo."""
        event = job.event
        confidential = job.told_as_tip or meaning.intent is Intent.TIP
        if event.kind is not Kind.MESSAGE or confidential or event.text.lstrip()[:1] in ("/", "／"):
            return Brought()
        doubted = event.text != "" and self._doubts(event.text)
        scam, read = meaning.scam, False
        if doubted and event.quote is not None and not event.quote.mine and event.quote.text:
            scam, read = _worse(scam, self._understanding.read(event.quote.text).scam), True
        pictures = () if kept else self._pictures(job, meaning, before, doubted=doubted)
        blind, codes = "", 0
        for owner, attachment in pictures:
            photo = await self._album.look(owner, attachment) if self._reader is not None else ""
            seen = await self._reader.read(photo.jpeg) if self._reader is not None and isinstance(photo, Photo) else None
            if seen is None:
                blind = "cannot_look" if self._reader is None or isinstance(photo, str) else "busy"
                continue
            codes += len(seen.codes)
            if seen.text:
                scam, read = _worse(scam, self._understanding.read(seen.text).scam), True
        return Brought(self._verdict(job, meaning, scam, doubted, read, blind, bool(pictures)), scam, doubted, codes)

    def _pictures(
        self, job: Job, meaning: Meaning, before: Sequence[Inbound], *, doubted: bool
    ) -> tuple[tuple[Inbound, Attachment], ...]:
        """What is to be looked at: what is asked about, and what is shown to us without a matter."""
        event = job.event
        own = tuple((event, attachment) for attachment in event.attachments)
        if doubted:
            own = own or tuple((photo, attachment) for photo in before for attachment in photo.attachments)
        elif not (job.addressed and event.address.private and meaning.intent in _LOOKED_AT):
            own = ()
        return own[:MOST_PICTURES]

    @staticmethod
    def _verdict(job: Job, meaning: Meaning, scam: Scam, doubted: bool, read: bool, blind: str, pictures: bool) -> Verdict | None:
        sure = job.hint.bait or (job.addressed and scam.score >= SURE_UNASKED)
        unasked = sure and meaning.intent is not Intent.SCAM_REPORT
        if scam.is_scam and (doubted or unasked):
            return Verdict.BAIT
        if not (doubted and job.addressed):
            return None
        if blind:
            return Verdict(blind)
        if read:
            return Verdict.UNSURE
        return Verdict.NO_TEXT if pictures else None


def _worse(one: Scam, other: Scam) -> Scam:
    return max(one, other, key=lambda scam: (scam.is_scam, scam.score))

"""What the glance has to remember between two messages."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.dialogs import Awaited, DialogKey
from bot.lanes import LaneKey
from bot.messages import Address, Inbound
from bot.router import named_number
from bot.understanding.clues import sounds_like_clue, tells_of_no_fear, tells_of_no_harm
from content.spelling import simplified

FEW_DIALOGS = 1000
CASE_NUMBER = re.compile(r"(?<!\d)\d{2}(?:0[1-9]|1[0-2])[-－]\d{4,6}(?!\d)")


@dataclass(slots=True)
class Mind:
    """What the glance has to remember: who was asked something, where an emergency is open, whose photo waits for words.

    `hears` says what an answer to a patient question sounds like, `shows` which of them a photo answers and with which words,
    `calm` which answers are no cry (`Router.dialog`).
    """

    hears: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    shows: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    calm: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    dialogs: dict[DialogKey, tuple[Awaited, ...]] = field(default_factory=dict)
    alarms: dict[Address, int] = field(default_factory=dict)
    reports: dict[LaneKey, datetime] = field(default_factory=dict)  # who has just reported, and until when a photo belongs to it
    photos: dict[LaneKey, list[tuple[datetime, Inbound]]] = field(default_factory=dict)
    shown: dict[LaneKey, datetime] = field(default_factory=dict)  # who has just sent a photo alone, and until when it waits
    alerted: frozenset[tuple[str, str, str]] = frozenset()  # chats (platform, account, chat) where a missing person is looked for
    look_at: int = FEW_DIALOGS  # so many dialogs, and those that are over are looked for
    ended: frozenset[str] = frozenset()  # case numbers of missing people who are found, or no longer looked for

    def expects(self, event: Inbound, now: datetime) -> bool:
        """Whether this may be the answer to a question that this person was asked here."""
        return bool(self.awaited(event, now))

    def awaited(self, event: Inbound, now: datetime) -> list[str]:
        """The names of the questions that this may answer, the newest first."""
        if not self.dialogs:
            return []
        waiting = self.dialogs.get(DialogKey.of(event.address, event.sender.id), ())
        return [one.name for one in waiting if one.until > now and self._sounds_like(one.name, event)]

    def is_calm(self, event: Inbound, now: datetime) -> bool:
        """Whether it may be an answer that is no cry, if the question takes it (`Turn`)."""
        if not self.dialogs or event.copied or event.attachments:
            return False
        said = simplified(event.text.strip())
        waiting = self.dialogs.get(DialogKey.of(event.address, event.sender.id), ())
        return any(
            one.until > now and one.name in self.calm and self.calm[one.name].fullmatch(said) is not None for one in waiting
        )

    def _sounds_like(self, name: str, event: Inbound) -> bool:
        pattern, text = self.hears.get(name), event.text.strip()
        if event.attachments and name in self.shows:
            return text == "" or event.address.private or event.addressed or self.shows[name].search(simplified(text)) is not None
        return pattern is None or (event.addressed and text != "") or pattern.fullmatch(simplified(text)) is not None

    def may_be_clue(self, event: Inbound) -> bool:
        """Whether this may say that somebody saw the person whom the group was told of."""
        return self.is_alerted(event) and sounds_like_clue(event.text)

    def is_alerted(self, event: Inbound) -> bool:
        """Whether a missing person is looked for in this group."""
        address = event.address
        return not address.private and (address.platform, address.account, address.chat) in self.alerted

    def may_be_sighting(self, event: Inbound, *, stranger: bool) -> bool:
        """The same anywhere, of words that would be taken for a call for help if nobody was looked for.

        What sounds like a `stranger` who breaks in is one where the group was told of nobody, or where somebody is afraid.
        """
        if stranger and not (self.is_alerted(event) and tells_of_no_fear(event.text)):
            return False
        return bool(self.alerted) and not event.copied and sounds_like_clue(event.text) and tells_of_no_harm(event.text)

    def is_late_forward(self, text: str) -> bool:
        """Whether this passes on an alert that is over."""
        return bool(self.ended) and any(named_number(found[0]) in self.ended for found in CASE_NUMBER.finditer(text))

    def saw(self, key: LaneKey, until: datetime, now: datetime) -> None:
        """A photo without words came: it is known at once, before it waits, and on a node that never has it in its memory."""
        _remember_until(self.shown, key, until, now)

    def report(self, key: LaneKey, until: datetime, now: datetime) -> None:
        """Somebody has reported something: photos that come until then belong to it."""
        _remember_until(self.reports, key, until, now)

    def ask(self, key: DialogKey, awaited: tuple[Awaited, ...], now: datetime) -> None:
        """These answers are awaited from somebody; none: nothing is."""
        if not awaited:
            self.dialogs.pop(key, None)
            return
        self.dialogs[key] = awaited
        if len(self.dialogs) >= self.look_at:  # questions that nobody answered end by themselves
            self.dialogs = {one: waiting for one, waiting in self.dialogs.items() if any(each.until > now for each in waiting)}
            self.look_at = max(FEW_DIALOGS, 2 * len(self.dialogs))

    def just_reported(self, key: LaneKey, now: datetime) -> bool:
        until = self.reports.get(key)
        return until is not None and until > now


def _remember_until(times: dict[LaneKey, datetime], key: LaneKey, until: datetime, now: datetime) -> None:
    """Note a time, and let go of those that are over."""
    times.pop(key, None)
    times[key] = until
    for old in [one for one, over in itertools.takewhile(lambda entry: entry[1] <= now, times.items())]:
        del times[old]

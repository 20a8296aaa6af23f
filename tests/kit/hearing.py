"""What a test hears of the bot: what is said next where, and that nothing else was said."""

from __future__ import annotations

import fnmatch
import re

from bot.demo import District
from tests.kit.peer import Arrival, Peer

_UNITS = ("e:", "t:", "c:", "s:")  # an event, a timer, a campaign's step, a schedule


class Hearing:
    """Everything that the bot says to the sample district, each message seen once."""

    def __init__(self, platform: Peer, district: District) -> None:
        self.platform = platform
        self.district = district
        self.numbers: list[str] = []
        self.hears_clocks = True  # False: what clocks say to officers is not this test's matter
        self._seen: dict[tuple[str, bool], int] = {}  # how many of a chat's messages
        self._early: set[int] = set()  # and, by identity, what was seen before others that came earlier
        self._people = {row.name: row.id for row in district.residents}
        self._people |= {row.name: district.web_id(row.badge) for row in district.officers}
        self._groups = {row.name: row.id for row in district.groups}

    def offers(self, arrival: Arrival, *values: str) -> None:
        """The message lets one choose exactly these: by buttons, or where the platform has none by the words that it names."""
        if self.platform.buttons:
            assert [choice.value for choice in arrival.what.choices] == list(values)
            return
        assert arrival.what.choices == ()
        missing = [value for value in values if value not in arrival.what.text]
        assert not missing, f"{missing} can be neither pressed nor read in:\n{arrival.what.text}"

    def expect(self, where: str, pattern: str) -> Arrival:
        """The bot's next message there matches (with * for anything); the case number in it is remembered in `numbers`.

        What different units of work say (a timer and an answer, two jobs) has no order: the next of each may be the one.
        """
        chat = self._key(where)
        waiting = self._unseen(chat)
        assert waiting, f"nothing was said to {where}; expected {pattern!r}; elsewhere: {self._all_unseen()}"
        next_ones = {_unit_of(arrival): arrival for arrival in reversed(waiting)}
        first = [waiting[0], *(arrival for arrival in next_ones.values() if arrival is not waiting[0])]
        arrival = next((one for one in first if fnmatch.fnmatchcase(one.what.text, _glob(pattern))), None)
        assert arrival is not None, f"to {where} was said:\n{waiting[0].what.text}\nexpected:\n{pattern}"
        self._see(chat, arrival)
        found = re.search(r"\d{4}-\d{4}", arrival.what.text)
        if found and found[0] not in self.numbers:
            self.numbers.append(found[0])
        return arrival

    def expect_photo(self, where: str, pattern: str) -> Arrival:
        """The same with a photo; where a picture has no words, it comes as a message of its own before them."""
        if not self.platform.captions:
            shown = self.expect(where, "*")
            if shown.what.photo is not None and fnmatch.fnmatchcase(shown.what.text, _glob(pattern)):
                return shown  # said by the bot, whose pictures are joined with their words here
            assert shown.what.photo is not None
            return self.expect(where, pattern)
        arrival = self.expect(where, pattern)
        assert arrival.what.photo is not None
        return arrival

    def skip(self, *where: str) -> None:
        """What was said there is not this test's matter."""
        for name in where:
            chat = self._key(name)
            self._seen[chat] = len(self._there(chat))

    def skip_officers(self) -> None:
        """What officers read in their private chats is not this test's matter."""
        self.skip(*(row.name for row in self.district.officers))

    def silence(self) -> None:
        """The bot has said nothing that was not expected so far."""
        self.nothing_more()

    def silence_in(self, where: str) -> None:
        """Nothing was said there that was not expected."""
        rest = [arrival.what.text for arrival in self._unseen(self._key(where))]
        assert not rest, f"to {where} was also said: {rest}"

    def nothing_more(self) -> None:
        """Fails with everything that was said and not expected."""
        rest = self._all_unseen()
        assert not rest, f"the bot also said: {rest}"

    @property
    def number(self) -> str:
        """The newest case number that the bot has named."""
        return self.numbers[-1]

    def last(self, where: str) -> Arrival | None:
        """The newest of the bot's messages there."""
        there = self._there(self._key(where))
        return there[-1] if there else None

    def unseen(self, where: str) -> list[Arrival]:
        """What was said there and not yet expected or skipped."""
        return self._unseen(self._key(where))

    def heard_in(self, where: str) -> bool:
        """Whether the bot said something there that no `expect` has seen yet."""
        return bool(self._unseen(self._key(where)))

    def _key(self, where: str) -> tuple[str, bool]:
        if where in self._groups:
            return self._groups[where], False
        return self._people.get(where, where), True

    def _unseen(self, chat: tuple[str, bool]) -> list[Arrival]:
        return [arrival for arrival in self._there(chat)[self._seen.get(chat, 0) :] if id(arrival) not in self._early]

    def _see(self, chat: tuple[str, bool], arrival: Arrival) -> None:
        self._early.add(id(arrival))
        there, seen = self._there(chat), self._seen.get(chat, 0)
        while seen < len(there) and id(there[seen]) in self._early:
            seen += 1
        self._seen[chat] = seen

    def _there(self, chat: tuple[str, bool]) -> list[Arrival]:
        there = [arrival for arrival in self.platform.arrived if (arrival.to.chat, arrival.to.private) == chat]
        if self.hears_clocks:
            return there
        return [arrival for arrival in there if not arrival.what.text.startswith(("【时限】", "【超时】"))]

    def _all_unseen(self) -> list[str]:
        names = {(chat, False): name for name, chat in self._groups.items()} | {
            (i, True): name for name, i in self._people.items()
        }
        chats = {(arrival.to.chat, arrival.to.private) for arrival in self.platform.arrived}
        return [f"{names.get(chat, chat)}: {arrival.what.text}" for chat in chats for arrival in self._unseen(chat)]


def _unit_of(arrival: Arrival) -> str:
    """Which unit of work said it, as far as the key of its notice tells (`bot.say.Say`); else all of them are one."""
    unit, _, count = arrival.what.key.rpartition(":")
    return unit if arrival.what.key.startswith(_UNITS) and count.isdecimal() else ""


def _glob(pattern: str) -> str:
    """Only * is special: the square brackets and question marks of a sentence mean themselves."""
    return pattern.replace("[", "[[]").replace("?", "[?]")

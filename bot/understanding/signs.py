"""Signs of danger: classes of words that say little alone, added up (`content/lexicon/signs.toml`).

"三个人按着一个小伙子踹 头都破了" holds no phrase that anybody listed, yet a blow, a wound and people stand side by side. A scene
names the families that must meet; here any classes of one danger do, when their points reach what the danger needs. Points are
written by hand, they are no model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from bot.errors import ConfigError
from bot.understanding.lexicon import WordFile, Wording, any_of
from bot.understanding.meaning import Danger

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

WEIGHTY = 3  # points of signs that say more than who, where and when, without which the tone makes up for nothing
NEAR = 45  # characters on either side of a core sign in which others count
GAPS = {
    "…": "[^，。！？!?；;\n]{0,6}",
    "……": "[^。！？!?\n]{0,14}",
}  # parts that stand for anything: within a clause, and across one


@dataclass(frozen=True, slots=True)
class Spelled:
    """An entry that is spelled by its parts: its bit, and what its parts look like together."""

    bit: int
    wording: Wording


@dataclass(frozen=True, slots=True)
class Sign:
    """One class of words of one danger: its bits, its points (negative: it speaks against), its words.

    `bit` has two bits: `whole`, which says that one of the words in `wording` is there, and one which says that an entry may be
    that is spelled by its parts.
    """

    name: str
    bit: int
    points: int
    whole: int
    wording: Wording | None
    spelled: tuple[Spelled, ...]

    def matches(self, text: str, standing: int) -> Iterator[re.Match[str]]:
        """Every place of a text where one of the words may be seen to stand (`Signs.standing`)."""
        if self.wording is not None and standing & self.whole:
            yield from self.wording.pattern().finditer(text)
        for entry in self.spelled:
            if standing & entry.bit:
                yield from entry.wording.pattern().finditer(text)

    @property
    def most(self) -> int:
        """The points when two of its words are there."""
        return self.points + self.points // 2

    @property
    def utmost(self) -> int:
        """The points when three of its words are there or more."""
        return self.points + self.points // 2 * 2


@dataclass(frozen=True, slots=True)
class Tally:
    """All signs of one danger; `core` has the bits of those without which nothing is added up, `must` of those of
    which one must be near.
    """

    danger: Danger
    need: int
    core: int
    must: int
    signs: tuple[Sign, ...]
    friends: Wording | None
    fills: tuple[tuple[int, int], ...]  # for each class that is a core one or speaks for it: its bit, and points of two words
    bounds: tuple[tuple[int, int], ...]  # for each class that speaks for it: its bit, and points of three words

    @staticmethod
    def of(
        danger: Danger,
        need: int,
        core: Sequence[Sign],
        must: Sequence[Sign],
        others: Sequence[Sign],
        friends: Wording | None,
    ) -> Tally:
        """The signs of a danger: those without which nothing is added up, and all others; `must` are some of either."""
        speaking = [sign for sign in others if sign.points > 0]
        return Tally(
            danger,
            need,
            sum(sign.bit for sign in core),
            sum(sign.bit for sign in must),
            (*core, *others),
            friends,
            tuple((sign.bit, sign.most) for sign in (*core, *speaking)),
            tuple((sign.bit, sign.utmost) for sign in (*core, *speaking) if sign.points > 0),
        )

    def may_fill(self, standing: int, lacking: int = 0) -> bool:
        """Whether a text in which these classes may stand can reach what the danger needs, but for some points."""
        return sum([points for bit, points in self.fills if standing & bit]) >= self.need - lacking

    def most(self, standing: int) -> int:
        """No text in which these classes may stand has more points than these (`place`, `weight`)."""
        return sum([points for bit, points in self.bounds if standing & bit])

    def place(self, text: str, standing: int, lacking: int = 0) -> tuple[int, int, int] | None:
        """Points, start and end of the strongest stretch of a text whose false friends are blanked out; None if more points than
        these are lacking of what it needs.

        `standing` has the bits of the classes of which a word may stand there (`Signs.standing`).

        A class counts once, and half again for each of two more of its words.
        """
        found = list(self._found(text, standing))
        best: tuple[int, int, int] | None = None
        for core, low, high in found:
            if not core.bit & self.core:
                continue
            points, start, end = core.points, low, high
            said = {core.bit: {text[low:high]}}
            for sign, first, last in found:
                if first < low - NEAR or last > high + NEAR:
                    continue
                words = said.setdefault(sign.bit, set())
                if not words:
                    points += sign.points
                elif len(words) <= 2 and text[first:last] not in words and sign.points > 0:
                    points += sign.points // 2
                else:
                    continue
                words.add(text[first:last])
                if sign.points > 0:
                    start, end = min(start, first), max(end, last)
            enough = points >= self.need or (points >= self.need - lacking and self._says_more(said))
            if enough and self._is_told_of(said) and (best is None or points > best[0]):
                best = points, start, end
        return best

    def weight(self, text: str, standing: int) -> int:
        """The points of all classes in a text whose false friends are blanked out, wherever they stand."""
        points = 0
        said: dict[int, set[str]] = {}
        for sign, first, last in self._found(text, standing):
            words = said.setdefault(sign.bit, set())
            if not words:
                points += sign.points
            elif len(words) <= 2 and text[first:last] not in words and sign.points > 0:
                points += sign.points // 2
            words.add(text[first:last])
        return points

    def _says_more(self, bits: Mapping[int, set[str]]) -> bool:
        """Whether more is told than that somebody is, somewhere, now."""
        return sum(sign.points for sign in self.signs if sign.points > 1 and sign.bit in bits) >= WEIGHTY

    def _is_told_of(self, bits: Iterable[int]) -> bool:
        """Whether somebody is named to whom it happens, where the danger asks for that."""
        return not self.must or any(bit & self.must for bit in bits)

    def _found(self, text: str, standing: int) -> Iterator[tuple[Sign, int, int]]:
        """Every sign where it stands, the longer word first: no character counts for two.

        Of words as long as each other the one that speaks against goes first, then the one with more points.
        """
        found = [
            (sign, match, sum(end - start for start, end in _stands(match)))
            for sign in self.signs
            if standing & sign.bit
            for match in sign.matches(text, standing)
        ]
        taken: set[int] = set()
        for sign, match, _ in sorted(found, key=lambda one: (-one[2], one[0].points > 0, -one[0].points)):
            here = {at for start, end in _stands(match) for at in range(start, end)}
            if taken.isdisjoint(here):
                taken |= here
                yield sign, match.start(), match.end()


class Parts:
    """The entries that are spelled by parts, each of which must be there.

    The first parts of all entries have bits side by side, above each of them stand the second ones, and so on: which entries have
    all their parts is seen at once, without a look at any entry. Those with most parts come first, so that no bit is left
    over: a number of these bits is made for every text.
    """

    def __init__(self, first: int, sizes: Sequence[int]) -> None:
        """`first` is the first free bit, `sizes` says of how many parts the entries are."""
        self._first = first
        longer = [sum(size > part for size in sizes) for part in range(max(sizes, default=0) + 1)]  # than 0, 1, 2 … parts
        self._starts = [sum(longer[:part]) for part in range(len(longer))]
        self._next = longer[1:]  # by the number of parts, where the next such entry goes
        self._all = (1 << longer[0]) - 1
        self._later = [
            (start, (1 << width) - 1, self._all >> width << width)  # which entries have no such part
            for start, width in zip(self._starts[1:-1], longer[1:], strict=False)
        ]

    def add(self, number: int) -> list[int]:
        """The bits of the parts of one more entry, of which the first stands for the entry itself."""
        place = self._next[number - 1]
        self._next[number - 1] += 1
        return [1 << self._first + start + place for start in self._starts[:number]]

    def met(self, families: int) -> int:
        """The bits of the entries of which a text with these families has all parts."""
        families >>= self._first
        found = families & self._all
        for start, known, lack in self._later:
            found &= families >> start & known | lack
        return found << self._first


class Signs:
    """The tallies of all dangers, and their words with bits from `first` on, for the automaton."""

    def __init__(self, words: Mapping[str, int], tallies: Sequence[Tally], parts: Parts) -> None:
        self.words = words
        self.tallies = tuple(tallies)
        self._parts = parts
        self._classes: dict[int, int] = {}  # by the bit of an entry that of its class
        self._wholes = 0
        for sign in {sign.bit: sign for tally in tallies for sign in tally.signs}.values():
            self._wholes |= sign.whole
            self._classes.update((entry.bit, sign.bit ^ sign.whole) for entry in sign.spelled)
        self._cores = 0
        for tally in tallies:
            self._cores |= tally.core

    @staticmethod
    def load(folder: Path, families: Mapping[str, Sequence[str]], first: int) -> Signs:
        """Read `signs.toml`; `families` are those of the scenes, for "@name", and `first` is the first free bit."""
        file = WordFile(folder / "signs.toml")
        words: dict[str, int] = {}
        entries = [(name, entry) for table in file.tables.values() if isinstance(table, dict) for name, entry in table.items()]
        lists = [(name, entry[1].split()) for name, entry in entries if _is_class(entry)]
        bits = iter(range(first, first + 2 * len(lists)))
        for name, listed in lists:
            for word in listed:
                if any(way.startswith("@") and way[1:] not in families for way in re.split("[+|]", word)):
                    raise ConfigError(f"{file.path}: {name} takes in {word}, which is no family of scenes.toml")

        def ways(part: str) -> list[str]:
            return [word for way in part.split("|") for word in (families[way[1:]] if way.startswith("@") else (way,))]

        def essentials(word: str) -> list[list[str]]:
            parts = [ways(part) for part in word.split("+")]
            return [part for part in parts if "" not in part and part[0] not in GAPS]

        sizes = [len(essentials(word)) for _, listed in lists for word in listed if "+" in word]
        parted = Parts(first + 2 * len(lists), [size for size in sizes if size])

        def sign(name: str, entry: object) -> Sign:
            if not _is_class(entry):
                raise ConfigError(f'{file.path}: {name} must be [points, "words"]')
            members: list[str] = []
            whole = 1 << next(bits)
            spelled: list[Spelled] = []
            for word in entry[1].split():
                if "+" in word:
                    parts = [ways(part) for part in word.split("+")]
                    essential = essentials(word)
                    if not essential:
                        raise ConfigError(f"{file.path}: {name} has {word}, which may be nothing at all")
                    needed = parted.add(len(essential))
                    for part, bit in zip(essential, needed, strict=True):
                        for way in part:
                            words[way] = words.get(way, 0) | bit
                    pattern = "".join(GAPS.get(part[0]) or f"({any_of(part)})" for part in parts)
                    spelled.append(Spelled(needed[0], Wording(pattern)))
                else:
                    members += families[word[1:]] if word.startswith("@") else word.split("|")
            for word in members:
                words[word] = words.get(word, 0) | whole
            wording = Wording(any_of(members)) if members else None
            return Sign(name, whole | 1 << next(bits), entry[0], whole, wording, tuple(spelled))

        common = [sign(name, entry) for name, entry in file.table("common").items()]
        tallies = []
        for danger in Danger:
            table = file.table(danger.value)
            need, core, must = table.get("need"), file.texts(table, "core"), file.texts(table, "must")
            own = {name: sign(name, entry) for name, entry in table.items() if name not in ("need", "core", "must", "not")}
            if not isinstance(need, int) or not core or any(name not in own for name in (*core, *must)):
                raise ConfigError(f"{file.path}: [{danger}] needs a number `need` and a list `core` of its classes")
            friends = file.text(table, "not", "").split()
            tallies.append(
                Tally.of(
                    danger,
                    need,
                    [each for name, each in own.items() if name in core],
                    [own[name] for name in must],
                    [*(each for name, each in own.items() if name not in core), *common],
                    Wording(any_of(friends)) if friends else None,
                )
            )
        return Signs(words, tallies, parted)

    def wordings(self) -> Iterator[Wording]:
        """Every pattern of words."""
        for sign in {sign.bit: sign for tally in self.tallies for sign in tally.signs}.values():
            if sign.wording is not None:
                yield sign.wording
            yield from (entry.wording for entry in sign.spelled)
        yield from (tally.friends for tally in self.tallies if tally.friends is not None)

    def standing(self, families: int) -> int:
        """The bits of the classes of which a text with these families of words may hold one: whole, or spelled by its parts; and
        the bits that say which of them.
        """
        met = self._parts.met(families)
        found = families & self._wholes | met
        while met:
            entry = met & -met
            met ^= entry
            found |= self._classes[entry]
        return found

    def staged(self, standing: int, lacking: int = 0) -> list[Tally]:
        """The tallies that a text in which these classes may stand can fill, but for some points."""
        if not standing & self._cores:
            return []
        return [tally for tally in self.tallies if standing & tally.core and tally.may_fill(standing, lacking)]


def _is_class(entry: object) -> TypeGuard[tuple[int, str]]:
    return isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], int) and isinstance(entry[1], str)


def _stands(match: re.Match[str]) -> list[tuple[int, int]]:
    """Where the words of a sign stand: all of it, or its parts without the gaps between them."""
    return [span for span in match.regs[1:] if span[0] >= 0] or [match.span()]

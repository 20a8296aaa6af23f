"""Places named in a message: building, unit, gate, shop, road, crossing, village group, "菜场后面".

The words of the text are read from left to right; a word that ends a place ("路", "超市", "3号楼") closes a span, which
reaches back over name-like words and forward over numbers and directions. Words are data: `content/lexicon/places.toml`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from bot.understanding.lexicon import WordFile
from bot.understanding.meaning import Place
from bot.understanding.text import Plain, tagged
from content.words import load_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_NUMBER = r"(?:\d+|\*+|[零一二三四五六七八九十百〇两]+|[a-z])"
# "3号楼", "2单元", "502室", "十八弄", "负一楼", "三组", "B座", "7-2-501"
_UNITS = "号楼|号院|号门(?!口)|号|幢|栋|座|单元|楼|层|室|弄|组|队|社|期|区|街坊|村|门|巷|道|路|街|线|家"
NUMBERED = re.compile(
    rf"(?:负|地下|第)?{_NUMBER}(?:[-－~至、]{_NUMBER})*(?:{_UNITS})"
    r"(?!(?:线|码|召|称|钱|次|块|元|人|个|分|点|天|月|年|人家|电|梯))"
    r"(?:(?<=[楼栋幢座元])\d{3,4}室?(?![\d元块年]))?"
    r"|(?<![\d.])\d{1,3}[-－]\d{1,2}(?:[-－]\d{3,4})?(?![\d.年月元%])"
)
_NUMBERED_BY = frozenset("楼院门号幢栋座元层室弄组队社期区坊村巷道路街线家-－")  # one of which every number of a place has
# numbers that count or order as often as they name: a place only with what follows ("12号门口") or after a name ("人民路12号")
_LOOSE = re.compile(
    rf"第?{_NUMBER}(?:[-－~至、]{_NUMBER})*(?:号|门|区|社|期|道|路|街|线|家|巷)|[零一二三四五六七八九十两]层|\d{{1,3}}[-－]\d{{1,2}}"
)
_NAMED_BEFORE = tuple("路街巷弄道村里园庄苑寓城镇")
# endings by which jieba's place names are believed; others have to be in `regions.txt`
_ENDINGS = "省市县区镇乡村州旗盟街路道巷弄里站港湾岛湖河江桥洲寨庄屯堡关城宫山"
_NAME_TAGS = ("n", "j", "b", "eng", "f", "s", "vn", "an", "m", "q", "a", "z", "g", "k", "i", "l")
_QUOTES = "“”\"'‘’＂*（）()＋+×xX某甲乙丙丁"
_LONGEST = 30


class _Word(NamedTuple):
    text: str
    tag: str
    start: int
    end: int


class Places:
    """Finds place spans in plain text."""

    def __init__(
        self,
        heads: Sequence[str],
        ends: str,
        not_places: Sequence[str],
        after: Sequence[str],
        before: Sequence[str],
        generic: Sequence[str],
        strangers: Sequence[str],
        regions: Sequence[str] = (),
    ) -> None:
        self._heads = frozenset(heads)
        self._ends = frozenset(ends)
        self._not = frozenset(not_places)
        tails = sorted({*heads, *after}, key=len, reverse=True)
        self._tail = re.compile("|".join(map(re.escape, tails)))
        self._before = frozenset(before)
        self._strangers = frozenset(strangers)
        self._regions = frozenset(regions)
        self._closing = self._heads | self._regions
        alone = "|".join(map(re.escape, sorted(generic, key=len, reverse=True)))
        self._vague = re.compile(rf"(?:该|本|这个?|那个?|我们?|自己|同|一个)?(?:{alone})(?:内|里|上|中|外|旁|处|门)?")

    @staticmethod
    def load(folder: Path) -> Places:
        """Read `places.toml` and `regions.txt` from the lexicon folder."""
        file = WordFile(folder / "places.toml")
        names = ("heads", "not_places", "after", "before", "generic", "strangers")
        heads, not_places, after, before, generic, strangers = (file.texts(file.tables, name) for name in names)
        regions = sorted(load_words(folder / "regions.txt"))
        return Places(heads, file.text(file.tables, "ends"), not_places, after, before, generic, strangers, regions)

    def marks(self) -> Iterator[str]:
        """Words and characters without any of which no text names a place."""
        yield from self._closing | self._ends | _NUMBERED_BY | frozenset(_ENDINGS)

    def find(self, plain: Plain) -> tuple[Place, ...]:
        """The places of a text, with positions in the original text."""
        text = plain.text[:2000]
        said = tagged(text)
        numbered = {match.start(): match.end() for match in NUMBERED.finditer(text) if self._names(text, match)}
        if not numbered and not self._may_close(said):
            return ()
        words = _words(said)
        spans: list[tuple[int, int]] = []
        index = 0
        while index < len(words):
            word = words[index]
            if not self._closes(word, numbered):
                index += 1
                continue
            start = self._reach_back(words, index, spans[-1][1] if spans else 0)
            end = self._reach_forward(text, max(word.end, numbered.get(word.start, 0)))
            while index < len(words) and words[index].start < end:
                index += 1
            if index < len(words) and self._closes(words[index], numbered) and words[index].start == end:
                end = self._reach_forward(text, max(words[index].end, numbered.get(words[index].start, 0)))
                while index < len(words) and words[index].start < end:
                    index += 1
            if end - start >= 2 and not self._vague.fullmatch(text, start, end) and text[end : end + 1] != "牌":
                spans.append((start, end))
        return tuple(self._place(plain, start, end) for start, end in spans)

    def _names(self, text: str, number: re.Match[str]) -> bool:
        """Whether a number names a place by itself, or by what follows it."""
        if _LOOSE.fullmatch(number[0]) is None or self._tail.match(text, number.end()) is not None:
            return True
        return text[number.start() - 1 : number.start()] in _NAMED_BEFORE if number.start() else False

    def _may_close(self, said: Sequence[tuple[str, str]]) -> bool:
        """Whether one of the words with their tags ends a place: for most messages this says no, and is cheap."""
        closing, ends = self._closing, self._ends
        return any(
            (word in closing or tag == "ns" or (tag[0] in "njs" and word[-1] in ends)) and self._ends_place(word, tag)
            for word, tag in said
        )

    def _closes(self, word: _Word, numbered: dict[int, int]) -> bool:
        return word.start in numbered or self._ends_place(word.text, word.tag)

    def _ends_place(self, word: str, tag: str) -> bool:
        if word in self._heads:
            return True
        if word in self._not:
            return False
        if word in self._regions:
            return True
        if tag == "ns":
            return len(word) >= 3 and word[-1] in _ENDINGS
        return len(word) >= 2 and word[-1] in self._ends and tag[0] in "njs" and tag != "nr" and not NUMBERED.fullmatch(word)

    def _reach_back(self, words: list[_Word], index: int, limit: int) -> int:
        start = words[index].start
        for word in reversed(words[:index]):
            if word.start < limit or words[index].end - word.start > _LONGEST:
                break
            ends = len(word.text) == 1 and word.text in self._ends  # "村" of "王家村三组"
            named = ends or (word.tag.startswith(_NAME_TAGS) and word.tag != "f" and word.text not in self._not)
            if word.text in self._strangers:
                break
            if not named and word.text not in self._before and not all(char in _QUOTES for char in word.text):
                break
            start = word.start
        return start

    def _reach_forward(self, text: str, end: int) -> int:
        """Over numbers, parts and directions that follow: "3号楼" + "2单元" + "楼道" + "门口"."""
        while True:
            match = NUMBERED.match(text, end) or self._tail.match(text, end)
            if match is None or match.end() == end:
                return end
            end = match.end()

    def _place(self, plain: Plain, start: int, end: int) -> Place:
        first, last = plain.span(start, end)
        return Place(plain.original[first:last], first, last)


def _words(said: Sequence[tuple[str, str]]) -> list[_Word]:
    words, position = [], 0
    for word, tag in said:
        words.append(_Word(word, tag, position, position + len(word)))
        position += len(word)
    return words

"""Places named in a message: building, unit, gate, shop, road, crossing, village group, "菜场后面".

The words of the text are read from left to right; a word that ends a place ("路", "超市", "3号楼") closes a span, which
reaches back over name-like words and forward over numbers and directions. A name that is as often something else ("平安",
"大润发") closes one only where it is gone to or stood beside. The words are in `content/lexicon`: `places.toml`, and the lists
of names `regions.txt`, `sights.txt` and `namesakes.txt`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from bot.understanding.lexicon import Beginnings, WordFile
from bot.understanding.meaning import Place
from bot.understanding.shapes import SHAPED, Shapes
from bot.understanding.text import Plain, tagged
from content.words import load_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
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
_COUNTS = re.compile("[\\d*零一二三四五六七八九十百〇两a-z]")  # what every number begins with
_NUMBERED_BY = frozenset("楼院门号幢栋座元层室弄组队社期区坊村巷道路街线家-－")  # one of which every number of a place has
# numbers that count or order as often as they name: a place only with what follows ("12号门口") or after a name ("人民路12号")
_LOOSE = re.compile(
    rf"第?{_NUMBER}(?:[-－~至、]{_NUMBER})*(?:号|门|区|社|期|道|路|街|线|家|巷)"
    r"|[零一二三四五六七八九十两]层|[一二三四五六七八九十百两]+座|\d{1,3}[-－]\d{1,2}"
)
_NAMED_BEFORE = tuple("路街巷弄道村里园庄苑寓城镇")
# endings by which jieba's place names of three characters and more are believed; others have to be in a list
_ENDINGS = frozenset(
    "省市县区镇乡村州旗盟街路道巷弄里站港湾岛湖河江桥洲寨庄屯堡关城宫山园寺庙庵塔阁殿谷峡峰岭崖沟坡滩潭溪泉池塘堰坝渠海原漠陵墓窟馆堂亭门口场店楼台营峪墩埠坊碑洼坪岗坳冲"
)
# with these even what jieba takes for a person is a place ("张庄村", "清真寺"), with the others only by what stands around it
_SURELY = frozenset("村镇乡县区路街巷弄桥寺庙庵阁渠堰塘坝屯寨庄苑")
_PERHAPS = frozenset("局湖坊亭宫园楼院塔门口场馆站店厂沟岭山河江岛城湾谷峡坪坳坡岗冲")
_NAMES = frozenset({"nr", "nz", "nt", "nrt", "nrfg", "ns"})
# these alone end the name before them when the segmenter parts them ("向阳|渠", "三里|桥")
_PARTED = frozenset("桥渠湖河江村镇乡街巷路寺庙庵塘坝堰屯寨庄沟岗岭洼坪墩营湾坨")
_WATERS = frozenset("湖河江山楼阁塔寺桥沿")  # that hardly any name of a person ends with
_SELDOM = frozenset("渠寺庙庵坝堰屯寨沟岗岭洼坪街湾坨村")  # of these also what is a common word by itself ("东风|渠")
_LAST_OF_TWO = frozenset("行心学堂舍")  # of words like "银行", "中心" that end a longer one
_OLD_OR_NEW = frozenset("新老大小")  # "到老江口去", "大上海"
_FROM_THERE = frozenset("人话菜队")  # "越南人" in one word is as much of Vietnam as "越南" and "人" in two
_COUNTED = tuple("里号孔眼步角堡")  # "三里桥", "五孔桥", and not "一座桥"
_NAME_TAGS = ("n", "j", "b", "eng", "f", "s", "vn", "an", "m", "q", "a", "z", "g", "k", "i", "l")
# a single character of direction, and not the beginning of another word: "广场|上班", "安徽|下雨"
_ON = re.compile(
    "旁|边|侧|段|处|里(?!程|斯|加)|内(?!容|蒙|衣|部)|外(?!卖|地|国|婆|公|套)"
    "|上(?![门班雨雪学车来去课映升周次个市头述网])|下(?![雨雪班车来去课午降周次个水单了载])"
)
_FLOOR = re.compile(rf"{_NUMBER}(?:楼|层|号门|号楼)")
_BUREAU = re.compile("..局|价格认[证定]中心")
_THIS = re.compile(r"该|当地|本|这个?|那个?|我们?|自己|同|[一两二三四五六七八九十几\d]+个")
_INSIDE = frozenset("内里上中外旁处门")
_LOCATED = re.compile(r"[省市县区镇乡村路街巷弄号楼\d]")  # "人民路自来水公司"
_OF = re.compile(r"(?<!站)牌|网(?![\u4e00-\u9fff])|(?:教授|博士|硕士|学霸|招生|毕业生)|(?<=大学)生|(?<=堆)[了着成得满]")
_TOLD_BY = frozenset("点分秒天年月份个次遍趟圈半多")  # "六点|榕树底下", "一趟|超市"
_QUOTES = "“”\"'‘’＂*（）()＋+×xX某甲乙丙丁"
_LONGEST = 30


class _Word(Struct, frozen=True):
    text: str
    tag: str
    start: int
    end: int


class Places:
    """Finds place spans in plain text."""

    def __init__(
        self,
        file: WordFile,
        shapes: WordFile,
        regions: frozenset[str],
        sights: frozenset[str],
        namesakes: frozenset[str],
        parted: frozenset[str],
    ) -> None:
        def listed(name: str) -> tuple[str, ...]:
            return file.texts(file.tables, name)

        self._heads, self._not = frozenset(listed("heads")), frozenset(listed("not_places"))
        self._ends = frozenset(file.text(file.tables, "ends"))
        self._before, self._strangers = frozenset(listed("before")), frozenset(listed("strangers"))
        self._wide, self._regions = regions | namesakes, regions | sights
        self._closing = self._heads | self._regions
        self._perhaps = namesakes | frozenset(listed("known")) | _PARTED
        self._known = self._closing | self._perhaps
        self._shapes = Shapes(shapes, parted, self._heads, self._not)
        self._any_end = self._ends | _ENDINGS | _SURELY | _PERHAPS
        self._last = self._any_end | _FROM_THERE | _LAST_OF_TWO
        self._ways, self._gone = frozenset(listed("ways")), listed("ways")
        self._doings = frozenset(listed("doings"))
        self._called = frozenset(listed("called"))
        self._surnames = frozenset(shapes.expand("{surname}"))
        after = listed("after")
        further = [word for word in after if len(word) > 1]
        self._tail, self._beside = Beginnings((*listed("heads"), *further)), Beginnings((*further, *listed("told")))
        self._offices, self._goods = listed("offices"), Beginnings(listed("goods"))
        self._generic = frozenset(listed("generic"))

    @staticmethod
    def load(folder: Path) -> Places:
        """Read `places.toml` and the lists of names from the lexicon folder."""
        lists = (load_words(folder / name) for name in ("regions.txt", "sights.txt", "namesakes.txt", "parted.txt"))
        files = WordFile(folder / "places.toml"), WordFile(folder / "shapes.toml")
        return Places(*files, *lists)

    def marks(self) -> Iterator[str]:
        """Words and characters without any of which no text names a place."""
        ends = self._any_end | _NUMBERED_BY
        yield from ends
        for name in self._known:  # three characters of a name will do: the fewer words, the smaller the one pass
            if ends.isdisjoint(name):
                yield name[:3]

    def names(self) -> frozenset[str]:
        """All words and names of the lists that may end a place."""
        return self._known

    def shape_marks(self) -> Iterable[str]:
        """Words without any of which no text has a name that the segmenter parts."""
        return self._shapes.marks()

    def find(self, plain: Plain, *, shapes: bool = True) -> tuple[Place, ...]:
        """The places of a text, with positions in the original text.

        `shapes` is whether any of the `shape_marks` is there, which the one pass over a message knows already.
        """
        text = plain.text[:2000]
        said = tagged(text)
        numbered: dict[int, int] = {}
        if _COUNTS.search(text) is not None:
            numbered = {match.start(): match.end() for match in NUMBERED.finditer(text) if self._names(text, match)}
        shaped = self._shapes.find(text, said) if shapes else []
        if not numbered and not shaped and not self._may_close(said):
            return ()
        words = _words(said, shaped)
        spans: list[tuple[int, int]] = []
        index = 0
        while index < len(words):
            word = words[index]
            if not self._closes(text, words, index, numbered):
                index += 1
                continue
            start = self._reach_back(words, index, spans[-1][1] if spans else 0)
            end = self._reach_forward(text, self._end_of(word, numbered))
            while index < len(words) and words[index].start < end:
                index += 1
            if index < len(words) and self._closes(text, words, index, numbered) and words[index].start == end:
                end = self._reach_forward(text, self._end_of(words[index], numbered))
                while index < len(words) and words[index].start < end:
                    index += 1
            if end - start >= 2 and self._is_place(text, start, end):
                spans.append((start, end))
        return tuple(self._place(plain, start, end) for start, end in spans)

    def _end_of(self, word: _Word, numbered: dict[int, int]) -> int:
        if word.text[-1] in _FROM_THERE and word.text[:-1] in self._regions:
            return word.end - 1
        return max(word.end, numbered.get(word.start, 0))

    def _names(self, text: str, number: re.Match[str]) -> bool:
        """Whether a number names a place by itself, or by what follows it."""
        if _LOOSE.fullmatch(number[0]) is None or self._goes_on(text, number.end()) > number.end():
            return True
        return text[number.start() - 1 : number.start()] in _NAMED_BEFORE if number.start() else False

    def _may_close(self, said: Sequence[tuple[str, str]]) -> bool:
        """Whether one of the words with their tags may end a place: for most messages this says no, and is cheap."""
        known, ends = self._known, self._last
        for word, tag in said:
            if word in known:
                return True
            if tag[0] not in "njsl" or (word[-1] not in ends and tag != "ns"):
                continue
            if self._ends_place(word, tag) or self._may_end(word, tag):
                return True
        return False

    def _closes(self, text: str, words: list[_Word], index: int, numbered: dict[int, int]) -> bool:
        word = words[index]
        if word.start in numbered or word.tag == SHAPED:
            return True
        if word.tag[0] not in "njsl" and word.text not in self._known:
            return False
        if self._ends_place(word.text, word.tag):
            return word.tag != "ns" or index == 0 or words[index - 1].tag != "nr" or len(words[index - 1].text) > 1  # "陈|黄河"
        return self._may_end(word.text, word.tag) and self._fits(text, words, index)

    def _fits(self, text: str, words: list[_Word], index: int) -> bool:
        """Whether what stands around a word makes a place of it: a name before "渠", a way to it, a direction after it."""
        word, before = words[index], words[index - 1] if index else None
        if word.text in _PARTED:
            return before is not None and self._is_name(before, word.text)
        if before is not None and word.tag == "ns" and before.tag == "n" and len(before.text) == 1 and word.text[-1] in _WATERS:
            return before.text != "人"  # "柳|溪河"
        if before is not None and before.text in _OLD_OR_NEW and index > 1:
            before = words[index - 2]
        return (before is not None and before.text in self._ways) or self._is_beside(text, word.end)

    def _may_end(self, word: str, tag: str) -> bool:
        """Whether what stands around a word can make a place of it, as `_fits` looks."""
        if word in self._perhaps:
            return True
        if word in self._not or (tag not in _NAMES and word[-1] != "局"):
            return False
        return (tag == "ns" and len(word) == 2) or (len(word) >= 3 and word[-1] in _PERHAPS)

    def _is_name(self, word: _Word, ending: str) -> bool:
        if len(word.text) < 2 or word.text in self._strangers or word.text in self._not:
            return False
        if word.tag == "m":
            return word.text.endswith(_COUNTED) and ending != "路"  # "五里路" is how far it is
        return word.tag in _NAMES or word.text in self._called or (word.tag == "n" and ending in _SELDOM)

    def _is_place(self, text: str, start: int, end: int) -> bool:
        """Whether a span is more than "the shop", a brand ("上海牌"), or an office that acts and is nowhere."""
        if self._is_vague(text, start, end) or _OF.match(text, end):
            return False
        if text[start - 1 : start] == "【" and text[end : end + 1] == "】":
            return False  # who sends it
        wide = text[end - 1] in "省市县区" or any(
            text[end - size : end] in self._wide for size in (2, 3, 4) if end - size >= start
        )
        if wide and self._is_of(text, end):
            return False
        if not text.endswith(self._offices, start, end) or _LOCATED.search(text, start, end) is not None:
            return True
        if text[max(0, start - 2) : start].endswith(self._gone):
            return True
        return any(text[start : start + size] in self._regions for size in (2, 3, 4))  # "湖南一家公司"

    def _is_vague(self, text: str, start: int, end: int) -> bool:
        """Whether a span says no more than that something is somewhere: "这个小区里"."""
        if self._is_generic(text, start, end):
            return True
        this = _THIS.match(text, start, end)
        return this is not None and self._is_generic(text, this.end(), end)

    def _is_generic(self, text: str, start: int, end: int) -> bool:
        return text[start:end] in self._generic or (text[end - 1] in _INSIDE and text[start : end - 1] in self._generic)

    def _is_of(self, text: str, end: int) -> bool:
        """Whether a region that ends there only tells whose goods these are, or which office acts: "青岛|啤酒"."""
        if self._goods.end(text, end) > end:
            return True
        office = _BUREAU.match(text, end)
        return office is not None and not self._is_beside(text, office.end())

    def _is_beside(self, text: str, at: int) -> bool:
        return self._beside.end(text, at) > at or _FLOOR.match(text, at) is not None

    def _goes_on(self, text: str, at: int) -> int:
        """Where a part or a direction ends that begins there; `at` when none does."""
        end = self._tail.end(text, at)
        if end == at:
            match = _ON.match(text, at)
            return match.end() if match is not None else at
        return end

    def _ends_place(self, word: str, tag: str) -> bool:
        if word in self._heads:
            return True
        if word in self._not:
            return False
        if word in self._regions:
            return True
        if word[-1] in _FROM_THERE and word[:-1] in self._regions:
            return True
        if tag == "ns":
            return len(word) >= 3 and (word[-1] in _ENDINGS or (word[0] in _OLD_OR_NEW and word[1:] in self._regions))
        if tag[:2] == "nr":
            if len(word) < 3:
                return False
            if word[-1] in _SURELY or word[-2:] in self._heads or (word[1] == "家" and word[-1] in _PERHAPS):  # "李家湾"
                return True
            return word[-1] in _WATERS and word[0] not in self._surnames and word[-2:] != "江湖"  # "鹿鸣湖"
        if len(word) > 3 and tag[0] in "lnj" and word[-2:] in self._heads:
            return True  # "五一广场", "重庆大学"
        if tag == "l":
            return False
        if tag[0] not in "njs" or word[-1] not in self._ends or word[-1] in "号期" or len(word) < 2:
            return False
        if NUMBERED.fullmatch(word):
            return False
        return not word.endswith("网站") if len(word) > 2 else word[0] not in self._doings

    def _reach_back(self, words: list[_Word], index: int, limit: int) -> int:
        start = words[index].start
        if len(words[index].text) == 2 and words[index].text[0] in "从往":  # "从桥|上"
            return start + 1
        for word in reversed(words[:index]):
            if word.start < limit or words[index].end - word.start > _LONGEST:
                break
            ends = len(word.text) == 1 and word.text in self._ends  # "村" of "王家村三组"
            named = (
                ends
                or word.text in self._called
                or (word.tag.startswith(_NAME_TAGS) and word.tag != "f" and word.text not in self._not)
            )
            if word.text in self._strangers or (len(word.text) > 1 and word.text[-1] in "去到"):
                break
            if word.tag == "m" and word.text[-1] in _TOLD_BY:
                break
            if not named and word.text not in self._before and not all(char in _QUOTES for char in word.text):
                break
            start = word.start
        return start

    def _reach_forward(self, text: str, end: int) -> int:
        """Over numbers, parts and directions that follow: "3号楼" + "2单元" + "楼道" + "门口"."""
        while True:
            match = NUMBERED.match(text, end)
            further = match.end() if match is not None else self._goes_on(text, end)
            if further == end:
                return end
            end = further

    def _place(self, plain: Plain, start: int, end: int) -> Place:
        first, last = plain.span(start, end)
        return Place(plain.original[first:last], first, last)


def _words(said: Sequence[tuple[str, str]], shaped: Sequence[tuple[int, int, str]]) -> list[_Word]:
    """The words with their positions; a name that was told by its shape is one word, whatever the segmenter made of it."""
    words, position = [], 0
    for word, tag in said:
        words.append(_Word(word, tag, position, position + len(word)))
        position += len(word)
    told = 0
    for start, end, tag in shaped:
        if start < told:
            continue  # a part of the name before it
        told = end
        first = next(i for i, word in enumerate(words) if word.end > start)
        last = next(i for i, word in enumerate(words) if word.end >= end)
        head, tail = words[first], words[last]
        name = "".join([word.text for word in words[first : last + 1]])[start - head.start :][: end - start]
        parts = [_Word(name, tag, start, end)]
        if head.start < start:
            parts.insert(0, _Word(head.text[: start - head.start], head.tag, head.start, start))
        if tail.end > end:
            parts.append(_Word(tail.text[end - tail.end :], tail.tag, end, tail.end))
        words[first : last + 1] = parts
    return words

"""What people type and dictate, brought into one plain form, with the way back to what they wrote.

Plain form: simplified characters, half-width lower-case letters and digits, no invisible characters, the usual slips of voice and
pinyin input mended. Punctuation stays, because it parts sentences. Everything but the removal of invisible characters keeps the
length, so positions carry over.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from bot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad\u202a\u202b\u202c\u202d\u202e\ufe0e\ufe0f"
SENTENCE = re.compile(r"[^。！？!?\n；;…]+[。！？!?\n；;…]*")
# "着 火 了": at least three single Chinese characters with a space between each two
_SPACED = re.compile(r"(?<![^\s])[\u4e00-\u9fff](?: [\u4e00-\u9fff]){2,}(?![^\s，。！？,.!?])")
_RUN = re.compile(r"(.)\1{2,}")


class Plain(Struct, frozen=True):
    """A text in plain form. `origins` maps its characters to positions in the original; None: they are the same."""

    original: str
    text: str
    origins: tuple[int, ...] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The positions in the original of the plain characters start (inclusive) to end (exclusive)."""
        if self.origins is None or start >= end:
            return start, end
        return self.origins[start], self.origins[end - 1] + 1


class Normaliser:
    """Brings texts into plain form; holds the tables and nothing of what it has seen."""

    def __init__(self, traditional: Mapping[str, str], typos: Mapping[str, str]) -> None:
        table: dict[int, str] = {ord(old): new for old, new in traditional.items()}
        for code in range(0xFF10, 0xFF5B):  # full-width digits and letters; full-width punctuation stays
            char = chr(code - 0xFEE0)
            if char.isalnum():
                table[code] = char.lower()
        for code in range(ord("A"), ord("Z") + 1):
            table[code] = chr(code).lower()
        for number, circled in enumerate("①②③④⑤⑥⑦⑧⑨", 1):
            table[ord(circled)] = str(number)
        table[0x3000] = table[0xA0] = " "
        table[ord("：")] = ":"
        table[ord("．")] = "."
        table[ord("／")] = "/"
        self._table = table
        self._typos = dict(typos)
        self._typo = re.compile("|".join(sorted(map(re.escape, typos), key=len, reverse=True))) if typos else None
        self._invisible = re.compile(f"[{INVISIBLE}]")

    @staticmethod
    def load(folder: Path) -> Normaliser:
        """Read `traditional.txt` and `typos.toml` from the lexicon folder."""
        pairs: dict[str, str] = {}
        for line in (folder / "traditional.txt").read_text(encoding="utf-8").splitlines():
            if not line.startswith("#"):
                pairs.update((pair[0], pair[1]) for pair in line.split())
        path = folder / "typos.toml"
        try:
            typos: dict[str, str] = tomllib.loads(path.read_text(encoding="utf-8"))["typos"]
        except (OSError, ValueError, KeyError) as error:
            raise ConfigError(f"{path}: {error}") from error
        for slip, word in typos.items():
            if len(slip) != len(word):
                raise ConfigError(f"{path}: {slip!r} and {word!r} must have the same number of characters")
        return Normaliser(pairs, typos)

    def marks(self) -> Iterable[str]:
        """Characters and slips that show that a text is not in plain form yet (for an automaton that looks for them)."""
        yield from (chr(code) for code in self._table)
        yield from INVISIBLE
        yield from self._typos

    def plain(self, text: str) -> Plain:
        """The plain form of any text."""
        origins: tuple[int, ...] | None = None
        plain = text.translate(self._table)
        dropped = {match.start() for match in self._invisible.finditer(plain)}
        if " " in plain:
            for match in _SPACED.finditer(plain):
                dropped.update(range(match.start() + 1, match.end(), 2))
        if dropped:
            origins = tuple(i for i in range(len(plain)) if i not in dropped)
            plain = "".join([plain[i] for i in origins])
        if self._typo is not None:
            plain = self._typo.sub(lambda match: self._typos[match[0]], plain)
        return Plain(text, plain, origins)


def sentences(text: str) -> list[tuple[int, str]]:
    """The sentences of a text with their starting positions."""
    return [(match.start(), match[0]) for match in SENTENCE.finditer(text)]


def mended(text: str) -> str:
    """The text with "?" for every half of a character, which a program leaves behind that cuts one in two; as long as before."""
    return text.encode(errors="replace").decode()


def calm(text: str) -> str:
    """Runs of three or more of one character cut to two: "好好好好" and "啊啊啊" say no more than their beginning."""
    return _RUN.sub(r"\1\1", text)


@lru_cache(maxsize=1)
def _segmenter() -> tuple[Callable[[str], list[str]], Callable[[str], list[tuple[str, str]]]]:
    """jieba's algorithm and dictionary; the fast build where there is one, else the original. Loaded at first use only."""
    try:
        import rjieba
    except ImportError:
        import jieba
        import jieba.posseg

        jieba.setLogLevel(60)
        return jieba.lcut, lambda text: [(pair.word, pair.flag) for pair in jieba.posseg.lcut(text)]
    return rjieba.cut, rjieba.tag


def words(text: str) -> list[str]:
    """The words of a text, by jieba's dictionary."""
    return _segmenter()[0](text)


def tagged(text: str) -> list[tuple[str, str]]:
    """The words of a text with jieba's part-of-speech tags."""
    try:
        return _segmenter()[1](text)
    except UnicodeEncodeError:
        return _segmenter()[1](mended(text))

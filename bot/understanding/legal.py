"""What was learnt about how people ask for the law: everyday words, known questions, and the weights that join the
evidence.

The words are `content/lexicon/legal.toml`, written by hand. The rest is `content/model/lay_legal.npz`, learnt
from open data (see NOTICE) by `benchmarks/lay_legal.py`: which article answered which question, both as hashed
terms, and the fingerprints by which an article is recognised in any pool, whatever its id there.
"""

from __future__ import annotations

import re
import tomllib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bot.errors import ConfigError
from bot.understanding.segment import terms

Floats: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int64]

CONTENT = Path(__file__).resolve().parents[2] / "content"
LEXICON = CONTENT / "lexicon" / "legal.toml"
MODEL = CONTENT / "model" / "lay_legal.npz"

_HEAD = re.compile(
    r"^\s*(?:[《〈]?[^。；，\n]{2,60}?[》〉]?)第[零一二三四五六七八九十百千]+条(?:之[一二三四五六七八九十])?[\s:：、]*"
)
_LETTERS = re.compile(r"[^\u4e00-\u9fff]")


def term_id(term: str) -> int:
    """A term as a number of 32 bits, the same on every machine."""
    return zlib.crc32(term.encode())


def fingerprints(text: str) -> tuple[int, ...]:
    """Numbers by which an article is known again: of its whole text, and of the text without "…法第…条" before it."""
    found = []
    for part in (_HEAD.sub("", text, count=1), text):
        letters = _LETTERS.sub("", part).encode()
        found.append(zlib.crc32(letters) << 16 | len(letters) & 0xFFFF)
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Pieces of everyday questions ("|" parts them, "&" joins what must all be said), and the terms to search for then."""

    lines: tuple[tuple[tuple[tuple[str, ...], ...], frozenset[str]], ...]

    @staticmethod
    def load(path: Path = LEXICON) -> Lexicon:
        """Read the lexicon; every section has the same form."""
        try:
            table: Mapping[str, Mapping[str, str]] = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: {error}") from error
        return Lexicon(
            tuple(
                (tuple(tuple(piece.split("&")) for piece in said.split("|")), frozenset(terms(meant)))
                for section in table.values()
                for said, meant in section.items()
            )
        )

    def expand(self, question: str) -> set[str]:
        """The legal terms that the question does not say but means."""
        found: set[str] = set()
        for said, meant in self.lines:
            if any(all(part in question for part in piece) for piece in said):
                found |= meant
        return found


@dataclass(frozen=True, slots=True)
class Known:
    """A question that was answered: its terms, the articles that answered it (codes), and the answer's terms with weights."""

    terms: frozenset[int]
    articles: tuple[int, ...]
    answer: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Lore:
    """Everything learnt. An article's code is its law's number times 65,536 plus ten times its own number (plus 之一, 之二 …)."""

    laws: tuple[str, ...]
    codes: Mapping[int, int]  # fingerprint -> code
    known: tuple[Known, ...]
    weights: Floats
    mean: Floats
    spread: Floats

    @staticmethod
    def load(path: Path = MODEL) -> Lore | None:
        """Read the shipped file; None when it is missing, and the search then goes by words alone."""
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as file:
            data = {name: file[name] for name in file.files}
        known = [
            Known(
                frozenset(asked.tolist()),
                tuple(gold.tolist()),
                dict(zip(meant.tolist(), weight.astype(float).tolist(), strict=True)),
            )
            for asked, gold, meant, weight in zip(
                _parts(data["asked"], data["asked_ends"]),
                _parts(data["gold"], data["gold_ends"]),
                _parts(data["answer"], data["answer_ends"]),
                _parts(data["answer_weight"], data["answer_ends"]),
                strict=True,
            )
        ]
        codes = dict(zip(data["prints"].tolist(), data["codes"].tolist(), strict=True))
        return Lore(tuple(data["laws"].tolist()), codes, tuple(known), data["weights"], data["mean"], data["spread"])

    def save(self, path: Path) -> None:
        """Write the file that `load` reads; fractions are rounded to sixteen bits."""
        np.savez_compressed(
            path,
            laws=np.array(self.laws),
            prints=np.array(list(self.codes), dtype=np.uint64),
            codes=np.array(list(self.codes.values()), dtype=np.uint32),
            asked=_flat((sorted(k.terms) for k in self.known), np.uint32),
            asked_ends=np.cumsum([len(k.terms) for k in self.known]),
            gold=_flat((k.articles for k in self.known), np.uint32),
            gold_ends=np.cumsum([len(k.articles) for k in self.known]),
            answer=_flat((k.answer for k in self.known), np.uint32),
            answer_weight=_flat((k.answer.values() for k in self.known), np.float16),
            answer_ends=np.cumsum([len(k.answer) for k in self.known]),
            weights=self.weights,
            mean=self.mean,
            spread=self.spread,
        )

    def code(self, text: str) -> int | None:
        """The article that this text is, or None."""
        return next((self.codes[mark] for mark in fingerprints(text) if mark in self.codes), None)


def _parts(flat: NDArray[np.generic], ends: Ints) -> list[NDArray[np.generic]]:
    return np.split(flat, ends[:-1])


def _flat(rows: Iterable[Iterable[float]], kind: type[np.generic]) -> NDArray[np.generic]:
    return np.array([value for row in rows for value in row], dtype=kind)

"""Questions to a pool of documents of any kind: the search behind `qianshao ask --knowledge POOL.jsonl`.

A pool that consists of articles of law is searched by what the question means (`statutes`); any other by its
words, character pairs and, where documents are long, once more by their beginning, where replies and notices
say what they are about. Up to `SMALL` documents also by single characters, which find 拆迁 for 拆除, and by what
our two lexicons say that everyday words mean.
"""

from __future__ import annotations

import json
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import TextIO

from bot.understanding.legal import Lexicon, Lore
from bot.understanding.retrieval import Index
from bot.understanding.segment import LEXICON, terms
from bot.understanding.statutes import Statutes

LEGAL_MOST = 60_000  # articles; beyond that the exact sums of `statutes` cost more than they gain
LEGAL_SHARE = 0.5  # of a sample must be articles that we know
SAMPLE = 200
LEAD = 80  # characters
LONGEST_QUESTION = 400  # characters that are read
WEIGHTS = (("words", 1.0, 0.0), ("pairs", 0.0, 0.75), ("lead", 0.3, 0.2))  # field, for a word, for a pair
SMALL = 50_000  # documents; in a larger pool the long lists of single characters would cost more time and memory than allowed
CHARACTER = 0.6  # weight of a character that stands in less than COMMON of all documents
COMMON = 0.3
MEANT = 0.2  # weight of a word that a lexicon puts beside what was said


_HAN = re.compile("[\u3400-\u9fff]")


class AskError(ValueError):
    """A line of the pool or of the questions cannot be used; the text names the line and the mend."""


@dataclass(frozen=True, slots=True)
class Found:
    """A document by its own id; `score` orders the hits of one question and means nothing beyond it."""

    id: str
    score: float


class Pool:
    """Up to 200,000 documents, searchable. Their texts are not kept, only what the index needs and their ids."""

    def __init__(self, documents: Iterable[tuple[str, str]]) -> None:
        rows = documents if isinstance(documents, Sequence) else list(documents)
        self._names, self._ends = bytearray(), array("I")
        for name, _ in rows:
            self._names += name.encode()
            self._ends.append(len(self._names))
        self._statutes = _statutes(rows)
        self._index: Index | None = None
        if self._statutes is None:
            total = sum(len(text) for _, text in rows)
            self._long = bool(rows) and total / len(rows) > LEAD
            self._small = len(rows) <= SMALL
            self._lexicons = _lexicons() if self._small else ()
            names = [name for name, *_ in WEIGHTS if name != "lead" or self._long]
            self._index = Index([*names, *(("chars",) if self._small else ())])
            self._index.fill(self._row(text) for _, text in rows)

    @property
    def legal(self) -> bool:
        """Whether the pool is searched as articles of law."""
        return self._statutes is not None

    def __len__(self) -> int:
        return len(self._ends)

    def search(self, question: str, top: int = 5) -> list[Found]:
        """The best documents, best first; fewer than `top`, or none, when nothing fits."""
        if top < 1 or not len(self):
            return []
        question = question[:LONGEST_QUESTION]
        if self._statutes is not None:
            matches = self._statutes.search(question, top)
        else:
            assert self._index is not None  # noqa: S101  one of the two is always there
            matches = self._index.search(self._weights(question), top)
        return [Found(self._name(match.number), match.score) for match in matches]

    def _row(self, text: str) -> list[list[str]]:
        words, pairs = _parted(text)
        row = [words, pairs, terms(text[:LEAD])] if self._long else [words, pairs]
        return [*row, _HAN.findall(text)] if self._small else row

    def _weights(self, question: str) -> dict[tuple[str, str], float]:
        counted = Counter(terms(question))
        weights: dict[tuple[str, str], float] = {}
        for name, for_word, for_pair in WEIGHTS:
            if name == "lead" and not self._long:
                continue
            for term in counted:
                weight = for_pair if term[0] == "_" else for_word
                if weight:
                    weights[name, term] = weight
        return weights | self._beyond(question, counted.keys()) if self._small else weights

    def _beyond(self, question: str, said: Set[str]) -> dict[tuple[str, str], float]:
        """Characters of the question, and words that it means without saying them."""
        assert self._index is not None  # noqa: S101  asked only where there is one
        weights: dict[tuple[str, str], float] = {}
        for lexicon in self._lexicons:
            for term in lexicon.expand(question.lower()) - said:
                weights["pairs" if term[0] == "_" else "words", term] = MEANT * (WEIGHTS[1][2] if term[0] == "_" else 1.0)
        for char in set(_HAN.findall(question)):
            if self._index.frequency("chars", char) <= COMMON * len(self):
                weights["chars", char] = CHARACTER
        return weights

    def _name(self, number: int) -> str:
        start = self._ends[number - 1] if number else 0
        return self._names[start : self._ends[number]].decode()


def _lexicons() -> tuple[Lexicon, ...]:
    everyday = LEXICON / "everyday.toml"
    return (Lexicon.load(), *((Lexicon.load(everyday),) if everyday.exists() else ()))


def ask(pool: TextIO, questions: TextIO, answers: TextIO, top: int = 5) -> int:
    """Read the pool, then answer every question line by line; returns their number. Raises `AskError` naming a bad line."""
    documents = [(row["id"], row["text"]) for row in _rows(pool, "pool", "text")]
    ready = Pool(documents)
    documents.clear()
    number = 0
    for number, row in enumerate(_rows(questions, "questions", "question"), 1):  # noqa: B007
        hits = [{"id": hit.id, "score": round(hit.score, 4)} for hit in ready.search(row["question"], top)]
        answers.write(json.dumps({"id": row["id"], "hits": hits}, ensure_ascii=False) + "\n")
        answers.flush()
    return number


def _statutes(rows: Sequence[tuple[str, str]]) -> Statutes | None:
    """The pool as articles of law, when that is what it is and what we learnt about them is there."""
    lore = Lore.load() if 0 < len(rows) <= LEGAL_MOST else None
    if lore is None:
        return None
    sample = rows[:: max(1, len(rows) // SAMPLE)]
    known = sum(lore.code(text) is not None for _, text in sample)
    if known < LEGAL_SHARE * len(sample):
        return None
    return Statutes([text for _, text in rows], lore, Lexicon.load())


def _parted(text: str) -> tuple[list[str], list[str]]:
    found = terms(text)
    cut = next((i for i, term in enumerate(found) if term[0] == "_"), len(found))
    return found[:cut], found[cut:]


def _rows(lines: Iterable[str], what: str, key: str) -> Iterator[dict[str, str]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise AskError(f"{what}, line {number}: not JSON: {error}") from error
        if not isinstance(row, dict) or "id" not in row or not isinstance(row.get(key), str):
            raise AskError(f'{what}, line {number}: an object with "id" and the text "{key}" is needed')
        yield {"id": str(row["id"]), key: row[key]}

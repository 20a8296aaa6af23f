"""Which of our checked answers fits a question, how sure that is, and when to say nothing.

BM25 over title, known questions, keywords and body finds the candidates; each is then compared with the ways in
which residents ask for it. Two lines part the result: `sure` is good enough for somebody who asked the bot,
`certain` for a question that nobody put to it.
"""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.understanding.legal import Lexicon
from bot.understanding.retrieval import Index, tokens
from bot.understanding.subjects import Subjects
from content.answers import Answer, AnswerLibrary
from content.files import BrokenFile

ASKED = "asked"  # title, known questions and keywords
FIELDS: Mapping[str, float] = {ASKED: 1.0, "body": 0.35}
RANKING = (0.0, 4.5, 1.4, 2.9, 5.2)  # likeness, cover, asked, meant, share; fitted by benchmarks/answers.py
MEANT = 0.5  # weight of a word that was meant, against one that was said
# The calibrated line (cover, asked, meant, chance): fitted by benchmarks/answers.py, see docs/retrieval.md
BIAS = -3.8
LINE = (4.5, 2.5, 4.3, 2.0)
ASIDE = 2.0  # taken from the score of what is about another thing than the question (0328)
SURE = 0.7
CERTAIN = 0.93
ASTRAY = 0.1  # the confidence of what is about another thing
WORD_FOR_WORD = 0.999  # likeness of a question that an entry names itself; nothing goes before that entry
CERTAIN_LIKENESS = 0.5
HAZARDS = "emergency"  # a class that is never answered unasked: the fixed texts for emergencies speak first
CANDIDATES = 12
KEPT = "kept/"  # how the slugs of officers' own answers begin
SHORTEST = 3  # Chinese characters of a question that can be answered surely
LONGEST = 300  # characters of a question that are read; what people ask stands at its beginning or its end

# A plain question: what an unaddressed text must be before it is answered
_HAN = re.compile("[\u4e00-\u9fff]")
_ASKS = re.compile("吗[?？。]?$|怎么(?!回事)|如何|哪里|哪儿|去哪|什么|多少钱|多久|能不能|可不可以|要不要|需要带|行不行|算不算")

# What no general answer can know: the rules of a city that is named, and what is going on today
_LOCAL = re.compile(
    "北京|上海|天津|重庆|广州|深圳|杭州|南京|苏州|武汉|成都|西安|长沙|郑州|青岛|厦门|宁波|合肥|福州|济南|昆明|东莞|佛山|无锡|沈阳|大连|哈尔滨|"
    "几点|末班|值班|电话是多少|号码是多少|今年还|今天.{0,4}上班|开不开门|群主|吃饭了"
)


@dataclass(frozen=True, slots=True)
class Hit:
    """An answer for a question. `score` orders the hits of one search, `confidence` (0 to 1) is comparable between searches.

    `sure`: good enough to answer when the bot was addressed. `certain`: good enough to answer a question put to the group.
    Only the first hit of a search can be either.
    """

    answer: Answer
    score: float
    confidence: float
    sure: bool
    certain: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for one candidate, each between 0 and 1: the input of the calibrated line."""

    likeness: float  # to the known question that is most alike
    cover: float  # how much of the question's weight the whole entry knows
    asked: float  # how much of it the known questions, title and keywords know
    meant: float  # likeness of what the question means but does not say
    share: float  # of the BM25 score, against the best candidate
    chance: float  # against the other candidates
    asks: bool  # the text looks like a question or a request
    misses: bool  # it is about another thing than those that the question names


class Answers:
    """The searchable library of one day. Built in well under a second, then only read."""

    def __init__(
        self,
        served: Iterable[Answer],
        broken: tuple[BrokenFile, ...] = (),
        lexicon: Lexicon | None = None,
        subjects: Subjects | None = None,
    ) -> None:
        self.broken = broken
        self._lexicon = lexicon or Lexicon(())
        self._subjects = subjects or Subjects()
        self._answers = tuple(served)
        self._about = [self._subjects.of("\n".join((a.title, *a.questions, *a.keywords, a.body))) for a in self._answers]
        shared: dict[str, str] = {}  # one string for each token, however often it stands in the library

        def parted(text: str) -> list[str]:
            return [shared.setdefault(token, token) for token in tokens(text)]

        rows = [
            ([t for text in (a.title, *a.questions, *a.keywords) for t in parted(text)], parted(a.body)) for a in self._answers
        ]
        self._index = Index(tuple(FIELDS))
        self._index.fill(rows)
        asked = [[Counter(parted(q)) for q in (a.title, *a.questions)] for a in self._answers]
        spread = Counter(token for entry in asked for token in {t for q in entry for t in q})
        size = len(self._answers)
        self._top = math.log(1 + size / 0.5)
        self._idf = {token: math.log(1 + (size - n + 0.5) / (n + 0.5)) for token, n in spread.items()}
        self._first = np.cumsum([0, *map(len, asked)])[:-1]  # of every answer, the row of its first question
        numbers = {token: number for number, token in enumerate(shared)}
        self._questions = _Rows(numbers, (self._unit(question) for entry in asked for question in entry))
        self._asked = _Rows(numbers, (dict.fromkeys(row[0], 1.0) for row in rows))
        self._known = _Rows(numbers, (dict.fromkeys([*row[0], *row[1]], 1.0) for row in rows))

    @staticmethod
    def load(content_dir: Path, today: date) -> Answers:
        """The answers below `content_dir/answers` that may be given on this day."""
        library = AnswerLibrary.load(content_dir / "answers")
        lexicon, subjects = content_dir / "lexicon" / "everyday.toml", content_dir / "lexicon" / "subjects.txt"
        return Answers(
            library.served(today),
            library.broken,
            Lexicon.load(lexicon) if lexicon.exists() else None,
            Subjects.load(subjects) if subjects.exists() else None,
        )

    def __len__(self) -> int:
        return len(self._answers)

    def joined(self, more: Iterable[Answer]) -> Answers:
        """This library with more answers in it."""
        return Answers((*self._answers, *more), self.broken, self._lexicon, self._subjects)

    def search(self, question: str, top: int = 3, grid: int | None = None) -> list[Hit]:
        """The best answers, best first; empty when nothing of the question is known to any answer.

        Answers that are given in one grid only are looked at when the question comes from that grid.
        """
        ranked = [row for row in self._ranked(question[:LONGEST]) if row[1].grid in (None, grid)]
        short = len(_HAN.findall(question)) < SHORTEST
        of_a_place = _LOCAL.search(question) is not None
        hits = []
        for place, (score, answer, evidence) in enumerate(ranked[:top]):
            confidence = confidence_of(evidence)
            first = place == 0
            # only an officer's own answer can know what is asked about one place or today
            local = short or (of_a_place and not answer.slug.startswith(KEPT))
            sure = first and confidence >= SURE and not local and not evidence.misses
            certain = (
                sure
                and confidence >= CERTAIN
                and evidence.asks
                and evidence.likeness >= CERTAIN_LIKENESS
                and answer.class_ != HAZARDS
            )
            hits.append(Hit(answer, score, confidence, sure, certain))
        return hits

    def certain(self, question: str) -> bool:
        """Whether the first hit of a search would be certain. What is cheap to see goes first: most questions end there."""
        asked = question[:LONGEST]
        if _ASKS.search(asked) is None or _LOCAL.search(question) is not None:
            return False
        if float(self._alike(self._unit(Counter(tokens(asked)))).max(initial=0.0)) < CERTAIN_LIKENESS:
            return False
        hits = self.search(question, 1)
        return bool(hits) and hits[0].certain

    def _ranked(self, question: str) -> list[tuple[float, Answer, Evidence]]:
        """The candidates with what speaks for them, best first."""
        counted = Counter(tokens(question))
        meant = self._lexicon.expand(question.lower()) - counted.keys()
        weights = {(field, token): weight * n for token, n in counted.items() for field, weight in FIELDS.items()}
        weights |= {(ASKED, token): MEANT for token in meant}
        matches = self._index.search(weights, CANDIDATES)
        if not matches:
            return []
        asked = self._unit(counted)
        total = sum(asked.values()) or 1.0
        likeness = self._alike(asked)
        cover, known = self._known.sum(asked) / total, self._asked.sum(asked) / total
        hidden = self._alike(self._unit(Counter(meant))) if meant else np.zeros(len(self._answers), np.float32)
        asks = _ASKS.search(question) is not None
        named = self._subjects.named(question)
        misses = {match.number: Subjects.misses(named, self._about[match.number]) for match in matches}
        scored = []
        for match in matches:
            n, share = match.number, match.score / matches[0].score
            parts = (float(likeness[n]), float(cover[n]), float(known[n]), float(hidden[n]), share)
            score = sum(weight * part for weight, part in zip(RANKING, parts, strict=True)) - ASIDE * misses[n]
            scored.append((score, n, parts))
        scored.sort(key=lambda row: (row[2][0] < WORD_FOR_WORD, -row[0], row[1]))
        best = scored[0][0]
        weight = [math.exp(score - best) for score, _, _ in scored]
        total = sum(weight)
        return [
            (score, self._answers[n], Evidence(*parts, chance=part / total, asks=asks, misses=misses[n]))
            for (score, n, parts), part in zip(scored, weight, strict=True)
        ]

    def _unit(self, counted: Mapping[str, int]) -> dict[str, float]:
        """The tokens with their rarity as a vector of length one; what no answer knows weighs as much as the rarest."""
        vector = {token: n * self._idf.get(token, self._top) for token, n in counted.items()}
        length = math.sqrt(sum(weight * weight for weight in vector.values())) or 1.0
        return {token: weight / length for token, weight in vector.items()}

    def _alike(self, vector: Mapping[str, float]) -> NDArray[np.float32]:
        """The likeness of every answer's nearest known question."""
        return np.maximum.reduceat(self._questions.sum(vector), self._first)


class _Rows:
    """Rows of weighted tokens, kept by token, so that a question costs only the tokens that it has.

    `numbers` counts the tokens of the library from 0. What token n weighs in which rows stands from `_starts[n]` to
    `_starts[n + 1]`: three arrays for all tokens hold a tenth of what two for each of them would.
    """

    def __init__(self, numbers: Mapping[str, int], rows: Iterable[Mapping[str, float]]) -> None:
        self._numbers = numbers
        tokens, places, values = array("i"), array("i"), array("f")
        self.size = 0
        for row in rows:
            tokens.extend(numbers[token] for token in row)
            places.extend([self.size] * len(row))
            values.extend(row.values())
            self.size += 1
        by_token = np.argsort(tokens, kind="stable")
        self._starts = np.searchsorted(np.array(tokens, np.int32)[by_token], np.arange(len(numbers) + 1)).astype(np.int32)
        self._places = np.array(places, np.int32)[by_token]
        self._values = np.array(values, np.float32)[by_token]

    def sum(self, vector: Mapping[str, float]) -> NDArray[np.float32]:
        """The product of every row with the vector."""
        out = np.zeros(self.size, np.float32)
        for token, weight in vector.items():
            number = self._numbers.get(token)
            if number is not None:
                here = slice(self._starts[number], self._starts[number + 1])
                out[self._places[here]] += np.float32(weight) * self._values[here]
        return out


def confidence_of(evidence: Evidence) -> float:
    """How likely it is that the first candidate answers the question (0 to 1)."""
    if evidence.misses:
        return ASTRAY
    values = (evidence.cover, evidence.asked, evidence.meant, evidence.chance)
    line = BIAS + sum(weight * value for weight, value in zip(LINE, values, strict=True))
    return 1 / (1 + math.exp(-line))

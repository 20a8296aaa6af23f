"""Which of our checked answers fits a question, how sure that is, and when to say nothing.

BM25 over title, known questions, keywords and body finds the candidates; each is then compared with the ways in which residents ask for
it. Two lines part the result: `sure` is good enough for somebody who asked the bot, `certain` for a question that nobody put to it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from bot.understanding.retrieval import Index, tokens
from content.answers import Answer, AnswerLibrary
from content.files import BrokenFile

FIELDS: Mapping[str, float] = {"title": 1.0, "questions": 1.0, "keywords": 0.7, "body": 0.35}
SURE = 0.5
CERTAIN = 0.9
CANDIDATES = 12
LONGEST = 300  # characters of a question that are read; what people ask stands at its beginning or its end


@dataclass(frozen=True, slots=True)
class Hit:
    """An answer for a question. `score` orders the hits of one search, `confidence` (0 to 1) is comparable between searches.

    `sure`: good enough to answer when the bot was addressed. `certain`: good enough to answer a question that was put to the group.
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
    share: float  # of the BM25 score, against the best candidate
    lead: float  # over the next candidate


@dataclass(frozen=True, slots=True)
class _Entry:
    answer: Answer
    questions: tuple[Mapping[str, float], ...]
    asked: frozenset[str]
    known: frozenset[str]


class Answers:
    """The searchable library of one day. Built in well under a second, then only read."""

    def __init__(self, served: Iterable[Answer], broken: tuple[BrokenFile, ...] = ()) -> None:
        self.broken = broken
        answers = tuple(served)
        fields = [
            (
                tokens(a.title),
                [t for q in a.questions for t in tokens(q)],
                [t for k in a.keywords for t in tokens(k)],
                tokens(a.body),
            )
            for a in answers
        ]
        asked = [[Counter(tokens(q)) for q in (a.title, *a.questions)] for a in answers]
        spread = Counter(token for entry in asked for token in {t for q in entry for t in q})
        self._top = math.log(1 + len(answers) / 0.5)
        self._idf = {token: math.log(1 + (len(answers) - n + 0.5) / (n + 0.5)) for token, n in spread.items()}
        self._entries = [
            _Entry(
                answer,
                tuple(self._unit(question) for question in questions),
                frozenset([*row[0], *row[1], *row[2]]),
                frozenset([*row[0], *row[1], *row[2], *row[3]]),
            )
            for answer, questions, row in zip(answers, asked, fields, strict=True)
        ]
        self._index = Index(tuple(FIELDS))
        self._index.fill(fields)

    @staticmethod
    def load(content_dir: Path, today: date) -> Answers:
        """The answers below `content_dir/answers` that may be given on this day."""
        library = AnswerLibrary.load(content_dir / "answers")
        return Answers(library.served(today), library.broken)

    def __len__(self) -> int:
        return len(self._entries)

    def search(self, question: str, top: int = 3) -> list[Hit]:
        """The best answers, best first; empty when nothing of the question is known to any answer."""
        counted = Counter(tokens(question[:LONGEST]))
        weights = {(field, token): weight * n for token, n in counted.items() for field, weight in FIELDS.items()}
        matches = self._index.search(weights, CANDIDATES)
        if not matches:
            return []
        asked = self._unit(counted)
        scored = []
        for match in matches:
            likeness, cover, known = self._compare(asked, self._entries[match.number])
            share = match.score / matches[0].score
            scored.append((2 * likeness + cover + known + share, match.number, likeness, cover, known, share))
        scored.sort(key=lambda row: (-row[0], row[1]))
        hits = []
        for rank, (score, number, likeness, cover, known, share) in enumerate(scored[:top]):
            following = scored[rank + 1][0] if rank + 1 < len(scored) else 0.0
            evidence = Evidence(likeness, cover, known, share, 1 - following / score)
            confidence = confidence_of(evidence)
            hits.append(
                Hit(
                    self._entries[number].answer,
                    score,
                    confidence,
                    not rank and confidence >= SURE,
                    not rank and confidence >= CERTAIN,
                )
            )
        return hits

    def _unit(self, counted: Mapping[str, int]) -> dict[str, float]:
        """The tokens with their rarity as a vector of length one; what no answer knows weighs as much as the rarest."""
        vector = {token: n * self._idf.get(token, self._top) for token, n in counted.items()}
        length = math.sqrt(sum(weight * weight for weight in vector.values())) or 1.0
        return {token: weight / length for token, weight in vector.items()}

    def _compare(self, asked: Mapping[str, float], entry: _Entry) -> tuple[float, float, float]:
        """Likeness to the nearest known question, and the parts of the question that the whole entry and its questions know."""
        likeness = max(sum(weight * known.get(token, 0.0) for token, weight in asked.items()) for known in entry.questions)
        total = sum(asked.values()) or 1.0
        cover = sum(weight for token, weight in asked.items() if token in entry.known) / total
        return likeness, cover, sum(weight for token, weight in asked.items() if token in entry.asked) / total


def confidence_of(evidence: Evidence) -> float:
    """How likely it is that the first candidate answers the question (0 to 1)."""
    line = -4.5 + 4.0 * evidence.likeness + 3.0 * evidence.cover + 3.0 * evidence.asked + 3.0 * evidence.lead
    return 1 / (1 + math.exp(-line))

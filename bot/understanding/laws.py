"""Imported laws, searched: the article that is named, and articles that a question may be about.

Only a named article ("民法典第1254条") is an answer to a resident. What the search finds is a hint for the officer who answers:
of lay questions it has the right article first in about half the cases, which is not enough to speak.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bot.understanding.ask import Pool
from content.laws import Article, article_number

_NAMED = re.compile(
    r"《?([\u4e00-\u9fff]{2,30}?)》?(?:的)?第?([零〇一二三四五六七八九十百千两\d]{1,9})条(?:之([一二三四五六七八九十]+))?"
)
_FEWEST = 3  # characters by which a law may be called, as in 反诈法


@dataclass(frozen=True, slots=True)
class LawHit:
    """An article for a question. `score` orders the hits of one search; `named`: the question itself names it."""

    article: Article
    score: float
    named: bool = False


class Laws:
    """Articles in force, searchable."""

    def __init__(self, articles: Iterable[Article]) -> None:
        self.articles = tuple(articles)
        self._pool = Pool([(str(n), f"{article.text}") for n, article in enumerate(self.articles)])
        self._numbered = {(article.law, article.number): n for n, article in enumerate(self.articles)}
        self._names = sorted({article.law for article in self.articles}, key=len, reverse=True)
        self._values = {(law, _value(number)): n for (law, number), n in self._numbered.items()}

    def __len__(self) -> int:
        return len(self.articles)

    def search(self, question: str, top: int = 3) -> list[LawHit]:
        """Articles, best first; those that the question names before all others."""
        named = self._named(question)
        hits = [LawHit(self.articles[n], 1.0, named=True) for n in named]
        found = self._pool.search(question, top)
        hits += [LawHit(self.articles[int(hit.id)], hit.score) for hit in found if int(hit.id) not in named]
        return hits[:top]

    def _named(self, question: str) -> list[int]:
        found = []
        for match in _NAMED.finditer(question):
            law = next((name for name in self._names if match[1].endswith(name)), None)
            law = law or next((name for name in self._names if len(match[1]) >= _FEWEST and name.endswith(match[1])), None)
            number = article_number(match[2])
            if law is not None and number is not None and (n := self._values.get((law, (number, match[3] or "")))) is not None:
                found.append(n)
        return found


def _value(number: str) -> tuple[int | None, str]:
    return article_number(number), number.partition("条之")[2]

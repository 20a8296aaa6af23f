"""Articles of law for an everyday question.

Where a pool is made of articles we know, words alone are not enough: people say 老板 and the law says 用人单位. So
every article gets several kinds of evidence (its words, the words that the question means, what similar known
questions were answered with, its law, its neighbours in the law), joined by learnt weights. Everything is exact
over the whole pool: NumPy adds up postings, nothing is approximate.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.understanding.legal import Floats, Ints, Known, Lexicon, Lore, term_id
from bot.understanding.retrieval import Match
from bot.understanding.segment import terms

FEATURES = (
    "words",
    "pairs",
    "text",
    "meant",
    "meant_only",
    "rare",
    "law_name",
    "known_best",
    "known_sum",
    "known_count",
    "law_count",
    "law_alike",
    "law_best",
    "law_found",
    "answer",
    "length",
    "ruling",
    "near",
    "near_known",
    "definition",
    "term",
    "court",
    "penalty",
    "penal",
)
_STANDING = [FEATURES.index(name) for name in ("meant", "rare", "answer", "law_best")]
_SQUARED = [
    FEATURES.index(name) for name in ("meant", "rare", "known_best", "known_count", "law_count", "law_best", "answer", "near")
]
WIDTH = len(FEATURES) + len(_STANDING) + len(_SQUARED)
K1, B = 1.2, 0.75
PAIR_WEIGHT, MEANT_WEIGHT = 0.5, 0.3
CANDIDATES = 150
NEIGHBOURS = 8  # known questions whose answers are searched for
ANSWER_TERMS = 120
FAINT = 0.03  # likeness below which a known question says nothing
WINDOW = 5  # articles before and after

_SAYS = (  # what a question asks for, and what an article that says it looks like
    (re.compile("什么是|是什么|是指|界定|定义|含义|概念|包括哪些|有哪些|种类|哪几种|范围"), re.compile("是指|所称|包括|下列")),
    (
        re.compile("多久|几年|几天|期限|时间|多长|何时|时效|多少"),
        re.compile("[日年月]内|之日起|[一二三四五六七八九十]+[年日个]"),
    ),
    (re.compile("管辖|起诉|哪个法院|诉讼"), re.compile("管辖|起诉|诉讼")),
    (re.compile("罚|判|犯罪|犯法|违法|坐牢|抓|构成|罪"), re.compile("处罚|罚款|有期徒刑|拘留")),
)


class Statutes:
    """A pool of articles, searched by what a question means."""

    def __init__(self, texts: Sequence[str], lore: Lore, lexicon: Lexicon) -> None:
        self.lore, self.lexicon = lore, lexicon
        self._texts = Postings(texts)
        codes = [lore.code(text) for text in texts]
        self.recognised = sum(code is not None for code in codes)
        known = np.array([-1 if code is None else code for code in codes], dtype=np.int64)
        self._law = np.where(known < 0, len(lore.laws), known >> 16)
        self._place = {code: number for number, code in enumerate(codes) if code is not None}
        self._near = _neighbours(self._law, known)
        self._says = np.array([[bool(answer.search(text)) for _, answer in _SAYS] for text in texts], dtype=np.float32)
        names = [frozenset(map(term_id, terms(law))) for law in lore.laws]
        self._names = [({t: self._texts.rarity(t) for t in name}) for name in names]
        self._ruling = np.array([("解释" in law or "规定" in law) for law in (*lore.laws, "")], dtype=np.float32)[self._law]
        self._asked = Asked(lore.known)
        gold = [(self._place[a], number) for number, k in enumerate(lore.known) for a in k.articles if a in self._place]
        place, asker = np.array(gold, dtype=np.int64).reshape(-1, 2).T
        self._gold = place, asker, (1 / np.bincount(asker, minlength=1)[asker]).astype(np.float32)

    def search(self, question: str, limit: int) -> list[Match]:
        """The articles that most likely answer the question, best first."""
        numbers, evidence = self.evidence(question)
        scores = ((evidence - self.lore.mean) / self.lore.spread) @ self.lore.weights
        best = np.argsort(-scores, kind="stable")[:limit]
        return [Match(int(numbers[i]), float(scores[i])) for i in best]

    def evidence(self, question: str, without: NDArray[np.bool_] | None = None) -> tuple[Ints, Floats]:
        """Candidates (places in the pool) and their FEATURES. `without`: known questions to leave out for learning."""
        asked = {term_id(t): t[0] != "_" for t in terms(question)}
        pool = self._texts
        weight = {t: pool.rarity(t) for t in asked}
        total = sum(weight.values()) or 1.0
        words = pool.gain(t for t, word in asked.items() if word)
        pairs = pool.gain(t for t, word in asked.items() if not word)
        rare = pool.gain(asked, {t: self._asked.rarity(t) * (1.0 if word else PAIR_WEIGHT) for t, word in asked.items()})
        meant_terms = {term_id(t): 1.0 if t[0] != "_" else PAIR_WEIGHT for t in self.lexicon.expand(question)}
        meant = pool.gain(meant_terms, meant_terms)
        text = words + PAIR_WEIGHT * pairs
        both = text + MEANT_WEIGHT * meant
        alike = self._asked.alike(asked)
        if without is not None:
            alike[without] = -1
        memory = self._remember(alike, without)
        answer = self._answers(alike)
        top = max(float(both.max()), 1e-6)
        rough = both / top + memory.best + 0.5 * answer + 0.03 * np.log1p(memory.law_count)[self._law]
        keep = min(CANDIDATES, pool.size)
        c = np.argpartition(-rough, keep - 1)[:keep]
        found = self._law_found(both)
        names = self._name_match(weight)
        law = self._law[c]
        columns = [
            words[c] / total,
            pairs[c] / total,
            _share(text, c),
            _share(both, c),
            _share(meant, c),
            _share(rare, c),
            names[law] / total,
            memory.best[c],
            memory.sum[c],
            np.log1p(memory.count[c]),
            np.log1p(memory.law_count)[law],
            memory.law_alike[law],
            memory.law_best[law],
            found[law],
            answer[c],
            pool.length[c],
            self._ruling[c],
            self._around(both, c) / top,
            self._around(memory.best, c),
            *(self._says[c, i] * bool(ask.search(question)) for i, (ask, _) in enumerate(_SAYS)),
            self._says[c, 3],
        ]
        return c, _widened(np.stack(columns, axis=1).astype(np.float32))

    def _remember(self, alike: Floats, without: NDArray[np.bool_] | None) -> Remembered:
        """What the known questions say about every article and law."""
        size, laws = self._texts.size, len(self.lore.laws) + 1
        out = Remembered(*(np.zeros(size, np.float32) for _ in range(3)), *(np.zeros(laws, np.float32) for _ in range(3)))
        place, asker, share = self._gold
        if without is not None:
            kept = ~without[asker]
            place, asker, share = place[kept], asker[kept], share[kept]
        law = self._law[place]
        near = np.where(alike[asker] > FAINT, alike[asker], 0).astype(np.float32)
        np.add.at(out.count, place, 1)
        np.add.at(out.law_count, law, share)
        np.maximum.at(out.best, place, near)
        np.add.at(out.sum, place, near * near)
        np.add.at(out.law_alike, law, share * near * near)
        np.maximum.at(out.law_best, law, near)
        out.law_alike /= out.law_alike.sum() + 0.05
        return out

    def _answers(self, alike: Floats) -> Floats:
        """Likeness of every article to what the nearest known questions were answered with."""
        wanted: dict[int, float] = {}
        for number in np.argsort(-alike)[:NEIGHBOURS].tolist():
            near = float(alike[number])
            if near > 0:
                for term, weight in self.lore.known[number].answer.items():
                    wanted[term] = wanted.get(term, 0.0) + near * near * weight
        length = sum(w * w for w in wanted.values()) ** 0.5 or 1.0
        return self._texts.likeness({t: w / length for t, w in sorted(wanted.items(), key=lambda pair: -pair[1])[:ANSWER_TERMS]})

    def _law_found(self, scores: Floats) -> Floats:
        """How much of the best sixty articles by words lies in every law; sums to one."""
        best = np.argpartition(-scores, min(60, len(scores) - 1))[:60]
        share = np.zeros(len(self.lore.laws) + 1, np.float32)
        np.add.at(share, self._law[best], (scores[best] / max(float(scores.max()), 1e-6)) ** 4)
        share /= max(float(share.sum()), 1e-6)
        return share

    def _name_match(self, asked: dict[int, float]) -> Floats:
        """The weight of the question's terms that stand in the name of every law."""
        out = np.zeros(len(self.lore.laws) + 1, np.float32)
        for number, name in enumerate(self._names):
            shared = sum(weight for term, weight in asked.items() if term in name)
            out[number] = shared / (sum(w * w for w in name.values()) ** 0.5 or 1.0)
        return out

    def _around(self, scores: Floats, numbers: Ints) -> Floats:
        """The scores of the articles before and after, nearer ones counting more."""
        places, weights = self._near
        padded = np.append(scores, np.float32(0))
        return np.asarray((padded[places[numbers]] * weights[numbers]).sum(axis=1), dtype=np.float32)


@dataclass(slots=True)
class Remembered:
    """Of every article: nearest known question, sum of squares, number of known questions; of every law: the same."""

    best: Floats
    sum: Floats
    count: Floats
    law_count: Floats
    law_alike: Floats
    law_best: Floats


class Asked:
    """The known questions as unit vectors over their terms."""

    def __init__(self, known: Sequence[Known]) -> None:
        spread = Counter(term for question in known for term in question.terms)
        self._size = len(known)
        self._weight = {t: float(np.log(1 + (len(known) - n + 0.5) / (n + 0.5))) for t, n in spread.items()}
        self._spread = spread
        self._rows: dict[int, list[tuple[int, float]]] = {}
        for number, question in enumerate(known):
            length = sum(self._weight[t] ** 2 for t in question.terms) ** 0.5 or 1.0
            for term in question.terms:
                self._rows.setdefault(term, []).append((number, self._weight[term] / length))

    def rarity(self, term: int) -> float:
        """How much a term distinguishes questions (0 to 1): what everybody asks with ("怎么办") weighs little."""
        return min(6.0, float(np.log((self._size + 1) / (self._spread.get(term, 0) + 1)))) / 6

    def alike(self, asked: Iterable[int]) -> Floats:
        """The cosine of the question with every known question."""
        unknown = float(np.log(1 + (self._size + 0.5) / 0.5))
        weights = {t: self._weight.get(t, unknown) for t in asked}
        length = sum(w * w for w in weights.values()) ** 0.5 or 1.0
        out = np.zeros(self._size, np.float32)
        for term, weight in weights.items():
            for number, share in self._rows.get(term, ()):
                out[number] += share * weight / length
        return out


class Postings:
    """Where every term stands in the pool, with its BM25 gain (words and pairs apart) and its share of the text's unit vector."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.size = len(texts)
        ids: dict[str, int] = {}
        places, docs, counts = array("i"), array("i"), array("f")
        for number, text in enumerate(texts):
            for name, times in Counter(terms(text)).items():
                places.append(ids.setdefault(name, len(ids)))
                docs.append(number)
                counts.append(times)
        column = np.frombuffer(places, np.int32)
        order = np.argsort(column, kind="stable")
        column, self._docs = column[order], np.frombuffer(docs, np.int32)[order]
        count = np.frombuffer(counts, np.float32)[order]
        spread = np.bincount(column, minlength=len(ids))
        self._start = np.concatenate([[0], np.cumsum(spread)])
        self._row = {term_id(name): row for name, row in ids.items()}
        self._rarity = np.log(1 + (self.size - spread + 0.5) / (spread + 0.5)).astype(np.float32)
        self.length = np.log(np.bincount(self._docs, count, self.size) + 1).astype(np.float32)
        self._gain = np.empty(len(count), np.float16)
        word = np.array([name[0] != "_" for name in ids], dtype=bool)[column]
        for kind in (word, ~word):
            lengths = np.bincount(self._docs[kind], count[kind], self.size)
            share = lengths / max(float(lengths.mean()), 1e-6)
            damp = K1 * (1 - B + B * share[self._docs[kind]])
            self._gain[kind] = count[kind] * (K1 + 1) / (count[kind] + damp) * self._rarity[column[kind]]
        part = (1 + np.log(count)) * self._rarity[column]
        norm = np.sqrt(np.bincount(self._docs, part * part, self.size)) + 1e-9
        self._part = (part / norm[self._docs]).astype(np.float16)

    def rarity(self, term: int) -> float:
        """The inverse document frequency of a term."""
        row = self._row.get(term)
        return float(np.log(1 + (self.size + 0.5) / 0.5)) if row is None else float(self._rarity[row])

    def gain(self, wanted: Iterable[int], weights: dict[int, float] | None = None) -> Floats:
        """The BM25 score of every text for the terms."""
        return self._add(self._gain, {t: 1.0 if weights is None else weights[t] for t in wanted})

    def likeness(self, wanted: dict[int, float]) -> Floats:
        """The cosine of every text with a unit vector of terms."""
        return self._add(self._part, wanted)

    def _add(self, values: NDArray[np.float16], wanted: dict[int, float]) -> Floats:
        out = np.zeros(self.size, np.float32)
        for term, weight in wanted.items():
            row = self._row.get(term)
            if row is not None:
                a, b = self._start[row], self._start[row + 1]
                out[self._docs[a:b]] += np.float32(weight) * values[a:b]
        return out


def _widened(evidence: Floats) -> Floats:
    """A candidate's standing among the others (1 for the best, 1/2 for the next …), and with squares."""
    standing = [1 / (1 + np.argsort(np.argsort(-evidence[:, i], kind="stable"), kind="stable")) for i in _STANDING]
    return np.column_stack([evidence, *standing, evidence[:, _SQUARED] ** 2]).astype(np.float32)


def _share(scores: Floats, numbers: Ints) -> Floats:
    """The scores of some, against the best of all."""
    return scores[numbers] / np.float32(max(float(scores.max()), 1e-6))


def _neighbours(law: Ints, code: Ints) -> tuple[Ints, Floats]:
    """For every article the places of its neighbours in its law and their weights; the place after the last is nobody."""
    size = len(law)
    order = np.argsort(np.where(code < 0, np.iinfo(np.int64).max, code), kind="stable")
    places = np.full((size, 2 * WINDOW), size, dtype=np.int64)
    weights = np.zeros((size, 2 * WINDOW), dtype=np.float32)
    for off in range(1, min(WINDOW, size - 1) + 1):
        for column, (here, there) in enumerate(((order[off:], order[:-off]), (order[:-off], order[off:]))):
            same = (law[here] == law[there]) & (code[here] >= 0) & (code[there] >= 0)
            places[here[same], 2 * off - 2 + column] = there[same]
            weights[here[same], 2 * off - 2 + column] = 1 / off
    total = weights.sum(axis=1, keepdims=True)
    return places, (weights / np.where(total == 0, 1, total)).astype(np.float32)

"""Learn what `bot/understanding/statutes.py` uses from questions with their articles, and say by cross-validation
how good it is.

    python benchmarks/lay_legal.py QUESTIONS.jsonl ARTICLES.jsonl [--write content/model/lay_legal.npz]

Questions: rows of `question`, `gold_ids` and perhaps `answer`; articles: rows of `id`, `name`, `law`, `text`.
The questions are parted into five; each part is answered with what was learnt from the other four only (known
questions, weights and all).
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np

from bot.understanding.legal import Floats, Known, Lexicon, Lore, fingerprints, term_id
from bot.understanding.segment import terms
from bot.understanding.statutes import FEATURES, WIDTH, Statutes

FOLDS = 5
ANSWER_TERMS = 60
_NUMBER = re.compile(r"第([零一二三四五六七八九十百千]+)条(?:之([一二三四五六七八九十]))?$")
_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"十": 10}
_UNITS = {"十": 10, "百": 100, "千": 1000}


def number_of(name: str) -> int:
    """Ten times the article's number, plus that of 之一 and the like."""
    match = _NUMBER.search(name)
    if match is None:
        return 0
    total = digit = 0
    for char in match[1]:
        if char in _UNITS:
            total, digit = total + (digit or 1) * _UNITS[char], 0
        else:
            digit = _DIGITS[char]
    return 10 * (total + digit) + (_DIGITS[match[2]] if match[2] else 0)


def learn(questions: list[dict], articles: list[dict]) -> Lore:
    """Everything but the weights."""
    laws = sorted({row["law"] for row in articles})
    place = {law: number for number, law in enumerate(laws)}
    code = {row["id"]: place[row["law"]] << 16 | number_of(row["name"]) for row in articles}
    prints: dict[int, int] = {}
    for row in articles:
        for mark in fingerprints(row["text"]):
            prints.setdefault(mark, code[row["id"]])
    spread = Counter(term for row in articles for term in set(terms(row["text"])))
    text = {row["id"]: row["text"] for row in articles}

    def vector(words: str) -> dict[str, float]:
        part = {
            t: (1 + np.log(n)) * np.log(1 + (len(articles) + 0.5) / (spread[t] + 0.5)) for t, n in Counter(terms(words)).items()
        }
        norm = sum(w * w for w in part.values()) ** 0.5 or 1.0
        return {t: w / norm for t, w in part.items() if t in spread}

    known = []
    for row in questions:
        meant: Counter[str] = Counter()
        for gold in row["gold_ids"]:
            meant.update({t: w / len(row["gold_ids"]) for t, w in vector(text[gold]).items()})
        meant.update(vector(row.get("answer") or ""))
        best = {term_id(t): w for t, w in meant.most_common(ANSWER_TERMS)}
        known.append(Known(frozenset(map(term_id, terms(row["question"]))), tuple(code[g] for g in row["gold_ids"]), best))
    one = np.ones(WIDTH, np.float32)
    return Lore(tuple(laws), prints, tuple(known), one, 0 * one, one)


def fit(rows: list[tuple[Floats, Floats]]) -> tuple[Floats, Floats, Floats]:
    """Weights of a softmax over the candidates of one question, by Adam; returns weights, mean and spread of the features."""
    rows = [(x, y / y.sum()) for x, y in rows if y.any()]
    x, y = np.stack([r[0] for r in rows]), np.stack([r[1] for r in rows])
    mean, spread = x.mean(axis=(0, 1)), x.std(axis=(0, 1)) + 1e-6
    x = (x - mean) / spread
    w, m, v = (np.zeros(x.shape[-1]) for _ in range(3))
    for step in range(1, 251):
        z = x @ w
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        gradient = np.einsum("nc,ncf->f", p - y, x) / len(x) + 1e-2 * w
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        w -= 0.05 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    return w.astype(np.float32), mean.astype(np.float32), spread.astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("questions", type=Path)
    parser.add_argument("articles", type=Path)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    questions, articles = (
        [json.loads(line) for line in path.open(encoding="utf-8")] for path in (arguments.questions, arguments.articles)
    )
    place = {row["id"]: number for number, row in enumerate(articles)}
    gold = [np.array([place[g] for g in row["gold_ids"]]) for row in questions]
    lore = learn(questions, articles)
    pool = Statutes([row["text"] for row in articles], lore, Lexicon.load())
    print(f"{pool.recognised} of {len(articles)} articles recognised, {len(questions)} known questions")

    def evidence(number: int, fold: np.ndarray) -> tuple[np.ndarray, Floats, Floats]:
        without = fold.copy()
        without[number] = True
        found, x = pool.evidence(questions[number]["question"], without)
        return found, x, np.isin(found, gold[number]).astype(np.float32)

    part = np.random.default_rng(0).permutation(len(questions)) % FOLDS
    hits = []
    for fold in range(FOLDS):
        held = part == fold
        w, mean, spread = fit([evidence(i, held)[1:] for i in np.flatnonzero(~held)])
        for i in np.flatnonzero(held):
            _, x, y = evidence(i, held)
            ranked = y[np.argsort(-((x - mean) / spread) @ w, kind="stable")]
            hits.append((ranked[0], ranked[:5].any(), ranked[:20].any(), y.any()))
        print(f"part {fold + 1}: hit@1 {np.mean([h[0] for h in hits]):.3f} hit@5 {np.mean([h[1] for h in hits]):.3f}", flush=True)
    print(
        "cross-validated: hit@1 {:.3f}  hit@5 {:.3f}  hit@20 {:.3f}  among the candidates {:.3f}".format(*np.mean(hits, axis=0))
    )
    if arguments.write:
        nobody = np.zeros(len(questions), bool)
        w, mean, spread = fit([evidence(i, nobody)[1:] for i in range(len(questions))])
        Lore(lore.laws, lore.codes, lore.known, w, mean, spread).save(arguments.write)
        print(dict(zip(FEATURES, w.round(2).tolist(), strict=False)), arguments.write.stat().st_size, "bytes")


if __name__ == "__main__":
    main()

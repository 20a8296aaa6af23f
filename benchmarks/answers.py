"""How well the answer library is searched, and the line between speaking and silence.

    python benchmarks/answers.py [--fit]

Questions: tests/data/questions_heldout.jsonl, in pairs (a plain and a roundabout one): every other pair to
tune, the rest to report. Small talk: the chatter of the tests. `--fit` prints weights for the line of
`bot/understanding/answers.py`, fitted on the tuned half and a quarter of the small talk.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import date
from pathlib import Path

import numpy as np

from bot.understanding.answers import Answers, Evidence
from tests.understanding.chatter import chatter

ROOT = Path(__file__).resolve().parents[1]


def features(evidence: Evidence) -> tuple[float, ...]:
    return (evidence.cover, evidence.asked, evidence.meant, evidence.chance)


def fit(rows: list[tuple[tuple[float, ...], bool]]) -> None:
    x = np.array([r[0] for r in rows])
    y = np.array([r[1] for r in rows], dtype=float)
    x = np.hstack([np.ones((len(x), 1)), x])
    weight = np.where(y > 0, 1.0, 1.0)
    w = np.zeros(x.shape[1])
    for _ in range(60):
        p = 1 / (1 + np.exp(-x @ w))
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + 0.3 * np.eye(len(w))
        w -= np.linalg.solve(hessian, x.T @ (weight * (p - y)) + 0.3 * w)
    print("BIAS =", round(float(w[0]), 2), " LINE =", tuple(w[1:].round(2).tolist()))


def main() -> None:
    answers = Answers.load(ROOT / "content", date(2026, 11, 23))
    lines = (ROOT / "tests" / "data" / "questions_heldout.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line.strip()]
    talk = list(chatter(4_000))
    training = []
    for part, name in ((0, "tuned half"), (1, "reported half")):
        told, right, sure, wrong, certain, wrongly, first = 0, 0, 0, 0, 0, 0, 0
        for row in [row for number, row in enumerate(rows) if number // 2 % 2 == part]:
            ranked = answers._ranked(row["question"])
            hit = answers.search(row["question"], 1)
            fits = bool(hit) and hit[0].answer.slug == row["expect"]
            if ranked and not part:
                training.append((features(ranked[0][2]), fits))
            told += row["expect"] is not None
            first += fits
            if hit and hit[0].sure:
                sure += 1
                right += fits
                wrong += row["expect"] is None
            if hit and hit[0].certain:
                certain += 1
                wrongly += not fits
        print(f"{name}: {told} answerable, first right {first / told:.3f}; sure {sure},"
              f" precision {right / max(1, sure):.3f}, recall {right / told:.3f},"
              f" on unanswerable {wrong}; certain {certain}, wrong {wrongly}")  # fmt: skip
    took, spoke = [], []
    for text in talk:
        start = time.perf_counter()
        hit = answers.search(text)
        took.append(time.perf_counter() - start)
        if hit and hit[0].certain:
            spoke.append((text, hit[0].answer.slug))
    print(
        f"small talk: {len(talk)} lines, certain {len(spoke)}; "
        f"p50 {np.median(took) * 1e3:.2f} ms, p99 {np.quantile(took, 0.99) * 1e3:.2f} ms"
    )
    print(*spoke[:20], sep="\n")
    if "--fit" in sys.argv:
        for text in talk[::4]:
            ranked = answers._ranked(text)
            if ranked:
                training.append((features(ranked[0][2]), False))
        fit(training)


if __name__ == "__main__":
    main()

"""Count which words speak for a cry and which against it, and write `content/lexicon/tone.toml`.

    python -m scripts.count_tone [OPEN_DATA]

Cries are those of `content/training` and `tests/data` (every set that serves as development data), ordinary messages are all
else there. Words are what jieba makes of them, and every two that stand together; those that stand in six texts or more are
weighed by a sparse logistic regression (scikit-learn, extra "train"), and what is left is rounded to quarters of a sign's
point. The same data give the same file. Sets that are kept for measuring are not read.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import jieba
import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from bot.understanding.understanding import Understanding

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
TRAINING = ROOT / "content" / "training"
FOLDERS = ("rounds", "oblique", "strangers")
MIXED = ["emergencies.txt", *(f"{name}/{path.name}" for name in FOLDERS for path in sorted((DATA / name).glob("*.txt")))]
SILENT = ("missing", "scam_bait", "scam_report")  # neither cries nor surely none
OPEN_TALK = 0.3  # how much a line of open chat counts
FEWEST = 6  # texts in which a word must stand
STRENGTH = 1.2  # the inverse of the penalty
QUARTERS = 8  # of a sign's point in one unit of log odds: a point is worth half of one
MOST = 24  # quarters that a tone may say, both ways: six points
_WORD = re.compile("[\u4e00-\u9fff]{1,6}")


def examples(open_data: Path | None) -> dict[str, tuple[bool, float]]:
    """Every text with whether it is a cry, and how much it counts."""
    found: dict[str, tuple[bool, float]] = {}
    for name in MIXED:
        for line in _lines(DATA / name):
            kind, text = line.split("|", 1)
            found.setdefault(text, (kind not in ("none", "ordinary"), 1.0))
    for name, cry in (("cries_anywhere.txt", True), ("false_friends.txt", False)):
        for text in _lines(DATA / name):
            found.setdefault(text, (cry, 1.0))
    for path in sorted(TRAINING.glob("*.jsonl")):
        if path.stem not in SILENT:
            for line in path.read_text(encoding="utf-8").splitlines():
                found.setdefault(json.loads(line)["text"], (path.stem == "emergency", 1.0))
    if open_data is not None:
        for line in (open_data / "scam_detection.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["group"] == "chat":
                found.setdefault(row["text"], (False, OPEN_TALK))
    return found


def words(text: str) -> set[str]:
    """The words of a text and every two that stand together."""
    parts = [part if _WORD.fullmatch(part) else "" for part in jieba.lcut(text)]
    return set(filter(None, parts)) | {one + two for one, two in pairwise(parts) if one and two}


def count(rows: dict[str, tuple[bool, float]], understanding: Understanding) -> tuple[int, dict[int, list[str]]]:
    """What a message begins with, and the words by what each says, in quarters."""
    texts = [understanding.plain(text)[:400] for text in rows]
    seen = Counter(word for text in texts for word in words(text))
    known = {word: number for number, word in enumerate(sorted(word for word, times in seen.items() if times >= FEWEST))}
    lengths = sorted({len(word) for word in known})
    columns, starts = [], [0]
    for text in texts:
        parts = {text[at : at + length] for length in lengths for at in range(len(text) - length + 1)}
        columns += sorted(known[part] for part in parts if part in known)
        starts.append(len(columns))
    matrix = csr_matrix((np.ones(len(columns)), columns, starts), shape=(len(texts), len(known)))
    cries, weights = np.array([cry for cry, _ in rows.values()]), np.array([weight for _, weight in rows.values()])
    sparse = LogisticRegression(penalty="l1", solver="liblinear", C=STRENGTH, max_iter=300, random_state=1)
    fitted = sparse.fit(matrix, cries, weights)
    by_quarters: dict[int, list[str]] = defaultdict(list)
    for word, weight in zip(known, np.round(fitted.coef_[0] * QUARTERS).astype(int).tolist(), strict=True):
        if weight:
            by_quarters[weight].append(word)
    return round(float(fitted.intercept_[0]) * QUARTERS), by_quarters


def main() -> None:
    """Count, and write the table anew below its own heading."""
    jieba.setLogLevel(logging.ERROR)
    rows = examples(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    start, by_quarters = count(rows, Understanding.load(ROOT / "content"))
    header = (DATA.parents[1] / "content" / "lexicon" / "tone.toml").read_text(encoding="utf-8").split("[bounds]")[0]
    lines = [f'"{quarters}" = "{" ".join(by_quarters[quarters])}"' for quarters in sorted(by_quarters)]
    text = f"{header}[bounds]\nstart = {start}\nmost = {MOST}\n\n[words]\n" + "\n".join(lines) + "\n"
    (ROOT / "content" / "lexicon" / "tone.toml").write_text(text, encoding="utf-8")
    cries = sum(cry for cry, _ in rows.values())
    print(f"{cries} cries, {len(rows) - cries} ordinary messages, {sum(map(len, by_quarters.values()))} words")  # noqa: T201


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip() and not line.startswith("#")]


if __name__ == "__main__":
    main()

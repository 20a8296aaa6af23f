"""Count which rows of characters speak for a cry and which against it, and write `content/lexicon/tone.toml`.

    python -m scripts.count_tone [OPEN_DATA]

Cries are those of `content/training` and `tests/data` (every set that serves as development data), ordinary messages are all
else there. Their rows of characters (`rows_of`) that stand in two texts or more are weighed by a logistic regression
(scikit-learn, extra "train"), rare ones more. The weightiest are weighed once more without the others, and rounded to whole
points. In the same way rows of cries are weighed for each danger. The same data give the same file. Sets that are kept for
measuring are not read.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix, diags
from sklearn.linear_model import LogisticRegression

from bot.understanding.meaning import Danger
from bot.understanding.tone import LONGEST, rows_of
from bot.understanding.understanding import Understanding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
TRAINING = ROOT / "content" / "training"
FOLDERS = ("rounds", "oblique", "strangers")
MIXED = ["emergencies.txt", *(f"{name}/{path.name}" for name in FOLDERS for path in sorted((DATA / name).glob("*.txt")))]
SILENT = ("missing", "scam_bait", "scam_report")  # neither cries nor surely none
TABLE = ROOT / "content" / "lexicon" / "tone.toml"
OPEN_TALK = 0.3  # how much a line of open chat counts
CRY = 2.0  # how much a cry counts
FEWEST = 2  # texts in which a word must stand
WORDS = 80_000  # that are kept
KIND_WORDS = 600  # that are kept for each danger
RARITY = 2.0  # the power of a word's inverse document frequency
STRENGTH = 5.0  # the inverse of the penalty
SCALE = 0.06  # of the shares of words in a text, which the penalty goes by
QUARTERS = 7  # of a sign's point in one unit of log odds


def examples(open_data: Path | None) -> dict[str, tuple[str, float]]:
    """Every text with its danger, "" for an ordinary one and "cry" where nobody noted which, and how much it counts."""
    found: dict[str, tuple[str, float]] = {}
    for name in MIXED:
        for line in _lines(DATA / name):
            kind, text = line.split("|", 1)
            found.setdefault(text, ("" if kind in ("none", "ordinary") else kind, 1.0))
    for name, kind in (("cries_anywhere.txt", "cry"), ("false_friends.txt", "")):
        for text in _lines(DATA / name):
            found.setdefault(text, (kind, 1.0))
    for line in _lines(DATA / "pairs.txt"):
        cry, ordinary = line.split("|")
        found |= {cry: ("cry", 1.0), ordinary: ("", 1.0)}
    for path in sorted(TRAINING.glob("*.jsonl")):
        if path.stem not in SILENT:
            for line in path.read_text(encoding="utf-8").splitlines():
                found.setdefault(json.loads(line)["text"], ("cry" if path.stem == "emergency" else "", 1.0))
    if open_data is not None:
        for line in (open_data / "scam_detection.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["group"] == "chat":
                found.setdefault(row["text"], ("", OPEN_TALK))
    return found


@dataclass(frozen=True, slots=True)
class Counted:
    """Texts by the rows of characters that stand in them (`words`, the columns), and how rare each of those is."""

    words: list[str]
    rows: csr_matrix
    rarity: NDArray[np.float64]

    @staticmethod
    def of(texts: Sequence[str]) -> Counted:
        """Count every row that stands in `FEWEST` texts or more."""
        seen = Counter(word for text in texts for word in rows_of(text))
        known = {word: number for number, word in enumerate(sorted(word for word, times in seen.items() if times >= FEWEST))}
        columns, starts = [], [0]
        for text in texts:
            columns += sorted(known[word] for word in rows_of(text) if word in known)
            starts.append(len(columns))
        rows = csr_matrix((np.ones(len(columns)), columns, starts), shape=(len(texts), len(known)))
        rarity = (np.log((1 + len(texts)) / (1 + np.asarray(rows.sum(0)).ravel())) + 1) ** RARITY
        return Counted(list(known), rows, rarity)

    def part(self, texts: NDArray[np.bool_], chosen: NDArray[np.int64]) -> Counted:
        """Some of the texts and some of the words."""
        return Counted(
            [self.words[number] for number in chosen], self.rows[texts].tocsc()[:, chosen].tocsr(), self.rarity[chosen]
        )

    def weigh(self, cries: NDArray[np.bool_], weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """What each word says for a cry beside the others, before the root of their number divides it; what all begin with."""
        shares = diags(SCALE / np.sqrt(np.maximum(1, np.asarray(self.rows.sum(1)).ravel())))
        fit = LogisticRegression(solver="liblinear", C=STRENGTH, max_iter=300, random_state=1)
        fit.fit(shares @ self.rows @ diags(self.rarity), cries, weights)
        return fit.coef_[0] * self.rarity * SCALE, float(fit.intercept_[0])

    def weightiest(self, points: NDArray[np.float64], most: int) -> NDArray[np.int64]:
        """The words that say most in most texts."""
        return np.sort(np.argsort(-np.abs(points) * np.sqrt(np.asarray(self.rows.sum(0)).ravel()), kind="stable")[:most])


def table(words: Sequence[str], points: NDArray[np.float64]) -> str:
    """Words by their points."""
    by_points: dict[int, list[str]] = defaultdict(list)
    for word, count in zip(words, np.round(points * QUARTERS).astype(int).tolist(), strict=True):
        if count:
            by_points[count].append(word)
    return "\n".join(f"\"{count}\" = '{' '.join(by_points[count])}'" for count in sorted(by_points))


def main() -> None:
    """Count, and write the table anew below its own heading."""
    rows = examples(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    understanding = Understanding.load(ROOT / "content")
    counted = Counted.of([understanding.plain(text)[:LONGEST] for text in rows])
    kinds = np.array([kind for kind, _ in rows.values()])
    cries = kinds != ""
    weights = np.array([weight for _, weight in rows.values()]) * np.where(cries, CRY, 1.0)
    kept = counted.part(np.ones(len(rows), dtype=bool), counted.weightiest(counted.weigh(cries, weights)[0], WORDS))
    points, start = kept.weigh(cries, weights)
    header = TABLE.read_text(encoding="utf-8").split("[rows]")[0]
    header = re.sub("^start = .*$", f"start = {round(start * QUARTERS)}", header, flags=re.MULTILINE)
    parts = [f"{header}[rows]\n{table(kept.words, points)}\n"]
    told = cries & (kinds != "cry")
    of_kinds = kept.part(told, np.arange(len(kept.words)))
    for danger in Danger:
        of_danger = kinds[told] == danger.value
        points = of_kinds.weigh(of_danger, np.ones(len(of_danger)))[0]
        best = of_kinds.weightiest(points, KIND_WORDS)
        parts.append(f"[kind.{danger}]\n{table([kept.words[number] for number in best], points[best])}\n")
    TABLE.write_text("\n".join(parts), encoding="utf-8")
    print(f"{cries.sum()} cries, {(~cries).sum()} ordinary messages, {len(kept.words)} words")  # noqa: T201


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip() and not line.startswith("#")]


if __name__ == "__main__":
    main()

"""Training of the weights from `content/training/*.jsonl`, and from open data where it is present; behind `qianshao train`.

scikit-learn is needed here and nowhere else. The order of rows and all dice are fixed: the same data give the same file.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bot.errors import ConfigError
from bot.understanding.model import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from bot.understanding.understanding import Understanding

SIZES = {"intent": 1 << 16, "category": 1 << 13, "scam": 1 << 16, "scam_type": 1 << 14}
STRENGTH = {"intent": 15.0, "category": 30.0, "scam": 20.0, "scam_type": 30.0}
OPEN_TYPES = {
    "kidnap": "kidnap",
    "phishing_call": "bank",
    "mail_parcel": "logistics",
    "stock_investment": "investment",
    "lottery": "lottery",
    "fake_bank_call": "bank",
    "identity_theft": "bank",
    "fake_customer_service": "bank",
}
CLOSE = 2.0  # what counts an honest message that sounds like bait: a warning, a bank, a shop, money in the family
# How much a line counts that is small talk to the intent head only by the way: the more of them there are, the more they push
# everything towards silence
HONEST_TALK, OPEN_TALK = 0.2, 0.2
HONEST, BAIT = "honest", "scam"  # in this order: the head gives the probability of honest first


@dataclass(frozen=True, slots=True)
class Example:
    """One text with its label for one head. `weight` is how much it counts; `source` keeps sources apart in measurements."""

    text: str
    label: str
    weight: float = 1.0
    source: str = "own"


@dataclass(frozen=True, slots=True)
class Report:
    """What a training gave: examples per head, accuracy of two-fold cross-validation per head, bytes written."""

    examples: dict[str, int]
    accuracy: dict[str, float]
    size: int


def train(content_dir: Path, understanding: Understanding, open_data: Path | None = None) -> Report:
    """Train every head and write `content/model/understanding.npz`; `understanding` gives the lexicon features."""
    heads = {
        "intent": intents(content_dir, open_data),
        "category": categories(content_dir, understanding),
        "scam": verdicts(scams(content_dir, open_data)),
        "scam_type": [example for example in scams(content_dir, open_data) if example.label != HONEST],
    }
    arrays: dict[str, Any] = {"version": np.int64(VERSION), "heads": np.array(list(heads))}
    accuracy: dict[str, float] = {}
    for name, examples in heads.items():
        fitted, accuracy[name] = fit(name, examples, partial(understanding.features, name))
        arrays.update({f"{name}.{key}": value for key, value in fitted.items()})
    path = content_dir / "model" / "understanding.npz"
    path.parent.mkdir(exist_ok=True)
    fresh = path.with_name("understanding.new.npz")  # a running bot never sees half a file
    np.savez_compressed(fresh, **arrays)
    fresh.replace(path)
    return Report({name: len(examples) for name, examples in heads.items()}, accuracy, path.stat().st_size)


def intents(content_dir: Path, open_data: Path | None) -> list[Example]:
    """Examples for the intent head: our own, and where present a sample of real chat as small talk."""
    examples = [Example(row["text"], row["intent"]) for row in rows(content_dir / "training") if "intent" in row]
    honest = (row for row in rows(content_dir / "training") if "scam" in row and row["scam"] is None)
    examples += [Example(row["text"], "chat", HONEST_TALK) for row in honest]
    if open_data is not None:
        chat = (row for row in _lines(open_data / "scam_detection.jsonl") if row["src"] == "lccc")
        examples += [Example(row["text"], "chat", OPEN_TALK, "lccc") for row in chat]
    return examples


def categories(content_dir: Path, understanding: Understanding) -> list[Example]:
    """Examples for the category head: our own reports with the category that the rules give, where they speak."""
    found = []
    for row in rows(content_dir / "training"):
        if row.get("intent", "chat") not in ("chat", "emergency"):
            category = row.get("category") or understanding.category_by_rules(row["text"], row["intent"])
            if category:
                found.append(Example(row["text"], category))
    counts = Counter(example.label for example in found)
    return [example for example in found if counts[example.label] >= 3]


def scams(content_dir: Path, open_data: Path | None) -> list[Example]:
    """Examples for the scam head: own bait by type, everything else honest, and where present the open calls and chat."""
    examples = []
    for row in rows(content_dir / "training"):
        honest = "intent" in row or row["scam"] is None
        weight = 0.5 if "intent" in row else CLOSE if honest else 1.0
        examples.append(Example(row["text"], HONEST if honest else row["scam"], weight))
    if open_data is not None:
        for row in _lines(open_data / "scam_detection.jsonl"):
            label = OPEN_TYPES[row["type"]] if row["label"] else HONEST
            weight = 0.3 if row["label"] else 1.0 if row["src"] == "lccc" else 0.5
            examples.append(Example(row["text"], label, weight, row["src"]))
    return examples


def verdicts(examples: list[Example]) -> list[Example]:
    """The same texts labelled honest or bait."""
    return [replace(example, label=HONEST if example.label == HONEST else BAIT) for example in examples]


def fit(
    name: str, examples: list[Example], features: Callable[[str], NDArray[np.int64]], *, folds: int = 2
) -> tuple[dict[str, Any], float]:
    """Arrays of one head, and its accuracy in cross-validation (0 when `folds` is 0 and the temperature is left at 1)."""
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedKFold
        from sklearn.preprocessing import normalize
    except ImportError as error:
        raise ConfigError("training needs scikit-learn: .venv/bin/python -m pip install '.[train]'") from error
    labels = sorted({example.label for example in examples})
    target = np.array([labels.index(example.label) for example in examples])
    weight = np.array([example.weight for example in examples])
    matrix = vectors([example.text for example in examples], SIZES[name], features)
    seen = np.asarray((matrix > 0).sum(axis=0)).ravel()
    rarity = (np.log((1 + len(examples)) / (1 + seen)) + 1).astype(np.float32)
    matrix = normalize(matrix.multiply(rarity).tocsr())

    def fresh() -> Any:
        return LogisticRegression(C=STRENGTH[name], max_iter=200, tol=1e-4)

    accuracy, temperature = 0.0, 1.0
    if folds:
        scores = np.zeros((len(examples), len(labels)))
        for train_rows, test_rows in StratifiedKFold(folds, shuffle=True, random_state=1).split(matrix, target):
            model = fresh().fit(matrix[train_rows], target[train_rows], weight[train_rows])
            found = model.decision_function(matrix[test_rows])
            scores[np.ix_(test_rows, model.classes_)] = found if len(labels) > 2 else np.stack([-found / 2, found / 2], axis=1)
        accuracy = float((scores.argmax(axis=1) == target).mean())
        temperature = _temperature(scores, target)
    model = fresh().fit(matrix, target, weight)
    coefficients, intercept = model.coef_, model.intercept_
    if len(labels) == 2:  # scikit-learn keeps one row for two labels: what speaks for the second
        coefficients = np.vstack([-coefficients / 2, coefficients / 2])
        intercept = np.array([-intercept[0] / 2, intercept[0] / 2])
    weights = coefficients.T.astype(np.float32) * rarity[:, None]
    scale = np.abs(weights).max(axis=0) / 127
    return {
        "labels": np.array(labels),
        "weights": np.round(weights / scale).astype(np.int8),
        "rarity": rarity.astype(np.float16),
        "scale": scale.astype(np.float32),
        "bias": intercept.astype(np.float32),
        "temperature": np.float32(temperature),
    }, accuracy


def vectors(texts: list[str], size: int, features: Callable[[str], NDArray[np.int64]]) -> Any:
    """A sparse matrix of the texts' features, one for each that is there, as the running model sees them."""
    from scipy.sparse import csr_matrix

    columns, starts = [], [0]
    for text in texts:
        found = features(text) & (size - 1)
        columns.append(found)
        starts.append(starts[-1] + len(found))
    ones = np.ones(starts[-1])
    return csr_matrix((ones, np.concatenate(columns), starts), shape=(len(texts), size))


def rows(folder: Path) -> list[dict[str, Any]]:
    """All own examples, in the order of file names and lines. Raises `ConfigError` naming the line that is no example."""
    found = []
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ConfigError(f"{path}:{number}: {error}") from error
            if not isinstance(row, dict) or "text" not in row or ("intent" not in row and "scam" not in row):
                raise ConfigError(f'{path}:{number}: an example needs "text" and "intent" or "scam"')
            found.append(row)
    return found


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _temperature(scores: NDArray[np.float64], target: NDArray[np.int64]) -> float:
    """The temperature at which the probabilities of held-out rows fit best."""

    def loss(temperature: float) -> float:
        scaled = scores / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        logs = scaled[np.arange(len(target)), target] - np.log(np.exp(scaled).sum(axis=1))
        return float(-logs.mean())

    return float(min(np.linspace(0.3, 3.0, 28), key=loss))

"""What the model makes of a sight: how likely each want is, and the category of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bot.understanding.features import found
from bot.understanding.meaning import Intent
from bot.understanding.model import Table, hashes, named
from bot.understanding.sight import Odds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from bot.understanding.classes import Classes
    from bot.understanding.features import Features
    from bot.understanding.marks import Marks
    from bot.understanding.model import Model
    from bot.understanding.sight import Sight
    from content.taxonomy import Category

PLAIN_CATEGORY = {
    Intent.HAZARD: "other",
    Intent.TIP: "crime.tip",
    Intent.QUESTION: "question",
    Intent.DISPUTE: "dispute",
    Intent.MISSING: "missing.seen",
    Intent.LOST_FOUND: "lost",
    Intent.SCAM_REPORT: "scam.lead",
    Intent.WISH: "wish",
    Intent.FEEDBACK: "feedback",
}
SURE_OF_CATEGORY = 0.1  # so likely must a category be to be named instead of the plain one
_KINDS: dict[Intent, tuple[str, ...]] = {Intent.SCAM_REPORT: ("scam",)}


class Wants:
    """The weights laid out for what is put to every text; of the two large heads the rest is not needed any more."""

    def __init__(
        self, model: Model, features: Features, classes: Classes, marks: Marks, categories: Mapping[str, Category]
    ) -> None:
        self._features, self._classes, self._marks = features, classes, marks
        self._categories = model.heads["category"]
        self._fitting = _fitting(self._categories.labels, categories)
        names, pairs = features.every(), classes.every()
        self.table = Table(model, np.concatenate([pairs, hashes(names)]))
        self._pairs = self.table.first
        self._rows = {name: number for number, name in enumerate(names, self._pairs + len(pairs))}
        self._triggers = {bit: self._rows[name] for bit, name in features.triggers.items()}  # by their bits
        self._found: dict[tuple[str, ...], list[int]] = {}  # of what the rules may find
        self._numbers = {Intent(label): number for number, label in enumerate(self.table.wants.labels)}
        self._asked = [self._numbers[intent] for intent in (Intent.CHAT, Intent.EMERGENCY, Intent.MISSING)]
        self._wants = [
            (number, intent) for intent, number in self._numbers.items() if intent not in (Intent.CHAT, Intent.EMERGENCY)
        ]

    def odds(self, sight: Sight) -> Odds:
        """How likely each want is."""
        if sight.odds is None:
            each = self.table.wants.odds(self.points(sight)[0])
            wants, best, most = 0.0, Intent.CHAT, -1.0
            for number, want in self._wants:
                odds = each[number]
                wants += odds
                if odds > most:
                    best, most = want, odds
            chat, danger, missing = [each[number] for number in self._asked]
            sight.odds = Odds(each, self._numbers, wants, best, most, chat, danger, danger + missing)
        return sight.odds

    def points(self, sight: Sight) -> tuple[list[float], NDArray[np.int64]]:
        """What the text's characters, its classes of words and what rules see in it weigh together (`Table.points`)."""
        if sight.points is None:
            beside = list(map(self._triggers.__getitem__, self._features.bits(sight.mask)))
            beside += self._rows_found(found(sight.finding, alarmed=sight.alarm is not None))
            classes = self._marks.classes(sight.mask)
            if classes:
                beside += self._classes.places(classes, self._pairs)
            sight.points = self.table.points(sight.plain.text, beside)
        return sight.points

    def _rows_found(self, names: tuple[str, ...]) -> list[int]:
        rows = self._found.get(names)
        if rows is None:  # some may be the same, as of a dispute that is nothing more than a dispute
            rows = self._found[names] = list({self._rows[name] for name in names})
        return rows

    def category(self, intent: Intent, sight: Sight) -> str:
        """The likeliest category of the intent; its plain one where the model knows no other."""
        fitting = self._fitting.get(intent)
        if fitting:
            features = np.concatenate([self.points(sight)[1], named(self._features.names(sight))])
            odds = self._categories.probabilities(features).tolist()
            best = max([(odds[number], label) for number, label in fitting])
            if best[0] >= SURE_OF_CATEGORY:
                return best[1]
        return PLAIN_CATEGORY.get(intent, "other")


def _fitting(labels: Sequence[str], categories: Mapping[str, Category]) -> dict[Intent, list[tuple[int, str]]]:
    """For each intent the categories that the model knows and that are of its kind, with their places among the labels.

    None where it would know nothing but the intent's plain one: such a model is not asked.
    """
    kinds = [(number, label, categories[label].kind) for number, label in enumerate(labels) if label in categories]
    fitting = {
        intent: [(number, label) for number, label, kind in kinds if kind in _KINDS.get(intent, (intent.value,))]
        for intent in Intent
    }
    return {
        intent: labelled
        for intent, labelled in fitting.items()
        if any(label != PLAIN_CATEGORY.get(intent, "other") for _, label in labelled)
    }

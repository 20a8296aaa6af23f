"""Whether a text is a scam's bait: what the rules see in it (`scams.py`) is among the features of the model, which weighs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bot.understanding.marks import SCAM
from bot.understanding.meaning import Scam
from bot.understanding.model import hashes, named
from bot.understanding.moves import Weighed
from bot.understanding.scams import PHISHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.understanding.model import Model
    from bot.understanding.moves import Row
    from bot.understanding.scams import Scams, Traces
    from bot.understanding.sight import Sight
    from bot.understanding.wants import Wants

# How sure the model must be of bait that nobody asked about, by the points that the rules alone give it: the plainer, the less
CERTAIN = ((2.5, 0.683), (1.5, 0.861), (0.95, 0.928), (0.4, 0.946))
BAIT = 0.65  # so sure must the model be that a text is bait; families talk about money and officials about fraud (0323)
SHORTEST = 8  # characters: less ("代开发票") is named as bait by the rules of its type alone
SHORT = 60  # characters: without a word of the scam rules no pattern of theirs is tried


class Bait:
    """Rules and, where there are weights, the model together."""

    def __init__(self, scams: Scams, wants: Wants | None, model: Model | None) -> None:
        self._scams, self._wants = scams, wants
        if wants is not None and model is not None:
            self._types = model.heads["scam_type"]
            self._moves = Weighed(scams.moves, wants.table.weights)
            self._traced: dict[str, Row] = {}

    def judge(self, sight: Sight) -> Scam:
        """The verdict on a text."""
        if sight.scam is None:
            sight.scam = self._judged(sight)
        return sight.scam

    def is_sure(self, sight: Sight) -> bool:
        """Whether a text that nobody asked about is bait: a rule sees its trick, nothing official speaks, the model agrees."""
        if not sight.mask & SCAM or self._wants is None or len(sight.plain.text) < SHORTEST:
            return False
        bait, honest, _ = self._scams.weigh(self._traces(sight))
        needed = next((score for points, score in CERTAIN if bait - honest >= points), None)
        return needed is not None and self.judge(sight).score >= needed

    def names(self, sight: Sight) -> list[str]:
        """What moves and rules see of a text, as names of features."""
        moves = self._scams.found(sight.plain.text, sight.seen)
        return [*self._scams.moves.signs(moves), *self._signs(sight)]

    def _judged(self, sight: Sight) -> Scam:
        text, wants = sight.plain.text, self._wants
        if len(text) < SHORTEST:
            return self._scams.shout(text) if sight.mask & SCAM else Scam()
        if wants is None:
            return self._scams.judge(text)
        moves = self._scams.found(text, sight.seen)
        points, grams = wants.points(sight)
        signs = self._signs(sight)
        honest = wants.table.bait.first(points, *self._more(moves, signs, wants))
        doubt = honest * BAIT
        score = (1 - honest) * (1 - BAIT) / ((1 - honest) * (1 - BAIT) + doubt) if honest < 1 else 0.0
        if score < 0.5:
            return Scam(False, round(score, 3))
        features = np.concatenate([grams, named([*self._scams.moves.signs(moves), *signs])])
        kind = self._types.labels[int(self._types.probabilities(features).argmax())]
        return Scam(True, round(score, 3), (self._scams.tale(self._traces(sight)) or kind) if kind == PHISHING else kind)

    def _more(self, moves: Sequence[int], signs: Sequence[str], wants: Wants) -> tuple[tuple[float, float], float]:
        """What moves and what the scam rules see weigh together: for honest and for bait, and the square of their rarities."""
        honest, bait, square = self._moves.sums(moves)
        for name in set(signs):
            more = self._traced.get(name)
            if more is None:
                (more,) = wants.table.weights(hashes((name,)))
                self._traced[name] = more
            honest, bait, square = honest + more[0], bait + more[1], square + more[2]
        return (honest, bait), square

    def _traces(self, sight: Sight) -> Traces:
        if sight.traces is None:
            sight.traces = self._scams.traces(sight.plain.text, sight.seen)
        return sight.traces

    def _signs(self, sight: Sight) -> Sequence[str]:
        """What the scam rules see of a text; they do not look at a short one without any of their words."""
        if sight.mask & SCAM or len(sight.plain.text) > SHORT:
            return self._scams.signs(self._traces(sight))
        return ()

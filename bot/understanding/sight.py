"""What has been made of one text so far: by the words in it, by rules and by the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from bot.understanding.meaning import Intent, Scam

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from bot.understanding.emergencies import Alarm, Stage
    from bot.understanding.intents import Finding
    from bot.understanding.scams import Traces
    from bot.understanding.text import Plain
    from bot.understanding.tone import Said
    from bot.understanding.triggers import Seen


class Verdict(Struct, frozen=True):
    """What rules and model made of a sight that is no alarm by rule."""

    intent: Intent
    confidence: float
    category: str | None
    urgent: bool
    reasons: tuple[str, ...]


class Odds(Struct, frozen=True):
    """How likely the model thinks each label of a sight, in the order of `numbers`; and what is asked of it most."""

    each: Sequence[float]
    numbers: Mapping[Intent, int]
    wants: float  # all wants together: small talk and danger are none
    best: Intent  # the likeliest of them
    most: float  # and how likely it is
    chat: float  # small talk
    danger: float  # a cry for help
    peril: float  # that, or somebody is missing

    def of(self, intent: Intent) -> float:
        """How likely an intent is; not at all if the model does not know it."""
        number = self.numbers.get(intent)
        return 0.0 if number is None else self.each[number]


class First(Struct, frozen=True):
    """A first look at a text: its words, the bits of what they stand for (`marks.py`), what their families may show, its tone."""

    seen: Seen
    mask: int
    stage: Stage
    said: Said


class Sight(Struct):
    """One pass over a text: its plain form, the triggers that it holds, and what the rules made of them.

    What the model makes of it is worked out once, at first use: a glance hands its sight on to the reading (`Hint.sight`).
    """

    plain: Plain
    seen: Seen
    said: Said
    mask: int
    alarm: Alarm | None
    safe: bool
    finding: Finding | None
    points: tuple[list[float], NDArray[np.int64]] | None = None  # of `Table.points`
    odds: Odds | None = None
    traces: Traces | None = None  # of bait
    scam: Scam | None = None

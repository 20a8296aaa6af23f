"""What the words of the one pass stand for, as the bits of one number: bits 0 to 15 dangers, then those named here, from
`RULES` on intents, then classes of words (the model's alone), then families of words that make up scenes and signs of danger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.understanding.emergencies import danger_words
from bot.understanding.meaning import Danger
from bot.understanding.triggers import Triggers

if TYPE_CHECKING:
    from bot.understanding.classes import Classes
    from bot.understanding.emergencies import Emergencies
    from bot.understanding.intents import Intents
    from bot.understanding.places import Places
    from bot.understanding.scams import Scams
    from bot.understanding.text import Normaliser
    from bot.understanding.triggers import Seen, Vocabulary

_SAFE, _SCAM, _RAW, _ASK, _PLACE, _SHAPE, RULES = 16, 17, 18, 19, 20, 21, 22
_DANGERS = (1 << _SAFE) - 1
SAFE, SCAM = 1 << _SAFE, 1 << _SCAM
RAW = 1 << _RAW  # not in plain form yet
ASK = 1 << _ASK  # a word that makes a reading by the model worth while
PLACE = 1 << _PLACE  # what a place may be named by
SHAPE = 1 << _SHAPE  # what a name that the segmenter parts may be told by


class Marks:
    """The bits of all words; `triggers` has the words."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        normaliser: Normaliser,
        emergencies: Emergencies,
        intents: Intents,
        scams: Scams,
        places: Places,
        classes: Classes,
    ) -> None:
        self.classed = RULES + len(intents.rules)  # from this bit on classes of words
        self._families = self.classed + len(classes.names)  # and from this one families
        self.known = (1 << self.classed) - 1 & ~(PLACE | SHAPE)  # what says that a text is about something
        self._low = (1 << self._families) - 1
        self._dangers: dict[int, tuple[Danger, ...]] = {}  # by their bits
        masks: dict[str, int] = {}

        def mark(word: str, bits: int) -> None:
            masks[word] = masks.get(word, 0) | bits

        bits = {danger: 1 << bit for bit, danger in enumerate(Danger)}
        for word, danger in danger_words(emergencies.rules):
            mark(word, bits[danger])
        for word in emergencies.safe_triggers:
            mark(word, SAFE)
        for word in scams.triggers:
            mark(word, SCAM)
        for rule in intents.rules:
            for word in rule.triggers:
                mark(word, 1 << RULES + rule.bit)
        for word in intents.words:
            mark(word, ASK)
        for word, number in classes.words():
            mark(word, 1 << self.classed + number)
        for word, families in emergencies.family_words():
            mark(word, families << self._families)
        for word in normaliser.marks():
            mark(word, RAW)
        for word in places.marks():
            mark(word, PLACE)
        for word in places.shape_marks():
            mark(word, PLACE | SHAPE)
        self.triggers = Triggers(vocabulary, masks)

    def of(self, seen: Seen) -> tuple[int, int]:
        """The bits of the words that were seen in a text, but for families, and those of the families."""
        mask = self.triggers.mask(seen)
        return mask & self._low, mask >> self._families

    def dangers(self, mask: int) -> tuple[Danger, ...]:
        """The dangers whose words are there."""
        bits = mask & _DANGERS
        found = self._dangers.get(bits)
        if found is None:  # of eleven dangers there are not many choices
            found = self._dangers[bits] = tuple(danger for bit, danger in enumerate(Danger) if bits >> bit & 1)
        return found

    def rules(self, mask: int) -> int:
        """The bits of the intent rules whose words are there."""
        return (mask & self.known) >> RULES

    def classes(self, mask: int) -> int:
        """The bits of the classes of words that are there."""
        return mask >> self.classed

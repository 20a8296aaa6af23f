"""What of a sight is put to the model beside its characters: names of what rules and triggers see, and classes of words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.understanding.marks import RULES
from bot.understanding.meaning import Danger

if TYPE_CHECKING:
    from bot.understanding.intents import Finding, Intents
    from bot.understanding.sight import Sight

_DANGER, _NOTHING = "finds:danger", "finds:nothing"


class Features:
    """The names of all that rules and triggers may see."""

    def __init__(self, intents: Intents) -> None:
        self.triggers = {1 << bit: f"danger:{danger}" for bit, danger in enumerate(Danger)}
        self.triggers |= {1 << RULES + rule.bit: f"trigger:{rule.name}" for rule in intents.rules}  # by their bits
        self._mask = sum(self.triggers)
        self._found = [f"finds:{name}" for rule in intents.rules for name in (rule.intent, rule.category)]

    def every(self) -> list[str]:
        """All names that `names` may give, each once."""
        return list(dict.fromkeys([_DANGER, _NOTHING, *self.triggers.values(), *self._found]))

    def bits(self, mask: int) -> list[int]:
        """The bits of a mask that are triggers with a name, each as a number that has this bit alone."""
        found = []
        left = mask & self._mask
        while left:
            bit = left & -left
            left ^= bit
            found.append(bit)
        return found

    def names(self, sight: Sight) -> list[str]:
        """What rules and triggers see of a sight."""
        return [*map(self.triggers.__getitem__, self.bits(sight.mask)), *found(sight.finding, alarmed=sight.alarm is not None)]


def found(finding: Finding | None, *, alarmed: bool) -> tuple[str, ...]:
    """The names of what the rules found."""
    if finding is not None:
        return f"finds:{finding.intent}", f"finds:{finding.category}"
    return (_DANGER if alarmed else _NOTHING,)

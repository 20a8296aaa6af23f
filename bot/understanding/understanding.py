"""The one entrance to meaning: a glance of microseconds at everything that is said, a reading of what is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ahocorasick

from bot.understanding.emergencies import Emergencies, danger_words
from bot.understanding.intents import Finding, Intents
from bot.understanding.meaning import Danger, Hint, Intent, Meaning, Scam
from bot.understanding.places import Places
from bot.understanding.scams import Scams
from bot.understanding.text import Normaliser, Plain
from content.taxonomy import Taxonomy

if TYPE_CHECKING:
    from pathlib import Path

    from bot.understanding.emergencies import Alarm

NOTHING = Hint()
_CATEGORY = {
    Danger.FIRE: "fire.active",
    Danger.GAS: "gas.leak",
    Danger.ELECTRIC: "elec.shock",
    Danger.VIOLENCE: "violence",
    Danger.INTRUDER: "intruder",
    Danger.MEDICAL: "medical",
    Danger.DROWNING: "drowning",
    Danger.COLLAPSE: "collapse",
    Danger.SELF_HARM: "mental",
    Danger.MISSING: "missing.elder",
    Danger.MONEY: "scam.paid",
}
_CHILD = ("孩", "娃", "宝宝", "儿子", "女儿", "孙", "学生", "弟弟", "妹妹", "小朋友", "婴", "闺女", "幼儿园", "放学")

# What a trigger found by the automaton stands for: bits 0 to 15 dangers, 16 safe, 17 scam, 18 "not plain yet", from 20 intents.
_SAFE, _SCAM, _RAW, _RULES = 16, 17, 18, 20
_DANGER_BITS = (1 << _SAFE) - 1


@dataclass(frozen=True, slots=True)
class _Sight:
    """One pass over a text: its plain form, the triggers that it holds, and what the rules made of them."""

    plain: Plain
    mask: int
    alarm: Alarm | None
    safe: bool
    finding: Finding | None


class Understanding:
    """What a message means. Holds rules and weights, and nothing of what it has read."""

    def __init__(
        self,
        taxonomy: Taxonomy,
        normaliser: Normaliser,
        emergencies: Emergencies,
        intents: Intents,
        scams: Scams,
        places: Places,
    ) -> None:
        self.taxonomy = taxonomy
        self._normaliser = normaliser
        self._emergencies = emergencies
        self._intents = intents
        self._scams = scams
        self._places = places
        self._dangers = tuple(Danger)
        self._automaton = self._build()

    @staticmethod
    def load(content_dir: Path) -> Understanding:
        """Read taxonomy, lexicon and weights. Raises `ConfigError` or `TaxonomyError` naming the file that is wrong."""
        folder = content_dir / "lexicon"
        taxonomy = Taxonomy.load(content_dir / "taxonomy.toml")
        return Understanding(
            taxonomy,
            Normaliser.load(folder),
            Emergencies.load(folder),
            Intents.load(folder, taxonomy),
            Scams.load(folder, taxonomy),
            Places.load(folder),
        )

    def glance(self, text: str) -> Hint:
        """What a chat message may be, in microseconds when it is small talk. Pure; nothing of the text is kept."""
        mask = self._triggers(text)
        if not mask:
            return NOTHING
        sight = self._look(text, mask)
        if sight.alarm is None and sight.finding is None:
            return Hint(safe=True) if sight.safe else NOTHING
        intent = sight.finding.intent if sight.finding else Intent.CHAT
        return Hint(
            danger=sight.alarm.danger if sight.alarm else None,
            report=intent not in (Intent.CHAT, Intent.TIP, Intent.QUESTION),
            tip=intent is Intent.TIP,
            question=intent is Intent.QUESTION,
            safe=sight.safe and sight.alarm is None,
        )

    def read(self, text: str, *, quoted: str = "", has_photo: bool = False) -> Meaning:
        """The whole reading of one message; `quoted` is the message that it answers, `has_photo` that a picture came with it."""
        sight = self._look(text, self._triggers(text))
        scam = self._scams.judge(sight.plain.text) if sight.mask >> _SCAM & 1 or len(text) > 60 else Scam()
        places = self._places.find(sight.plain)
        if sight.alarm is not None:
            category = _CATEGORY[sight.alarm.danger]
            if sight.alarm.danger is Danger.MISSING and any(word in sight.plain.text for word in _CHILD):
                category = "missing.child"
            reason = f"{sight.alarm.danger}: {sight.alarm.words}"
            return Meaning(Intent.EMERGENCY, 0.99, "T0", category, sight.alarm.danger, places, scam, (reason,))
        finding = sight.finding
        reasons = [] if finding is None else [f"rule {finding.category}: {finding.words}"]
        if finding is None and quoted and has_photo is False:
            earlier = self._look(quoted, self._triggers(quoted)).finding
            if earlier is not None and earlier.intent is Intent.FEEDBACK:
                finding = earlier
                reasons.append(f"quoted {earlier.category}: {earlier.words}")
        if finding is None:
            return Meaning(Intent.CHAT, 0.9, places=places, scam=scam)
        entry = self.taxonomy.categories[finding.category]
        tier = entry.raised if finding.urgent else entry.tier
        return Meaning(finding.intent, 0.9, tier, finding.category, None, places, scam, tuple(reasons))

    def _look(self, text: str, mask: int) -> _Sight:
        plain = Plain(text, text)
        if mask >> _RAW & 1 or " " in text:
            plain = self._normaliser.plain(text)
            mask = self._triggers(plain.text) & ~(1 << _RAW)
        alarm = None
        if mask & _DANGER_BITS:
            among = frozenset(danger for bit, danger in enumerate(self._dangers) if mask >> bit & 1)
            alarm = self._emergencies.find(plain.text, among)
        safe = bool(mask >> _SAFE & 1) and self._emergencies.safe(plain.text)
        finding = self._intents.find(plain.text, mask >> _RULES) if alarm is None and mask >> _RULES else None
        return _Sight(plain, mask, alarm, safe, finding)

    def _triggers(self, text: str) -> int:
        mask = 0
        for _, bits in self._automaton.iter(text):
            mask |= bits
        return mask

    def _build(self) -> ahocorasick.Automaton:
        masks: dict[str, int] = {}

        def add(word: str, bit: int) -> None:
            masks[word] = masks.get(word, 0) | 1 << bit

        bits = {danger: bit for bit, danger in enumerate(self._dangers)}
        for word, danger in danger_words(self._emergencies.rules):
            add(word, bits[danger])
        for word in self._emergencies.safe_triggers:
            add(word, _SAFE)
        for word in self._scams.triggers:
            add(word, _SCAM)
        for rule in self._intents.rules:
            for word in rule.triggers:
                add(word, _RULES + rule.bit)
        for word in self._normaliser.marks():
            add(word, _RAW)
        automaton = ahocorasick.Automaton()
        for word, mask in masks.items():
            automaton.add_word(word, mask)
        automaton.make_automaton()
        return automaton

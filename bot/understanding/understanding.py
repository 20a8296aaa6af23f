"""The one entrance to meaning: a glance of microseconds at everything that is said, a reading of what is kept."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from bot.understanding.bait import Bait
from bot.understanding.classes import Classes
from bot.understanding.emergencies import A_FEW_WORDS, Emergencies
from bot.understanding.features import Features
from bot.understanding.intents import Intents
from bot.understanding.marks import PLACE, RAW, SAFE, SHAPE, Marks
from bot.understanding.meaning import CATEGORY, Danger, Hint, Intent, Meaning
from bot.understanding.model import Model, characters, named
from bot.understanding.places import Places
from bot.understanding.scams import Scams
from bot.understanding.sight import First, Sight, Verdict
from bot.understanding.text import Normaliser, Plain, tagged
from bot.understanding.tone import Said
from bot.understanding.triggers import Vocabulary
from bot.understanding.wants import Wants
from content.taxonomy import Taxonomy

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NOTHING = Hint()
_CHILD = ("孩", "娃", "宝宝", "儿子", "女儿", "孙", "学生", "弟弟", "妹妹", "小朋友", "婴", "闺女", "幼儿园", "放学")

# Lines between speaking and silence, set on texts kept apart from training (`benchmarks/understanding.py`).
SPEAK = 0.55  # of all wants together; small talk and what only sounds like a cry are none
PHOTO = 0.15  # so much lower is the line when a photo comes with the words
SPEAK_UNASKED = 0.6  # the same in a group, for a message that was not put to us: silence is the default
SPEAK_UNKNOWN = 0.6  # the same without a single word of the lexicon in it
A_LINE = 10  # characters: a shorter message without a word of the lexicon, or words of two classes, is not even read
A_FEW = 5  # characters: less ("满意", "好了") says nothing in a group unless a rule knows it, and little where we were asked
HALF = 0.5  # of the danger that the model sees counts as a want: what sounds like one and is no cry is seldom small talk
OVERRULE = 0.5  # so sure must the model be of another want than the rule's to take its place
# A cry that no rule hears: the tone and the model's log odds of danger are added up (0319)
TOGETHER = 3  # quarters of tone that one unit of log odds weighs
AGAINST = 6  # quarters that are wanted more when a rule finds something else in the message
TOLD = 24  # the same when it is a fraud that somebody tells of: one that goes on calls officers without a cry
UNMOVED = -8  # quarters: a tone up to which a short message without a known word is not read, and one with another want is no cry
LEAST = 1e-4  # of doubt that a model may have
FAINT = 0.02  # danger that is less likely to the model is none, whatever the tone
DREAD = 0.9  # so sure of danger that neither rule nor tone shows: it is no alarm, but somebody should look at it


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
        classes: Classes,
        vocabulary: Vocabulary,
        model: Model | None = None,
    ) -> None:
        self.taxonomy = taxonomy
        self._normaliser = normaliser
        self._emergencies = emergencies
        self._intents = intents
        self._scams = scams
        self._places = places
        self._classes = classes
        self._vocabulary = vocabulary
        self._features = Features(intents)
        self._marks = Marks(vocabulary, normaliser, emergencies, intents, scams, places, classes)
        self._take_in(model)

    def _take_in(self, model: Model | None) -> None:
        parts = self._features, self._classes, self._marks, self.taxonomy.categories
        self._wants = Wants(model, *parts) if model is not None else None
        self._bait = Bait(self._scams, self._wants, model)

    @staticmethod
    def load(content_dir: Path, *, weights: bool = True) -> Understanding:
        """Read taxonomy, lexicon and, unless told not to, the weights.

        Raises `ConfigError` or `TaxonomyError` naming the file that is wrong.
        """
        folder = content_dir / "lexicon"
        taxonomy, vocabulary = Taxonomy.load(content_dir / "taxonomy.toml"), Vocabulary()
        return Understanding(
            taxonomy,
            Normaliser.load(folder),
            Emergencies.load(folder, vocabulary),
            Intents.load(folder, taxonomy),
            Scams.load(folder, taxonomy, vocabulary),
            Places.load(folder),
            Classes.load(folder),
            vocabulary,
            Model.load(content_dir / "model" / "understanding.npz") if weights else None,
        )

    def warm(self) -> None:
        """Make ready now what is otherwise made when a text first needs it (0.4 s). Safe from any thread, and more than once."""
        self._vocabulary.look("")
        self._emergencies.warm()
        tagged("")

    def with_model(self, model: Model | None) -> Understanding:
        """The same rules with other weights, or with none; for measuring and training."""
        parts = (self.taxonomy, self._normaliser, self._emergencies, self._intents, self._scams, self._places, self._classes)
        return Understanding(*parts, self._vocabulary, model)

    def glance(self, text: str) -> Hint:
        """What a chat message may be, in microseconds when it is small talk. Pure; nothing of the text is kept."""
        first = self._first(text)
        known = bool(first.mask & self._marks.known or first.stage)
        if not known:
            short = len(text) < A_LINE and not self._is_classed(text, first.mask)
            if self._wants is None or (short and (len(text) < A_FEW_WORDS or first.said.quarters() <= UNMOVED)):
                return NOTHING
        sight = self._look(text, first)
        if sight.alarm is not None:
            return Hint(sight.alarm.danger, sight=sight)
        intent = Intent.CHAT
        if sight.finding is not None or len(sight.plain.text) >= A_FEW:
            intent = self._want(sight, SPEAK_UNASKED if known else SPEAK_UNKNOWN)
        if intent is not Intent.SCAM_REPORT and self._bait.is_sure(sight):
            return Hint(safe=sight.safe, bait=True, sight=sight)
        return Hint(
            report=intent not in (Intent.CHAT, Intent.TIP, Intent.QUESTION),
            tip=intent is Intent.TIP,
            question=intent is Intent.QUESTION,
            safe=sight.safe,
            sight=sight,
        )

    def read(self, text: str, *, quoted: str = "", has_photo: bool = False, hint: Hint = NOTHING) -> Meaning:
        """The whole reading of one message; `quoted` is the message that it answers, `has_photo` that a picture came with it.

        `hint` is the glance at the same text, if there was one; what it has worked out is not done again.
        """
        before = hint.sight
        sight = before if isinstance(before, Sight) and before.plain.original == text else self._look(text)
        places = self._places.find(sight.plain, shapes=bool(sight.mask & SHAPE)) if sight.mask & PLACE else ()
        scam = self._bait.judge(sight)
        if sight.alarm is not None:
            danger = sight.alarm.danger
            reason = f"rule {danger}: {sight.alarm.words}"
            return Meaning(Intent.EMERGENCY, 0.99, "T0", self._kind(danger, sight.plain.text), danger, places, scam, (reason,))
        line = SPEAK if sight.finding is not None or len(sight.plain.text) >= A_FEW else SPEAK_UNKNOWN
        verdict = self._decide(sight, line - (PHOTO if has_photo else 0.0))
        if verdict.intent is Intent.CHAT and quoted:
            verdict = self._quoted(sight, quoted) or verdict
        tier = None
        if verdict.category is not None:
            entry = self.taxonomy.categories[verdict.category]
            tier = entry.raised if verdict.urgent else entry.tier
        return Meaning(verdict.intent, verdict.confidence, tier, verdict.category, None, places, scam, verdict.reasons)

    def _want(self, sight: Sight, speak: float) -> Intent:
        """Rules and model together. `speak` is the line between a want and small talk.

        What the rules found is among the model's features. Danger that only the model sees is taken for the likeliest other want.
        """
        finding = sight.finding
        if self._wants is None:
            return finding.intent if finding is not None else Intent.CHAT
        odds = self._wants.odds(sight)
        silent = odds.wants + HALF * odds.danger < speak
        if silent and (odds.danger < DREAD or self._emergencies.is_over(sight.plain.text, sight.seen)):
            return Intent.CHAT
        if finding is not None and odds.most < OVERRULE * odds.wants:
            return finding.intent
        return odds.best

    def _decide(self, sight: Sight, speak: float) -> Verdict:
        """What the sight wants, with all that a reading says of it."""
        intent, finding = self._want(sight, speak), sight.finding
        reasons = () if finding is None else (f"rule {finding.category}: {finding.words}",)
        rule = finding if finding is not None and finding.intent is intent else None
        if self._wants is None:
            return Verdict(intent, 0.9, rule.category if rule else None, rule is not None and rule.urgent, reasons)
        odds = self._wants.odds(sight)
        shown = f"model {odds.best} {odds.most:.2f}, all wants {odds.wants:.2f}, small talk {odds.chat:.2f}"
        reasons = (*reasons, f"{shown}, danger {odds.danger:.2f}")
        if intent is Intent.CHAT:
            return Verdict(intent, odds.chat, None, False, reasons)
        if rule is not None:
            return Verdict(intent, max(0.5, odds.of(intent)), rule.category, rule.urgent, reasons)
        return Verdict(intent, odds.of(intent), self._wants.category(intent, sight), odds.danger >= DREAD, reasons)

    def _quoted(self, sight: Sight, quoted: str) -> Verdict | None:
        """A short answer to a report or to its result belongs to it: "修好了" under "路灯坏了" is feedback."""
        earlier = self._look(quoted).finding
        joined = self._look(quoted + "，" + sight.plain.text).finding
        if earlier is None or joined is None or joined.intent is not Intent.FEEDBACK:
            return None
        return Verdict(Intent.FEEDBACK, 0.8, "feedback", False, (f"quoted {earlier.category}, {joined.words}",))

    def _kind(self, danger: Danger, text: str) -> str:
        if danger is Danger.MISSING and any(word in text for word in _CHILD):
            return "missing.child"
        return CATEGORY[danger]

    def features(self, head: str, text: str) -> NDArray[np.int64]:
        """The hashed features of a text for the head of this name, just as a reading sees them; for training."""
        sight = self._look(text)
        names = self._bait.names(sight) if head.startswith("scam") else self._features.names(sight)
        classes = [self._classes.features(self._marks.classes(sight.mask))] if head == "intent" else []
        return np.concatenate([characters(sight.plain.text), named(names), *classes])

    def advice(self, danger: Danger, text: str) -> str:
        """The key of the phrase that says what to do first in a danger that was heard in this text."""
        return self._emergencies.advice.phrase(danger, self.plain(text))

    @property
    def advised(self) -> frozenset[str]:
        """The key of every phrase that `advice` may name."""
        return self._emergencies.advice.phrases()

    def plain(self, text: str) -> str:
        """The plain form of a text, as the rules read it."""
        return self._look(text).plain.text

    def tone(self, text: str) -> int:
        """The tone of a text, in quarters of a sign's point; for measuring."""
        return self._look(text).said.quarters()

    def category_by_rules(self, text: str, intent: str) -> str | None:
        """The category that the rules give to a text of this intent, if they do."""
        finding = self._look(text).finding
        return finding.category if finding is not None and finding.intent == intent else None

    def _first(self, text: str) -> First:
        """A first look at a text."""
        seen = self._vocabulary.look(text)
        mask, families = self._marks.of(seen)
        return First(seen, mask, self._emergencies.stage(families), Said(self._emergencies.tone, text))

    def _look(self, text: str, first: First | None = None) -> Sight:
        """The sight of a text; `first` is what a first look at it has shown, if there was one."""
        first = first or self._first(text)
        plain = Plain(text, text)
        if first.mask & RAW or " " in text:
            plain = self._normaliser.plain(text)
            if plain.text != text:
                first = self._first(plain.text)
        seen, stage, said, mask = first.seen, first.stage, first.said, first.mask & ~RAW
        among = self._marks.dangers(mask)
        alarm = self._emergencies.find(plain.text, among, stage, seen, said) if among or stage else None
        safe = bool(mask & SAFE) and self._emergencies.safe(plain.text, seen)
        ruled = self._marks.rules(mask)
        finding = self._intents.find(plain.text, ruled) if alarm is None and ruled else None
        sight = Sight(plain, seen, said, mask, alarm, safe, finding)
        if alarm is None and self._wants is not None:
            self._hear(sight, self._wants)
        return sight

    def _hear(self, sight: Sight, wants: Wants) -> None:
        """Make a cry of a sight that tone and model together show to be one, and more surely so against a rule."""
        text, finding = sight.plain.text, sight.finding
        if len(text) < A_FEW_WORDS:
            return
        alone = sight
        if finding is not None:
            if finding.intent is Intent.MISSING or sight.said.quarters() <= UNMOVED:
                return  # somebody was seen or found, or it does not sound like a cry
            alone = Sight(sight.plain, sight.seen, sight.said, sight.mask, None, safe=False, finding=None)
        peril = wants.odds(alone).peril
        if peril < FAINT:
            return  # most messages
        together = sight.said.quarters() + TOGETHER * math.log(peril / max(1 - peril, LEAST))
        against = 0 if finding is None else TOLD if finding.intent is Intent.SCAM_REPORT else AGAINST
        if together < self._emergencies.tone.sure + against:
            return
        cry = self._emergencies.cry(text, sight.seen, sight.said)
        if cry is not None:
            sight.alarm, sight.finding, sight.points, sight.odds = cry, None, None, None

    def _is_classed(self, text: str, mask: int) -> bool:
        """Whether a short text without any other word of the lexicon has words of two classes, as "求个梯子" has."""
        return len(text) >= A_FEW and self._marks.classes(mask).bit_count() > 1

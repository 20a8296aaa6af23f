"""The one entrance to meaning: a glance of microseconds at everything that is said, a reading of what is kept."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from bot.understanding.classes import Classes
from bot.understanding.emergencies import A_FEW_WORDS, CALM, Emergencies, danger_words
from bot.understanding.intents import Intents
from bot.understanding.meaning import CATEGORY, Danger, Hint, Intent, Meaning, Scam
from bot.understanding.model import Model, Table, characters, hashes, named
from bot.understanding.moves import Weighed
from bot.understanding.places import Places
from bot.understanding.scams import PHISHING, Scams, Traces
from bot.understanding.sight import Odds, Sight, Verdict
from bot.understanding.text import Normaliser, Plain
from bot.understanding.tone import Said
from bot.understanding.triggers import Triggers, Vocabulary
from content.taxonomy import Taxonomy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bot.understanding.moves import Row
    from bot.understanding.triggers import Seen

NOTHING = Hint()
_CHILD = ("孩", "娃", "宝宝", "儿子", "女儿", "孙", "学生", "弟弟", "妹妹", "小朋友", "婴", "闺女", "幼儿园", "放学")

# What a trigger found by the automaton stands for: bits 0 to 15 dangers, 16 safe, 17 scam, 18 "not plain yet",
# 19 a word that makes a reading by the model worth while, 20 what a place may be named by, from 21 intents.
_SAFE, _SCAM, _RAW, _ASK, _PLACE, _RULES = 16, 17, 18, 19, 20, 21
_SAFE_BIT, _SCAM_BIT, _RAW_BIT, _PLACE_BIT = 1 << _SAFE, 1 << _SCAM, 1 << _RAW, 1 << _PLACE
_DANGER_BITS = (1 << _SAFE) - 1


# Lines between speaking and silence, set on texts kept apart from training (`benchmarks/understanding.py`).
SPEAK = 0.35  # of all wants together; small talk and what only sounds like a cry are none
PHOTO = 0.15  # so much lower is the line when a photo comes with the words
SPEAK_UNASKED = 0.45  # the same in a group, for a message that was not put to us: silence is the default
SPEAK_UNKNOWN = 0.5  # the same without a single word of the lexicon in it
A_LINE = 10  # characters: a shorter message without a word of the lexicon, or words of two classes, is not even read
A_FEW = 5  # characters: less ("满意", "好了") says nothing in a group unless a rule knows it, and little where we were asked
OVERRULE = 0.5  # so sure must the model be of another want than the rule's to take its place
# A cry that no rule hears: the tone and the model's log odds of danger are added up (0319)
TOGETHER = 3  # quarters of tone that one unit of log odds weighs
AGAINST = 6  # quarters that are wanted more when a rule finds something else in the message
TOLD = 24  # the same when it is a fraud that somebody tells of: one that goes on calls officers without a cry
LEAST = 1e-4  # of doubt that a model may have
FAINT = 0.02  # danger that is less likely to the model is none, whatever the tone
DREAD = 0.9  # so sure of danger that neither rule nor tone shows: it is no alarm, but somebody should look at it
# The same for a text that nobody asked about, by the points that the rules alone give it: plainer tricks need a less sure model
CERTAIN = ((2.5, 0.8), (1.5, 0.92), (0.95, 0.96), (0.4, 0.97))
BAIT = 0.5  # so sure must the model be that a text is bait; families talk about money and officials about fraud

SHORTEST = 8  # characters: less ("代开发票") is named as bait by the rules of its type alone
SHORT = 60  # characters: without a word of the scam rules no pattern of theirs is tried
_PLAIN_CATEGORY = {
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
_KINDS: dict[Intent, tuple[str, ...]] = {Intent.SCAM_REPORT: ("scam",)}


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
        self._fitting: dict[Intent, list[tuple[int, str]]] = {}
        self._dangers = tuple(Danger)
        self._among: dict[int, tuple[Danger, ...]] = {}  # by their bits
        self._features = self._named_features()
        self._featured = sum(self._features)
        self._classed = _RULES + len(intents.rules)  # from this bit on: classes of words, which are the model's alone
        self._families = self._classed + len(classes.names)  # and from this one: families of words that make up scenes of danger
        self._known = (1 << self._classed) - 1 & ~_PLACE_BIT
        self._low = (1 << self._families) - 1
        self._table: Table | None = None
        if model is not None:
            self._take_in(model)
        self.triggers = self._build()

    def _take_in(self, model: Model) -> None:
        """Lay out what of a model is put to every text; the rest of its two large heads is not needed any more."""
        self._types, self._categories = model.heads["scam_type"], model.heads["category"]
        self._fitting = self._fitting_categories(self._categories.labels)
        names, classes = self._rule_names(), self._classes.every()
        self._table = Table(model, np.concatenate([classes, hashes(names)]))
        self._pairs = self._table.first
        self._named = {name: number for number, name in enumerate(names, self._pairs + len(classes))}
        self._numbers = {Intent(label): number for number, label in enumerate(self._table.wants.labels)}
        self._wants = [
            (number, intent) for intent, number in self._numbers.items() if intent not in (Intent.CHAT, Intent.EMERGENCY)
        ]
        self._moves = Weighed(self._scams.moves, self._table.weights)
        self._traced: dict[str, Row] = {}

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

    def with_model(self, model: Model | None) -> Understanding:
        """The same rules with other weights, or with none; for measuring and training."""
        parts = (self.taxonomy, self._normaliser, self._emergencies, self._intents, self._scams, self._places, self._classes)
        return Understanding(*parts, self._vocabulary, model)

    def glance(self, text: str) -> Hint:
        """What a chat message may be, in microseconds when it is small talk. Pure; nothing of the text is kept."""
        seen = self._vocabulary.look(text)
        mask = self.triggers.mask(seen)
        known = mask & self._known or self._emergencies.staged(mask >> self._families)
        said = Said(self._emergencies.tone, text)
        if not known:
            short = len(text) < A_LINE and not self._is_classed(text, mask)
            if self._table is None or (short and (len(text) < A_FEW_WORDS or said.quarters() <= CALM)):
                return NOTHING
        sight = self._look(text, seen, mask, said)
        if sight.alarm is not None:
            return Hint(sight.alarm.danger, sight=sight)
        intent = Intent.CHAT
        if sight.finding is not None or len(sight.plain.text) >= A_FEW:
            intent = self._want(sight, SPEAK_UNASKED if known else SPEAK_UNKNOWN)
        if intent is not Intent.SCAM_REPORT and self._is_surely_bait(sight):
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
        places = self._places.find(sight.plain) if sight.mask & _PLACE_BIT else ()
        scam = self._judge(sight)
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
        if self._table is None:
            return finding.intent if finding is not None else Intent.CHAT
        odds = self._odds(sight, self._table)
        if odds.wants < speak and (odds.danger < DREAD or self._emergencies.is_over(sight.plain.text, sight.seen)):
            return Intent.CHAT
        if finding is not None and odds.most < OVERRULE * odds.wants:
            return finding.intent
        return odds.best

    def _decide(self, sight: Sight, speak: float) -> Verdict:
        """What the sight wants, with all that a reading says of it."""
        intent, finding = self._want(sight, speak), sight.finding
        reasons = () if finding is None else (f"rule {finding.category}: {finding.words}",)
        rule = finding if finding is not None and finding.intent is intent else None
        if self._table is None:
            return Verdict(intent, 0.9, rule.category if rule else None, rule is not None and rule.urgent, reasons)
        odds = self._odds(sight, self._table)
        shown = f"model {odds.best} {odds.most:.2f}, all wants {odds.wants:.2f}, small talk {odds.chat:.2f}"
        reasons = (*reasons, f"{shown}, danger {odds.danger:.2f}")
        if intent is Intent.CHAT:
            return Verdict(intent, odds.chat, None, False, reasons)
        if rule is not None:
            return Verdict(intent, max(0.5, odds.of(intent)), rule.category, rule.urgent, reasons)
        return Verdict(intent, odds.of(intent), self._category(intent, sight), odds.danger >= DREAD, reasons)

    def _odds(self, sight: Sight, table: Table) -> Odds:
        if sight.odds is None:
            found = table.wants.odds(self._points(sight, table)[0])
            wants, best, most = 0.0, Intent.CHAT, -1.0
            for number, want in self._wants:
                odds = found[number]
                wants += odds
                if odds > most:
                    best, most = want, odds
            sight.odds = Odds(found, self._numbers, wants, best, most)
        return sight.odds

    def _points(self, sight: Sight, table: Table) -> tuple[list[float], NDArray[np.int64]]:
        """What the text's characters, its classes of words and what rules see in it weigh together."""
        if sight.points is None:
            kept = {self._named[name] for name in self._names(sight)}
            classes = sight.mask >> self._classed
            if classes:
                kept.update([self._pairs + place for place in self._classes.places(classes)])
            sight.points = table.points(sight.plain.text, kept)
        return sight.points

    def _quoted(self, sight: Sight, quoted: str) -> Verdict | None:
        """A short answer to a report or to its result belongs to it: "修好了" under "路灯坏了" is feedback."""
        earlier = self._look(quoted).finding
        joined = self._look(quoted + "，" + sight.plain.text).finding
        if earlier is None or joined is None or joined.intent is not Intent.FEEDBACK:
            return None
        return Verdict(Intent.FEEDBACK, 0.8, "feedback", False, (f"quoted {earlier.category}, {joined.words}",))

    def _category(self, intent: Intent, sight: Sight) -> str:
        """The likeliest category of the intent by the model; the intent's plain one where the model knows none."""
        fitting = self._fitting.get(intent)
        if self._table is not None and fitting:
            features = np.concatenate([self._points(sight, self._table)[1], named(self._names(sight))])
            odds = self._categories.probabilities(features).tolist()
            best = max([(odds[number], label) for number, label in fitting])
            if best[0] >= 0.1:
                return best[1]
        return _PLAIN_CATEGORY.get(intent, "other")

    def _fitting_categories(self, labels: Sequence[str]) -> dict[Intent, list[tuple[int, str]]]:
        """For each intent the categories that the model knows and that are of its kind, with their places among the labels.

        None where it would know nothing but the intent's plain one: such a model is not asked.
        """
        known = self.taxonomy.categories
        kinds = [(number, label, known[label].kind) for number, label in enumerate(labels) if label in known]
        found = {
            intent: [(number, label) for number, label, kind in kinds if kind in _KINDS.get(intent, (intent.value,))]
            for intent in Intent
        }
        return {
            intent: fitting
            for intent, fitting in found.items()
            if any(label != _PLAIN_CATEGORY.get(intent, "other") for _, label in fitting)
        }

    def _judge(self, sight: Sight) -> Scam:
        """Whether the text is bait: what the rules see in it is among the features of the model, which weighs it."""
        if sight.scam is None:
            sight.scam = self._judged(sight)
        return sight.scam

    def _judged(self, sight: Sight) -> Scam:
        text, table = sight.plain.text, self._table
        if len(text) < SHORTEST:
            return self._scams.shout(text) if sight.mask & _SCAM_BIT else Scam()
        if table is None:
            return self._scams.judge(text)
        moves = self._scams.found(text, sight.seen)
        points, grams = self._points(sight, table)
        honest = self._honest(points, moves, self._rule_signs(sight), table)
        doubt = honest * BAIT
        score = (1 - honest) * (1 - BAIT) / ((1 - honest) * (1 - BAIT) + doubt) if honest < 1 else 0.0
        if score < 0.5:
            return Scam(False, round(score, 3))
        signs = [*self._scams.moves.signs(moves), *self._rule_signs(sight)]
        features = np.concatenate([grams, named(signs)])
        kind = self._types.labels[int(self._types.probabilities(features).argmax())]
        return Scam(True, round(score, 3), (self._scams.tale(self._traces(sight)) or kind) if kind == PHISHING else kind)

    def _honest(self, points: Sequence[float], moves: Sequence[int], signs: Sequence[str], table: Table) -> float:
        """How likely the model takes a text for honest: its points, its moves and what the scam rules see in it."""
        honest, bait, square = self._moves.sums(moves)
        for name in set(signs):
            more = self._traced.get(name)
            if more is None:
                (more,) = table.weights(hashes((name,)))
                self._traced[name] = more
            honest, bait, square = honest + more[0], bait + more[1], square + more[2]
        return table.bait.first(points, (honest, bait), square)

    def _is_surely_bait(self, sight: Sight) -> bool:
        """Whether a text that nobody asked about is bait: a rule sees its trick, nothing official speaks, the model agrees."""
        if not sight.mask & _SCAM_BIT or self._table is None or len(sight.plain.text) < SHORTEST:
            return False
        bait, honest, _ = self._scams.weigh(self._traces(sight))
        needed = next((score for points, score in CERTAIN if bait - honest >= points), None)
        return needed is not None and self._judge(sight).score >= needed

    def _traces(self, sight: Sight) -> Traces:
        if sight.traces is None:
            sight.traces = self._scams.traces(sight.plain.text, sight.seen)
        return sight.traces

    def _rule_signs(self, sight: Sight) -> Sequence[str]:
        """What the scam rules see of a text; they do not look at a short one without any of their words."""
        if sight.mask & _SCAM_BIT or len(sight.plain.text) > SHORT:
            return self._scams.signs(self._traces(sight))
        return ()

    def _kind(self, danger: Danger, text: str) -> str:
        if danger is Danger.MISSING and any(word in text for word in _CHILD):
            return "missing.child"
        return CATEGORY[danger]

    def features(self, head: str, text: str) -> NDArray[np.int64]:
        """The hashed features of a text for the head of this name, just as a reading sees them; for training."""
        sight = self._look(text)
        if head.startswith("scam"):
            moves = self._scams.moves.signs(self._scams.found(sight.plain.text, sight.seen))
            names = [*moves, *self._rule_signs(sight)]
        else:
            names = self._names(sight)
        classes = [self._classes.features(sight.mask >> self._classed)] if head == "intent" else []
        return np.concatenate([characters(sight.plain.text), named(names), *classes])

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

    def _names(self, sight: Sight) -> list[str]:
        """What rules and triggers see of a sight, as names of the model's features."""
        names = []
        left = sight.mask & self._featured
        while left:
            bit = left & -left
            left ^= bit
            names.append(self._features[bit])
        if sight.finding is not None:
            names += (f"finds:{sight.finding.intent}", f"finds:{sight.finding.category}")
        else:
            names.append("finds:danger" if sight.alarm is not None else "finds:nothing")
        return names

    def _rule_names(self) -> list[str]:
        """All names that `_names` may give, each once."""
        found = ["finds:danger", "finds:nothing", *self._features.values()]
        found += [f"finds:{name}" for rule in self._intents.rules for name in (rule.intent, rule.category)]
        return list(dict.fromkeys(found))

    def _named_features(self) -> dict[int, str]:
        """The names of the features that triggers are, by their bits in the mask."""
        dangers = {1 << bit: f"danger:{danger}" for bit, danger in enumerate(self._dangers)}
        return dangers | {1 << _RULES + rule.bit: f"trigger:{rule.name}" for rule in self._intents.rules}

    def _look(self, text: str, seen: Seen | None = None, mask: int = 0, said: Said | None = None) -> Sight:
        """The sight of a text; `seen`, `mask` and `said` are what a first look at it has shown, if there was one."""
        if seen is None:
            seen = self._vocabulary.look(text)
            mask = self.triggers.mask(seen)
        plain = Plain(text, text)
        if mask & _RAW_BIT or " " in text:
            plain = self._normaliser.plain(text)
            if plain.text != text:
                seen, said = self._vocabulary.look(plain.text), None
                mask = self.triggers.mask(seen)
            mask &= ~_RAW_BIT
        if said is None:
            said = Said(self._emergencies.tone, plain.text)
        families, mask = mask >> self._families, mask & self._low
        among = self._dangers_of(mask & _DANGER_BITS)
        alarm = self._emergencies.find(plain.text, among, families, seen, said) if among or families else None
        safe = bool(mask & _SAFE_BIT) and self._emergencies.safe(plain.text, seen)
        ruled = (mask & self._known) >> _RULES
        finding = self._intents.find(plain.text, ruled) if alarm is None and ruled else None
        sight = Sight(plain, seen, said, mask, alarm, safe, finding)
        if alarm is None and self._table is not None:
            self._hear(sight, self._table)
        return sight

    def _hear(self, sight: Sight, table: Table) -> None:
        """Make a cry of a sight that tone and model together show to be one, and more surely so against a rule."""
        text, finding = sight.plain.text, sight.finding
        if len(text) < A_FEW_WORDS:
            return
        alone = sight
        if finding is not None:
            if finding.intent is Intent.MISSING or sight.said.quarters() <= CALM:
                return  # somebody was seen or found, or it does not sound like a cry
            alone = Sight(sight.plain, sight.seen, sight.said, sight.mask, None, safe=False, finding=None)
        peril = self._odds(alone, table).peril
        if peril < FAINT:
            return  # most messages
        together = sight.said.quarters() + TOGETHER * math.log(peril / max(1 - peril, LEAST))
        against = 0 if finding is None else TOLD if finding.intent is Intent.SCAM_REPORT else AGAINST
        if together < self._emergencies.tone.sure + against:
            return
        cry = self._emergencies.cry(text, sight.seen, sight.said)
        if cry is not None:
            sight.alarm, sight.finding, sight.points, sight.odds = cry, None, None, None

    def _dangers_of(self, bits: int) -> tuple[Danger, ...]:
        """The dangers whose triggers these bits stand for; of eleven dangers there are not many choices."""
        found = self._among.get(bits)
        if found is None:
            found = self._among[bits] = tuple(danger for bit, danger in enumerate(self._dangers) if bits >> bit & 1)
        return found

    def _is_classed(self, text: str, mask: int) -> bool:
        """Whether a short text without any other word of the lexicon has words of two classes, as "求个梯子" has."""
        return len(text) >= A_FEW and ((mask & self._low) >> self._classed).bit_count() > 1

    def _build(self) -> Triggers:
        masks: dict[str, int] = {}

        def mark(word: str, bit: int) -> None:
            masks[word] = masks.get(word, 0) | 1 << bit

        bits = {danger: bit for bit, danger in enumerate(self._dangers)}
        for word, danger in danger_words(self._emergencies.rules):
            mark(word, bits[danger])
        for word in self._emergencies.safe_triggers:
            mark(word, _SAFE)
        for word in self._scams.triggers:
            mark(word, _SCAM)
        for rule in self._intents.rules:
            for word in rule.triggers:
                mark(word, _RULES + rule.bit)
        for word in self._intents.words:
            mark(word, _ASK)
        for word, number in self._classes.words():
            mark(word, self._classed + number)
        for word, families in self._emergencies.family_words():
            masks[word] = masks.get(word, 0) | families << self._families
        for word in self._normaliser.marks():
            mark(word, _RAW)
        for word in self._places.marks():
            mark(word, _PLACE)
        return Triggers(self._vocabulary, masks)

"""Tier T0: danger to life, or money leaving for a fraudster, now. What a rule over words hears passes no model.

Recall comes first: a match of a danger's patterns is an alarm unless the sentence itself says that it is past, supposed, told,
acted, trained, denied or over. False friends ("这家店火了") are blanked out before the patterns are tried. Beside the patterns
stand scenes (`scenes.py`): families of words that mean danger when they come together in any order; and where no scene is whole,
signs (`signs.py`): classes of words that are added up. What is not plainly said is weighed against the tone of the whole message
(`tone.py`), and a message whose tone is surely that of a cry may be one without any rule (`cry`). All words and patterns are
data: `content/lexicon/emergencies.toml`, `scenes.toml`, `signs.toml` and `tone.toml`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from msgspec import Struct

from bot.errors import ConfigError
from bot.understanding.advice import Advice
from bot.understanding.gates import NONE, Choice, Gate, Gated
from bot.understanding.guards import SHORT, Guard, Heard, holds, read_guard
from bot.understanding.lexicon import WordFile, blank
from bot.understanding.meaning import Danger
from bot.understanding.scenes import Scenes
from bot.understanding.signs import Signs
from bot.understanding.tone import QUARTERS, Said, Tone

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from bot.understanding.scenes import Scene
    from bot.understanding.signs import Tally
    from bot.understanding.triggers import Seen, Vocabulary

# Which alarm goes first when a message holds several: what kills soonest, or what the advice must not get wrong.
ORDER = (
    Danger.GAS, Danger.FIRE, Danger.ELECTRIC, Danger.DROWNING, Danger.SELF_HARM, Danger.COLLAPSE,
    Danger.VIOLENCE, Danger.MEDICAL, Danger.INTRUDER, Danger.MISSING, Danger.MONEY,
)  # fmt: skip
BELOW = 3  # points fewer than any danger needs, from which on a phrase or scene stands alone in its message
PHRASE = 3  # points that a phrase or scene is worth by itself
MOST_BEYOND = 4  # points for or against a phrase or scene, as the other signs of its message add up to more or less
LACKING = 2  # points that signs may lack of what a danger needs, if the tone makes up for them
CALM = 0  # quarters of a point: a tone up to which only what is plainly said is an alarm
SERENE = -12  # quarters of a point: a tone up to which nothing is an alarm, "新开的店叫“失火烤肉”" (0319, 0327)
EVEN = 4  # quarters: up to which the clause of the words may sound then; a louder one is heard whatever stands around it
A_CLAUSE = 4  # characters: fewer ("着火了") have no tone of their own
BEYOND = 3  # points more than a danger needs, from which on weak guards are not asked
A_FEW_WORDS = 8  # characters: fewer have too few words for a tone of their own, "6栋301" sounded like a fire
# guards against what only sounds like a cry: who saw somebody, who pasted a threat, what is told of gamblers, an empty lift
TONED = frozenset({"seen", "extorted", "vice", "fled", "empty", "got_out"})
STOPS = "。！？!?\n；;…"
_CLAUSES = re.compile("[，。,！!？?；;、 \n]+")
_BUT = re.compile("但|可是|不过|还有人|还在|又|还没|没完全")


@dataclass(frozen=True, slots=True)
class Rule:
    """What one danger sounds like."""

    danger: Danger
    triggers: tuple[str, ...]
    alarm: Gated
    quiet: Gated
    guards: tuple[Guard, ...]


@dataclass(frozen=True, slots=True)
class Alarm:
    """A danger found, and the words that said so."""

    danger: Danger
    words: str


class Stage(Struct, frozen=True):
    """What the families of words in a text may add up to: whole scenes, and signs enough.

    `standing` has the bits of the classes of signs of which one may stand in it (`Signs.standing`).
    """

    scenes: Mapping[Danger, tuple[Scene, ...]]
    standing: int
    tallies: Sequence[Tally]

    def __bool__(self) -> bool:
        return bool(self.scenes or self.tallies)


EMPTY = Stage({}, 0, ())


class Emergencies:
    """All rules of tier T0, and the words that say that the people are safe."""

    def __init__(
        self,
        rules: tuple[Rule, ...],
        gate: Gate,
        scenes: Scenes,
        signs: Signs,
        tone: Tone,
        safe_triggers: tuple[str, ...],
        safe: Gated,
        hard: re.Pattern[str],
        advice: Advice,
    ) -> None:
        self.rules = rules
        self._gate = gate
        self.scenes = scenes
        self.signs = signs
        self.tone = tone
        self.advice = advice
        self._by_danger = {rule.danger: rule for rule in rules if rule.triggers}
        # a bare cry for help says least about the danger: what else is told goes first
        self._told = tuple(rule for rule in rules if rule.triggers)
        self._toned = [*{guard.name: guard for rule in rules for guard in rule.guards if guard.name in TONED}.values()]
        self._told_by: dict[tuple[Danger, ...], tuple[Rule, ...]] = {}
        self._cries = tuple(rule for rule in rules if not rule.triggers)
        self.safe_triggers = safe_triggers
        self._safe = safe
        self._hard = hard

    @staticmethod
    def load(folder: Path, vocabulary: Vocabulary) -> Emergencies:
        """Read `emergencies.toml` from the lexicon folder."""
        file = WordFile(folder / "emergencies.toml")
        gate = Gate(vocabulary)
        guards = {name: read_guard(file, name, table, gate) for name, table in file.table("guard").items()}
        tables = file.table("danger")
        rules: list[Rule] = []
        cries: list[Rule] = []
        for danger in ORDER:
            table = tables.get(danger.value)
            if not isinstance(table, dict):
                raise ConfigError(f"{file.path}: [danger.{danger.value}] is missing")
            alarm = Gated(file, file.texts(table, "alarm"), gate)
            if not alarm:
                raise ConfigError(f"{file.path}: [danger.{danger.value}] has no alarm patterns")
            named = file.texts(table, "guards")
            unknown = [name for name in named if name not in guards]
            if unknown:
                raise ConfigError(f"{file.path}: [danger.{danger.value}] names unknown guards {', '.join(unknown)}")
            quiet = Gated(file, file.texts(table, "quiet"), gate)
            rules.append(Rule(danger, file.texts(table, "triggers"), alarm, quiet, tuple(guards[name] for name in named)))
            cry = Gated(file, file.texts(table, "cry"), gate)
            if cry:  # a bare cry for help says least about the danger, so it is heard last
                cries.append(Rule(danger, (), cry, quiet, tuple(guards[name] for name in named)))
        table = file.table("safe")
        safe = Gated(file, file.texts(table, "sure"), gate)
        hard = file.compile(("{hard}",))
        if not safe or hard is None:
            raise ConfigError(f"{file.path}: [safe] has no patterns")
        scenes = Scenes.load(folder)
        signs = Signs.load(folder, scenes.families, len(scenes.families))
        tone, triggers = Tone.load(folder), file.texts(table, "triggers")
        return Emergencies((*rules, *cries), gate, scenes, signs, tone, triggers, safe, hard, Advice.load(folder))

    def family_words(self) -> Iterator[tuple[str, int]]:
        """Every word of a scene or a sign with the bits of its families, for the automaton."""
        yield from self.scenes.words.items()
        yield from self.signs.words.items()

    def warm(self) -> None:
        """Compile every pattern of words that is otherwise compiled when a text first needs it."""
        for wording in (*self.scenes.wordings(), *self.signs.wordings()):
            wording.pattern()

    def stage(self, families: int) -> Stage:
        """What a text with these families of words may show."""
        if not families:
            return EMPTY
        standing = self.signs.standing(families)
        return Stage(self.scenes.staged(families), standing, self.signs.staged(standing, LACKING))

    def find(self, text: str, among: tuple[Danger, ...], stage: Stage, seen: Seen, said: Said) -> Alarm | None:
        """The alarm of a plain text: the first by `ORDER`, under the name of the danger that its scene really is.

        `among` are the dangers whose triggers it holds, `stage` is what its families of words may show, `seen` what the
        vocabulary saw in it, `said` what its tone is.
        """
        alarm = self._find(text, among, stage, seen, said)
        return self._named(alarm, text) if alarm is not None else None

    def _find(self, text: str, among: tuple[Danger, ...], stage: Stage, seen: Seen, said: Said) -> Alarm | None:
        scenes, tallies = stage.scenes, stage.tallies
        if not (among or scenes) and (not tallies or (len(text) >= SHORT and said.quarters() <= CALM)):
            return None  # most messages
        if len(text) > 4000:  # a wall of text is not a cry for help; its beginning and end are enough
            text = text[:2000] + "\n" + text[-2000:]
        held = self._gate.held(text, seen)
        if " " in text or "," in text:  # who types on a phone parts clauses by spaces
            text = text.replace(" ", "，").replace(",", "，")
            held = self._gate.held(text)
        heard = Heard(said, text, held, stage.standing)
        if among or scenes:
            alarm = self._spoken(self._told if scenes else self._told_of(among), among, scenes, heard)
            if alarm is not None:
                return alarm
        if tallies:
            alarm = self._added_up(tallies, heard)
            if alarm is not None:
                return alarm
        return self._spoken(self._cries, among, {}, heard) if among else None

    def cry(self, text: str, seen: Seen, said: Said) -> Alarm | None:
        """The alarm of a plain text in which no rule hears one, but which is a cry by its tone; None if all are safe in it."""
        held = self._gate.held(text, seen)
        if self._is_over(text, held):
            return None
        heard = Heard(said, text, held, 0)
        if any(holds(guard, text, (0, len(text)), heard, 0) for guard in self._toned):
            return None
        return self._named(Alarm(said.kind(), f"{'，'.join(said.loudest())} (tone {said.quarters()})"), text)

    def _named(self, alarm: Alarm, text: str) -> Alarm:
        return replace(alarm, danger=self.advice.danger(alarm.danger, text))

    def safe(self, text: str, seen: Seen) -> bool:
        """Whether the text says that people are safe or the danger is over; `seen` is what the vocabulary saw in it."""
        return _is_safe(self._safe.open(self._gate.held(text, seen)), text)

    def is_over(self, text: str, seen: Seen) -> bool:
        """Whether a plain text says that people are safe and nothing else.

        Who was saved may bleed: "人从火里逃出来了，背上的皮都没了".
        """
        return self._is_over(text, self._gate.held(text, seen))

    def _is_over(self, text: str, held: int) -> bool:
        safe = self._safe.open(held)
        return _is_safe(safe, text) and all(safe.search(part) for part in _CLAUSES.split(text) if part)

    def _spoken(
        self, rules: tuple[Rule, ...], among: Collection[Danger], staged: Mapping[Danger, tuple[Scene, ...]], heard: Heard
    ) -> Alarm | None:
        """The first of some rules of which a phrase or scene is in a text that holds triggers or scenes of these dangers."""
        for rule in rules:
            danger = rule.danger
            if danger in among:
                words = self._words(rule, heard)
                if words and self._borne_out(words, heard):
                    return Alarm(danger, words)
            if danger in staged:
                words = self._scene(rule, staged[danger], heard)
                if words and self._borne_out(words, heard):
                    return Alarm(danger, words)
        return None

    def _told_of(self, among: tuple[Danger, ...]) -> tuple[Rule, ...]:
        """The rules of these dangers; of eleven there are not many choices."""
        found = self._told_by.get(among)
        if found is None:
            found = self._told_by[among] = tuple(rule for rule in self._told if rule.danger in among)
        return found

    def _words(self, rule: Rule, heard: Heard) -> str:
        alarm = rule.alarm.open(heard.held)
        if alarm is NONE:
            return ""
        for start, part in heard.sentences():
            if alarm.search(part) is None:  # the usual case, and cheaper than clearing false friends
                continue
            for match in alarm.finditer(rule.quiet.open(heard.held).blank(part)):
                if any(
                    holds(guard, part, match.span(), heard, start) and not (guard.yielding and heard.is_loud())
                    for guard in rule.guards
                ):
                    continue
                if not self._over(rule.danger, part, match.start(), heard):
                    return match[0]
        return ""

    def _scene(self, rule: Rule, scenes: tuple[Scene, ...], heard: Heard) -> str:
        """The words of the first scene that the text shows and no guard denies."""
        cleared = heard.cleared(rule.danger, rule.quiet)
        for scene in scenes:
            for start, end in self.scenes.places(scene, cleared, heard.text):
                if not self._denied(rule, cleared, start, end, heard):
                    return f"{heard.text[start:end]} ({scene.name})"
        return ""

    def _added_up(self, tallies: Sequence[Tally], heard: Heard) -> Alarm | None:
        """The danger whose signs add up to most beyond what it needs, with the tone of the text, if no guard denies it."""
        best: tuple[int, Alarm] | None = None
        if heard.quarters() <= CALM or self._is_over(heard.text, heard.held):
            return None  # most messages end here
        for tally in tallies:
            if (tally.most(heard.standing) - tally.need) * QUARTERS + heard.quarters() < 0:
                continue  # wherever its words stand
            rule = self._by_danger[tally.danger]
            friends = tally.friends.pattern() if tally.friends is not None else None
            cleared = blank(friends, heard.cleared(rule.danger, rule.quiet))
            place = tally.place(cleared, heard.standing, LACKING)
            if place is None or (best is not None and best[0] >= place[0] - tally.need):
                continue
            points, start, end = place
            if (points - tally.need) * QUARTERS + heard.quarters() < 0:
                continue
            if not self._denied(rule, cleared, start, end, heard, sure=points >= tally.need + BEYOND):
                best = points - tally.need, Alarm(tally.danger, f"{heard.text[start:end]} ({points} points)")
        return best[1] if best is not None else None

    def _borne_out(self, words: str, heard: Heard) -> bool:
        """Whether what else a message says bears out a phrase in it: "榨菜坛子漏气 长白毛" has no other sign of any danger.

        The longer the phrase, the more it says itself. Signs of any danger bear it out, for what kills seldom keeps to one kind;
        half of their points, of four at most, are set against the tone. Most tones leave the signs nothing to say.
        """
        if len(heard.text) < SHORT:
            return True
        if self._hard.search(words):
            return heard.quarters() > SERENE or not self._is_serene(words.split(" (")[0], heard.text)
        if heard.quarters() <= CALM:
            return False
        wanted = -((PHRASE * QUARTERS + heard.quarters()) // (QUARTERS // 2))  # points beyond, which count half
        if wanted <= -MOST_BEYOND or wanted > MOST_BEYOND:
            return wanted <= 0
        wanted -= BELOW + min(3, (len(words.split(" (")[0]) - 2) // 4)
        return any(
            tally.most(heard.standing) - tally.need >= wanted
            and tally.weight(self._cleared(tally.danger, heard), heard.standing) - tally.need >= wanted
            for tally in self.signs.tallies
        )

    def _is_serene(self, words: str, text: str) -> bool:
        """Whether the part of a serene text in which these words stand is no cry by its own tone either."""
        parts = [part for part in _CLAUSES.split(text) if words in part]
        return bool(parts) and all(len(part) >= A_CLAUSE and Said(self.tone, part).quarters() <= EVEN for part in parts)

    def _cleared(self, danger: Danger, heard: Heard) -> str:
        return heard.cleared(danger, self._by_danger[danger].quiet)

    def _denied(self, rule: Rule, cleared: str, start: int, end: int, heard: Heard, *, sure: bool = False) -> bool:
        """Whether a guard speaks against what stands in a text from start to end, or the same sentence says that it is over."""
        first = max((cleared.rfind(mark, 0, start) for mark in STOPS), default=-1) + 1
        last = min((at for mark in STOPS if (at := cleared.find(mark, end)) >= 0), default=len(cleared))
        part, here = heard.text[first:last], (start - first, end - first)
        return any(
            holds(guard, part, here, heard, first)
            for guard in rule.guards
            if not (sure and guard.weak) and not (guard.yielding and heard.is_loud())
        ) or self._over(rule.danger, part, here[0], heard)

    def _over(self, danger: Danger, part: str, start: int, heard: Heard) -> bool:
        """ "着火了，已经灭了，人没事": the same sentence says afterwards that it is over, and no "but" follows."""
        return any(
            # who got out is safe, what burns still burns; and gas that put out its flame is just what leaks
            not safe[0].endswith("出来了")
            and not (danger is Danger.GAS and safe[0].endswith("灭了"))
            and not _BUT.search(part, safe.start())
            for safe in self._safe.open(heard.held).finditer(part, start)
        )


def _is_safe(safe: Choice, text: str) -> bool:
    match = safe.search(text)
    return match is not None and "没" not in text[max(0, match.start() - 2) : match.start()]


def danger_words(rules: tuple[Rule, ...]) -> Iterator[tuple[str, Danger]]:
    """Every trigger with its danger, for the automaton."""
    for rule in rules:
        for word in rule.triggers:
            yield word, rule.danger

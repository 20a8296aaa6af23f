"""Is the text itself a scam's bait, and which type: rules for structure and words (`content/lexicon/scams.toml`).

Links are judged by their text only; nothing is ever fetched.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from bot.errors import ConfigError
from bot.understanding.gates import Gate, Gated
from bot.understanding.lexicon import WordFile
from bot.understanding.meaning import Scam
from bot.understanding.moves import Moves

if TYPE_CHECKING:
    from pathlib import Path

    from bot.understanding.triggers import Seen, Vocabulary
    from content.taxonomy import Taxonomy

SURE, HINT, MOST = 1.0, 0.5, 3.0
PHISHING = "phishing"
_ASKED = re.compile("[哪谁咋吗嘛么呢吧了没过？?]|多[久少]|怎|想|我|别|反|[不勿]")
MOVED = 600  # characters in which moves are looked for: beyond, every text has every move
LENGTHS = (10, 23, 58, 118)  # characters: a shout, a line, a short message, a long one


@dataclass(frozen=True, slots=True)
class ScamRule:
    """The bait of one type: patterns that are enough, and patterns that add up."""

    type: str
    sure: Gated
    hints: tuple[Gated, ...]
    heads: int  # without one of which nothing of it is tried


@dataclass(frozen=True, slots=True)
class Trace:
    """What of one rule is in a text: how often its sure patterns are, up to three times, and the numbers of its hints."""

    type: str
    sure: int
    hints: tuple[int, ...]

    @property
    def points(self) -> float:
        """What it is worth."""
        return SURE * self.sure + HINT * len(self.hints)


@dataclass(frozen=True, slots=True)
class Traces:
    """All that the rules see in a text: the types that left a trace, in their order, its links, and what speaks against."""

    length: int
    types: tuple[Trace, ...]
    link: Trace
    benign: Trace


class Scams:
    """All scam rules."""

    def __init__(
        self,
        rules: tuple[ScamRule, ...],
        gate: Gate,
        link: ScamRule,
        benign: ScamRule,
        moves: Moves,
        triggers: tuple[str, ...],
        line: float,
    ) -> None:
        self.rules = rules
        self._gate = gate
        self.moves = moves
        self.triggers = triggers
        self._link = link
        self._benign = benign
        self._line = line

    @staticmethod
    def load(folder: Path, taxonomy: Taxonomy, vocabulary: Vocabulary) -> Scams:
        """Read `scams.toml` from the lexicon folder; every type must be in the taxonomy."""
        file = WordFile(folder / "scams.toml")
        rules = []
        gate = Gate(vocabulary)
        for code, table in file.table("type").items():
            if code not in taxonomy.scams:
                raise ConfigError(f"{file.path}: scam type {code!r} is not in the taxonomy")
            rules.append(_rule(file, code, table, gate))
        line = file.tables.get("line")
        if not isinstance(line, float):
            raise ConfigError(f"{file.path}: line must be a number")
        link, benign = _rule(file, "link", file.table("link"), gate), _rule(file, "benign", file.table("benign"), gate)
        words = file.texts(file.table("triggers"), "words")
        return Scams(tuple(rules), gate, link, benign, Moves.load(folder, vocabulary), words, line)

    def traces(self, text: str, seen: Seen | None = None) -> Traces:
        """All that the rules see in a plain text. The rest of this class only counts it in different ways.

        `seen` is what the vocabulary saw in it, if it was looked at.
        """
        text = text[:3000]
        held = self._gate.held(text, seen)
        types = tuple([trace for rule in self.rules if (trace := _trace(rule, text, held)) is not None])
        return Traces(len(text), types, _trace(self._link, text, held) or NO_LINK, _trace(self._benign, text, held) or NOT_BENIGN)

    def weigh(self, traces: Traces) -> tuple[float, float, str | None]:
        """What speaks for a scam, links included, what against, and the likeliest type."""
        best, kind = 0.0, None
        for trace in traces.types:
            if trace.points > best:
                best, kind = trace.points, trace.type
        link = min(traces.link.points, SURE + HINT)
        if best == 0.0 and link >= SURE:
            kind = PHISHING
        return min(best, MOST) + link, traces.benign.points, kind

    def tale(self, traces: Traces) -> str | None:
        """The type that the words of a text with a link clearly tell: the link is a way in, the tale is what it is about."""
        told = max(((trace.points, trace.type) for trace in traces.types if trace.type != PHISHING), default=(0.0, ""))
        return told[1] if told[0] >= SURE + HINT else None

    def signs(self, traces: Traces) -> list[str]:
        """What the rules see as features for the model: bait by type, links, and what speaks against."""
        found = [f"length:{sum(traces.length > line for line in LENGTHS)}"]
        for trace in traces.types:
            if trace.sure:
                found += [f"bait:{trace.type}", "bait"]
            found += [f"hint:{trace.type}:{number}" for number in range(min(len(trace.hints), 2))]
        if traces.link.sure:
            found.append("link:bait")
        found += [f"link:{number}" for number in traces.link.hints]
        found += [f"honest:{number}" for number in range(traces.benign.sure)]
        return found + [f"honest hint:{number}" for number in traces.benign.hints]

    def found(self, text: str, seen: Seen | None = None) -> list[int]:
        """The numbers of the moves of bait and of honest words in a plain text."""
        return self.moves.found(text[:MOVED], seen if len(text) <= MOVED else None)

    def shout(self, text: str) -> Scam:
        """The verdict on a few characters, by rules alone; who asks or tells ("刻章店在哪条街") offers nothing."""
        return Scam() if _ASKED.search(text) else self.judge(text)

    def judge(self, text: str) -> Scam:
        """The verdict by rules alone."""
        bait, benign, kind = self.weigh(self.traces(text))
        balance = bait - benign
        is_scam = balance >= self._line
        score = max(0.0, min(1.0, 0.5 + (balance - self._line) / 4)) if bait else 0.0
        return Scam(is_scam, round(score, 3), kind if is_scam else None)


NO_LINK, NOT_BENIGN = Trace("link", 0, ()), Trace("benign", 0, ())


def _rule(file: WordFile, code: str, table: object, gate: Gate) -> ScamRule:
    if not isinstance(table, dict):
        raise ConfigError(f"{file.path}: {code!r} must be a table")
    hints = tuple(Gated(file, (pattern,), gate) for pattern in file.texts(table, "hint"))
    sure = Gated(file, file.texts(table, "sure"), gate)
    return ScamRule(code, sure, hints, reduce(or_, [hint.heads for hint in hints], sure.heads))


def _trace(rule: ScamRule, text: str, held: int) -> Trace | None:
    if not held & rule.heads:
        return None
    hints = tuple([number for number, hint in enumerate(rule.hints) if hint.open(held).search(text)])
    sure = sum(1 for _ in itertools.islice(rule.sure.open(held).finditer(text), 3))
    return Trace(rule.type, sure, hints) if sure or hints else None

"""Is the text itself a scam's bait, and which type: rules for structure and words (`content/lexicon/scams.toml`).

Links are judged by their text only; nothing is ever fetched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.errors import ConfigError
from bot.understanding.lexicon import WordFile
from bot.understanding.meaning import Scam

if TYPE_CHECKING:
    from pathlib import Path

    from content.taxonomy import Taxonomy

SURE, HINT, MOST = 1.0, 0.5, 3.0
PHISHING = "phishing"
LENGTHS = (10, 23, 58, 118)  # characters: a shout, a line, a short message, a long one


@dataclass(frozen=True, slots=True)
class ScamRule:
    """The bait of one type: patterns that are enough, and patterns that add up."""

    type: str
    sure: re.Pattern[str] | None
    hints: tuple[re.Pattern[str], ...]


class Scams:
    """All scam rules."""

    def __init__(
        self, rules: tuple[ScamRule, ...], link: ScamRule, benign: ScamRule, triggers: tuple[str, ...], line: float
    ) -> None:
        self.rules = rules
        self.triggers = triggers
        self._link = link
        self._benign = benign
        self._line = line

    @staticmethod
    def load(folder: Path, taxonomy: Taxonomy) -> Scams:
        """Read `scams.toml` from the lexicon folder; every type must be in the taxonomy."""
        file = WordFile(folder / "scams.toml")
        rules = []
        for code, table in file.table("type").items():
            if code not in taxonomy.scams:
                raise ConfigError(f"{file.path}: scam type {code!r} is not in the taxonomy")
            rules.append(_rule(file, code, table))
        line = file.tables.get("line")
        if not isinstance(line, float):
            raise ConfigError(f"{file.path}: line must be a number")
        link, benign = _rule(file, "link", file.table("link")), _rule(file, "benign", file.table("benign"))
        return Scams(tuple(rules), link, benign, file.texts(file.table("triggers"), "words"), line)

    def weigh(self, text: str) -> tuple[float, float, str | None]:
        """What speaks for a scam, what against, and the likeliest type. All of a plain text, its links included."""
        text = text[:3000]
        best, kind = 0.0, None
        for rule in self.rules:
            points = _points(rule, text)
            if points > best:
                best, kind = points, rule.type
        link = min(_points(self._link, text), SURE + HINT)
        if best == 0.0 and link >= SURE:
            kind = PHISHING
        return min(best, MOST) + link, _points(self._benign, text), kind

    def tale(self, text: str) -> str | None:
        """The type that the words of a text with a link clearly tell: the link is a way in, the tale is what it is about."""
        told = max((_points(rule, text[:3000]), rule.type) for rule in self.rules if rule.type != PHISHING)
        return told[1] if told[0] >= SURE + HINT else None

    def signs(self, text: str) -> list[str]:
        """What the rules see in a plain text, as features for the model: bait by type, links, and what speaks against."""
        text = text[:3000]
        found = [f"length:{sum(len(text) > line for line in LENGTHS)}"]
        for rule in self.rules:
            if rule.sure is not None and rule.sure.search(text):
                found += [f"bait:{rule.type}", "bait"]
            hints = sum(1 for hint in rule.hints if hint.search(text))
            found += [f"hint:{rule.type}:{number}" for number in range(min(hints, 2))]
        if self._link.sure is not None and self._link.sure.search(text):
            found.append("link:bait")
        found += [f"link:{number}" for number, hint in enumerate(self._link.hints) if hint.search(text)]
        if self._benign.sure is not None:
            speaks = sum(1 for match in self._benign.sure.finditer(text) if match[0])
            found += [f"honest:{number}" for number in range(min(speaks, 3))]
        return found + [f"honest hint:{number}" for number, hint in enumerate(self._benign.hints) if hint.search(text)]

    def judge(self, text: str) -> Scam:
        """The verdict by rules alone."""
        bait, benign, kind = self.weigh(text)
        balance = bait - benign
        is_scam = balance >= self._line
        score = max(0.0, min(1.0, 0.5 + (balance - self._line) / 4)) if bait else 0.0
        return Scam(is_scam, round(score, 3), kind if is_scam else None)


def _rule(file: WordFile, code: str, table: object) -> ScamRule:
    if not isinstance(table, dict):
        raise ConfigError(f"{file.path}: {code!r} must be a table")
    hints = tuple(re.compile(file.expand(pattern)) for pattern in file.texts(table, "hint"))
    return ScamRule(code, file.compile(file.texts(table, "sure")), hints)


def _points(rule: ScamRule, text: str) -> float:
    points = sum(HINT for hint in rule.hints if hint.search(text))
    if rule.sure is not None:
        points += SURE * min(3, sum(1 for match in rule.sure.finditer(text) if match[0]))
    return points

"""What a resident wants and what it is about: rules over words, where precision comes before recall.

All words are data (`content/lexicon/intents.toml`); the codes are those of `content/taxonomy.toml`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.errors import ConfigError
from bot.understanding.lexicon import WordFile, blank
from bot.understanding.meaning import Intent

if TYPE_CHECKING:
    from pathlib import Path

    from content.taxonomy import Taxonomy

# The tables of `intents.toml` in the order in which they are asked, with their intents. The narrow ones go first:
# "上次反映的路灯修好了" must not become a broken lamp, nor "想举报赌博窝点" a question.
TABLES = (
    ("feedback", Intent.FEEDBACK),
    ("missing_seen", Intent.MISSING),
    ("missing_adult", Intent.MISSING),
    ("scam_report", Intent.SCAM_REPORT),
    ("minors", Intent.TIP),
    ("crime", Intent.TIP),
    ("suspicious", Intent.TIP),
    ("found", Intent.LOST_FOUND),
    ("lost", Intent.LOST_FOUND),
    ("question", Intent.QUESTION),
    ("wish", Intent.WISH),
    ("neighbour", Intent.DISPUTE),
    ("family", Intent.DISPUTE),
    ("wages", Intent.DISPUTE),
    ("tenancy", Intent.DISPUTE),
    ("property", Intent.DISPUTE),
    ("dispute", Intent.DISPUTE),
)


@dataclass(frozen=True, slots=True)
class IntentRule:
    """What one category sounds like. `bit` is its place in the mask of triggers that the glance computes."""

    name: str
    intent: Intent
    category: str
    bit: int
    triggers: tuple[str, ...]
    patterns: re.Pattern[str]
    quiet: re.Pattern[str] | None
    urgent: re.Pattern[str] | None


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that spoke: intent, category, whether the words make it more urgent, and the words."""

    intent: Intent
    category: str
    urgent: bool
    words: str


class Intents:
    """All intent rules, in the order in which they are asked; `words` make a text worth a reading by the model."""

    def __init__(self, rules: tuple[IntentRule, ...], chat: re.Pattern[str], words: tuple[str, ...]) -> None:
        self.rules = rules
        self.words = words
        self._chat = chat

    @staticmethod
    def load(folder: Path, taxonomy: Taxonomy) -> Intents:
        """Read `intents.toml` from the lexicon folder; every category must be in the taxonomy."""
        file = WordFile(folder / "intents.toml")
        rules: list[IntentRule] = []
        intents = file.table("intent")
        for name, intent in TABLES:
            rules.append(_rule(file, name, intent, intents.get(name), "", len(rules)))
        for code, table in file.table("hazard").items():
            rules.append(_rule(file, code, Intent.HAZARD, table, code, len(rules)))
        for rule in rules:
            if rule.category not in taxonomy.categories:
                raise ConfigError(f"{file.path}: category {rule.category!r} of {rule.name!r} is not in the taxonomy")
        chat = file.compile(file.texts(file.table("chat"), "patterns"))
        if chat is None:
            raise ConfigError(f"{file.path}: [chat] has no patterns")
        return Intents(tuple(rules), chat, file.texts(file.table("model"), "words"))

    def find(self, text: str, mask: int = -1) -> Finding | None:
        """The first rule that speaks for a plain text; `mask` has the bits of the rules whose triggers it holds (-1: try all)."""
        if len(text) > 2000:
            text = text[:2000]
        left = mask & (1 << len(self.rules)) - 1
        while left:  # the rules are asked in the order of their bits
            bit = left & -left
            left ^= bit
            rule = self.rules[bit.bit_length() - 1]
            if rule.patterns.search(text) is None:  # the usual case, and cheaper than clearing false friends
                continue
            match = rule.patterns.search(blank(rule.quiet, text))
            if match is not None and match[0] and not self._chat.search(text):
                return Finding(rule.intent, rule.category, rule.urgent is not None and bool(rule.urgent.search(text)), match[0])
        return None


def _rule(file: WordFile, name: str, intent: Intent, table: object, code: str, bit: int) -> IntentRule:
    if not isinstance(table, dict):
        raise ConfigError(f"{file.path}: the table {name!r} is missing")
    patterns = file.compile(file.texts(table, "patterns"))
    if patterns is None:
        raise ConfigError(f"{file.path}: {name!r} has no patterns")
    category = code or file.text(table, "category")
    quiet, urgent = file.compile(file.texts(table, "quiet")), file.compile(file.texts(table, "urgent"))
    return IntentRule(name, intent, category, bit, file.texts(table, "triggers"), patterns, quiet, urgent)

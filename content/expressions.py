"""Which groups are meant, as an expression over labels: `综合 与 港新1号网格`, `(餐饮 或 农贸) 非 特殊`, `class:综合 and not
grid:GX02`.

"not" binds closest, then "and", then "or"; two labels side by side mean either of them, and "A 非 B" means A without B. Words
may stand without blanks between them as long as no label is spelled like the whole. The canonical spelling (`str`) uses labels
with their kind and the English words, is kept with a campaign, and reads back to the same expression.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from content.refusal import Refusal

MOST_CHARACTERS = 400
DEEPEST = 12
_AND = frozenset({"and", "&", "&&", "与", "且", "并且", "同时", "并"})
_OR = frozenset({"or", "|", "||", "或", "或者", "、", ","})
_NOT = frozenset({"not", "!", "非", "不含", "除了", "除", "排除"})
_EVERY = frozenset({"全部", "所有", "全部群", "所有群", "all", "every"})
_TOKEN = re.compile(r"[()]|&&?|\|\|?|!|[,、]|[^\s()&|!,、]+")
_GLUED = re.compile("(与|且|或|非)")


class Whom(Protocol):
    """A set of groups, told by their labels."""

    def means(self, labels: Collection[str]) -> bool:
        """Whether a group with these labels is meant."""
        ...


@dataclass(frozen=True, slots=True)
class Every:
    """Every group."""

    def means(self, labels: Collection[str]) -> bool:  # noqa: ARG002 (the signature is given)
        return True

    def __str__(self) -> str:
        return ""


EVERY: Whom = Every()


@dataclass(frozen=True, slots=True)
class Label:
    """The groups that carry one label."""

    label: str

    def means(self, labels: Collection[str]) -> bool:
        return self.label in labels

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True, slots=True)
class Not:
    """All but these."""

    inner: Whom

    def means(self, labels: Collection[str]) -> bool:
        return not self.inner.means(labels)

    def __str__(self) -> str:
        return f"not {_bracketed(self.inner, And, Or)}"


@dataclass(frozen=True, slots=True)
class And:
    """Those that every part means."""

    parts: tuple[Whom, ...]

    def means(self, labels: Collection[str]) -> bool:
        return all(part.means(labels) for part in self.parts)

    def __str__(self) -> str:
        return " and ".join(_bracketed(part, Or) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """Those that some part means."""

    parts: tuple[Whom, ...]

    def means(self, labels: Collection[str]) -> bool:
        return any(part.means(labels) for part in self.parts)

    def __str__(self) -> str:
        return " or ".join(str(part) for part in self.parts)


def any_of(labels: Iterable[str]) -> Whom:
    """The groups with one of these labels; every group when there is none."""
    parts = tuple(Label(label) for label in labels)
    return EVERY if not parts else parts[0] if len(parts) == 1 else Or(parts)


def labels_in(whom: Whom) -> tuple[str, ...]:
    """The labels that an expression names, in order."""
    if isinstance(whom, Label):
        return (whom.label,)
    if isinstance(whom, Not):
        return labels_in(whom.inner)
    if isinstance(whom, And | Or):
        return tuple(dict.fromkeys(label for part in whom.parts for label in labels_in(part)))
    return ()


def parse_whom(text: str, label_of: Callable[[str], str | None]) -> Whom:
    """The expression in a person's words. `label_of` gives the label that a bare word means, None for an unknown word.

    Raises Refusal: "posts.unknown_label" names the word, "posts.expression" shows where it stops making sense.
    """
    if len(text) > MOST_CHARACTERS:
        raise Refusal("posts.expression", near=text[:20])
    tokens = _tokens(unicodedata.normalize("NFKC", text), label_of)
    if not tokens:
        return EVERY
    reader = _Reader(tokens)
    whom = reader.either()
    if reader.rest:
        raise Refusal("posts.expression", near=_shown(reader.rest[0]))
    return whom


def spell(whom: Whom, name_of: Callable[[str], str]) -> str:
    """The expression in Chinese, with `name_of` giving a label's name; "" for every group."""
    match whom:
        case Label(label):
            return name_of(label)
        case Not(inner):
            said = spell(inner, name_of) or "全部"
            return f"非（{said}）" if isinstance(inner, And | Or) else f"非{said}"
        case And(parts):
            return "且".join(f"（{spell(part, name_of)}）" if isinstance(part, Or) else spell(part, name_of) for part in parts)
        case Or(parts):
            return "或".join(spell(part, name_of) for part in parts)
    return ""


def _bracketed(part: Whom, *kinds: type) -> str:
    return f"({part})" if isinstance(part, kinds) else str(part)


Token = str | Whom  # an operator or a bracket as its word, a label as itself


def _tokens(text: str, label_of: Callable[[str], str | None]) -> list[Token]:
    found: list[Token] = []
    for word in _TOKEN.findall(text):
        found += _read_word(word, label_of)
    return found


def _read_word(word: str, label_of: Callable[[str], str | None]) -> list[Token]:
    lower = word.lower()
    if word in "()":
        return [word]
    for name, words in (("and", _AND), ("or", _OR), ("not", _NOT)):
        if lower in words:
            return [name]
    if lower in _EVERY:
        return [EVERY]
    if (label := label_of(word)) is not None:
        return [Label(label)]
    if _GLUED.search(word):
        parts = [part for part in _GLUED.split(word) if part]
        if len(parts) > 1:
            return [token for part in parts for token in _read_word(part, label_of)]
    raise Refusal("posts.unknown_label", word=word)


class _Reader:
    """Reads tokens by the rules of precedence."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.rest = list(tokens)
        self._depth = 0

    def either(self) -> Whom:
        parts = [self._both()]
        while self.rest and self.rest[0] != ")":
            if self.rest[0] == "or":
                self.rest.pop(0)
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _both(self) -> Whom:
        parts = [self._one()]
        while self.rest and self.rest[0] in ("and", "not"):
            if self.rest[0] == "and":
                self.rest.pop(0)
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self) -> Whom:
        self._depth += 1
        try:
            if not self.rest or self._depth > DEEPEST:
                raise Refusal("posts.expression", near="")
            first = self.rest.pop(0)
            if first == "not":
                return Not(self._one())
            if first == "(":
                inner = self.either()
                if not self.rest or self.rest.pop(0) != ")":
                    raise Refusal("posts.expression", near="（")
                return inner
            if isinstance(first, str):
                raise Refusal("posts.expression", near=_shown(first))
            return first
        finally:
            self._depth -= 1


def _shown(token: Token) -> str:
    return {"and": "与", "or": "或", "not": "非", "(": "（", ")": "）"}.get(str(token), str(token))

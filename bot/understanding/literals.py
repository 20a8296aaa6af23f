"""The words that a text cannot do without if a pattern is to match it, read off the pattern itself.

"(?:煤气|燃气).{0,8}(?:漏|泄漏)" matches nothing that has neither 煤气 nor 燃气, and nothing that has no 漏. Whether such words
are there is seen for hundreds of patterns at once (`gates.py`); to try these one by one costs many times as much. The manner is
that of RE2's FilteredRE2 (R. Cox, "Regular Expression Matching with a Trigram Index", 2012), with words instead of trigrams.
"""

from __future__ import annotations

import importlib
import itertools
import re
from collections.abc import Iterable, Sequence, Set
from typing import Any

# the insides of `re` itself: nothing else reads patterns just as `re` does
_parser: Any = importlib.import_module("re._parser")
_compiler: Any = importlib.import_module("re._compiler")
_ops: Any = importlib.import_module("re._constants")

MOST_WORDS = 8  # that a run of characters may stand for before it is taken apart
MOST_RANGE = 12  # characters
# how often a word stands in a message, roughly: for choosing which words to ask for
COMMON = frozenset("的了一是不我在有人来这个们到大上下里就说去会着没看好要也都过得还给家那你他她吗呢啊吧么天天小时点后前出开")
_OFTEN, _SOMETIMES, _SELDOM, _RARELY = 0.2, 0.02, 0.001, 0.0002

Clause = frozenset[str]  # words of which one must be there


def compiled(pattern: str) -> tuple[re.Pattern[str], list[Clause]]:
    """The pattern, and what a text needs for it: of each of these sets at least one word, the most telling set first.

    Raises `re.error`, also for a pattern that matches where nothing is.
    """
    tree = _parser.parse(pattern)  # what takes longest is done once for both
    expression: re.Pattern[str] = _compiler.compile(tree)
    if not tree.getwidth()[0]:
        raise re.error("matches where nothing is")
    if tree.state.flags & re.IGNORECASE:
        return expression, []
    _, clauses = _read(tree)
    return expression, sorted(set(clauses), key=lambda words: (likelihood(words), sorted(words)))


def likelihood(words: Set[str]) -> float:
    """Roughly how likely it is that a message holds one of the words."""
    return sum((_OFTEN if word in COMMON else _SOMETIMES, _SELDOM, _RARELY)[min(len(word), 3) - 1] for word in words)


def _read(items: Iterable[tuple[Any, Any]]) -> tuple[set[str] | None, list[Clause]]:
    """All that a sequence can be, when that is a few words; and what it needs."""
    clauses: list[Clause] = []
    run: set[str] = {""}
    tail = ""  # of all words of the run
    whole = True
    for op, value in items:
        if op is _ops.LITERAL:
            tail += chr(value)
            continue
        if op in (_ops.ASSERT, _ops.ASSERT_NOT, _ops.AT):
            continue  # of no width: what stands before and after it touches
        words, inner = _item(op, value)
        run, tail = {word + tail for word in run}, ""
        if words is not None and len(run) * len(words) <= MOST_WORDS:
            run = {one + other for one, other in itertools.product(run, words)}
            continue
        whole = False
        clauses += _clause(run)
        run = {""}
        if words is not None and len(words) <= MOST_WORDS:
            run = words
        else:
            clauses += inner
    run = {word + tail for word in run}
    clauses += _clause(run)
    return run if whole else None, clauses


def _item(op: Any, value: Any) -> tuple[set[str] | None, list[Clause]]:
    match op:
        case _ops.IN:
            found = _characters(value)
            return found, _clause(found) if found else []
        case _ops.SUBPATTERN:
            _, added, _, inner = value
            return (None, []) if added & re.IGNORECASE else _read(inner)
        case _ops.ATOMIC_GROUP:
            return _read(value)
        case _ops.BRANCH:
            return _branch(value[1])
        case _ops.MAX_REPEAT | _ops.MIN_REPEAT | _ops.POSSESSIVE_REPEAT:
            least, most, inner = value
            words, clauses = _read(inner)
            if least == 1 and most == 1:
                return words, clauses
            if least == 0 and most == 1 and words is not None:
                return words | {""}, []
            return None, (clauses or _clause(words or {""})) if least else []
        case _:
            return None, []


def _branch(ways: Sequence[Any]) -> tuple[set[str] | None, list[Clause]]:
    """Of a choice one way must be there: what that way needs most."""
    read = [_read(way) for way in ways]
    exact = [words for words, _ in read]
    words = set().union(*(each for each in exact if each is not None)) if None not in exact else None
    best: set[str] = set()
    for each, clauses in read:
        found = clauses or _clause(each or {""})
        if not found:
            return words, []
        best |= found[0] if len(found) == 1 else min(found, key=likelihood)
    return words, [frozenset(best)]


def _characters(items: Sequence[tuple[Any, Any]]) -> set[str] | None:
    """The characters of a class, where they are few."""
    found: set[str] = set()
    for op, value in items:
        if op is _ops.LITERAL:
            found.add(chr(value))
        elif op is _ops.RANGE and value[1] - value[0] < MOST_RANGE:
            found.update(map(chr, range(value[0], value[1] + 1)))
        else:
            return None
    return found


def _clause(words: set[str]) -> list[Clause]:
    """The words as something that is needed; nothing when one of them is empty."""
    return [] if "" in words else [frozenset(words)]

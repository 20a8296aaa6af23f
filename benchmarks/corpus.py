"""The stream that every router gets: 80 % small talk, 16 % messages with one of 300 keywords, 3 % commands, 1 % for a pattern."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bot.understanding.understanding import Understanding
from tests.understanding.chatter import chatter

CONTENT = Path(__file__).resolve().parent.parent / "content"
COMMANDS = ("help", "show", "ask", "queue", "take", "contact", "request", "resolve", "reply", "duty")
PATTERN = r"\d{4}-\d{4}"
MESSAGES = 20_000
GROUPS = 40
PEOPLE = 500


@dataclass(frozen=True, slots=True)
class Said:
    """One message of the stream, for every platform's own shape."""

    number: int
    group: int
    person: int
    text: str


@dataclass(frozen=True, slots=True)
class Stream:
    """What is said, and the 300 keywords that a keyword bot would have to know."""

    said: list[Said]
    keywords: list[str]


def stream(count: int = MESSAGES, seed: int = 7) -> Stream:
    """The same stream for everybody."""
    dice = random.Random(seed)
    talk = list(chatter(10_000))
    matters = _matters()
    keywords = _keywords(matters, dice)
    matters = [text for text in matters if any(word in text for word in keywords)]
    said = []
    for number in range(count):
        kind = dice.random()
        if kind < 0.80:
            text = dice.choice(talk)
        elif kind < 0.96:
            text = dice.choice(matters)
        elif kind < 0.99:
            text = f"/{dice.choice(COMMANDS)} 2611-{dice.randrange(1, 999):04d}"
        else:
            text = f"2611-{dice.randrange(1, 999):04d}那件事怎么样了"
        said.append(Said(number, dice.randrange(GROUPS), dice.randrange(PEOPLE), text))
    return Stream(said, keywords)


def frames(said: list[Said], shape: Callable[[Said], object]) -> list[bytes]:
    """The stream as a platform would send it."""
    return [json.dumps(shape(one), ensure_ascii=False).encode() for one in said]


def _matters() -> list[str]:
    """What residents bring: the training texts of every intent but small talk."""
    found = []
    for path in sorted((CONTENT / "training").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row.get("intent", "chat") != "chat":
                found.append(str(row["text"]))
    return found


def _keywords(matters: list[str], dice: random.Random) -> list[str]:
    """300 words of our own lexicon that occur in what residents bring."""
    known = Understanding.load(CONTENT).triggers.words
    words = [word for word in known if len(word) >= 2 and any(word in text for text in matters)]
    return sorted(dice.sample(sorted(words), 300))

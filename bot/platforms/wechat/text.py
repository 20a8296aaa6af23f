"""Our plain sentences in the form that WeChat takes: parts of bearable length, names that call a person, a link as a card."""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_TEXT = 1800  # characters of a message; WeChat cuts longer ones off on some phones
CALL_END = "\u2005"  # the narrow blank by which WeChat knows that a name was called
MOST_TITLE = 48
MOST_DESCRIPTION = 96  # what a card shows; whoever has more to say writes a text

_LAST_LINK = re.compile(r"\A(?P<title>[^\n]{1,48})\n(?P<rest>.*?)\s*(?P<url>https://[^\s]{4,512})\s*\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Card:
    """A link card."""

    title: str
    description: str
    url: str


def split(text: str, most: int = MOST_TEXT) -> list[str]:
    """`text` in parts of at most `most` characters, cut at the end of a line where that wastes less than half a part."""
    parts: list[str] = []
    rest = text
    while len(rest) > most:
        line = rest.rfind("\n", most // 2, most)
        cut = line if line > 0 else most
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip("\n")
    return [*parts, rest]


def calling(text: str, name: str) -> str:
    """The text with a person called by name before it."""
    return f"@{_one_line(name)}{CALL_END}{text}"


def card_of(text: str) -> Card | None:
    """A text that is a title, a line or two, and a link at its end, as a card; None for everything that says more.

    A card shows two lines and hides the rest, so a danger, a receipt or a post of several lines is never one.
    """
    found = _LAST_LINK.match(text)
    if found is None:
        return None
    description = found["rest"].strip()
    if len(description) > MOST_DESCRIPTION or description.count("\n") > 1 or "https://" in description:
        return None
    return Card(found["title"].strip(), description, found["url"])


def _one_line(name: str) -> str:
    """A display name with nothing in it that could end the call or begin another one."""
    return re.sub(r"[\s\u2005@]+", " ", name).strip()[:32]

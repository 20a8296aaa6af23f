"""Our plain sentences in the form that Telegram takes: parts of bearable length, names that call a person, buttons."""

from __future__ import annotations

import html

from bot.messages import Choice

MOST_TEXT = 4096  # UTF-16 code units of a message
MOST_CAPTION = 1024  # the same, under a photo
MOST_DATA = 64  # bytes of a button's value
_SHORT = 4  # characters of a label of which five fit into one row


def units(text: str) -> int:
    """The length as Telegram counts it: in UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


def split(text: str, most: int = MOST_TEXT) -> list[str]:
    """`text` in parts of at most `most` units, cut at the end of a line where that wastes less than half a part."""
    if 2 * len(text) <= most:
        return [text]  # no character has more than two units
    parts: list[str] = []
    rest = text
    while units(rest) > most:
        end = _fitting(rest, most)
        line = rest.rfind("\n", end // 2, end)
        cut = line if line > 0 else end
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip("\n")
    return [*parts, rest]


def _fitting(text: str, most: int) -> int:
    """How many characters from the beginning have at most `most` units."""
    used = 0
    for index, character in enumerate(text):
        used += 2 if ord(character) > 0xFFFF else 1
        if used > most:
            return index
    return len(text)


def calling(text: str, person: str, name: str) -> str:
    """HTML: the person called by name, then the text with nothing in it that could be markup."""
    return f'<a href="tg://user?id={int(person)}">{html.escape(name)}</a> {html.escape(text, quote=False)}'


def buttons(choices: tuple[Choice, ...]) -> dict[str, list[list[dict[str, str]]]] | None:
    """Buttons for the choices whose value fits, as the Bot API's InlineKeyboardMarkup; typing the value is always the equal way,
    so none is missed for good."""
    fitting = [choice for choice in choices if choice.value and len(choice.value.encode()) <= MOST_DATA]
    if not fitting:
        return None
    made = [{"text": choice.label, "callback_data": choice.value} for choice in fitting]
    wide = 5 if all(len(choice.label) <= _SHORT for choice in fitting) else 2
    return {"inline_keyboard": [made[index : index + wide] for index in range(0, len(made), wide)]}

"""How people spell what stands for something of ours: a command's name, a role, a number. Traditional characters and full-width
letters and digits are the same word."""

from __future__ import annotations

from functools import cache
from pathlib import Path

LEXICON = Path(__file__).with_name("lexicon")
STOPS = " \t\r\n\u3000。．.！!~～，,、；;：:？?"  # what a phone's keyboard puts behind a word
_FULL_WIDTH = {code: chr(code - 0xFEE0) for code in range(0xFF10, 0xFF5B) if chr(code - 0xFEE0).isalnum()} | {0x3000: " "}
# 回覆 is how 回复 is written with traditional characters; in 覆盖 the character is a simplified one, too, and stays
_IN_WORDS = {"回覆": "回复"}


def pairs(lexicon: Path = LEXICON) -> list[str]:
    """The pairs of `traditional.txt`: a traditional character and its simplified one."""
    lines = (lexicon / "traditional.txt").read_text(encoding="utf-8").splitlines()
    return [pair for line in lines if not line.startswith("#") for pair in line.split()]


@cache
def _table() -> dict[int, str]:
    return {ord(pair[0]): pair[1] for pair in pairs()} | _FULL_WIDTH


def simplified(text: str) -> str:
    """The text with simplified characters and half-width letters and digits; as long as before."""
    if text.isascii():
        return text
    text = text.translate(_table())
    for written, meant in _IN_WORDS.items():
        text = text.replace(written, meant)
    return text


def named(text: str) -> str:
    """What a text names, without the full stop that a keyboard put behind it."""
    return simplified(text).strip(STOPS)

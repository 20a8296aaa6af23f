"""A post as a picture that is read on a phone: title and text in the house's colours, drawn once per post.

Everything on it is the post's own; what differs from group to group stands in the message beside it. 1080 pixels wide, so that
the body's letters come to about 18 points on a phone's screen.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from pylopdf_fonts_zh_cn import sans_path

from content.posts import CATEGORIES, Audience, Post

WIDTH = 1080
MARGIN = 72
TITLE, BODY, SMALL = 76, 54, 34
LEADING = 1.5
PAPER, INK, SOFT = "#faf8f3", "#1f2421", "#5a605b"
COLOURS = {
    "news": "#155c9c",
    "prevention": "#b3541e",
    "antifraud": "#b3261e",
    "police_notice": "#1d4fa8",
    "local_spirit": "#15704a",
    "qa": "#5b3da5",
    "law": "#1d4fa8",
    "health": "#1a6341",
    "lost_and_missing": "#7a4a05",
}
MOST_LINES = 40
# what must not begin a line is drawn beyond the margin instead
_HANGING = "，。、；：！？）》”’…—·%,.;:!?)"
one_at_a_time = threading.Lock()  # FreeType's faces are not made for several threads


@lru_cache(maxsize=8)
def font(size: int) -> ImageFont.FreeTypeFont:
    """Noto Sans SC (SIL Open Font License 1.1), which comes with a package, so that it is there on every machine."""
    return ImageFont.truetype(sans_path(), size)


def draw_card(post: Post, audience: Audience) -> bytes:
    """The JPEG. `audience` are neutral names, since all groups see the same picture."""
    title = list(_wrapped(post.title, TITLE))
    body = [line for part in post.render_body(audience).splitlines() for line in _wrapped(part, BODY)][:MOST_LINES]
    source = list(_wrapped(f"来源：{post.source}（{post.checked_on:%Y年%m月}核对）", SMALL))
    head = SMALL + MARGIN
    height = int(head + MARGIN + _high(title, TITLE) + MARGIN // 2 + _high(body, BODY) + MARGIN + _high(source, SMALL) + MARGIN)
    colour = COLOURS[post.category]
    with one_at_a_time:
        image = Image.new("RGB", (WIDTH, height), PAPER)
        draw = ImageDraw.Draw(image)
        draw.rectangle((0, 0, WIDTH, head), fill=colour)
        draw.text((MARGIN, head / 2), CATEGORIES[post.category], font=font(SMALL), fill=PAPER, anchor="lm")
        draw.text((WIDTH - MARGIN, head / 2), audience.station, font=font(SMALL), fill=PAPER, anchor="rm")
        top = _write(draw, title, TITLE, head + MARGIN, colour, stroke=2)
        top = _write(draw, body, BODY, top + MARGIN / 2, INK)
        draw.line((MARGIN, top + MARGIN / 2, WIDTH - MARGIN, top + MARGIN / 2), fill="#dedad0", width=2)
        _write(draw, source, SMALL, top + MARGIN * 0.8, SOFT)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=85, optimize=True)
    return file.getvalue()


def write_card(post: Post, audience: Audience, path: Path) -> None:
    """Draw it into `path`, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(draw_card(post, audience))
    part.chmod(0o600)
    part.replace(path)


def _high(lines: list[str], size: int) -> float:
    return len(lines) * size * LEADING


def _write(draw: ImageDraw.ImageDraw, lines: list[str], size: int, top: float, colour: str, stroke: int = 0) -> float:
    for line in lines:
        draw.text((MARGIN, top), line, font=font(size), fill=colour, stroke_width=stroke, stroke_fill=colour)
        top += size * LEADING
    return top


def _wrapped(text: str, size: int) -> Iterator[str]:
    """The text in lines that fit: words of Latin letters and numbers stay whole where they can."""
    face, room = font(size), WIDTH - 2 * MARGIN
    line = ""
    for piece in _pieces(text):
        if not line or face.getlength(line + piece) <= room or (piece in _HANGING and face.getlength(line) <= room):
            line += piece
            continue
        yield line.rstrip()
        line = piece.lstrip()
        while face.getlength(line) > room:  # a word longer than the line
            cut = next(length for length in range(len(line) - 1, 0, -1) if face.getlength(line[:length]) <= room)
            yield line[:cut]
            line = line[cut:]
    if line:
        yield line.rstrip()


def _pieces(text: str) -> Iterator[str]:
    """What may be parted from its neighbours: every Chinese character, and whole runs of ASCII."""
    word = ""
    for character in text:
        if character.isascii() and (character.isalnum() or character in "-./@_"):
            word += character
            continue
        if word:
            yield word
            word = ""
        yield character
    if word:
        yield word

"""Draws a month in figures: bars with their numbers beside them, in the manner of the posts' cards."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw

from content.cards import INK, MARGIN, PAPER, SMALL, SOFT, TITLE, WIDTH, font, one_at_a_time
from content.charts import Bar, Block, Chart

MOST_BARS = 8  # of one block; more are not read on a phone
HEAD, LABEL, ROW, THICK, STUB = 50, 42, 76, 44, 14
BAR, PALE, UNTOLD = "#15704a", "#bcd8c9", "#d9d5ca"
LABELS, NUMBERS = 330, 190  # room for the words before a bar and for the number behind it


def draw_chart(chart: Chart) -> bytes:
    """The JPEG, 1080 pixels wide."""
    head = SMALL + MARGIN
    rows = sum(len(block.bars[:MOST_BARS]) for block in chart.blocks)
    high = head + MARGIN + TITLE * 1.5 + len(chart.blocks) * (HEAD * 2.3) + rows * ROW + (SMALL * 2 if chart.note else 0) + MARGIN
    with one_at_a_time:
        image = Image.new("RGB", (WIDTH, int(high)), PAPER)
        draw = ImageDraw.Draw(image)
        draw.rectangle((0, 0, WIDTH, head), fill=BAR)
        draw.text((WIDTH - MARGIN, head / 2), chart.station, font=font(SMALL), fill=PAPER, anchor="rm")
        draw.text((MARGIN, head + MARGIN), chart.title, font=font(TITLE), fill=BAR, stroke_width=2, stroke_fill=BAR)
        top = head + MARGIN + TITLE * 1.5
        for block in chart.blocks:
            top = _draw_block(draw, block, top)
        if chart.note:
            draw.text((MARGIN, top + SMALL / 2), chart.note, font=font(SMALL), fill=SOFT)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=85, optimize=True)
    return file.getvalue()


def _draw_block(draw: ImageDraw.ImageDraw, block: Block, top: float) -> float:
    draw.text((MARGIN, top + HEAD * 0.5), block.title, font=font(HEAD), fill=INK, stroke_width=1, stroke_fill=INK)
    top += HEAD * 2.3
    bars = block.bars[:MOST_BARS]
    most = max([1, *(bar.value for bar in bars), *(bar.before or 0 for bar in bars)])
    for bar in bars:
        _draw_bar(draw, bar, most, top)
        top += ROW
    return top


def _draw_bar(draw: ImageDraw.ImageDraw, bar: Bar, most: int, top: float) -> None:
    left, room, middle = MARGIN + LABELS, WIDTH - 2 * MARGIN - LABELS - NUMBERS, top + THICK / 2
    draw.text((MARGIN, middle), _fitting(bar.label), font=font(LABEL), fill=INK, anchor="lm")
    if bar.before is not None and bar.before > 0:
        draw.rectangle((left, top - 6, left + room * bar.before / most, top + THICK + 6), fill=PALE)
    length = room * bar.value / most if bar.value >= 0 else STUB
    if length:
        draw.rectangle((left, top, left + length, top + THICK), fill=BAR if bar.value >= 0 else UNTOLD)
    reached = max(length, room * max(bar.before or 0, 0) / most)
    draw.text((left + reached + 16, middle), bar.said, font=font(LABEL), fill=INK, anchor="lm")


def _fitting(label: str) -> str:
    """The label, cut to its room."""
    face = font(LABEL)
    if face.getlength(label) <= LABELS - 20:
        return label
    while label and face.getlength(f"{label}…") > LABELS - 20:
        label = label[:-1]
    return f"{label}…"

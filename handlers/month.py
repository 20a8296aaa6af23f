"""The month's figures as a picture: what may be told of them, in the words of content/phrases/desk.toml."""

from __future__ import annotations

from collections.abc import Sequence

from bot.say import Say
from cases.statistics import MonthCount
from content.charts import Bar, Block, Chart


def month_chart(table: MonthCount, trends: Sequence[tuple[str, int, int]], least: int, station: str, say: Say) -> str | None:
    """What goes in the place of a photo; None in a month without cases."""
    if not table.total:
        return None
    outcomes = tuple(
        _bar(say, say.word(f"desk.chart.{name}"), number, least)
        for name, number in (
            ("open", table.open),
            ("confirmed", table.confirmed),
            ("unreached", table.unreached),
            ("rejected", table.rejected),
        )
    )
    kinds = tuple(_bar(say, name, number, least) for name, number in table.kinds if number is not None)
    grids = tuple(_bar(say, name, number, least) for name, number in table.grids)
    often = tuple(_trend(say, row, least) for row in trends)
    blocks = [
        Block(say.word(f"desk.chart.{name}"), bars)
        for name, bars in (("outcomes", outcomes), ("kinds", kinds), ("grids", grids), ("trends", often))
        if bars
    ]
    title = say.word("desk.chart.title", month=table.month, total=table.total)
    untold = any(bar.value < 0 or (bar.before or 0) < 0 for block in blocks for bar in block.bars)
    note = say.word("desk.chart.note", least=least) if untold else ""
    return Chart(title, station, tuple(blocks), note).as_photo()


def _bar(say: Say, label: str, number: int, least: int) -> Bar:
    return Bar(label, number, say.word("desk.chart.number", number=number, least=least))


def _trend(say: Say, row: tuple[str, int, int], least: int) -> Bar:
    name, number, before = row
    said = say.word("desk.chart.beside", number=number, before=before, least=least)
    return Bar(name, number, said, before)

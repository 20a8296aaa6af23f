"""How far a case is, written below the answer that everybody has read: no new message, and nobody has to ask."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from bot.say import Say
from cases.desk import CaseDesk


def keep_lines(desk: CaseDesk, say: Say, zone: ZoneInfo, now: datetime) -> None:
    """Every case that took a step in this turn gets its line, once."""
    for case in {case.id: case for case in desk.moved}.values():
        if not say.has_line(case):
            continue
        at = now.astimezone(zone).strftime("%m-%d %H:%M")
        say.keep_line(case, "progress.line", state=desk.state_name(case), unit=desk.unit_names(case), at=at)

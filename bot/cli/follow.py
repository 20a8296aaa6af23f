"""How far a campaign is, in one line of the terminal that grows until the campaign is over."""

from __future__ import annotations

import shutil
import sys
import time
from collections import deque

import typer
from sqlmodel import Session

from bot.campaigns import CampaignState, Progress
from bot.campaigns.progress import progress_of
from storage.tables import Campaign
from storage.writer import Writer

LOOK_SECONDS = 0.5
LINE_SECONDS = 10.0  # between two lines where no terminal can redraw one
STILL_SECONDS = 20.0  # without any movement: a word about it
WIDTH = 30
OVER = (CampaignState.DONE, CampaignState.STOPPED, CampaignState.HALTED)
GOING = (CampaignState.TRIAL, CampaignState.SENDING)


def follow_campaign(writer: Writer, number: int) -> None:
    """Show it until it is done, stopped or halted; Ctrl+C only stops looking."""
    try:
        _follow(writer, number)
    except KeyboardInterrupt:
        again, end = f"qianshao post status {number} --follow", f"qianshao post stop {number}"
        typer.echo(f"\nit goes on without you looking; again: {again}; end it: {end}")


def _follow(writer: Writer, number: int) -> None:
    pace: deque[tuple[float, int]] = deque(maxlen=40)
    live, said_at, moved_at, hinted = sys.stdout.isatty(), 0.0, time.monotonic(), False
    while True:
        state, progress = writer.read_now(lambda session: _look(session, number))
        now = time.monotonic()
        if pace and pace[-1][1] != _ended(progress):
            moved_at = now
        pace.append((now, _ended(progress)))
        line = bar(state, progress, _rate(pace))
        over = (state in OVER and not progress.notices.get("sending")) or (bool(progress.total) and not progress.open)
        if live:
            # a line that breaks cannot be redrawn
            typer.echo(f"\r\x1b[2K{line[: shutil.get_terminal_size().columns - 1]}", nl=over)
        elif over or now - said_at >= LINE_SECONDS:
            typer.echo(line)
            said_at = now
        if over:
            return
        if state in GOING and now - moved_at > STILL_SECONDS and not hinted:
            lead = "\n" if live else ""
            typer.echo(f"{lead}nothing has left for {STILL_SECONDS:.0f} s: is the bot running (qianshao run)?")
            hinted = True
        time.sleep(LOOK_SECONDS)


def bar(state: str, progress: Progress, rate: float) -> str:
    """The line: a bar, groups, rate per second, time left, and what went wrong."""
    ended, total = _ended(progress), progress.total
    filled = WIDTH * ended // total if total else 0
    left = f", {_clock(progress.open / rate)} left" if rate > 0 and progress.open else ""
    wrong = "".join(
        f", {word} {count}"
        for word, count in (("failed", progress.notices.get("dead")), ("unknown", progress.notices.get("unknown")))
        if count
    )
    if stopped := progress.notices.get("cancelled"):
        wrong += f", not sent any more {stopped}"
    percent = 100 * ended // total if total else 0
    drawn = "#" * filled + "-" * (WIDTH - filled)
    return f"campaign {progress.campaign.id} {state} [{drawn}] {ended}/{total} {percent} %, {rate:.1f}/s{left}{wrong}"


def _ended(progress: Progress) -> int:
    """Groups that have got it, or will not get it for a reason of their own; what was stopped is neither."""
    return progress.total - progress.open - progress.notices.get("cancelled", 0)


def _look(session: Session, number: int) -> tuple[str, Progress]:
    campaign = session.get_one(Campaign, number)
    return campaign.state, progress_of(session, campaign)


def _rate(pace: deque[tuple[float, int]]) -> float:
    (began, first), (now, last) = pace[0], pace[-1]
    return (last - first) / (now - began) if now > began else 0.0


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"

"""Every figure of docs/performance.md as one Markdown table.

    python -m benchmarks [ROUNDS] [router|report|intake|start|wechat ...]

Each figure is a ratio. In every round the sides run one after the other, each in a process of its own, so that what else the
machine does meets all of them; the median of the rounds' ratios counts, the lowest and highest stand beside it.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass

Figures = dict[str, float]
Round = dict[str, Figures]  # by the side's name


@dataclass(frozen=True, slots=True)
class Ratio:
    """One line of the table: `over` of one side divided by `under` of another, and the goal for it."""

    title: str
    over: tuple[str, str]  # side and its figure
    under: tuple[str, str]
    goal: str

    def of(self, found: Round) -> float:
        return found[self.over[0]][self.over[1]] / found[self.under[0]][self.under[1]]


SIDES: dict[str, tuple[str, ...]] = {
    "router": ("keywords", "qianshao", "rules", "ptb", "aiogram", "nonebot"),
    "report": ("both",),
    "intake": ("ours", "memory", "unkept", "sqlmodel"),
    "start": ("bot", "libraries", "jieba"),
    "wechat": ("both", "memory"),
}
RATIOS: dict[str, tuple[Ratio, ...]] = {
    "router": (
        Ratio("Router, 300 keywords each: beside python-telegram-bot 22.8", ("keywords", "rate"), ("ptb", "rate"), "≥ 10"),
        Ratio("Router, 300 keywords each: beside aiogram 3.31", ("keywords", "rate"), ("aiogram", "rate"), "≥ 30"),
        Ratio("Router, 300 keywords each: beside NoneBot2 2.5, one matcher", ("keywords", "rate"), ("nonebot", "rate"), "≥ 50"),
        Ratio("Router with our whole reading: beside python-telegram-bot", ("qianshao", "rate"), ("ptb", "rate"), ""),
        Ratio("Router with our whole reading: beside aiogram", ("qianshao", "rate"), ("aiogram", "rate"), ""),
        Ratio("Router with our whole reading: beside NoneBot2", ("qianshao", "rate"), ("nonebot", "rate"), ""),
        Ratio("Router, rules alone: beside python-telegram-bot", ("rules", "rate"), ("ptb", "rate"), ""),
        Ratio("Router, p50 of a message: beside python-telegram-bot", ("qianshao", "p50_us"), ("ptb", "p50_us"), ""),
    ),
    "report": (
        Ratio("One durable report, p50: beside a raw SQLite commit", ("both", "ours_p50_us"), ("both", "bare_p50_us"), "≤ 1.3"),
    ),
    "intake": (
        Ratio(
            "50 at once over HTTP, requests/s: beside the same server without storage",
            ("ours", "rate"),
            ("unkept", "rate"),
            "≥ 0.7",
        ),
        Ratio("50 at once: beside a server that only parses and glances", ("ours", "rate"), ("memory", "rate"), ""),
        Ratio("50 at once: beside SQLModel on aiosqlite one by one", ("ours", "rate"), ("sqlmodel", "rate"), "≥ 12"),
        Ratio(
            "50 at once, processor time a request, µs: beside the same without storage",
            ("ours", "cpu_us"),
            ("unkept", "cpu_us"),
            "",
        ),
        Ratio("50 at once, the same: beside a server that only parses and glances", ("ours", "cpu_us"), ("memory", "cpu_us"), ""),
        Ratio("50 at once, the same: beside SQLModel", ("ours", "cpu_us"), ("sqlmodel", "cpu_us"), ""),
    ),
    "wechat": (
        Ratio("WeChat, messages/s: beside the bare MessagePayload calls", ("both", "ours"), ("both", "bare"), "≥ 0.8"),
        Ratio("WeChat, memory after all messages: after a tenth", ("memory", "end_mb"), ("memory", "begin_mb"), "≤ 1.05"),
    ),
    "start": (
        Ratio("Start to first answer, processor time: beside the libraries", ("bot", "cpu_s"), ("libraries", "cpu_s"), ""),
        Ratio("Start to first answer: beside the libraries with jieba", ("bot", "cpu_s"), ("jieba", "cpu_s"), "≤ 0.7"),
        Ratio("Memory at the first answer: beside the libraries", ("bot", "rss_mb"), ("libraries", "rss_mb"), "≤ 1.4"),
    ),
}


def measure(name: str, side: str) -> Figures:
    """One side in a process of its own."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *([] if side == "both" else [side])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command[1:])} failed:\n{done.stderr[-2000:]}")
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    print(f"{name} {side}: {json.dumps({key: round(value, 2) for key, value in found.items()})}", file=sys.stderr, flush=True)
    return found


def rows(name: str, rounds: list[Round]) -> Iterable[str]:
    """The table's lines of one benchmark."""
    for ratio in RATIOS[name]:
        each = sorted(ratio.of(one) for one in rounds)
        over, under = (statistics.median(one[side][figure] for one in rounds) for side, figure in (ratio.over, ratio.under))
        yield (
            f"| {ratio.title} | **{statistics.median(each):.2f}** ({each[0]:.2f} to {each[-1]:.2f}) | {ratio.goal} "
            f"| {over:,.1f} | {under:,.1f} |"
        )


def main() -> None:
    """All of it, or what is named."""
    words = sys.argv[1:]
    count = int(words.pop(0)) if words and words[0].isdigit() else 3
    names = words or list(SIDES)
    found: dict[str, list[Round]] = {name: [] for name in names}
    for _ in range(count):
        for name in names:
            found[name].append({side: measure(name, side) for side in SIDES[name]})
    print("| what | ratio, median (range) | goal | ours | the other |\n|---|---|---|---|---|")
    for name in names:
        print("\n".join(rows(name, found[name])))


if __name__ == "__main__":
    main()

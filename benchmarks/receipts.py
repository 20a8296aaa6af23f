"""Does the time of a look-up say whether a receipt exists?

Looks up receipts that exist, that do not, and whose tip is over, in random order, through `Tips.by_receipt` on a SQLite file,
and compares the processor time of each kind by Welch's t-test (B. L. Welch, Biometrika 34, 1947; |t| > 4.5 is what side-
channel testing calls a leak, see O. Reparaz et al., "Dude, is my code constant time?", 2017). Two planted faults have to be
noticed: a look-up that returns early for what it does not find, and one that does a little more work for what it finds.

    python -m benchmarks.receipts [measurements of each kind]
"""

from __future__ import annotations

import contextlib
import math
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlmodel import Session, SQLModel, create_engine, select

from cases.tips import TipKeys, Tips, read_receipt
from cases.tips.keys import Claim
from content.refusal import Refusal
from storage.tables import Tip

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
TIPS = 80
LEAK = 4.5
CROP = 0.9  # the slowest tenth of all measurements is the machine's doing, not the look-up's
KINDS = ("known", "unknown", "over")


@dataclass(frozen=True, slots=True)
class Test:
    """Welch's t of two kinds, and the difference of their means in microseconds."""

    t: float
    difference: float


def welch(first: list[float], second: list[float]) -> Test:
    """The t statistic of two samples with their own variances."""
    means = statistics.fmean(first), statistics.fmean(second)
    spread = math.sqrt(statistics.variance(first) / len(first) + statistics.variance(second) / len(second))
    return Test((means[0] - means[1]) / spread, means[0] - means[1])


class EarlyReturn(TipKeys):
    """Planted: what is not found costs nothing."""

    known: frozenset[str] = frozenset()

    def claim(self, digits: str) -> Claim:
        return super().claim(digits) if not self.known or digits in self.known else Claim("", bytes(32))


class LittleMore(TipKeys):
    """Planted: two milliseconds more for what is found."""

    known: frozenset[str] = frozenset()

    def claim(self, digits: str) -> Claim:
        made = super().claim(digits)
        until = time.thread_time_ns() + (2_000_000 if digits in self.known else 0)
        while time.thread_time_ns() < until:
            pass
        return made


def measure(make: Callable[[Path], TipKeys], rounds: int) -> dict[str, list[float]]:
    """Microseconds of processor time by kind."""
    dice = random.Random(6)
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{folder}/tips.db")
        SQLModel.metadata.create_all(engine)
        keys = make(Path(folder) / "keys")
        with Session(engine) as session:
            room = Tips(session, keys, NOW)
            receipts = [receipt for _ in range(TIPS) if (receipt := _tell(room)) is not None]
            if isinstance(keys, EarlyReturn | LittleMore):
                keys.known = frozenset(receipts)
            over = receipts[: TIPS // 2]
            tags = {keys.claim(digits).tag for digits in over}
            for tip in session.exec(select(Tip)).all():
                if tip.receipt_tag in tags:
                    tip.expires_at = NOW - timedelta(days=1)
                    session.add(tip)
            session.commit()
            given = {
                "known": lambda: dice.choice(receipts[TIPS // 2 :]),
                "unknown": lambda: "".join(dice.choice("0123456789") for _ in range(20)),
                "over": lambda: dice.choice(over),
            }
            order = [kind for kind in KINDS for _ in range(rounds)]
            dice.shuffle(order)
            times: dict[str, list[float]] = {kind: [] for kind in KINDS}
            for number, kind in enumerate(order):
                digits = given[kind]()
                keys.guard._all.clear()  # the common brake is not what is measured
                began = time.thread_time_ns()
                with contextlib.suppress(Refusal):
                    room.by_receipt(digits, str(number))
                times[kind].append((time.thread_time_ns() - began) / 1000)
        engine.dispose()
    limit = sorted(one for found in times.values() for one in found)[int(len(order) * CROP) - 1]
    return {kind: [one for one in found if one <= limit] for kind, found in times.items()}


def _tell(room: Tips) -> str | None:
    return read_receipt(room.receive("有人在3号楼租房开赌局").digits)


def main(rounds: int) -> int:
    """Print the table; 1 when there is a leak, or a planted one goes unnoticed."""
    bad = 0
    print(f"{'look-up':<14} {'compared':<18} {'t':>8} {'difference µs':>14}  verdict")
    for name, make, count, leaks in (
        ("as it is", TipKeys, rounds, False),
        ("early return", EarlyReturn, max(50, rounds // 10), True),
        ("a little more", LittleMore, rounds, True),
    ):
        times = measure(make, count)
        for other in ("unknown", "over"):
            if leaks and other == "over":
                continue
            test = welch(times["known"], times[other])
            leak = abs(test.t) > LEAK
            bad += leak is not leaks
            verdict = ("leak" if leak else "no leak") + ("" if leak is leaks else "  UNEXPECTED")
            print(f"{name:<14} {f'known / {other}':<18} {test.t:>8.2f} {test.difference:>14.1f}  {verdict}")
        mean = statistics.fmean(times["known"])
        print(f"{'':<14} known: {len(times['known'])} measurements kept, {mean:,.0f} µs on average")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))

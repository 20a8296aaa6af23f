"""Named places at which a test may kill the process, to prove that nothing acknowledged is lost there.

Set `QIANSHAO_FAILPOINT=name` or `name:n` (the n-th passage). Without the variable a failpoint costs one comparison.
"""

from __future__ import annotations

import os
import signal

NAMES: frozenset[str] = frozenset(
    {
        "inbox.before_commit",
        "inbox.committed",
        "inbox.confirmed",
        "photo.fetched",
        "photo.stored",
        "work.handled",
        "work.before_commit",
        "work.committed",
        "outbox.claimed",
        "outbox.before_send",
        "outbox.sent",
        "outbox.receipt",
        "schedule.recorded",
        "schedule.enqueued",
        "lot.taken",
        "lot.committed",
    }
)

_armed = ""
_passages_left = 0


def arm(point: str) -> None:
    """Arm `name` or `name:n`; "" disarms. Raises ValueError for a name that no code passes."""
    global _armed, _passages_left
    name, _, count = point.partition(":")
    if name and name not in NAMES:
        raise ValueError(f"QIANSHAO_FAILPOINT: no failpoint {name!r}; there are {', '.join(sorted(NAMES))}")
    _armed, _passages_left = name, int(count or 1)


def failpoint(name: str) -> None:
    """Die here, as by `kill -9`, when this point is armed and its passages are used up."""
    if _armed != name:
        return
    global _passages_left
    _passages_left -= 1
    if _passages_left == 0:
        os.kill(os.getpid(), signal.SIGKILL)


arm(os.environ.get("QIANSHAO_FAILPOINT", ""))

"""Files for their owner alone, whatever the umask of the process is (decision 0310)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

MODE = 0o600


def opener(path: str, flags: int) -> int:
    """For `open(…, opener=opener)`: a new file, or one that is written anew, can be read by its owner alone."""
    descriptor = os.open(path, flags, MODE)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):  # /dev/stdout is everybody's
        os.fchmod(descriptor, MODE)
    return descriptor


def tighten(path: Path) -> None:
    """Take the rights of others from a file that an older version wrote; fine when it is gone."""
    try:
        if path.stat().st_mode & 0o077:
            path.chmod(MODE)
    except FileNotFoundError:
        return

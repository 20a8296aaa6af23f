"""One bot on one SQLite database: a second one would answer everything twice and take what the first is sending for lost."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from bot.errors import ConfigError


@contextlib.contextmanager
def alone_on(database: Path) -> Iterator[None]:
    """Hold the lock beside the database's file. The kernel gives it back whatever ends the process. Raises ConfigError."""
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = database.with_name(f"{database.name}.lock")
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.read(descriptor, 20).decode(errors="replace").strip()
            raise ConfigError(
                f"{database}: a bot runs on this database already (process {who or 'unknown'}); stop it first, or give this one "
                "a folder of its own: bot.data_dir in config.toml or QIANSHAO_BOT__DATA_DIR"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)

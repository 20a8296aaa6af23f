"""An empty SQLite file with all revisions, made once for all tests: running them takes half a second of a processor."""

from __future__ import annotations

import functools
import os
import tempfile
import warnings
from pathlib import Path

from storage.database import OldLibrary, prepare

SQLITE = "sqlite:///"


def lay_empty(url: str) -> None:
    """Put a copy where a SQLite database is to be that is not there yet; everything else is for whoever opens it."""
    path = Path(url.removeprefix(SQLITE))
    if not url.startswith(SQLITE) or path.exists() or not path.parent.is_dir():
        return
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.write(file, _migrated())
    finally:
        os.close(file)


@functools.cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", OldLibrary)
        prepare(f"{SQLITE}{folder}/empty.sqlite3").close()
        return (Path(folder) / "empty.sqlite3").read_bytes()

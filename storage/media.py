"""Photos as files: each sealed under a key of its own, so that destroying the key ends the photo in every backup, too.

A file below the folder `media` is a byte 1, the key's name, a line break and the sealed picture. The key is a row of `shred_key`,
written in the transaction that makes the photo's row. A file whose transaction never came is unreadable from the start and is
swept away.
"""

from __future__ import annotations

import os
import secrets
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from storage.keyring import find_key
from storage.private import opener
from storage.sealing import Sealed, new_key, open_with, seal_with

MARK = b"\x01photo:"
SUFFIX = ".photo"
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Stored:
    """A photo on disk: its path below the data directory, the name of its key, and the key that no row has yet."""

    path: str
    seal: str
    key: bytes


def store(media: Path, picture: bytes) -> Stored:
    """Seal a picture under a new key and write it durably. Blocks."""
    name, key = secrets.token_hex(16), new_key()
    seal = f"photo:{name}"
    folder = media / name[:2]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{name}{SUFFIX}"
    part = path.with_suffix(".part")
    with open(part, "wb", opener=opener) as file:
        file.write(b"\x01" + seal.encode() + b"\n" + seal_with(key, picture))
        file.flush()
        os.fsync(file.fileno())
    # when a picture of a tip came could name its source: a file is as old as its day (UTC)
    midnight = time.time() // DAY_SECONDS * DAY_SECONDS
    os.utime(part, (midnight, midnight))
    part.rename(path)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return Stored(f"{media.name}/{name[:2]}/{path.name}", seal, key)


def seal_name(path: str) -> str:
    """The name of the key of the photo at this path."""
    return f"photo:{Path(path).stem}"


def opened(raw: bytes) -> bytes:
    """The picture in a file's bytes; what was never sealed as it is. FileNotFoundError when its key was destroyed. Blocks."""
    if not raw.startswith(MARK):
        return raw
    head, _, sealed = raw.partition(b"\n")
    key = find_key(head[1:].decode("ascii", "replace"))
    if key is None:
        raise FileNotFoundError("the key of this photo was destroyed")
    return _open(key, sealed)


def opened_with(key: bytes, raw: bytes) -> bytes:
    """The picture in a file's bytes, by a key that lies elsewhere than with the other keys. FileNotFoundError for another one."""
    return _open(key, raw.partition(b"\n")[2])


def _open(key: bytes, sealed: bytes) -> bytes:
    try:
        return open_with(key, sealed)
    except Sealed as problem:
        raise FileNotFoundError("the photo is damaged") from problem


def drop(data_dir: Path, path: str) -> None:
    """Remove a photo's file; fine when it is gone."""
    (data_dir / path).unlink(missing_ok=True)


def files_before(media: Path, moment: float) -> Iterator[str]:
    """Paths (below the data directory) of photos and half-written ones of days before `moment`, in seconds since 1970."""
    for path in sorted(media.rglob("*")) if media.is_dir() else ():
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue  # another round, or a bot that is just stopping, was faster
        if stat.S_ISREG(found.st_mode) and found.st_mtime < moment:
            yield path.relative_to(media.parent).as_posix()

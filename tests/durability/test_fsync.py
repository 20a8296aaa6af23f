"""No acknowledgement before the disk has it: `kill -9` cannot show that, a trace of system calls does.

Needs `strace` (Debian and Ubuntu: `apt-get install strace`) and the right to trace a child.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

EVENTS = 800
MISSING = "no strace here: install it with `apt-get install strace`"
_CALL = re.compile(
    r"^(?P<pid>\d+) +(?:(?P<name>pwrite64|write|fdatasync|fsync)\(\d+<(?P<file>[^>]*)>(?P<rest>.*)"
    r"|<\.\.\. (?P<resumed>\w+) resumed>)"
)


@dataclass(slots=True)
class Count:
    """How many acknowledgements the trace holds, and how many of them the disk did not have yet."""

    acknowledged: int = 0
    too_early: int = 0


def trace(folder: Path, *arguments: str) -> list[str]:
    """The system calls of the bot's intake that write or synchronise files."""
    if shutil.which("strace") is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    command = ["strace", "-f", "-y", "-s", "200", "-e", "trace=pwrite64,write,fdatasync,fsync", "-o", str(folder / "trace")]
    done = subprocess.run(
        [*command, sys.executable, "-m", "tests.durability.acknowledge", str(folder), str(EVENTS), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if "Operation not permitted" in done.stderr:
        pytest.skip("this machine does not let a process be traced")
    assert done.returncode == 0, done.stderr[-2000:]
    return (folder / "trace").read_text(encoding="utf-8", errors="replace").splitlines()


def count(lines: list[str]) -> Count:
    """An acknowledgement is too early when no synchronisation of the WAL ended between its delivery and itself, or when it comes
    while something written to the WAL is not synchronised and only one account talks."""
    found = Count()
    syncs = 0
    dirty = False
    begun: dict[str, str] = {}  # process -> the call that it is in
    delivered: dict[str, int] = {}  # event -> synchronisations before it was handed over
    for line in lines:
        call = _CALL.match(line)
        if call is None:
            continue
        pid = call["pid"]
        if call["resumed"]:
            name, file, rest, finished = call["resumed"], begun.pop(pid, ""), "", True
        else:
            name, file, rest = call["name"], call["file"], call["rest"]
            finished = not rest.endswith("<unfinished ...>")
            if not finished:
                begun[pid] = file
        if file.endswith("-wal"):
            if name == "pwrite64":
                dirty = True
            elif finished and name in ("fdatasync", "fsync"):
                syncs, dirty = syncs + 1, False
        elif file.endswith("history.jsonl") and rest:
            said = re.search(r'\\"what\\": \\"(\w+)\\", \\"id\\": \\"(account-(\d)-\d+)\\"', rest)
            if said and said[1] == "delivered":
                delivered[said[2]] = syncs
            elif said and said[1] == "confirmed":
                found.acknowledged += 1
                alone = said[3] == "0" and int(said[2].rpartition("-")[2]) < EVENTS // 2
                found.too_early += syncs == delivered[said[2]] or (alone and dirty)
    return found


def test_every_acknowledgement_follows_an_fsync(tmp_path: Path) -> None:
    found = count(trace(tmp_path))
    assert found.acknowledged >= 500
    assert found.too_early == 0


def test_synchronous_normal_is_found_out(tmp_path: Path) -> None:
    found = count(trace(tmp_path, "NORMAL"))
    assert found.acknowledged >= 500
    assert found.too_early > found.acknowledged // 2

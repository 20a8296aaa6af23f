"""The keys of an installation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from storage.sealing import read_or_make


def test_two_nodes_that_start_on_an_empty_folder_have_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key_file, real, others = tmp_path / "keys" / "inbox.key", os.fdopen, list[bytes]()

    def between(descriptor: int, mode: str) -> Any:
        """The other node starts when the first one has a file and nothing in it yet."""
        if not others:
            others.append(b"")
            others[0] = read_or_make(key_file)
        return real(descriptor, mode)

    monkeypatch.setattr(os, "fdopen", between)
    mine = read_or_make(key_file)
    assert len(mine) == 32
    assert others == [mine]
    assert key_file.read_bytes() == mine
    assert [path.name for path in key_file.parent.iterdir()] == ["inbox.key"]
    assert key_file.stat().st_mode & 0o777 == 0o600


def test_a_key_is_read_and_never_made_anew(tmp_path: Path) -> None:
    key_file = tmp_path / "tips.key"
    assert read_or_make(key_file) == read_or_make(key_file)

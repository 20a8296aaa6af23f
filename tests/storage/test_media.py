"""Photo files on disk, and who looks at them at once."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from storage import media

DAY = media.DAY_SECONDS


def test_only_photos_of_earlier_days_are_loose(tmp_path: Path) -> None:
    old, new = (media.store(tmp_path / "media", b"picture").path for _ in range(2))
    os.utime(tmp_path / old, (time.time() - 3 * DAY,) * 2)
    (tmp_path / "media" / "link").symlink_to(tmp_path / old)
    assert list(media.files_before(tmp_path / "media", time.time() - 2 * DAY)) == [old]
    assert new in set(media.files_before(tmp_path / "media", time.time() + DAY))


def test_a_photo_that_goes_while_it_is_looked_at_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rounds at once: one removes between the other's two looks, or before its first."""
    first, second = sorted(media.store(tmp_path / "media", b"picture").path for _ in range(2))
    look = Path.stat

    def seen_and_gone(path: Path, **how: Any) -> os.stat_result:
        found = look(path, **how)
        if path.name.endswith(media.SUFFIX):
            media.drop(tmp_path, first)
            media.drop(tmp_path, second)
        return found

    monkeypatch.setattr(Path, "stat", seen_and_gone)
    assert list(media.files_before(tmp_path / "media", time.time() + DAY)) == [first]

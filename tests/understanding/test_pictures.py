"""The worker that reads pictures: limited, offline, replaceable, and silent about what it reads."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from bot.cli import checking
from bot.config import Settings
from bot.photos import draw_anew
from bot.understanding import pictures
from bot.understanding.pictures import PictureReader, Seen

DATA = Path(__file__).parent.parent / "data" / "pictures"
LOAN = draw_anew((DATA / "loan.png").read_bytes()).jpeg


@pytest.fixture
async def reader() -> AsyncIterator[PictureReader]:
    one = PictureReader(patience_seconds=120)
    yield one
    await one.close()


async def test_text_and_code_are_read_within_limits_and_a_killed_worker_costs_one_picture(reader: PictureReader) -> None:
    seen = await reader.read(LOAN)
    assert seen is not None
    assert "解冻保证金" in seen.text
    assert "贷款资金已被冻结" in seen.text  # broken over two lines in the picture
    assert seen.codes == ("http://yxd-kefu.top/pay?id=8821",)
    process = reader.apart.process
    assert process is not None
    lines = {line[:25].strip(): line[25:].split()[0] for line in Path(f"/proc/{process.pid}/limits").read_text().splitlines()}
    assert lines["Max address space"] == str(2 << 30)
    assert lines["Max file size"] == "0"
    assert int(lines["Max cpu time"]) < 90
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    blank = io.BytesIO()
    Image.new("RGB", (300, 300), "white").save(blank, "JPEG")
    assert await reader.read(blank.getvalue()) == Seen()


async def test_what_takes_too_long_or_comes_too_thick_is_left_alone() -> None:
    reader = PictureReader(patience_seconds=0.0)
    assert await reader.read(LOAN) is None
    reader.waiting = pictures.MOST_WAITING
    assert await reader.read(LOAN) is None
    assert reader.apart.process is None
    await reader.close()


def test_check_says_whether_pictures_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "are read (RapidOCR 3." in checking._pictures(Settings())
    monkeypatch.setitem(pictures.MODULES, "no_such_module_of_ours", "no-such-package")
    assert "not read: no-such-package not installed" in checking._pictures(Settings())


@pytest.mark.parametrize("event", ["socket.connect", "socket.getaddrinfo", "subprocess.Popen"])
def test_inside_the_worker_there_is_no_way_out(event: str) -> None:
    with pytest.raises(PermissionError):
        pictures._forbid(event, ())
    pictures._forbid("open", ())
    assert sys.modules.get("rapidocr") is None  # never loaded into the bot itself

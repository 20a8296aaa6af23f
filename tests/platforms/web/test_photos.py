"""The worker that draws photos anew: it is limited, replaceable and knows nothing of ours."""

from __future__ import annotations

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from bot.errors import RefusedInput
from bot.photos import PhotoWorker, sniff
from tests.platforms.web.conftest import picture, until


@pytest.fixture
async def worker() -> AsyncIterator[PhotoWorker]:
    one = PhotoWorker(patience_seconds=60)
    yield one
    await one.close()


async def test_a_killed_worker_costs_one_photo_at_most(worker: PhotoWorker) -> None:
    await worker.normalise(picture())
    process = worker.apart.process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    assert (await worker.normalise(picture())).width == 64


async def test_a_worker_that_takes_too_long_is_replaced() -> None:
    worker = PhotoWorker(patience_seconds=0.0)
    with pytest.raises(RefusedInput, match=r"photo\.broken"):
        await worker.normalise(picture())
    worker.apart.patience = 20.0
    assert (await worker.normalise(picture())).height == 48
    await worker.close()


async def test_a_caller_who_goes_away_does_not_mix_up_the_answers(worker: PhotoWorker) -> None:
    await worker.normalise(picture())
    away = asyncio.create_task(worker.normalise(picture(1000, 500)))
    await until(lambda: worker.waiting == 1)
    away.cancel()
    with pytest.raises(asyncio.CancelledError):
        await away
    assert (await worker.normalise(picture(10, 20))).height == 20


async def test_the_worker_has_limits_and_none_of_our_secrets(worker: PhotoWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QIANSHAO_TELEGRAM__TOKEN", "12345:secret")
    await worker.normalise(picture())
    assert worker.apart.process is not None
    folder = Path(f"/proc/{worker.apart.process.pid}")
    assert b"12345:secret" not in (folder / "environ").read_bytes()
    lines = {line[:25].strip(): line[25:].split()[0] for line in (folder / "limits").read_text().splitlines()}
    assert lines["Max address space"] == str(1 << 30)
    assert lines["Max file size"] == "0"
    assert lines["Max core file size"] == "0"
    assert int(lines["Max cpu time"]) < 60


async def test_many_at_once_come_out_as_they_went_in(worker: PhotoWorker) -> None:
    photos = await asyncio.gather(*(worker.normalise(picture(10 + n, 10)) for n in range(20)))
    assert [photo.width for photo in photos] == [10 + n for n in range(20)]


def test_the_name_of_a_file_says_nothing_its_first_bytes_do() -> None:
    kinds = {kind: sniff(picture(4, 4, kind)) for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")}
    assert kinds == {"JPEG": "jpeg", "PNG": "png", "WEBP": "webp", "GIF": "", "BMP": "", "TIFF": ""}
    assert sniff(b"") == ""


def on_a_bridge(south: bool = False) -> bytes:
    """A photo whose camera knew where it was."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # held upright
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(
        {
            ExifTags.GPS.GPSLatitudeRef: "S" if south else "N",
            ExifTags.GPS.GPSLatitude: (31.0, 13.0, 49.44),
            ExifTags.GPS.GPSLongitudeRef: "E",
            ExifTags.GPS.GPSLongitude: (121.0, 28.0, 25.32),
        }
    )
    data = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 40, 40)).save(data, "JPEG", exif=exif)
    return data.getvalue()


async def test_a_photo_is_turned_upright_and_its_place_is_told_apart_from_the_picture(worker: PhotoWorker) -> None:
    photo = await worker.normalise(on_a_bridge())
    assert (photo.width, photo.height) == (48, 64)
    assert photo.point == (31.2304, 121.4737)
    assert (await worker.normalise(on_a_bridge(south=True))).point == (-31.2304, 121.4737)
    with Image.open(io.BytesIO(photo.jpeg)) as drawn:
        assert not drawn.getexif()
    assert (await worker.normalise(picture())).point is None

"""Photos that people send: checked by content, decoded in a process of its own, given back as plain JPEG.

A decoder is the likeliest place for hostile input to do harm, so it runs in a worker with limits on memory, time, files and
processor time, without our environment and secrets. What comes back was drawn anew: no metadata, no second layer, no tail.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import math
import operator
import os
import statistics
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bot.errors import RefusedInput

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

MOST_BYTES = 15_000_000
MOST_PIXELS = 40_000_000
LONGEST_SIDE = 2048
THUMB_SIDE = 480
FLAT = 12  # of 255: a picture whose lightest and darkest of 32 x 32 fields differ by less shows nothing

WORKER_MEMORY_BYTES = 1 << 30
WORKER_CPU_SECONDS = 10
PATIENCE_SECONDS = 20.0
MOST_WAITING = 64
PHOTOS_PER_WORKER = 500  # then a fresh process, so that no leak in a codec grows without end

_JOB = struct.Struct("!I")
_REPLY = struct.Struct("!I")
_SIDE = 32
_WAVES = tuple(tuple(math.cos(math.pi * wave * (2 * at + 1) / (2 * _SIDE)) for at in range(_SIDE)) for wave in range(8))


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo drawn anew as JPEG: longest side 2,048 pixels, upright, without metadata. `thumb` has 480 at most.

    `fingerprint` is a perceptual hash in 16 hexadecimal digits (empty for a picture too flat to have one), `point` where it was
    taken, as its metadata said: latitude and longitude in degrees WGS 84.
    """

    jpeg: bytes
    width: int
    height: int
    thumb: bytes = b""
    fingerprint: str = ""
    point: tuple[float, float] | None = None


def sniff(raw: bytes) -> str:
    """The kind of `raw` by its first bytes: "jpeg", "png", "webp", "heic" or "" for anything else. The name says nothing."""
    if raw[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if raw[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return "webp"
    if raw[4:8] == b"ftyp" and raw[8:12] in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif"):
        return "heic"
    return ""


class PhotoWorker:
    """Decodes photos in one worker process, one after the other; starts it when the first photo comes."""

    def __init__(self, *, most_bytes: int = MOST_BYTES, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._most_bytes = most_bytes
        self._patience = patience_seconds
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._done = 0

    async def normalise(self, raw: bytes) -> Photo:
        """`raw` as a plain upright JPEG. Raises RefusedInput with one of the phrases `photo.empty`, `photo.too_large`,
        `photo.not_image`, `photo.heic`, `photo.too_many_pixels`, `photo.broken`, `photo.busy`."""
        if not raw:
            raise RefusedInput("photo.empty")
        if len(raw) > self._most_bytes:
            raise RefusedInput("photo.too_large", megabytes=self._most_bytes // 1_000_000)
        kind = sniff(raw)
        if kind == "heic":
            raise RefusedInput("photo.heic")
        if not kind:
            raise RefusedInput("photo.not_image")
        if self._waiting >= MOST_WAITING:
            raise RefusedInput("photo.busy")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._ask(raw)
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """End the worker process."""
        async with self._turn:
            await self._end()

    async def _ask(self, raw: bytes) -> Photo:
        try:
            async with asyncio.timeout(self._patience):
                jobs, answers = await self._pipes()
                jobs.write(_JOB.pack(len(raw)) + raw)
                await jobs.drain()
                (length,) = _REPLY.unpack(await answers.readexactly(_REPLY.size))
                head = json.loads(await answers.readexactly(length))
                jpeg = await answers.readexactly(head["jpeg"])
                thumb = await answers.readexactly(head["thumb"])
        except (TimeoutError, asyncio.IncompleteReadError, OSError) as problem:
            # killed by a limit, or too slow: the photo is to blame, the next one gets a fresh worker
            await self._end()
            raise RefusedInput("photo.broken") from problem
        except BaseException:
            # a half-read answer must not be taken for the next photo's
            await self._end()
            raise
        self._done += 1
        if self._done >= PHOTOS_PER_WORKER:
            await self._end()
        if head["refused"]:
            raise RefusedInput(head["refused"])
        point = tuple(head["point"]) if head["point"] else None
        return Photo(jpeg, head["width"], head["height"], thumb, head["fingerprint"], point)

    async def _pipes(self) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
        if self._process is None or self._process.returncode is not None:
            self._done = 0
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bot.photos",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=_bare_environment(os.environ),
            )
        if self._process.stdin is None or self._process.stdout is None:
            raise OSError("the worker has no pipes")
        return self._process.stdin, self._process.stdout

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        # communicate also closes the pipes; without that the transport outlives its loop
        with contextlib.suppress(Exception):
            await asyncio.shield(process.communicate())


def _bare_environment(outer: Mapping[str, str]) -> dict[str, str]:
    """What the worker needs to start and nothing else: no token of ours is readable from inside it."""
    kept = {name: outer[name] for name in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT") if name in outer}
    return {**kept, "PYTHONPATH": str(Path(__file__).resolve().parent.parent), "PYTHONDONTWRITEBYTECODE": "1"}


# --- inside the worker ------------------------------------------------------------------------------------------------


def draw_anew(raw: bytes) -> Photo:
    """Decode and draw anew, in this process. Only the worker and tests call it."""
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = None  # our own limit stands below, before anything is decoded
    try:
        with Image.open(io.BytesIO(raw), formats=("JPEG", "PNG", "WEBP")) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise RefusedInput("photo.too_many_pixels")
            picture.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
            point = _taken_at(picture)
            upright = ImageOps.exif_transpose(picture)
            full = _on_white(upright)
            full.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
            small = full.copy()
            small.thumbnail((THUMB_SIDE, THUMB_SIDE), Image.Resampling.LANCZOS)
            return Photo(_jpeg(full, 85), full.width, full.height, _jpeg(small, 78), fingerprint_of(small), point)
    except RefusedInput:
        raise
    except MemoryError as problem:
        raise RefusedInput("photo.too_many_pixels") from problem
    except Exception as problem:
        # whatever a codec stumbles over, the person can only send another picture
        raise RefusedInput("photo.broken") from problem


def fingerprint_of(picture: PillowImage) -> str:
    """The perceptual hash of a picture, 64 bits as hexadecimal digits: which of its 8 x 8 slowest waves are above the median, by
    the discrete cosine transform of 32 x 32 grey fields. Survives scaling, JPEG and a change of brightness. Empty for a flat
    picture, whose waves are noise (C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010)."""
    from PIL import Image

    grey = picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX).tobytes()
    if max(grey) - min(grey) < FLAT:
        return ""
    rows = [grey[_SIDE * row : _SIDE * (row + 1)] for row in range(_SIDE)]
    across = [[sum(map(operator.mul, row, wave)) for row in rows] for wave in _WAVES]
    waves = [sum(map(operator.mul, column, wave)) for wave in _WAVES for column in across]
    middle = statistics.median(waves[1:])  # the first is the mean brightness
    return f"{sum(1 << bit for bit, height in enumerate(waves) if height > middle):016x}"


def _taken_at(picture: PillowImage) -> tuple[float, float] | None:
    """Where the camera says it was; None when it does not say, or nonsense."""
    from PIL import ExifTags

    try:
        place = picture.getexif().get_ifd(ExifTags.IFD.GPSInfo)
        latitude = _degrees(place[ExifTags.GPS.GPSLatitude], place[ExifTags.GPS.GPSLatitudeRef] == "S")
        longitude = _degrees(place[ExifTags.GPS.GPSLongitude], place[ExifTags.GPS.GPSLongitudeRef] == "W")
    except Exception:  # metadata is whatever somebody wrote there; a photo is not refused for it
        return None
    # a camera without a fix writes zeros
    known = abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude, longitude) != (0.0, 0.0)
    return (round(latitude, 6), round(longitude, 6)) if known else None


def _degrees(parts: tuple[float, float, float], negative: bool) -> float:
    degrees = float(parts[0]) + float(parts[1]) / 60 + float(parts[2]) / 3600
    return -degrees if negative else degrees


def _on_white(picture: PillowImage) -> PillowImage:
    from PIL import Image

    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        solid = picture.convert("RGBA")
        white = Image.new("RGB", solid.size, "white")
        white.paste(solid, mask=solid.getchannel("A"))
        return white
    plain = picture.convert("RGB")
    # a copy with nothing in `info`: Pillow would write ICC profile, comment and EXIF out of it
    plain.info.clear()
    return plain


def _jpeg(picture: PillowImage, quality: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality, optimize=True)
    return out.getvalue()


def _set_limits() -> None:
    import resource

    with contextlib.suppress(OSError):
        os.nice(5)
    for what, most in (
        (resource.RLIMIT_AS, WORKER_MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 32),
    ):
        # a limit that this system does not know is no reason to send no photos
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def _allow_more_time() -> None:
    """Processor seconds for the next photo, counted from now: the limit itself counts from the start of the process."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + WORKER_CPU_SECONDS
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (until, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def work(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer jobs until the other side closes."""
    while len(size := source.read(_JOB.size)) == _JOB.size:
        raw = source.read(_JOB.unpack(size)[0])
        _allow_more_time()
        refused, photo = "", Photo(b"", 0, 0)
        try:
            photo = draw_anew(raw)
        except RefusedInput as why:
            refused = why.phrase
        head = json.dumps(
            {
                "refused": refused,
                "width": photo.width,
                "height": photo.height,
                "jpeg": len(photo.jpeg),
                "thumb": len(photo.thumb),
                "fingerprint": photo.fingerprint,
                "point": photo.point,
            }
        ).encode()
        sink.write(_REPLY.pack(len(head)) + head + photo.jpeg + photo.thumb)
        sink.flush()


if __name__ == "__main__":
    from PIL import Image as _warm  # loaded before the limits, so that a tight limit cannot break the import

    _warm.init()
    _set_limits()
    work(sys.stdin.buffer, sys.stdout.buffer)

"""Photos that people send: checked by content, decoded in a process of its own, given back as plain JPEG.

A decoder is the likeliest place for hostile input to do harm, so it runs apart (`bot.apart`). What comes back was drawn anew: no
metadata, no second layer, no tail.
"""

from __future__ import annotations

import io
import json
import math
import operator
import statistics
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.apart import Apart, Lost, serve, set_limits
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

_HEAD = struct.Struct("!I")
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
        self.apart = Apart("bot.photos", patience=patience_seconds, jobs=PHOTOS_PER_WORKER)
        self.waiting = 0

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
        if self.waiting >= MOST_WAITING:
            raise RefusedInput("photo.busy")
        self.waiting += 1
        try:
            return _unpack(await self.apart.ask(raw))
        except Lost as problem:
            raise RefusedInput("photo.broken") from problem
        finally:
            self.waiting -= 1

    async def close(self) -> None:
        """End the worker process."""
        await self.apart.close()


def _unpack(answer: bytes) -> Photo:
    """The photo in a worker's answer; raises the RefusedInput that it tells of."""
    (length,) = _HEAD.unpack_from(answer)
    start = _HEAD.size + length
    head = json.loads(answer[_HEAD.size : start])
    if head["refused"]:
        raise RefusedInput(head["refused"])
    middle = start + head["jpeg"]
    point = tuple(head["point"]) if head["point"] else None
    return Photo(answer[start:middle], head["width"], head["height"], answer[middle:], head["fingerprint"], point)


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


def answer(raw: bytes) -> bytes:
    """One job: the photo, or the phrase that says why there is none."""
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
            "fingerprint": photo.fingerprint,
            "point": photo.point,
        }
    ).encode()
    return _HEAD.pack(len(head)) + head + photo.jpeg + photo.thumb


if __name__ == "__main__":
    from PIL import Image as _warm  # loaded before the limits, so that a tight limit cannot break the import

    _warm.init()
    set_limits(WORKER_MEMORY_BYTES)
    serve(answer, WORKER_CPU_SECONDS, sys.stdin.buffer, sys.stdout.buffer)

"""Photos drawn anew in this process: the same code as in the worker, without its half second to start."""

from __future__ import annotations

import asyncio
import io

from PIL import Image

from bot.apart import Apart
from bot.photos import PhotoWorker, answer


class _Near(Apart):
    async def ask(self, job: bytes) -> bytes:
        return await asyncio.to_thread(answer, job)


class NearPhotos(PhotoWorker):
    """A `PhotoWorker` without a process. For scenarios of the matrix; the default ones keep the real worker."""

    def __init__(self) -> None:
        super().__init__()
        self.apart = _Near("bot.photos", patience=60.0, jobs=1_000_000)


def jpeg(shade: int = 0) -> bytes:
    """A small real photo; each shade is a different picture."""
    data = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 40 + shade % 200, 40)).save(data, "JPEG")
    return data.getvalue()

"""What stands in a picture: its lines of text (RapidOCR) and what its QR codes say (zxing-cpp).

Both libraries are the optional extra `pictures`. They run apart (`bot.apart`), offline, with the models that lie in RapidOCR's
wheel, on a picture that was drawn anew before; they write nothing and reach no network. Without the extra nothing is read, and
the bot says so.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import io
import json
import logging
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.apart import Apart, Lost, serve, set_limits

if TYPE_CHECKING:
    from collections.abc import Callable

MODULES = {"rapidocr": "rapidocr", "onnxruntime": "onnxruntime", "cv2": "opencv-python-headless", "zxingcpp": "zxing-cpp"}
MOST_WAITING = 4  # pictures: one takes a second or two, and other people's questions wait behind them
PATIENCE_SECONDS = 25.0
WORKER_MEMORY_BYTES = 2 << 30  # of address space; resident are some 470 MB at a screenshot
WORKER_CPU_SECONDS = 20
PICTURES_PER_WORKER = 50
IDLE_SECONDS = 90.0  # then the worker gives its memory back
SURE_LINE = 0.6  # RapidOCR's own confidence, below which a line is a guess
MOST_CHARACTERS = 3000
MOST_CODES = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """What stands in a picture, top to bottom; both empty when nothing does, and then nothing is guessed."""

    lines: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Everything that can be read, as one text. A sentence that the picture breaks is one again."""
        return "".join(self.lines)[:MOST_CHARACTERS] + "".join(f" 二维码：{code}" for code in self.codes)


class PictureReader:
    """Reads pictures in one worker process, one after the other; starts it when the first picture comes."""

    def __init__(self, *, patience_seconds: float = PATIENCE_SECONDS, idle_seconds: float = IDLE_SECONDS) -> None:
        self.apart = Apart("bot.understanding.pictures", patience=patience_seconds, jobs=PICTURES_PER_WORKER, idle=idle_seconds)
        self.waiting = 0

    async def read(self, jpeg: bytes) -> Seen | None:
        """What stands in a picture as `bot.photos` draws it; None when it could not be looked at: too many, or too slow."""
        if self.waiting >= MOST_WAITING:
            return None
        self.waiting += 1
        try:
            answer = json.loads(await self.apart.ask(jpeg))
        except Lost:
            return None
        finally:
            self.waiting -= 1
        return Seen(tuple(answer["lines"]), tuple(answer["codes"]))

    async def close(self) -> None:
        """End the worker process."""
        await self.apart.close()


def missing() -> tuple[str, ...]:
    """The packages of the extra `pictures` that are not installed; empty when pictures can be read."""
    return tuple(package for module, package in MODULES.items() if importlib.util.find_spec(module) is None)


def versions() -> str:
    """For `qianshao check`: "RapidOCR 3.10.0, zxing-cpp 3.1.1"."""
    return f"RapidOCR {importlib.metadata.version('rapidocr')}, zxing-cpp {importlib.metadata.version('zxing-cpp')}"


# --- inside the worker ------------------------------------------------------------------------------------------------


def reader() -> Callable[[bytes], bytes]:
    """The libraries loaded, as a function from JPEG to the JSON of what stands in it. Only the worker and tests call it."""
    from pathlib import Path

    import rapidocr
    import zxingcpp
    from PIL import Image

    models = Path(rapidocr.__file__).parent / "models"
    # every path is given: nothing is looked up, nothing is downloaded; screenshots stand upright, so no classifier
    read_text: Any = rapidocr.RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "Det.model_path": str(next(models.glob("*_det_*.onnx"))),
            "Rec.model_path": str(next(models.glob("*_rec_*.onnx"))),
            "Cls.model_path": str(next(models.glob("*_cls_*.onnx"))),
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )

    def look(jpeg: bytes) -> bytes:
        with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as picture:
            plain = picture.convert("RGB")
        import numpy as np

        found = read_text(np.asarray(plain)[:, :, ::-1])
        pairs = zip(found.txts or (), found.scores or (), strict=True)
        lines = [str(text).strip() for text, score in pairs if float(score) >= SURE_LINE]
        codes = [code.text.strip()[:500] for code in zxingcpp.read_barcodes(plain)[:MOST_CODES] if code.text.strip()]
        return json.dumps({"lines": [line for line in lines if line], "codes": codes}).encode()

    return look


def _forbid(event: str, _arguments: tuple[object, ...]) -> None:
    """No name is looked up and nothing is connected to, whatever a library has in mind."""
    if event.startswith(("socket.connect", "socket.getaddrinfo", "socket.gethostby", "subprocess.", "os.exec", "os.system")):
        raise PermissionError(event)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # no library writes down what it reads
    sys.addaudithook(_forbid)
    look_at = reader()  # before the limits, so that a tight limit cannot break an import
    set_limits(WORKER_MEMORY_BYTES, files=64)
    serve(look_at, WORKER_CPU_SECONDS, sys.stdin.buffer, sys.stdout.buffer)

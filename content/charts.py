"""A month in figures as a picture that is read on a phone: bars with their numbers beside them, as the posts' cards look.

What the picture shows travels as text, in the place where a notice names its photo, and becomes a file only while it is sent: so
the transaction that asks for it draws nothing, and no picture of figures stays on the disk. A number that must not be told is -1
here already (docs/decisions/0200); its bar has always the same length.
"""

from __future__ import annotations

import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import asdict, dataclass

FOLDER = "charts/"


@dataclass(frozen=True, slots=True)
class Bar:
    """One line: what is counted, how many (-1: too few to be told), the words for that number, and how many the month before."""

    label: str
    value: int
    said: str
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Bars that are compared with one another."""

    title: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A whole picture. `note` is what the reader has to know about the numbers."""

    title: str
    station: str
    blocks: tuple[Block, ...]
    note: str = ""

    def as_photo(self) -> str:
        """What a notice carries in place of a photo's path."""
        packed = zlib.compress(json.dumps(asdict(self), ensure_ascii=False).encode(), 9)
        return f"{FOLDER}{urlsafe_b64encode(packed).decode()}.jpg"

    @staticmethod
    def of_photo(photo: str) -> Chart:
        """The same again. ValueError for anything else."""
        try:
            packed = urlsafe_b64decode(photo.removeprefix(FOLDER).removesuffix(".jpg"))
            read = json.loads(zlib.decompress(packed))
            blocks = tuple(Block(one["title"], tuple(Bar(**bar) for bar in one["bars"])) for one in read["blocks"])
            return Chart(read["title"], read["station"], blocks, read["note"])
        except (ValueError, KeyError, TypeError, zlib.error) as problem:
            raise ValueError("no chart of ours") from problem

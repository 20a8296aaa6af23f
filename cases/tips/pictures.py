"""Pictures of tips: how one comes, how an officer looks at it.

The file was sealed under a key of its own before anybody knew of it (`storage.media`); for a tip that key becomes no row among
the other keys but lies sealed like the tip's words. So what opens the words opens the pictures, and what ends them ends both, in
every backup, too. To look at one an officer gets a link for ten minutes: the key travels in it, sealed by this house, and every
opening is recorded.
"""

from __future__ import annotations

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from storage.sealing import KEY_BYTES, Sealed, Sealer

MOST_PICTURES = 10  # of one message
LINK_LIVES = timedelta(minutes=10)
_HEAD = struct.Struct("!QQQ")


@dataclass(frozen=True, slots=True)
class NewPicture:
    """A picture on disk that no row knows of: its path below the data directory, and the key of the file."""

    path: str
    key: bytes


@dataclass(frozen=True, slots=True)
class View:
    """What a link lets do until `until`: this officer may open this picture with this key."""

    picture_id: int
    officer_id: int
    until: datetime
    key: bytes

    def token(self, sealer: Sealer) -> str:
        """As it stands in a link."""
        head = _HEAD.pack(self.picture_id, self.officer_id, int(self.until.timestamp()))
        return urlsafe_b64encode(sealer.seal_bytes(head + self.key)).decode().rstrip("=")

    @staticmethod
    def read(token: str, sealer: Sealer) -> View | None:
        """The view of a token; None for one that this house has not made."""
        try:
            raw = sealer.unseal_bytes(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        except (Sealed, ValueError):
            return None
        if len(raw) != _HEAD.size + KEY_BYTES:
            return None  # something else that this house has sealed
        picture_id, officer_id, until = _HEAD.unpack_from(raw)
        return View(picture_id, officer_id, datetime.fromtimestamp(until, UTC), raw[_HEAD.size :])

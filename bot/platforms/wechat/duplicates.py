"""The same words twice under two ids: WeChat's interfaces deliver some messages again, seconds later, with a new id.

Only what is certainly the same is left out: the same person, the same group, the same words within seconds, of which the first
were taken (kept, or let go, as the second would be), with no word of ours in between that they could answer.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

from bot.messages import Address, Inbound, Kind

MOST_REMEMBERED = 4096
SHORTEST = 4  # characters: "好", "1", "不是" answer one question after the other


class Duplicates:
    """`now` gives seconds."""

    def __init__(self, seconds: float, now: Callable[[], float]) -> None:
        self._seconds = seconds
        self._now = now
        self._taken: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._spoken: OrderedDict[tuple[str, str], float] = OrderedDict()
        self.left_out = 0

    def is_repeat(self, event: Inbound, key: bytes) -> bool:
        """Whether this was taken a moment ago under another id. `key` is the event's fingerprint."""
        found = self._taken.get(key) if key else None
        if found is None:
            return False
        first_id, at = found
        fresh = abs(self._now() - at) < self._seconds
        answered = self._spoken.get((event.address.account, event.address.chat), -1.0) >= at
        if event.event_id == first_id or not fresh or answered:
            return False
        self.left_out += 1
        return True

    def took(self, event: Inbound, key: bytes) -> None:
        """The event is kept durably or let go: from now on its repetition may be left out."""
        if not key:
            return
        self._taken[key] = (event.event_id, self._now())
        self._taken.move_to_end(key)
        if len(self._taken) > MOST_REMEMBERED:
            self._taken.popitem(last=False)

    def spoke(self, to: Address) -> None:
        """We said something there: the same words may answer it."""
        key = (to.account, to.chat)
        self._spoken[key] = self._now()
        self._spoken.move_to_end(key)
        if len(self._spoken) > MOST_REMEMBERED:
            self._spoken.popitem(last=False)


def fingerprint(event: Inbound) -> bytes:
    """What makes two events the same; empty for those that are never taken for a repetition (pictures, places, short words)."""
    words = " ".join(event.text.split())
    if event.kind is not Kind.MESSAGE or event.attachments or event.location or len(words) < SHORTEST:
        return b""
    quoted = event.quote.text if event.quote else ""
    parts = (event.address.account, event.address.chat, event.sender.id, words, quoted, str(event.mentions_me))
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=12).digest()

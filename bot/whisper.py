"""What is said secretly lies sealed in the outbox, and is opened only on its way into the private chat.

A row that is wiped after sending still stood in the database's log until that is written over; sealed it stood nowhere.
"""

from __future__ import annotations

from base64 import b64decode, b64encode

from msgspec.structs import replace

from bot.messages import Address, Attachment, Outbound, Receipt
from bot.platforms.base import Adapter, Capabilities, Feed, Health
from storage.sealing import Sealer

_MARK = "\x01sealed:"
_ONCE = "\x01once:"


def hush(sealer: Sealer, text: str, *, once: bool = True) -> str:
    """The text as it lies in the outbox. With `once` no platform of ours keeps it either."""
    return (_ONCE if once else _MARK) + b64encode(sealer.seal(text)).decode()


class Opening:
    """An adapter that opens what is sealed right before it is sent; `storage.sealing.Sealed` when that cannot be done."""

    def __init__(self, adapter: Adapter, sealer: Sealer) -> None:
        self._adapter = adapter
        self._sealer = sealer

    @property
    def name(self) -> str:
        return self._adapter.name

    @property
    def account(self) -> str:
        return self._adapter.account

    @property
    def can(self) -> Capabilities:
        return self._adapter.can

    async def listen(self, feed: Feed) -> None:
        await self._adapter.listen(feed)

    async def send(self, to: Address, what: Outbound) -> Receipt:
        for kind in (_ONCE, _MARK):
            before, mark, sealed = what.text.partition(kind)
            if mark:
                what = replace(what, text=before + self._sealer.unseal(b64decode(sealed)), secret=kind == _ONCE)
        return await self._adapter.send(to, what)

    async def edit(self, to: Address, message_id: str, what: Outbound) -> bool:
        return await self._adapter.edit(to, message_id, what)

    async def recall(self, to: Address, message_id: str) -> bool:
        return await self._adapter.recall(to, message_id)

    async def fetch(self, attachment: Attachment, limit: int) -> bytes:
        return await self._adapter.fetch(attachment, limit)

    def health(self) -> Health:
        return self._adapter.health()

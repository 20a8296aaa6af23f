"""What a lease of an account gives: the right to listen, and the right to send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog
from sqlmodel import Session

from bot.leases import Leases
from bot.messages import Address, Attachment, Outbound, Receipt
from bot.pacing import AccountKey
from bot.platforms.base import Adapter, Capabilities, Feed, Health
from storage import leases as rows

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.25


class Listener:
    """An adapter that listens only while this node holds the account's lease; a second one stands by."""

    def __init__(self, adapter: Adapter, leases: Leases, name: str) -> None:
        self._adapter = adapter
        self._leases = leases
        self._lease = name
        self._standing_by = True

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
        """Wait for the lease, then listen until it is lost; another listener may have begun by then, which the platform bears."""
        while True:
            while self._leases.token(self._lease) is None:
                self._standing_by = True
                await asyncio.sleep(LOOK_SECONDS)
            self._standing_by = False
            await self._listen_while_ours(feed)

    async def _listen_while_ours(self, feed: Feed) -> None:
        listening = asyncio.create_task(self._adapter.listen(feed), name=f"listen {self._lease}")
        try:
            while self._leases.token(self._lease) is not None:
                done, _ = await asyncio.wait([listening], timeout=LOOK_SECONDS)
                if done:
                    listening.result()
                    return
            log.warning("lease_lost", lease=self._lease)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def send(self, to: Address, what: Outbound) -> Receipt:
        return await self._adapter.send(to, what)

    async def edit(self, to: Address, message_id: str, what: Outbound) -> bool:
        return await self._adapter.edit(to, message_id, what)

    async def recall(self, to: Address, message_id: str) -> bool:
        return await self._adapter.recall(to, message_id)

    async def fetch(self, attachment: Attachment, limit: int) -> bytes:
        return await self._adapter.fetch(attachment, limit)

    def health(self) -> Health:
        """Who stands by is well: another node listens."""
        return Health(listening=True) if self._standing_by else self._adapter.health()


class SendHold:
    """The outbox's view of the leases: `names` are the leases of its accounts."""

    def __init__(self, leases: Leases, names: Mapping[AccountKey, str]) -> None:
        self._leases = leases
        self._names = dict(names)
        self.holder = leases.holder

    def token(self, account: AccountKey) -> int | None:
        return self._leases.token(self._names[account])

    def stands(self, session: Session, account: AccountKey, token: int) -> Callable[[], bool]:
        return rows.stands(session.connection(), self._names[account], self.holder, token)

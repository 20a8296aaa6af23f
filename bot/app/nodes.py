"""What a node shares with the others over one PostgreSQL: signals, leases, the claims of kept events."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta

from sqlmodel import Session

from bot.app.keys import fingerprint
from bot.clock import Clock, SharedClock
from bot.errors import ConfigError
from bot.intake import Share
from bot.lanes import LaneKey
from bot.leased import Listener, SendHold
from bot.leases import LeaseRule, Leases, listen_name, send_name
from bot.memory import Attention, RowMemory, lane_name
from bot.messages import Inbound
from bot.mind import Mind
from bot.pacing import AccountKey
from bot.platforms.base import Adapter
from bot.roles import WEB, Duties
from storage.sealing import Sealer
from storage.signals import NameTaken, Signals
from storage.tables import Counter
from storage.writer import Writer

START_SECONDS = 30.0


class Nodes:
    """One node among others. `outbox_busy` and `woken` are set by the house when the outbox is there."""

    def __init__(
        self,
        writer: Writer,
        url: str,
        node: str,
        duties: Duties,
        adapters: Sequence[Adapter],
        clock: Clock,
        sealer: Sealer,
        mind: Mind,
        photo_wait: timedelta,
        rule: LeaseRule | None = None,
    ) -> None:
        self.duties = duties
        self.traffic = writer.traffic()
        self.holder = f"{node}/{secrets.token_hex(4)}"
        self.outbox_busy: Callable[[AccountKey], bool] = _never_busy
        self.woken: Callable[[], None] = lambda: None
        self._node = node
        self._writer = writer
        self._sealer = sealer
        self._sending = {(one.name, one.account): _send_lease(one) for one in adapters if duties.sends(one)}
        listening = {listen_name(one.name, one.account) for one in adapters if duties.listens(one)}
        self.signals = Signals(url, node, clock.tell if isinstance(clock, SharedClock) else None)
        self.leases = Leases(
            self.traffic,
            node=node,
            holder=self.holder,
            wanted=[*{*listening, *self._sending.values()}],
            duties=duties.names,
            busy=self._busy,
            changed=lambda: self.woken(),
            rule=rule,
        )
        self.attention = Attention(mind, writer, clock, self.signals)
        self.memory = RowMemory(mind, writer, sealer, photo_wait)
        self.hold = SendHold(self.leases, self._sending)

    # --- what the inbox asks ---

    def lane(self, event: Inbound) -> str:
        """The event's lane as its row shows it."""
        return lane_name(self._sealer, LaneKey(event.address, event.sender.id))

    @property
    def fresh(self) -> bool:
        """Whether the mind knows what the others have asked."""
        return self.signals.fresh

    async def freshness(self) -> None:
        """Wait until it does."""
        await self.signals.freshness()

    # --- for the house ---

    def sends(self, account: AccountKey) -> bool:
        """Whether this node may ever send for the account."""
        return account in self._sending

    def listeners(self, adapters: Sequence[Adapter]) -> list[Adapter]:
        """The adapters that this node may listen with, each under its lease."""
        return [Listener(one, self.leases, listen_name(one.name, one.account)) for one in adapters if self.duties.listens(one)]

    @property
    def share(self) -> Share:
        """Which kept events are worked on here."""
        web, others = self.duties.handles(WEB), self.duties.handles("")
        return Share() if web and others else Share(WEB, same=web)

    async def start(self, run: Callable[[], asyncio.Task[None]]) -> None:
        """Begin to hear, prove the name, take leases. Raises ConfigError with the mend."""
        listening = run()
        started = asyncio.create_task(self.signals.started())
        try:
            async with asyncio.timeout(START_SECONDS):
                await asyncio.wait([listening, started], return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            raise ConfigError("the database does not answer; look whether PostgreSQL runs, and at storage.url") from None
        finally:
            started.cancel()
        if listening.done():
            listening.result()
        await self._writer.run(self._same_keys)
        await self.leases.tick()

    async def listen(self) -> None:
        """Hear signals until cancelled. Raises ConfigError when another process has this node's name."""
        try:
            await self.signals.run()
        except NameTaken as taken:
            raise ConfigError(
                f"a node named {taken} is running already on this database; stop it, or give this one a name: --node NAME"
            ) from taken

    def _busy(self, name: str) -> bool:
        return any(self.outbox_busy(account) for account, lease in self._sending.items() if lease == name)

    def _same_keys(self, session: Session) -> None:
        """All nodes open what one of them sealed."""
        ours = fingerprint(self._sealer)
        row = session.get(Counter, "inbox key")
        if row is None:
            session.add(Counter(name="inbox key", value=ours))
        elif row.value != ours:
            raise ConfigError(
                "the keys in this data folder are not those of the database's other nodes: mount the same bot.data_dir on every "
                "node (folder keys), then start again"
            )


def _never_busy(_account: AccountKey) -> bool:
    return False


def _send_lease(adapter: Adapter) -> str:
    if adapter.can.one_connection or adapter.name == WEB:
        return listen_name(adapter.name, adapter.account)
    return send_name(adapter.name, adapter.account)

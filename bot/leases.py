"""Who of the nodes does what for which account: takes, prolongs and gives back leases, and shares accounts evenly.

A lease counts here from before it was asked for, on the monotonic clock, and a little short: what this node believes to hold it
does hold, whatever its clock says, unless it is paused between looking and doing; then the token tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from sqlmodel import Session

from storage import leases as rows
from storage.writer import StorageUnavailable, Writer

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LeaseRule:
    """Times in seconds: how long a lease runs, how often it is prolonged, how much earlier its holder stops."""

    length: float = 10.0
    renew: float = 2.5
    margin: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.renew + self.margin < self.length:
            raise ValueError("a lease must be prolonged before its holder stops")


@dataclass(slots=True)
class _Held:
    token: int
    until: float  # monotonic


@dataclass(frozen=True, slots=True)
class _Tick:
    """What one look at the table brought."""

    held: dict[str, int] = field(default_factory=dict)
    released: tuple[str, ...] = ()


class Leases:
    """The leases of one node. `wanted` are the names it can serve; `duties` are told to the others.

    `busy(name)` says that something for this name is still under way here, so it is not given back yet; `changed` is called after
    names came or went.
    """

    def __init__(
        self,
        writer: Writer,
        *,
        node: str,
        holder: str,
        wanted: Sequence[str],
        duties: Sequence[str] = (),
        busy: Callable[[str], bool] | None = None,
        changed: Callable[[], None] | None = None,
        rule: LeaseRule | None = None,
    ) -> None:
        self.rule = rule or LeaseRule()
        self.holder = holder
        self._writer = writer
        self._node = node
        self._wanted = tuple(sorted(wanted))
        self._duties = tuple(sorted({*duties, *(_kind(name) for name in self._wanted)}))
        self._busy = busy
        self._changed = changed
        self._held: dict[str, _Held] = {}
        self._leaving: set[str] = set()  # too many for our share: nothing new is begun for them
        self._free_since: dict[str, float] = {}  # when we first saw it free
        self._orphans: set[str] = set()  # above our share, but nobody else took them
        self._alive_until = 0.0

    def token(self, name: str) -> int | None:
        """The fencing token while something new may be begun for `name`, else None."""
        held = self._held.get(name)
        if held is None or name in self._leaving or time.monotonic() >= held.until:
            return None
        return held.token

    @property
    def alive(self) -> bool:
        """Whether the others still count this node in."""
        return time.monotonic() < self._alive_until

    def held(self) -> Mapping[str, int]:
        """Names and tokens of what may be served now."""
        return {name: token for name in self._held if (token := self.token(name)) is not None}

    async def run(self) -> None:
        """Keep our leases until cancelled."""
        while True:
            await self.tick()
            await asyncio.sleep(self.rule.renew)

    async def tick(self) -> None:
        """Prolong, take what is free up to our share, give back what is above it."""
        before = dict(self.held())
        asked = time.monotonic()
        try:
            found = await self._writer.run(self._work)
        except StorageUnavailable:
            log.warning("leases.storage")
            found = None
        if found is not None:
            self._alive_until = until = asked + self.rule.length - self.rule.margin
            self._held = {name: _Held(token, until) for name, token in found.held.items()}
            self._leaving -= set(found.released)
            self._leaving &= self._held.keys()
        now = dict(self.held())
        if now != before:
            log.info("leases", holds=sorted(now))
            if self._changed is not None:
                self._changed()

    async def give_back(self) -> None:
        """At the end of this node: everything is free at once."""
        names = [*self._held, rows.NODE + self._node]
        self._held.clear()
        with contextlib.suppress(StorageUnavailable):
            await self._writer.run(lambda session: rows.release(session.connection(), self.holder, names))

    def _work(self, session: Session) -> _Tick:
        connection, rule = session.connection(), self.rule
        rows.announce(connection, self._node, self.holder, self._duties, rule.length)
        held = rows.renew(connection, self.holder, list(self._held), rule.length)
        table = rows.look(connection)
        released = [name for name in self._leaving if name in held and not (self._busy and self._busy(name))]
        rows.release(connection, self.holder, released)
        for name in released:
            del held[name]
        for kind in {_kind(name) for name in self._wanted}:
            self._share(session, kind, held, table, set(released))
        return _Tick(held, tuple(released))

    def _share(
        self, session: Session, kind: str, held: dict[str, int], table: Mapping[str, rows.LeaseRow], released: set[str]
    ) -> None:
        """Take free names of one kind, or leave some, until everybody who serves this kind has about the same number."""
        wanted = [name for name in self._wanted if _kind(name) == kind]
        nodes = sum(1 for row in table.values() if row.name.startswith(rows.NODE) and row.runs and kind in row.duties.split())
        known = {name for name in table if _kind(name) == kind} | set(wanted)
        share = -(-len(known) // max(nodes, 1))
        mine = [name for name in wanted if name in held]
        for name in wanted:
            row = table.get(name)
            if name in held or name in released or (row is not None and row.runs and row.holder.split("/")[0] != self._node):
                self._free_since.pop(name, None)
                continue
            since = self._free_since.setdefault(name, time.monotonic())
            above = len(mine) >= share
            if above and time.monotonic() - since < self.rule.length:
                continue  # somebody else's share; after a while it turns out that nobody else can
            token = rows.take(session.connection(), self._node, self.holder, name, self.rule.length)
            if token is not None:
                held[name] = token
                mine.append(name)
                (self._orphans.add if above else self._orphans.discard)(name)
        others = any(row.runs and kind in row.duties.split() and row.holder != self.holder for row in table.values())
        surplus = [name for name in mine[share:] if others and name not in self._orphans]
        self._leaving.difference_update(set(mine) - set(surplus))
        self._leaving.update(surplus)


def _kind(name: str) -> str:
    return name.partition(":")[0]


def listen_name(platform: str, account: str) -> str:
    """The lease of who hears for this account."""
    return f"listen:{platform}:{account}"


def send_name(platform: str, account: str) -> str:
    """The lease of who sends for this account."""
    return f"send:{platform}:{account}"

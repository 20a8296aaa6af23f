"""Whoever speaks in a group under a name like an officer's: looked at once, in memory, and written down only when it does.

Nothing about other people's names is kept: a name that is like nobody's is remembered in memory as seen, and forgotten with it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlmodel import Session, col, select

from bot.clock import Clock
from bot.messages import Inbound, Kind
from bot.timers import Timers
from content.officials import Officials
from storage.sealing import mix
from storage.tables import Officer, OfficerAccount, Unit
from storage.writer import StorageUnavailable, Writer

log = structlog.get_logger(__name__)

MOST_REMEMBERED = 50_000
ROSTER_LASTS = timedelta(minutes=1)
TIMER = "name.alike"
LONGEST = 24  # characters of a name that are repeated to others
OFFICES = ("police", "community")  # units whose own names are names of office


@dataclass(frozen=True, slots=True)
class Names:
    """The roster as names are compared with it."""

    officers: dict[str, str]  # skeleton: name
    units: frozenset[str]  # skeletons
    accounts: frozenset[tuple[str, str]]  # platform, account


class NameWatch:
    """Looks at the name of whoever speaks in a group for the first time. `woken` is called when there is a warning to give."""

    def __init__(
        self, writer: Writer, officials: Officials, key: bytes, clock: Clock, me: str, woken: Callable[[], None]
    ) -> None:
        """`key` makes the fingerprint by which a warning is given once; `me` is the bot's own name."""
        self._writer = writer
        self._officials = officials
        self._key = key
        self._clock = clock
        self._me = officials.skeleton(me)
        self._woken = woken
        self._seen: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        self._names = Names({}, frozenset(), frozenset())
        self._read_at: datetime | None = None

    def is_new(self, event: Inbound) -> bool:
        """Whether the name has to be looked at; cheap, for every line of small talk."""
        if event.address.private or event.kind is not Kind.MESSAGE or not event.sender.personal or event.copied:
            return False
        return (event.address.platform, event.sender.id, event.sender.name) not in self._seen

    async def look(self, event: Inbound) -> None:
        """Have the group warned if the name looks like an officer's. What storage cannot take now is looked at the next time."""
        sender, address = event.sender, event.address
        try:
            names = await self._roster()
            found = self._judge(sender.name, names)
            if found is not None and (address.platform, sender.id) not in names.accounts:
                await self._writer.run(lambda session: self._set(session, event, found))
                self._woken()
        except StorageUnavailable:
            return
        self._seen[(address.platform, sender.id, sender.name)] = None
        while len(self._seen) > MOST_REMEMBERED:
            self._seen.popitem(last=False)

    def _judge(self, name: str, names: Names) -> str | None:
        """Whom a name looks like, "" when it claims an office, None for everybody's names."""
        if self._officials.is_harmless(name):
            return None
        skeleton = self._officials.skeleton(name)
        like = self._officials.looks_like(name, names.officers)
        if like is not None:
            return names.officers[like]
        if skeleton in names.units or (skeleton == self._me and self._me) or self._officials.claims_office(skeleton):
            return ""
        return None

    def _set(self, session: Session, event: Inbound, like: str) -> None:
        address, sender = event.address, event.sender
        mark = mix(self._key, f"name\0{address.platform}\0{sender.id}\0{self._officials.skeleton(sender.name)}".encode()).hex()
        Timers(session, self._clock()).after(
            timedelta(0),
            TIMER,
            mark,
            platform=address.platform,
            account=address.account,
            chat=address.chat,
            user=sender.id,
            name=sender.name.strip()[:LONGEST],
            like=like,
        )

    async def _roster(self) -> Names:
        now = self._clock()
        if self._read_at is None or now - self._read_at >= ROSTER_LASTS:
            names = await self._writer.read(self._read)
            if names != self._names:
                self._seen.clear()  # somebody new is on the roster: names seen before may look like theirs
            self._names, self._read_at = names, now
        return self._names

    def _read(self, session: Session) -> Names:
        officers = session.exec(select(Officer.name).where(col(Officer.active))).all()
        units = session.exec(select(Unit.name).where(col(Unit.kind).in_(OFFICES))).all()
        accounts = session.exec(select(OfficerAccount.platform, OfficerAccount.user_id)).all()
        return Names(
            {self._officials.skeleton(name): name for name in officers},
            frozenset(self._officials.skeleton(name) for name in units),
            frozenset((platform, account) for platform, account in accounts),
        )

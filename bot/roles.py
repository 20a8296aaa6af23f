"""What a node does: its roles, and which accounts each of them concerns. See decision 0100."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from bot.platforms.base import Adapter

WEB = "web"  # the platform whose rooms lie in one node's files


class Role(StrEnum):
    """The roles of `qianshao run --role`."""

    INGEST = "ingest"
    WORK = "work"
    SCHEDULE = "schedule"
    WEB = "web"
    ALL = "all"


class Duties:
    """Roles, asked by what is to be done."""

    def __init__(self, roles: Iterable[Role] = (Role.ALL,)) -> None:
        self.roles = frozenset(roles) or frozenset((Role.ALL,))

    def _has(self, *roles: Role) -> bool:
        return bool(self.roles & {Role.ALL, *roles})

    @property
    def schedules(self) -> bool:
        """Whether timers and schedules are served here."""
        return self._has(Role.SCHEDULE)

    @property
    def works(self) -> bool:
        """Whether kept events are worked on here."""
        return self._has(Role.WORK, Role.WEB)

    def handles(self, platform: str) -> bool:
        """Whether kept events of this platform are worked on here: those of the web chat only where its photos are."""
        return self._has(Role.WEB if platform == WEB else Role.WORK)

    def connects(self, platform: str) -> bool:
        """Whether this node needs an adapter of the platform."""
        return self._has(Role.WEB) if platform == WEB else self._has(Role.INGEST, Role.WORK)

    def listens(self, adapter: Adapter) -> bool:
        """Whether this node may hear for the adapter's account."""
        return self._has(Role.WEB if adapter.name == WEB else Role.INGEST)

    def sends(self, adapter: Adapter) -> bool:
        """Whether this node may send for the adapter's account."""
        if adapter.name == WEB:
            return self._has(Role.WEB)
        return self._has(Role.INGEST if adapter.can.one_connection else Role.WORK)

    @property
    def names(self) -> list[str]:
        """For the other nodes and for a person who looks."""
        return sorted(self.roles)

"""What the web chat may ask of the roster."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session

from bot.clock import Clock
from bot.platforms.web.settings import OfficerCard, officer_id
from content.refusal import Refusal
from storage.tables import Officer
from storage.writer import Writer

Find = Callable[[Session, datetime, str], Officer | None]


class RosterGate:
    """`bot.platforms.web.settings.OfficerGate` over the roster. `use_code` consumes a one-time code and binds the web account."""

    def __init__(
        self, writer: Writer, clock: Clock, use_code: Callable[[Session, datetime, str, str, str], Officer], find: Find
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._use_code = use_code
        self._find = find

    async def check_code(self, badge: str, code: str) -> OfficerCard | None:
        """Use up the code and bind the officer's web account; None when it is no good."""
        try:
            officer = await self._writer.run(lambda s: self._use_code(s, self._clock(), badge, code, officer_id(badge)))
        except Refusal:
            return None
        return OfficerCard(officer.badge, officer.name, officer.title)

    async def officer(self, badge: str) -> OfficerCard | None:
        """The officer as of now."""
        officer = await self._writer.read(lambda s: self._find(s, self._clock(), badge))
        return OfficerCard(officer.badge, officer.name, officer.title) if officer else None

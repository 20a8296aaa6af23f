"""After a turn that took something in confidence: the platform that keeps a record of its own forgets what was said.

The turn marks its event `unsaying` in its transaction (`bot.kept.done`); it is done only when the platform has forgotten, so
that a crash between the two is made good at the next start.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from bot.kept import forgotten, unsaid, whom
from bot.platforms.base import Adapter
from storage.writer import StorageUnavailable, Writer

log = structlog.get_logger(__name__)


class Unsaying:
    """Asks adapters to forget; see `bot.platforms.base.Forgetful`."""

    def __init__(self, writer: Writer, adapters: Mapping[tuple[str, str], Adapter]) -> None:
        self._writer = writer
        self._adapters = adapters

    async def resume(self) -> None:
        """After a start: what is still to be forgotten."""
        for row in await self._writer.read(unsaid):
            if (row.platform, row.account) not in self._adapters:
                continue  # another node's: only it can make its platform forget
            await self.unsay(row.platform, row.account, row.event_id, whom(row))

    async def unsay(self, platform: str, account: str, event_id: str, person: str | None = None) -> None:
        """Let the platform forget the words of one event, or everything of a person; what fails is tried again at the next
        start."""
        adapter = self._adapters.get((platform, account))
        forget = getattr(adapter, "unsay" if person is None else "forget_person", None)
        try:
            if forget is not None:
                await forget(event_id if person is None else person)
            await self._writer.run(lambda session: forgotten(session, platform, account, event_id))
        except (StorageUnavailable, OSError) as problem:
            log.warning("not_unsaid_yet", platform=platform, problem=type(problem).__name__)

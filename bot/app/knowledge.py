"""What officers have let the bot keep, read for the search."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from sqlmodel import Session, select

from bot.clock import Clock
from bot.messages import Address
from bot.understanding.answers import KEPT
from cases.kept import KeptAnswers, version
from content.answers import Answer
from storage.tables import Group
from storage.writer import Writer


class StoredAnswers:
    """The kept answers of the database."""

    def __init__(self, writer: Writer, clock: Clock, zone: ZoneInfo) -> None:
        self._writer = writer
        self._clock = clock
        self._zone = zone

    async def version(self, address: Address) -> tuple[int, int | None]:
        """See `bot.knowledge.Kept`."""

        def look(session: Session) -> tuple[int, int | None]:
            here = (Group.platform == address.platform, Group.account == address.account, Group.chat == address.chat)
            grid = None if address.private else session.exec(select(Group.grid_id).where(*here)).first()
            return version(session), grid

        return await self._writer.read(look)

    async def answers(self) -> tuple[Answer, ...]:
        """See `bot.knowledge.Kept`."""
        rows = await self._writer.read(lambda session: KeptAnswers(session, self._clock()).served())
        return tuple(
            Answer(
                slug=f"{KEPT}{row.id}",
                class_="community",
                title=row.question,
                questions=(row.question,),
                keywords=(),
                source=row.source,
                checked_on=row.kept_at.astimezone(self._zone).date(),
                expires_on=row.expires_at.astimezone(self._zone).date(),
                status="ready",
                body=row.body,
                path=Path(f"{KEPT}{row.id}"),
                grid=row.grid_id,
            )
            for row in rows
        )

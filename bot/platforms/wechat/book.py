"""What the WeChat platform keeps in storage: gaps, the groups our accounts are in, and what WeChat's warnings brought."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert
from sqlmodel import Session, col, select

from bot.platforms.wechat.client import Room
from bot.platforms.wechat.parse import PLATFORM
from bot.platforms.wechat.safety import Severity
from storage.tables import Group, Notice, WechatAccount, WechatGap, WechatRoom
from storage.writer import Writer

MOST_LOOKED_AT = 60  # notices in which a quoted text is looked for
SHORTEST_QUOTE = 8  # characters of a quote that was cut, to be recognised by its beginning


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which the account heard nothing. `number` is the row's."""

    number: int
    account: str
    from_at: datetime
    to_at: datetime
    why: str = ""

    @property
    def seconds(self) -> float:
        """How long it was."""
        return (self.to_at - self.from_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Caution:
    """What the account holds back after warnings: until when everything but emergencies, and until when half the pace."""

    held_until: datetime | None = None
    slow_until: datetime | None = None


class Book:
    """The rows of one account."""

    def __init__(self, writer: Writer, account: str) -> None:
        self._writer = writer
        self._account = account

    # --- being there --------------------------------------------------------------------------------------------------

    async def last_alive(self) -> datetime | None:
        """The last sign of life that was kept; None for an account that was never there."""
        return await self._writer.read(lambda session: _alive(session, self._account))

    async def keep_alive(self, at: datetime) -> None:
        """The event stream lives."""
        await self._writer.run(lambda session: _keep_alive(session, self._account, at))

    async def add_gap(self, from_at: datetime, to_at: datetime, why: str) -> Gap:
        """Keep a gap, and that the account is there again, in one transaction."""

        def work(session: Session) -> int:
            row = WechatGap(account=self._account, from_at=from_at, to_at=to_at, why=why[:120])
            session.add(row)
            _keep_alive(session, self._account, to_at)
            session.flush()
            return row.id or 0

        return Gap(await self._writer.run(work), self._account, from_at, to_at, why)

    # --- groups -------------------------------------------------------------------------------------------------------

    async def announced(self) -> set[str]:
        """The groups of which the bot knows: it was told of them, or they are on its list anyway (from a backup, say)."""
        told = select(WechatRoom.chat).where(
            WechatRoom.account == self._account, col(WechatRoom.announced), col(WechatRoom.present)
        )
        listed = select(Group.chat).where(Group.platform == PLATFORM, Group.account == self._account, col(Group.active))

        def work(session: Session) -> set[str]:
            return {*session.exec(told).all(), *session.exec(listed).all()}

        return await self._writer.read(work)

    async def see_rooms(self, chats: Iterable[str], now: datetime) -> None:
        """The account is in these groups."""
        given = list(dict.fromkeys(chats))

        def work(session: Session) -> None:
            known = select(WechatRoom.chat, WechatRoom.present).where(WechatRoom.account == self._account)
            if len(given) == 1:
                known = known.where(WechatRoom.chat == given[0])
            there = dict(session.exec(known).all())
            new = [WechatRoom(account=self._account, chat=chat, seen_at=now).model_dump() for chat in given if chat not in there]
            if new:
                session.execute(insert(WechatRoom), new)
            for chat in given:
                if there.get(chat) is False:
                    row = session.get_one(WechatRoom, (self._account, chat))
                    row.present, row.announced, row.seen_at, row.fetched_at = True, False, now, None
                    session.add(row)

        if given:
            await self._writer.run(work)

    async def stale_rooms(self, before: datetime) -> list[str]:
        """Groups whose description was not fetched since `before`, the never fetched first."""
        wanted = (
            select(WechatRoom.chat)
            .where(
                WechatRoom.account == self._account,
                col(WechatRoom.present),
                col(WechatRoom.fetched_at).is_(None) | (col(WechatRoom.fetched_at) < before),
            )
            .order_by(col(WechatRoom.fetched_at).is_not(None), col(WechatRoom.fetched_at), col(WechatRoom.seen_at))
        )
        return list(await self._writer.read(lambda session: session.exec(wanted).all()))

    async def unannounced(self) -> list[str]:
        """Groups in which the account is and of which the bot has not been told, the oldest first."""
        wanted = (
            select(WechatRoom.chat)
            .where(WechatRoom.account == self._account, col(WechatRoom.present), ~col(WechatRoom.announced))
            .order_by(col(WechatRoom.seen_at), col(WechatRoom.chat))
        )
        return list(await self._writer.read(lambda session: session.exec(wanted).all()))

    async def topic(self, chat: str) -> str:
        """What a group is called, as far as is known."""

        def work(session: Session) -> str:
            row = session.get(WechatRoom, (self._account, chat))
            return row.topic if row is not None else ""

        return await self._writer.read(work)

    async def keep_rooms(self, rooms: Sequence[Room], now: datetime) -> None:
        """Descriptions of groups, fresh now; a group of ours that bears the old name follows the new one."""

        def work(session: Session) -> None:
            for room in rooms:
                row = session.get(WechatRoom, (self._account, room.id)) or WechatRoom(
                    account=self._account, chat=room.id, seen_at=now
                )
                topic = _storable(room.topic)
                _rename(session, self._account, room.id, row.topic, topic)
                row.topic, row.members, row.fetched_at = topic or row.topic, room.members or row.members, now
                session.add(row)

        await self._writer.run(work)

    async def rename(self, chat: str, topic: str) -> None:
        """Somebody renamed a group."""

        def work(session: Session) -> None:
            row = session.get(WechatRoom, (self._account, chat))
            if row is not None:
                _rename(session, self._account, chat, row.topic, _storable(topic))
                row.topic = _storable(topic)
                session.add(row)

        await self._writer.run(work)

    async def set_room(
        self, chat: str, *, present: bool | None = None, announced: bool | None = None, stale: bool = False
    ) -> None:
        """Note what happened in a group that is known; what is None stays."""

        def work(session: Session) -> None:
            row = session.get(WechatRoom, (self._account, chat))
            if row is None:
                return
            row.present = row.present if present is None else present
            row.announced = row.announced if announced is None else announced
            if not row.present:
                row.topic, row.members = "", 0  # where we are no more it is not ours to know
            row.fetched_at = None if stale else row.fetched_at
            session.add(row)

        await self._writer.run(work)

    # --- what we said -------------------------------------------------------------------------------------------------

    async def find_sent(self, chat: str, said: str) -> str | None:
        """The message id of what we said in this chat and somebody quotes; None when it is not ours, or too old."""
        wanted = (
            select(Notice.message_id, Notice.text)
            .where(
                Notice.platform == PLATFORM,
                Notice.account == self._account,
                Notice.chat == chat,
                Notice.state == "sent",
                col(Notice.message_id).is_not(None),
            )
            .order_by(col(Notice.id).desc())
            .limit(MOST_LOOKED_AT)
        )
        rows = await self._writer.read(lambda session: session.exec(wanted).all())
        quoted = _plain(said)
        for message_id, text in rows:
            ours = _plain(text)
            if ours and (ours == quoted or quoted.endswith(ours) or (len(quoted) >= SHORTEST_QUOTE and quoted in ours)):
                return message_id
        return None

    # --- caution ------------------------------------------------------------------------------------------------------

    async def caution(self) -> Caution:
        """What is held back now."""

        def work(session: Session) -> Caution:
            row = session.get(WechatAccount, self._account)
            return Caution(row.held_until, row.slow_until) if row is not None else Caution()

        return await self._writer.read(work)

    async def warn(self, now: datetime, rule: Severity) -> tuple[Caution, int]:
        """WeChat has warned: hold back longer each time it does within a day. Returns what is held back, and the how manieth."""

        def work(session: Session) -> tuple[Caution, int]:
            row = session.get(WechatAccount, self._account) or WechatAccount(account=self._account)
            again = row.warned_at is not None and (now - row.warned_at).total_seconds() < rule.remember_seconds
            row.warnings = row.warnings + 1 if again else 1
            row.warned_at = now
            held = rule.held(row.warnings)
            row.held_until, row.slow_until = now + held, now + held + rule.slow()
            session.add(row)
            return Caution(row.held_until, row.slow_until), row.warnings

        return await self._writer.run(work)


def gaps_since(session: Session, account: str, since: datetime) -> list[Gap]:
    """The gaps that ended after `since`, the newest last."""
    rows = session.exec(
        select(WechatGap).where(WechatGap.account == account, WechatGap.to_at > since).order_by(col(WechatGap.id))
    ).all()
    return [Gap(row.id or 0, row.account, row.from_at, row.to_at, row.why) for row in rows]


def count_rooms(session: Session, account: str) -> tuple[int, int]:
    """How many groups the account is in, and of how many the bot has been told."""
    here = (WechatRoom.account == account, col(WechatRoom.present))
    present = session.exec(select(func.count()).select_from(WechatRoom).where(*here)).one()
    announced = session.exec(select(func.count()).select_from(WechatRoom).where(*here, col(WechatRoom.announced))).one()
    return present, announced


def _alive(session: Session, account: str) -> datetime | None:
    row = session.get(WechatAccount, account)
    return row.alive_at if row is not None else None


def _keep_alive(session: Session, account: str, at: datetime) -> None:
    row = session.get(WechatAccount, account) or WechatAccount(account=account)
    row.alive_at = at
    session.add(row)


def _storable(text: str) -> str:
    """Without the one character that no PostgreSQL text can hold: a stranger's group name must not stop the account."""
    return text.replace("\0", "")


def _rename(session: Session, account: str, chat: str, before: str, topic: str) -> None:
    """Our group follows WeChat's name unless the station has given it one of its own."""
    if not topic or topic == before:
        return
    group = session.exec(select(Group).filter_by(platform=PLATFORM, account=account, chat=chat)).first()
    if group is not None and group.name in (before, chat, ""):
        group.name = topic
        session.add(group)


def _plain(text: str) -> str:
    return "".join(text.split())

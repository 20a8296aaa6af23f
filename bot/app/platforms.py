"""The platforms of the settings, built."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlmodel import Session, col, select

from bot.app.house import App
from bot.clock import Clock
from bot.config import Settings
from bot.gate import RosterGate
from bot.pacing import AccountKey
from bot.permissions import Rights
from bot.photos import PhotoWorker
from bot.platforms.base import Health
from bot.platforms.owners import Owners
from bot.platforms.web import WebPlatform, WebSettings
from bot.platforms.web.settings import RoomSeed, UserSeed, officer_id, usable_id
from bot.platforms.web.tipform import TipDoor
from bot.verdicts import account_scope, chat_scope
from cases.roster import Roster
from storage.tables import Group, Officer
from storage.writer import Writer

if TYPE_CHECKING:
    from bot.platforms.telegram import Moved, TelegramPlatform, TelegramSettings


def rooms_of_roster(session: Session) -> tuple[list[RoomSeed], list[UserSeed]]:
    """The web groups with the officers whose roles reach them, so that an officer who signs in is in the right rooms."""
    officers = session.exec(select(Officer).where(col(Officer.active))).all()
    groups = session.exec(select(Group).where(Group.platform == "web", col(Group.active))).all()
    rights = {officer.badge: Rights(session, officer, "web", datetime.now(UTC)) for officer in officers}
    rooms = [
        RoomSeed(
            group.chat,
            group.name,
            tuple(label for label in (group.class_label, group.board, group.industry) if label),
            tuple(officer_id(badge) for badge, right in rights.items() if right.covers("case.view", group.grid_id)),
            officers_only=group.class_label == "工作",
        )
        for group in groups
        if usable_id(group.chat)  # one that the web chat cannot have, from a release that took any, must not end every start
    ]
    return rooms, [UserSeed(officer_id(row.badge), row.name, "officer", row.title, row.badge) for row in officers]


def web_platform(
    settings: Settings,
    writer: Writer,
    photos: PhotoWorker,
    clock: Clock,
    house: list[App],
    *,
    demo: bool,
    tips: TipDoor | None = None,
) -> WebPlatform:
    """`house` holds the bot once it is built; until then the page says that it is not ready."""
    web = settings.web

    async def officer_rooms(badge: str) -> list[str]:
        rooms, _ = await writer.read(rooms_of_roster)
        return [room.id for room in rooms if officer_id(badge) in room.members]

    async def metrics() -> str:
        return await house[0].metrics_text() if house else ""

    return WebPlatform(
        WebSettings(
            host=web.host,
            port=web.port,
            demo=demo,
            public_url=web.public_url,
            behind_proxy=web.behind_proxy,
            keep_days=web.keep_days,
            bot_name=settings.bot.name,
        ),
        rooms_file=settings.bot.data_dir / "web.sqlite3",
        gate=roster_gate(writer, clock),
        clock=clock,
        data_dir=settings.bot.data_dir,
        photos=photos,
        on_health=lambda: house[0].health() if house else {"web": Health(listening=False)},
        on_metrics=metrics,
        tips=tips,
        officer_rooms=None if demo else officer_rooms,
    )


def telegram_settings(settings: Settings) -> tuple[TelegramSettings, ...]:
    """The bots as the platform takes them; `check` of each tells what cannot work."""
    from bot.platforms.telegram import TelegramSettings

    return tuple(
        TelegramSettings(
            token=each.token,
            base_url=each.base_url,
            webhook_url=each.webhook_url,
            webhook_host=each.webhook_host,
            webhook_port=each.webhook_port,
            webhook_secret=each.webhook_secret,
            section="telegram" if number == 0 else f"telegram.accounts[{number}]",
        )
        for number, each in enumerate(settings.telegram.all_accounts)
    )


def telegram_platforms(settings: Settings, writer: Writer, clock: Clock, house: list[App]) -> list[TelegramPlatform]:
    """One adapter for each bot. Raises ConfigError with the mend for settings that cannot work."""
    # its libraries take a fifth of a second to import, which a start without Telegram does not have to wait
    from bot.platforms.telegram import Limits, TelegramPlatform

    given = telegram_settings(settings)
    accounts = [each.account for each in given]

    return [
        TelegramPlatform(
            each,
            data_dir=settings.bot.data_dir,
            clock=clock,
            on_move=_on_move(each.account, writer, house),
            owners=Owners(writer, "telegram", each.account, accounts),
            limits=Limits(
                OutboxPauses(house, ("telegram", each.account)), per_second=settings.pacing.telegram.per_account_per_second
            ),
        )
        for each in given
    ]


def _on_move(account: str, writer: Writer, house: list[App]) -> Callable[[Moved], Awaitable[None]]:
    from bot.platforms.telegram import move_chat, move_mind

    async def on_move(moved: Moved) -> None:
        await writer.run(lambda session: move_chat(session, account, moved))
        if house:
            move_mind(house[0].mind, account, moved)

    return on_move


class OutboxPauses:
    """The pauses of one account, kept where the outbox keeps its own; before there is a house there are none."""

    def __init__(self, house: list[App], account: AccountKey) -> None:
        self._house = house
        self._account = account

    def left(self, scope: str) -> float:
        """Seconds until the pause is over; 0 when there is none."""
        return self._house[0].outbox.paused(self._named(scope)) if self._house else 0.0

    def add(self, scope: str, seconds: float) -> None:
        """The platform asked for one."""
        if self._house:
            self._house[0].outbox.pause(self._named(scope), seconds)

    def _named(self, scope: str) -> str:
        sort, _, which = scope.partition(":")
        if sort == "chat":
            return chat_scope(self._account, which)
        account = account_scope(self._account)
        return account if sort == "account" else f"{sort}:{account.partition(':')[2]}:{which}"


def roster_gate(writer: Writer, clock: Clock) -> RosterGate:
    """The web chat's door to the roster."""

    def use_code(session: Session, now: datetime, badge: str, code: str, user_id: str) -> Officer:
        roster = Roster(session, now)
        officer = roster.use_code(code, badge)
        roster.bind(officer, "web", user_id)
        return officer

    return RosterGate(writer, clock, use_code, lambda session, now, badge: Roster(session, now).by_badge(badge))

"""What is done at the terminal is told in the chats to whoever it concerns: a running bot sends it within seconds (0240)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sqlmodel import Session

from bot.cli import shell
from bot.config import Settings
from cases.roster import Roster
from storage.sealing import Sealer
from storage.tables import Officer

if TYPE_CHECKING:
    from bot.say import Say


def voice_of(session: Session, chosen: Settings, action: str) -> Say:
    """To say something in this transaction."""
    # what talks takes its time to load, and most commands do not talk
    from bot.say import Say, Voice
    from bot.whisper import hush

    now = shell.clock()
    seal = partial(hush, Sealer(chosen.bot.data_dir / "keys" / "tips.key"))
    return Say(
        session,
        Voice(shell.phrases(), _private_accounts(chosen), seal),
        now,
        f"shell:{action}:{now.timestamp():.6f}",
        None,
    )


def tell_of_roster(session: Session, chosen: Settings, officer: Officer, phrase: str, **values: Any) -> None:
    """The officer, the administrators and the supervisors hear what was done to the roster."""
    from handlers.asking import concerned
    from handlers.roles import spell_roles

    roster = Roster(session, shell.clock())
    told = {one.id: one for one in (officer, *concerned("roster.role", officer, roster))}
    roles = spell_roles(roster.roles(officer), session)
    voice_of(session, chosen, "roster").to_officers(list(told.values()), phrase, who=called(officer), roles=roles, **values)


def called(officer: Officer) -> str:
    """An officer as others read it."""
    return f"{officer.title}{officer.name}（工号{officer.badge}）"


def _private_accounts(chosen: Settings) -> dict[str, str]:
    """By platform the account of ours that talks to people privately: the first one, as in the running bot."""
    from bot.platforms.web.settings import ACCOUNT

    accounts = {"web": ACCOUNT} if chosen.web.enabled else {}
    if chosen.telegram.enabled:
        from bot.app import telegram_settings

        accounts["telegram"] = telegram_settings(chosen)[0].account
    if chosen.wechat.enabled:
        from bot.app import wechat_settings

        accounts["wechat"] = wechat_settings(chosen)[0].account
    return accounts

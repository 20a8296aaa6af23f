"""Databases with the sample district in them, laid once and copied after that, because migrating takes its time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text as sql
from sqlmodel import Session, col, select

from bot.app import open_database
from bot.config import Settings
from bot.demo import District, seed
from storage.tables import Group, OfficerAccount
from storage.writer import Writer
from tests.kit.cells import Postgres
from tests.kit.peer import Peer

BEFORE = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)  # the day before the scenarios begin

_laid: dict[str, bytes] = {}  # by platform: a migrated SQLite file


def opened(settings: Settings, folder: Path, district: District, peer: Peer) -> Writer:
    """The database of the settings, with the sample district on the peer's platform; in the folder's own file it is a copy."""
    file = folder / "qianshao.sqlite3"
    plain, laid = not settings.storage.url, _laid.get(peer.name)
    if plain and laid and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(0o600)  # as the bot makes it
        file.write_bytes(laid)
    writer = open_database(settings.database_url)
    if not (plain and laid):
        writer.run_now(lambda session: _lay(session, district, peer))
    if plain and not laid and file.exists():
        writer.close()
        _laid[peer.name] = file.read_bytes()
        writer = open_database(settings.database_url)
    return writer


def borrowed(postgres: Postgres, district: District, peer: Peer) -> str:
    """The URL of a PostgreSQL database of one's own with the sample district in it."""

    def lay(url: str) -> None:
        writer = open_database(url)
        writer.run_now(lambda session: _lay(session, district, peer))
        writer.close()

    return postgres.lend(f"laid_{peer.name}", lay)


def traces(session: Session, words: tuple[str, ...]) -> list[str]:
    """Which words stand in which table of a PostgreSQL database, as text or as bytes."""
    names = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
    found = []
    for (table,) in session.execute(sql(names)).all():
        rows = "\n".join(row[0] for row in session.execute(sql(f'SELECT t::text FROM "{table}" t')).all())
        found += [f"{table}: {word}" for word in words if word in rows or word.encode().hex() in rows]
    return found


def _lay(session: Session, district: District, peer: Peer) -> None:
    seed(session, district, BEFORE)
    for group in session.exec(select(Group).where(col(Group.platform) == "web")).all():
        group.platform, group.account, group.chat = peer.name, peer.account, peer.chat_id(group.chat)
        session.add(group)
    for account in session.exec(select(OfficerAccount).where(col(OfficerAccount.platform) == "web")).all():
        account.platform, account.user_id = peer.name, peer.user_id(account.user_id)
        session.add(account)
    session.flush()

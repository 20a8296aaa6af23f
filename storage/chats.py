"""Which of our accounts a chat group belongs to, and that the group has a row before anything is kept of it.

The row of a chat is unique by platform and chat, whichever node writes it: of two accounts that hear the first message at the
same time one is told that the chat is its own, the other that it is not.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from storage.tables import ChatOwner, Group


def owner_of(session: Session, platform: str, chat: str) -> str | None:
    """The account that the chat belongs to; None while it belongs to nobody."""
    return session.exec(select(ChatOwner.account).filter_by(platform=platform, chat=chat)).first()


def claim_chat(session: Session, platform: str, chat: str, account: str, accounts: Collection[str]) -> str:
    """Let the chat belong to `account` unless it belongs to another of `accounts`; returns whose it is.

    A group that is on the list already stays with the account that is in it; one whose account is configured no more is free.
    """
    owner = owner_of(session, platform, chat)
    if owner in accounts:
        return str(owner)
    listed = (
        select(Group.account)
        .filter_by(platform=platform, chat=chat)
        .where(col(Group.active), col(Group.account).in_(accounts))
        .order_by(col(Group.id))
    )
    mine = session.exec(listed).first() or account
    if owner is not None:
        release_chat(session, platform, owner, chat)
    _insert_new(session, ChatOwner(platform=platform, chat=chat, account=mine), ["platform", "chat"])
    return owner_of(session, platform, chat) or mine


def release_chat(session: Session, platform: str, account: str, chat: str) -> None:
    """The account is not in the chat any more: the next one that hears something there may have it."""
    session.execute(delete(ChatOwner).filter_by(platform=platform, chat=chat, account=account))


def move_owner(session: Session, platform: str, account: str, old: str, new: str) -> None:
    """A chat has got another id: it stays whose it was."""
    if owner_of(session, platform, old) == account:
        session.execute(delete(ChatOwner).filter_by(platform=platform, chat=new))
        session.execute(insert(ChatOwner).values(platform=platform, chat=new, account=account))
    release_chat(session, platform, account, old)


def list_chat(session: Session, platform: str, account: str, chat: str, name: str) -> None:
    """Give the group its row if it has none; without a grid it is unassigned, and the bot has not introduced itself there."""
    group = Group(platform=platform, account=account, chat=chat, name=name or chat)
    _insert_new(session, group, ["platform", "account", "chat"], leave_out={"id"})


def is_introduced(session: Session, platform: str, account: str, chat: str) -> bool:
    """Whether the group is on the list, the bot in it, and has said who it is."""
    here = select(Group.id).filter_by(platform=platform, account=account, chat=chat)
    return session.exec(here.where(col(Group.active), col(Group.introduced_at).is_not(None))).first() is not None


def _insert_new(session: Session, row: SQLModel, unique: list[str], leave_out: set[str] | None = None) -> None:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    values = row.model_dump(exclude=leave_out)
    session.execute(dialect.insert(type(row)).values(**values).on_conflict_do_nothing(index_elements=unique))

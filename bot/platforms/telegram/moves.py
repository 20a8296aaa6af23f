"""A group becomes a supergroup: its id changes everywhere in one transaction, and what is still to be said follows.

Message ids begin anew in the supergroup, so those of the old chat are set apart: an old number must never be taken for a new
message.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace as changed

from msgspec.structs import replace
from sqlalchemy import CursorResult, Update, case, delete, update
from sqlmodel import Session, col, select

from bot.messages import Address
from bot.mind import Mind
from bot.platforms.telegram.parse import PLATFORM, Moved
from storage.chats import move_owner
from storage.tables import Alarm, Campaign, CampaignGroup, Case, CaseEntry, Dialog, Group, Notice

OLD = "moved:"  # before the id of a message of the old chat


def move_chat(session: Session, account: str, moved: Moved) -> bool:
    """Let everything that is about the old chat be about the new one; true when there was anything. Safe to repeat."""
    here = {"platform": PLATFORM, "account": account, "chat": moved.old}
    group = session.exec(select(Group).filter_by(**here)).first()
    if group is not None:
        _move_group(session, group, account, moved)
    move_owner(session, PLATFORM, account, moved.old, moved.new)
    cases = list(session.exec(select(Case.id).filter_by(**here)))
    _forget_places(session, cases)
    changed = group is not None
    for statement in (
        update(Case).filter_by(**here).values(chat=moved.new, message_id=""),
        update(Alarm).filter_by(**here).values(chat=moved.new, message_id=""),
        update(Notice)
        .filter_by(**here)
        .values(
            chat=moved.new,
            reply_to=None,
            message_id=case((col(Notice.message_id).is_not(None), OLD + col(Notice.message_id)), else_=None),
        ),
    ):
        changed = _run(session, statement) or changed
    for dialog in session.exec(select(Dialog).filter_by(**here)).all():
        # the same person may have been asked something in the new chat already: that question is the newer one
        there = session.exec(
            select(Dialog.id).filter_by(
                platform=PLATFORM, account=account, chat=moved.new, thread=dialog.thread, sender=dialog.sender
            )
        ).first()
        if there is not None:
            session.delete(dialog)
        else:
            dialog.chat = moved.new
            session.add(dialog)
        changed = True
    session.flush()
    return changed


def move_mind(mind: Mind, account: str, moved: Moved) -> None:
    """The same for what the bot remembers; call it after the commit."""

    def there(address: Address) -> Address:
        ours = (address.platform, address.account, address.chat) == (PLATFORM, account, moved.old)
        return replace(address, chat=moved.new) if ours else address

    mind.alarms = {there(address): alarm for address, alarm in mind.alarms.items()}
    mind.reports = {replace(key, address=there(key.address)): until for key, until in mind.reports.items()}
    mind.photos = {replace(key, address=there(key.address)): photos for key, photos in mind.photos.items()}
    ours = (PLATFORM, account, moved.old)
    for key in [key for key in mind.dialogs if (key.platform, key.account, key.chat) == ours]:
        mind.dialogs.setdefault(changed(key, chat=moved.new), mind.dialogs.pop(key))


def _move_group(session: Session, group: Group, account: str, moved: Moved) -> None:
    """The group keeps its row, its grid and its labels; a row that the new chat has got meanwhile is merged into it."""
    newer = session.exec(select(Group).filter_by(platform=PLATFORM, account=account, chat=moved.new)).first()
    if newer is not None and newer.id != group.id:
        for table in (Notice, Case, Alarm):
            session.execute(update(table).filter_by(group_id=newer.id).values(group_id=group.id))
        _merge_campaigns(session, newer.id, group.id)
        session.delete(newer)
        session.flush()
    group.chat, group.active, group.left_at = moved.new, True, None
    session.add(group)
    session.flush()


def _merge_campaigns(session: Session, newer: int | None, group: int | None) -> None:
    """What a campaign does in the newer one it does in the other, unless it does something there already."""
    mine = select(CampaignGroup.campaign_id).where(col(CampaignGroup.group_id) == group)
    every = (
        col(CampaignGroup.campaign_id).in_(select(Campaign.id)),
        col(CampaignGroup.group_id) == newer,
    )  # the key begins with it
    session.execute(delete(CampaignGroup).where(*every, col(CampaignGroup.campaign_id).in_(mine)))
    session.execute(update(CampaignGroup).where(*every).values(group_id=group))


def _forget_places(session: Session, cases: Iterable[int | None]) -> None:
    for case_id in cases:
        session.execute(
            update(CaseEntry)
            .where(col(CaseEntry.case_id) == case_id, col(CaseEntry.message_id) != "")
            .values(message_id=OLD + col(CaseEntry.message_id))
        )


def _run(session: Session, statement: Update) -> bool:
    result = session.execute(statement)
    return isinstance(result, CursorResult) and result.rowcount > 0

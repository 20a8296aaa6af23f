"""Where a message comes from, as the desk wants to know it."""

from __future__ import annotations

from bot.messages import Inbound
from cases.desk import Origin
from storage.tables import Group


def origin_of(message: Inbound, group: Group | None) -> Origin:
    """The origin of a case that this message opens."""
    address = message.address
    return Origin(
        platform=address.platform,
        account=address.account,
        chat=address.chat,
        private=address.private,
        thread=address.thread,
        group_id=group.id if group else None,
        grid_id=group.grid_id if group else None,
        sender=message.sender.id,
        sender_name=message.sender.name,
        message_id=message.message_id,
    )

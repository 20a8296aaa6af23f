"""What comes back to a post: counts, never words and never who."""

from __future__ import annotations

import re

from sqlmodel import Session, col, select, update

from bot.messages import Address
from storage.tables import CampaignGroup, Notice

_ASKS = re.compile(r"[?？吗呢]\s*[?？!！。]*$|怎么|怎样|哪[里儿个天]|多少|几点|什么时候|能不能|可不可以|是不是|有没有")


def campaign_quoted(session: Session, address: Address, message_id: str) -> tuple[int, int] | None:
    """The campaign and the group whose message this is; None when it is none."""
    if address.private or not message_id:
        return None
    found = session.exec(
        select(Notice.campaign_id, Notice.group_id).where(
            Notice.message_id == message_id,
            Notice.platform == address.platform,
            Notice.account == address.account,
            Notice.chat == address.chat,
            col(Notice.campaign_id).is_not(None),
        )
    ).first()
    return (found[0], found[1]) if found and found[0] is not None and found[1] is not None else None


def count_answer(session: Session, address: Address, message_id: str, text: str, *, question: bool) -> None:
    """Somebody answered a message of ours; when it was a post it counts there. `question`: it was read as one of those that we
    know; "这是真的吗" below a post is none of these, and yet asked."""
    quoted = campaign_quoted(session, address, message_id)
    if quoted is not None:
        question = question or _ASKS.search(text) is not None
        _add(
            session, quoted, replies=CampaignGroup.replies + 1, **({"questions": CampaignGroup.questions + 1} if question else {})
        )


def count_opt_out(session: Session, quoted: tuple[int, int]) -> None:
    """Somebody asked for no more posts."""
    _add(session, quoted, opt_outs=CampaignGroup.opt_outs + 1)


def _add(session: Session, quoted: tuple[int, int], **values: object) -> None:
    here = (col(CampaignGroup.campaign_id) == quoted[0], col(CampaignGroup.group_id) == quoted[1])
    session.exec(update(CampaignGroup).where(*here).values(**values))

"""One person on two platforms: two identities, until they link them themselves."""

from __future__ import annotations

import re
from datetime import datetime

from sqlmodel import Session

from bot.messages import Address, Inbound
from bot.router import Router, Words
from bot.say import Say
from cases.blocks import Blocks
from cases.codes import Guesses
from cases.identities import Identities
from content.refusal import Refusal
from handlers.origin import platform_name

router = Router("identity")

UNDO = ("取消", "不要了", "解除", "off", "unlink")


@router.command("关联", "link", usage="码", about="把您在另一个平台上的账号关联过来，两边反映的事一起查", names=True)
def link(
    message: Inbound, words: Words, identities: Identities, blocks: Blocks, say: Say, session: Session, now: datetime
) -> None:
    """Without a code one is given, to be typed on the other platform; with it the two are one resident; 取消 parts them."""
    platform, person = message.address.platform, message.sender.id
    code = re.sub(r"\D", "", words)
    if not message.address.private:
        if code:
            identities.spoil(code)
        say.reply("identity.in_group")
        return
    if words.strip().lower() in UNDO:
        say.reply("identity.unlinked" if identities.unlink(platform, person) else "identity.not_linked")
        return
    if not words.strip():
        say.secretly("identity.code", code=identities.new_link_code(platform, message.address.account, person))
        return
    guesses = Guesses(session, platform, person, now)
    guesses.check()
    try:
        other = identities.link(code, platform, person)
    except Refusal as refusal:
        if refusal.phrase == "identity.bad_code":
            guesses.note()
        say.reply(refusal.phrase, **refusal.values)
        return
    blocks.share(platform, person)
    say.reply("identity.linked", platform=platform_name(say, other.platform))
    there = Address(other.platform, other.account, other.user_id, private=True)
    say.at(there, "identity.linked_there", platform=platform_name(say, platform))

"""Good deeds: nominated by a neighbour, told to others only when the person agrees, under the name he wants. Nobody is scored."""

from __future__ import annotations

import re
from datetime import datetime

from sqlmodel import Session

from bot.permissions import Rights, Role
from bot.router import Router, Words
from bot.say import Say
from cases.dispatch import on_duty_or_dispatchers
from content.refusal import Refusal
from storage.tables import Deed, Group

router = Router("deeds")

NOMINATE_USAGE = "谁；做了什么"
DECIDE_USAGE = "号 同意 怎么称呼（或：不公开）"
_PARTS = re.compile(r"[；;\n]+")


@router.command("好人好事", "deed", usage=NOMINATE_USAGE, about="推荐一件身边的好事（本人同意才公开）", aside=True)
def nominate(words: Words, group: Group | None, say: Say, session: Session, now: datetime) -> None:
    """`/好人好事 三楼的小伙子；雨天帮老人抬轮椅`."""
    parts = [part.strip() for part in _PARTS.split(words, maxsplit=1) if part.strip()]
    if len(parts) < 2 or len(parts[1]) < 4:
        raise Refusal("refusal.usage", command="好人好事", usage=NOMINATE_USAGE)
    deed = Deed(group_id=group.id if group else None, who=parts[0][:30], what=parts[1][:300], created_at=now)
    session.add(deed)
    session.flush()
    say.privately("deeds.noted")
    officers = on_duty_or_dispatchers(session, group.grid_id if group else None, now)
    say.to_officers(officers, "deeds.card", number=deed.id, who=deed.who, what=deed.what, group=group.name if group else "私聊")


@router.command(
    "好事",
    "decide_deed",
    usage=DECIDE_USAGE,
    about="问过本人后，公开或不公开一件好事",
    needs=(Role.OFFICER, Role.GRID_WORKER),
    aside=True,
)
def decide(words: Words, rights: Rights, say: Say, session: Session) -> None:
    """The officer has asked the person: `/好事 3 同意 热心邻居小陈`."""
    found = re.fullmatch(r"\s*(\d{1,8})\s*[号號]?\s+(同意|不公[开開])\s*(.*)", words)
    if found is None or (found[2] == "同意" and not found[3].strip()):
        raise Refusal("refusal.usage", command="好事", usage=DECIDE_USAGE)
    deed = session.get(Deed, int(found[1]))
    group = session.get(Group, deed.group_id) if deed is not None and deed.group_id else None
    if deed is None or deed.state != "nominated":
        raise Refusal("deeds.no_such", number=found[1])
    rights.require("deed.decide", grid_id=group.grid_id if group else None, target=found[1])
    if found[2] != "同意":
        # the name goes with the wish not to be named
        deed.state, deed.who = "declined", ""
        say.reply("deeds.declined", number=deed.id)
    elif group is None:
        raise Refusal("deeds.no_group")
    else:
        deed.state, deed.shown_as, deed.who = "posted", found[3].strip()[:20], ""
        say.to_group(group, "deeds.post", name=deed.shown_as, what=deed.what)
        say.reply("deeds.posted", number=deed.id, group=group.name)
    session.add(deed)

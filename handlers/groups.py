"""The bot comes into a group, learns what it can hear there, is told whose group it is, and is taken out again."""

from __future__ import annotations

import re
from datetime import datetime

from sqlmodel import Session, col, select

from bot.dialogs import Dialogs
from bot.messages import Address, Inbound, Kind, Standing
from bot.permissions import Rights, Role
from bot.router import Router, Words
from bot.say import Say
from bot.turn import Rules
from cases.dispatch import dispatchers
from cases.groups import Wish, carry_out, forget_group, let_go, read_wish, to_be_assigned, unassigned
from cases.roster import Roster
from content.refusal import Refusal
from handlers.origin import platform_name
from storage.tables import Grid, Group

router = Router("groups")

WHO = (Role.DISPATCHER, Role.ADMIN)
USAGE = "网格 类别（私聊里先写群号）"
_BETWEEN = re.compile(r"[\s、,，]+")


@router.on(Kind.JOINED)
def introduce(
    message: Inbound, group: Group | None, roster: Roster, say: Say, rules: Rules, session: Session, now: datetime
) -> None:
    """The bot came into a group: it says once who it is and what it keeps, and asks whose group this is."""
    group = group or _new(message)
    group.active, group.left_at = True, None
    if message.group_name:
        group.name = message.group_name
    session.add(group)
    session.flush()
    if group.introduced_at is None:
        group.introduced_at = now
        kept = rules.rooms_keep_days if group.platform == "web" else None
        say.to_group(group, "help.introduction", name=rules.bot_name, station=rules.station, kept=kept)
        if unassigned(group):
            example = session.exec(select(Grid.code).order_by(col(Grid.code)).limit(1)).first() or "网格代码"
            say.to_officers(
                dispatchers(session, None),
                "groups.new",
                group=group.name,
                platform=platform_name(say, group.platform),
                id=group.id,
                example=example,
            )
    if message.standing is not None:
        _say_what_it_hears(message, message.standing, group, roster, say)


@router.on(Kind.LEFT)
def removed(message: Inbound, group: Group | None, dialogs: Dialogs, say: Say, session: Session, now: datetime) -> None:
    """Removed from a group: nothing more is sent or awaited there, and whoever dispatches there hears of it once."""
    if group is None or not group.active:
        let_go(session, message.address.platform, message.address.account, message.address.chat)
        return
    forget_group(session, group, now, "the bot was removed from the group")
    dialogs.end_in(Address(group.platform, group.account, group.chat))
    say.to_officers(dispatchers(session, group.grid_id), "desk.group_gone", group=group.name)


@router.command("群", "group", usage=USAGE, about="看群归哪个网格，或者给群定网格和类别", needs=WHO)
def assign(message: Inbound, words: Words, group: Group | None, rights: Rights, say: Say, session: Session) -> None:
    """In the group itself, or from the private chat with the group's number."""
    asked = [word for word in _BETWEEN.split(words) if word]
    if message.address.private:
        if not asked:
            rights.audit("group.assign", target="", allowed=True, reason="list")
            rows = [
                (row.id, row.name, platform_name(say, row.platform))
                for row in to_be_assigned(session)
                if rights.covers("group.assign", row.grid_id)
            ]
            say.reply("groups.waiting", groups=rows)
            return
        group = _numbered(session, asked.pop(0))
    elif group is None:
        group = _new(message)
        session.add(group)
        session.flush()
    if not asked:
        rights.require("group.assign", grid_id=group.grid_id, target=f"group {group.id}")
        _tell("groups.is", group, say, session)
        return
    wish = read_wish(session, asked)
    _require(rights, group, wish)
    carry_out(session, group, wish)
    _tell("groups.assigned", group, say, session)


def _require(rights: Rights, group: Group, wish: Wish) -> None:
    """The right where the group is now and where it is to be."""
    target = f"group {group.id}"
    after = wish.grid.id if wish.grid is not None else None if wish.no_grid else group.grid_id
    rights.require("group.assign", grid_id=after, target=target)
    if group.grid_id is not None and group.grid_id != after:
        rights.require("group.assign", grid_id=group.grid_id, target=target)


def _say_what_it_hears(message: Inbound, standing: Standing, group: Group, roster: Roster, say: Say) -> None:
    """To the group's owner in the group, because the bot may write to nobody first; to whoever runs the bot in private."""
    operators = roster.with_role(Role.ADMIN)
    if not standing.may_write:
        say.to_officers(operators, "groups.mute_card", group=group.name)
        return
    if standing.hears_all == group.hears_all:
        return
    group.hears_all = standing.hears_all
    if standing.hears_all:
        say.to_group(group, "groups.hears_all")
        return
    where = Address(group.platform, group.account, group.chat)
    say.at(where, "groups.hears_little", mention=message.sender.id if message.sender.personal else None)
    say.to_officers(operators, "groups.hears_little_card", group=group.name)


def _new(message: Inbound) -> Group:
    address = message.address
    return Group(platform=address.platform, account=address.account, chat=address.chat, name=message.group_name or address.chat)


def _numbered(session: Session, word: str) -> Group:
    found = session.get(Group, int(word.lstrip("#"))) if re.fullmatch(r"#?[0-9]{1,9}", word) else None
    if found is None:
        raise Refusal("groups.no_group", word=word[:20])
    return found


def _tell(phrase: str, group: Group, say: Say, session: Session) -> None:
    grid = session.get(Grid, group.grid_id) if group.grid_id is not None else None
    labels = "、".join(label for label in (group.class_label, group.board, group.industry) if label)
    say.reply(phrase, group=group.name, grid=grid.name if grid else "", labels=labels)

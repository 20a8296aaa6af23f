"""Somebody in a group has a name like an officer's: one calm sentence to the group, once, and a word to whoever is on duty."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from bot.permissions import officer_of_account
from bot.router import Router
from bot.say import Say
from bot.timers import Due
from cases.dispatch import on_duty_or_dispatchers
from storage.tables import Group, NameWarning

router = Router("lookalikes")

WORK = "工作"  # the officers' own groups
MOST_A_DAY = 3  # warnings in one group: whoever changes names again and again does not make us talk


@router.timer("name.alike")
def warn_of_name(due: Due, say: Say, session: Session, now: datetime) -> None:
    """Never twice for the same person and name, and never for an officer who has bound the account meanwhile."""
    where = due.data
    group = session.exec(
        select(Group).where(Group.platform == where["platform"], Group.account == where["account"], Group.chat == where["chat"])
    ).first()
    if group is None or not group.active or group.class_label == WORK:
        return
    if officer_of_account(session, where["platform"], where["user"]) is not None:
        return
    if session.exec(select(NameWarning.id).where(NameWarning.mark == due.key)).first() is not None:
        return
    lately = select(func.count()).select_from(NameWarning)
    told = session.exec(lately.where(NameWarning.group_id == group.id, col(NameWarning.at) > now - timedelta(days=1))).one()
    session.add(NameWarning(mark=due.key, group_id=group.id, at=now))
    session.flush()
    name, like = where["name"], where["like"]
    if told < MOST_A_DAY:
        say.to_group(group, "lookalikes.like_officer" if like else "lookalikes.like_office", name=name)
    officers = on_duty_or_dispatchers(session, group.grid_id, now)
    say.to_officers(officers, "lookalikes.card", group=group.name, name=name, like=like, said=told < MOST_A_DAY)

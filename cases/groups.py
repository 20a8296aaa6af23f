"""Groups: which ground they stand for, and what is left of one that removed the bot."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import and_, update
from sqlmodel import Session, col, func, or_, select

from content.labels import CLASSES
from content.refusal import Refusal
from storage.chats import release_chat
from storage.outbox import OUTBOX, PENDING, of_account
from storage.tables import Grid, Group, Notice

NO_GRID = ("无网格", "不归网格", "none")
KINDS = {"类别": "class", "class": "class", "板块": "board", "board": "board", "行业": "industry", "industry": "industry"}
COLUMNS = {"class": "class_label", "board": "board", "industry": "industry"}


def unassigned(group: Group) -> bool:
    """Nobody has said yet what the group is: without grid and label its cases go to the station's dispatcher."""
    return group.grid_id is None and not (group.class_label or group.board or group.industry)


@dataclass(slots=True)
class Wish:
    """What an officer wants a group to be. `grid` None with `no_grid` false: the grid stays as it is."""

    grid: Grid | None = None
    no_grid: bool = False
    labels: dict[str, str] = field(default_factory=dict)  # kind -> value, "" takes it away


def read_wish(session: Session, words: list[str]) -> Wish:
    """ "GX01 综合 行业:餐饮" as a `Wish`; Refusal with the grids and classes that there are for a word that is none of them."""
    wish = Wish()
    for word in words:
        kind, _, value = word.replace("：", ":").partition(":")
        if kind.lower() in KINDS and ":" in word.replace("：", ":"):
            name = KINDS[kind.lower()]
            if name == "class" and value and value not in CLASSES:
                raise Refusal("groups.no_class", word=value[:20], known="、".join(CLASSES))
            wish.labels[name] = value[:20]
        elif word in CLASSES:
            wish.labels["class"] = word
        elif word.lower() in NO_GRID:
            wish.no_grid = True
        else:
            wish.grid = _grid(session, word)
    return wish


def carry_out(session: Session, group: Group, wish: Wish) -> None:
    """Make the group what was wanted."""
    if wish.grid is not None:
        group.grid_id = wish.grid.id
    elif wish.no_grid:
        group.grid_id = None
    for kind, value in wish.labels.items():
        setattr(group, COLUMNS[kind], value)
    session.add(group)


def to_be_assigned(session: Session, most: int = 20) -> list[Group]:
    """Groups that wait for a grid or a label, the newest first."""
    rows = session.exec(select(Group).where(col(Group.active), col(Group.grid_id).is_(None)).order_by(col(Group.id).desc())).all()
    return [group for group in rows if unassigned(group)][:most]


def forget_group(session: Session, group: Group, now: datetime, why: str) -> int:
    """The bot is not in the group any more: nothing is said there. Returns how many notices are not sent any more.

    What happened there as a case stays, for it goes on elsewhere, and so do grid and labels, in case the bot comes back.
    """
    group.active, group.left_at = False, now
    session.add(group)
    release_chat(session, group.platform, group.account, group.chat)
    here = and_(of_account(OUTBOX, group.platform, group.account), OUTBOX.c.chat == group.chat, PENDING)
    dead = session.execute(update(Notice).where(here).values(state="dead", problem=why))
    return int(getattr(dead, "rowcount", 0))


def let_go(session: Session, platform: str, account: str, chat: str) -> None:
    """One of our accounts has left a chat: another one that hears something there may have it."""
    release_chat(session, platform, account, chat)


def _grid(session: Session, word: str) -> Grid:
    found = session.exec(select(Grid).where(or_(func.lower(Grid.code) == word.lower(), Grid.name == word))).first()
    if found is None:
        similar = [grid for grid in session.exec(select(Grid)).all() if word in grid.name]
        found = similar[0] if len(similar) == 1 else None
    if found is None:
        known = "、".join(
            f"{grid.code} {grid.name}" for grid in session.exec(select(Grid).order_by(col(Grid.code)).limit(12)).all()
        )
        raise Refusal("groups.no_grid", word=word[:20], known=known, classes="、".join(CLASSES))
    return found

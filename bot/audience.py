"""The groups as posts see them: their labels, and the names that a post may mention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlmodel import Session, col, select

from bot.permissions import Role
from content.labels import CLASSES
from content.phrases import PhraseBook
from content.posts import Audience
from storage.tables import Grid, Group, Officer, OfficerRole, Unit

DEEPEST = 8
GROUP = Group.metadata.tables["chat_group"]


class _Row(NamedTuple):
    """What is read of a group."""

    id: int
    platform: str
    account: str
    chat: str
    name: str
    grid_id: int | None
    class_label: str
    board: str
    industry: str
    posts_off: bool
    weekly_cap: int | None
    members: int | None


@dataclass(frozen=True, slots=True)
class MeantGroup:
    """One group that can get posts. `labels` include those of the grids around its own."""

    id: int
    platform: str
    account: str
    chat: str
    name: str
    labels: frozenset[str]
    posts_off: bool
    weekly_cap: int | None
    members: int | None
    audience: Audience


class Audiences:
    """All groups that the bot is in, read in four queries."""

    def __init__(self, session: Session, phrases: PhraseBook, station: str) -> None:
        self._phrases = phrases
        self._grids: dict[int, Grid] = {grid.id: grid for grid in session.exec(select(Grid)).all() if grid.id is not None}
        self._officers = _officers_by_grid(session)
        police = session.exec(select(Unit.name).where(Unit.kind == "police").order_by(col(Unit.id))).first()
        self._station = station or police or phrases.say("posts.station")
        # columns instead of objects: five times as fast for thousands of groups
        here = select(*(getattr(GROUP.c, name) for name in _Row._fields)).where(GROUP.c.active, GROUP.c.left_at.is_(None))
        rows = session.connection().execute(here.order_by(GROUP.c.id)).all()
        self._by_id: dict[int, MeantGroup] | None = None
        self.groups: tuple[MeantGroup, ...] = tuple(self._meant(_Row(*row)) for row in rows)

    def label_of(self, word: str) -> str | None:
        """The label that somebody means by a bare word: a class, a board, an industry, a grid's code or name, a platform."""
        if ":" in word or "：" in word:
            label = word.replace("：", ":")
            return label if any(label in group.labels for group in self.groups) else None
        if word in CLASSES:
            return f"class:{word}"
        for kind in ("board", "industry", "grid", "platform"):
            if any(f"{kind}:{word}" in group.labels for group in self.groups):
                return f"{kind}:{word}"
        for kind in ("grid", "platform"):  # as it is typed on a phone
            if any(f"{kind}:{word}".lower() == label.lower() for label in self.known_labels):
                return next(label for label in self.known_labels if f"{kind}:{word}".lower() == label.lower())
        return next((f"grid:{grid.code}" for grid in self._grids.values() if grid.name == word), None)

    def name_of(self, label: str) -> str:
        """A label as people say it: the bare word, and a grid by its name."""
        kind, _, value = label.partition(":")
        if kind == "grid":
            return next((grid.name for grid in self._grids.values() if grid.code == value), value)
        return value

    @property
    def anybody(self) -> Audience:
        """What a text that is the same for all groups may say about them."""
        say = self._phrases.say
        return Audience("", say("posts.neighbours"), say("posts.no_grid"), say("posts.no_officer"), self._station)

    def group(self, group_id: int) -> MeantGroup | None:
        """The group with this id, if the bot is in it."""
        if self._by_id is None:
            self._by_id = {group.id: group for group in self.groups}
        return self._by_id.get(group_id)

    @property
    def known_labels(self) -> tuple[str, ...]:
        """Every label that some group carries, sorted."""
        return tuple(sorted({label for group in self.groups for label in group.labels}))

    def _meant(self, group: _Row) -> MeantGroup:
        chain = self._chain(group.grid_id)
        labels = {f"platform:{group.platform}", *(f"grid:{grid.code}" for grid in chain)}
        for kind, value in (("class", group.class_label), ("board", group.board), ("industry", group.industry)):
            if value:
                labels.add(f"{kind}:{value}")
        officer = next((self._officers[grid.id] for grid in chain if grid.id in self._officers), None)
        audience = Audience(
            key=f"{group.platform}:{group.account}:{group.chat}",
            group=group.name,
            grid=chain[0].name if chain else self._phrases.say("posts.no_grid"),
            officer=officer or self._phrases.say("posts.no_officer"),
            station=self._station,
        )
        return MeantGroup(
            group.id,
            group.platform,
            group.account,
            group.chat,
            group.name,
            frozenset(labels),
            group.posts_off,
            group.weekly_cap,
            group.members,
            audience,
        )

    def _chain(self, grid_id: int | None) -> list[Grid]:
        chain: list[Grid] = []
        while grid_id is not None and len(chain) < DEEPEST:
            grid = self._grids.get(grid_id)
            if grid is None or grid in chain:
                break
            chain.append(grid)
            grid_id = grid.parent_id
        return chain


def _officers_by_grid(session: Session) -> Mapping[int | None, str]:
    """Title and name of the officer of each grid; the police officer before the grid worker."""
    found: dict[int | None, str] = {}
    for role in (Role.OFFICER, Role.GRID_WORKER):
        rows = session.exec(
            select(OfficerRole.scope_id, Officer)
            .join(Officer, col(Officer.id) == col(OfficerRole.officer_id))
            .where(OfficerRole.role == role, OfficerRole.scope_kind == "grid", col(Officer.active))
            .order_by(col(Officer.id))
        ).all()
        for grid_id, officer in rows:
            found.setdefault(grid_id, f"{officer.title}{officer.name}")
    return found

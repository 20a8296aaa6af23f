"""Where a case comes from, and what is known when it is opened."""

from __future__ import annotations

from dataclasses import dataclass

from cases.places import Where


@dataclass(frozen=True, slots=True)
class Origin:
    """Where and by whom a case was brought."""

    platform: str
    account: str
    chat: str
    private: bool
    thread: str | None
    group_id: int | None
    grid_id: int | None
    sender: str
    sender_name: str
    message_id: str


@dataclass(frozen=True, slots=True)
class NewCase:
    """What is known when a case is opened. Without a place it starts as a draft that waits for one."""

    kind: str
    category: str
    tier: str
    text: str
    place: str
    origin: Origin
    needs_place: bool = True
    where: Where | None = None  # its grid goes before that of the group

"""Questions that wait for a person's next message. Rows, so that a restart forgets none of them.

A person may be asked several things in one chat; the newest question comes first. A question that was registered with `hears` is
patient: it knows its answer when it hears it, so it stays beneath a newer one and takes nothing else. Any other question takes
the next message, and is forgotten when a newer one is asked.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete
from sqlmodel import Session, col, select

from bot.messages import Address
from storage.tables import Dialog

MOST_WAITING = 8
_OF_KEY = select(Dialog).where(
    *(col(getattr(Dialog, name)) == bindparam(name) for name in ("platform", "account", "chat", "thread", "sender"))
)


@dataclass(frozen=True, slots=True)
class DialogKey:
    """Who is asked where: a dialog belongs to one person in one chat (and topic)."""

    platform: str
    account: str
    chat: str
    thread: str
    sender: str

    @classmethod
    def of(cls, address: Address, sender: str) -> DialogKey:
        return cls(address.platform, address.account, address.chat, address.thread or "", sender)


@dataclass(frozen=True, slots=True)
class Pending:
    """A question that waits: its name, what was noted with it, the case it is about, and until when an answer is heard."""

    name: str
    step: str
    data: dict[str, str]
    case_id: int | None
    until: datetime

    def same_matter(self, name: str, case_id: int | None) -> bool:
        """Whether a question `name` about that case replaces this one; "callback.reason" goes on from "callback"."""
        return self.case_id == case_id and self.name.partition(".")[0] == name.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Awaited:
    """What the glance has to know of a question that waits."""

    name: str
    until: datetime


class Dialogs:
    """The dialogs as one turn sees and changes them. `changed` tells the memory of the inbox what to do after the commit."""

    def __init__(self, session: Session, now: datetime, own: DialogKey | None, patient: Collection[str] = ()) -> None:
        self._session = session
        self._now = now
        self._own = own
        self._patient = patient
        self.current: Pending | None = None  # the question whose handler is running
        self.changed: dict[DialogKey, tuple[Awaited, ...]] = {}

    def waiting(self) -> list[Pending]:
        """The questions that this message may answer, the newest first."""
        return self._load(self._own) if self._own else []

    def ask(
        self,
        name: str,
        *,
        wait: timedelta,
        step: str = "",
        data: dict[str, str] | None = None,
        case_id: int | None = None,
        of: DialogKey | None = None,
    ) -> None:
        """From now on the person (default: this message's sender) is awaited to answer the question `name`."""
        key = of or self._own
        if key is None:
            raise ValueError("a dialog needs somebody who is asked")
        beneath = [other for other in self._load(key) if other.name in self._patient and not other.same_matter(name, case_id)]
        new = Pending(name, step, data or {}, case_id, self._now + wait)
        self._store(key, [new, *beneath][:MOST_WAITING])

    def listen(self, name: str, *, wait: timedelta, data: dict[str, str], of: DialogKey | None = None) -> None:
        """What somebody (default: this message's sender) says next may belong to `name`, after whatever he is asked; nothing of
        that ends by it."""
        key = of or self._own
        if key is None:
            raise ValueError("a dialog needs somebody who is listened to")
        others = [other for other in self._load(key) if not other.same_matter(name, None)]
        self._store(key, [*others[: MOST_WAITING - 1], Pending(name, "", data, None, self._now + wait)])

    def stop(self, *names: str) -> None:
        """Nothing of these names is heard from this message's sender here any more."""
        if self._own is None:
            return
        waiting = self._load(self._own)
        if any(one.name in names for one in waiting):
            self._store(self._own, [one for one in waiting if one.name not in names])

    def end(self) -> None:
        """The question that is being answered is settled."""
        if self._own is None or self.current is None:
            return
        settled = self.current
        self._store(self._own, [other for other in self._load(self._own) if not other.same_matter(settled.name, settled.case_id)])

    def end_about(self, case_id: int | None, of: DialogKey | None = None) -> None:
        """Nothing more is awaited from this person here about that case."""
        key = of or self._own
        if key is not None:
            self._store(key, [other for other in self._load(key) if other.case_id != case_id])

    def end_in(self, where: Address) -> None:
        """Nothing is awaited from anybody in this chat any more."""
        here = select(Dialog).where(Dialog.platform == where.platform, Dialog.account == where.account, Dialog.chat == where.chat)
        for row in self._session.exec(here).all():
            self._store(key_of(row), [])

    def _load(self, key: DialogKey) -> list[Pending]:
        row = self._row(key)
        return [] if row is None else [one for one in _read(row) if one.until > self._now]

    def _store(self, key: DialogKey, waiting: list[Pending]) -> None:
        row = self._row(key)
        self.changed[key] = tuple(Awaited(one.name, one.until) for one in waiting)
        if not waiting:
            if row is not None:
                self._session.delete(row)
                self._session.flush()
            return
        first = waiting[0]
        if row is None:
            row = Dialog(
                platform=key.platform,
                account=key.account,
                chat=key.chat,
                thread=key.thread,
                sender=key.sender,
                name=first.name,
                expires_at=first.until,
            )
        row.name, row.step, row.case_id = first.name, first.step, first.case_id
        row.expires_at = max(one.until for one in waiting)
        row.data = json.dumps([_plain(one) for one in waiting], ensure_ascii=False)
        self._session.add(row)
        self._session.flush()

    def _row(self, key: DialogKey) -> Dialog | None:
        return row_of(self._session, key)


def row_of(session: Session, key: DialogKey) -> Dialog | None:
    """What this person is asked here, if anything."""
    wanted = {
        "platform": key.platform,
        "account": key.account,
        "chat": key.chat,
        "thread": key.thread,
        "sender": key.sender,
    }
    return session.exec(_OF_KEY, params=wanted).first()


def key_of(row: Dialog) -> DialogKey:
    """Who is asked where."""
    return DialogKey(row.platform, row.account, row.chat, row.thread, row.sender)


def awaited_of(row: Dialog) -> tuple[Awaited, ...]:
    """The questions of a row as the glance knows them."""
    return tuple(Awaited(one.name, one.until) for one in _read(row))


def open_dialogs(session: Session, now: datetime) -> dict[DialogKey, tuple[Awaited, ...]]:
    """All questions that still wait, for the glance after a start; what has run out is deleted."""
    session.execute(delete(Dialog).where(col(Dialog.expires_at) <= now))
    return {key_of(row): awaited_of(row) for row in session.exec(select(Dialog)).all()}


def _plain(one: Pending) -> dict[str, object]:
    return {"name": one.name, "step": one.step, "data": one.data, "case": one.case_id, "until": one.until.isoformat()}


def _read(row: Dialog) -> list[Pending]:
    return [
        Pending(one["name"], one["step"], one["data"], one["case"], datetime.fromisoformat(one["until"]))
        for one in json.loads(row.data)
    ]

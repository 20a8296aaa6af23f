"""Questions that wait for a person's next message. Rows, so that a restart forgets none of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlmodel import Session, col, select

from bot.messages import Address
from storage.tables import Dialog


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
    """A question that waits: its name, what was noted with it, and the case it is about."""

    name: str
    step: str
    data: dict[str, str]
    case_id: int | None


class Dialogs:
    """The dialogs as one turn sees and changes them. `changed` tells the memory of the inbox what to do after the commit."""

    def __init__(self, session: Session, now: datetime, own: DialogKey | None) -> None:
        self._session = session
        self._now = now
        self._own = own
        self.changed: dict[DialogKey, datetime | None] = {}

    def pending(self) -> Pending | None:
        """The question that this message may answer, unless its time is over."""
        row = self._row(self._own) if self._own else None
        if row is None or row.expires_at <= self._now:
            return None
        return Pending(row.name, row.step, json.loads(row.data), row.case_id)

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
        """From now on the next message of the person (default: this message's sender) answers the question `name`."""
        key = of or self._own
        if key is None:
            raise ValueError("a dialog needs somebody who is asked")
        row = self._row(key)
        if row is None:
            row = Dialog(
                platform=key.platform,
                account=key.account,
                chat=key.chat,
                thread=key.thread,
                sender=key.sender,
                name=name,
                expires_at=self._now + wait,
            )
        row.name, row.step, row.case_id = name, step, case_id
        row.data, row.expires_at = json.dumps(data or {}, ensure_ascii=False), self._now + wait
        self._session.add(row)
        self._session.flush()
        self.changed[key] = row.expires_at

    def end(self, of: DialogKey | None = None) -> None:
        """Nothing more is awaited from this person here."""
        key = of or self._own
        if key is None:
            return
        row = self._row(key)
        if row is not None:
            self._session.delete(row)
            self._session.flush()
        self.changed[key] = None

    def _row(self, key: DialogKey | None) -> Dialog | None:
        if key is None:
            return None
        return self._session.exec(
            select(Dialog).where(
                Dialog.platform == key.platform,
                Dialog.account == key.account,
                Dialog.chat == key.chat,
                Dialog.thread == key.thread,
                Dialog.sender == key.sender,
            )
        ).first()


def open_dialogs(session: Session, now: datetime) -> dict[DialogKey, datetime]:
    """All dialogs that still wait, for the glance after a start; what has run out is deleted."""
    session.execute(delete(Dialog).where(col(Dialog.expires_at) <= now))
    rows = session.exec(select(Dialog)).all()
    return {DialogKey(row.platform, row.account, row.chat, row.thread, row.sender): row.expires_at for row in rows}

"""A person's rights over what is kept: to see it, and to be forgotten (PIPL arts. 44 to 47).

Cases stay, because others rely on what was done about them; the person goes out of them. Which columns hold a person is listed in
`storage.erasure`; a test reads every table and fails for a column that nobody has thought about.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from cases.identities import Account, Identities
from cases.lifecycle import ABOUT, State
from cases.statistics import KIND_NAMES
from content.masking import mask
from storage import erasure
from storage.tables import Alarm, Attachment, Case, CaseEntry


@dataclass(frozen=True, slots=True)
class KeptCase:
    """A case that one person brought, as that person is told about it. `text` has its numbers masked: chats are looked at."""

    number: str
    kind: str
    state: str
    created_at: datetime
    text: str
    place: str
    photos: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept about one platform account."""

    cases: tuple[KeptCase, ...]
    alarms: int


class Privacy:
    """The rights of people, inside the caller's transaction."""

    def __init__(self, session: Session, now: datetime) -> None:
        self._session = session
        self._now = now
        self._identities = Identities(session, now)

    def kept(self, platform: str, account: str) -> Kept:
        """Everything that is kept about the person behind this platform account and those linked with it, oldest case first."""
        accounts = self._identities.accounts(platform, account)
        cases = sorted((case for one in accounts for case in self._brought(one)), key=lambda case: case.id or 0)
        return Kept(tuple(self._kept(case) for case in cases), sum(self._alarms(one) for one in accounts))

    def forget(self, platform: str, account: str, note: str) -> int:
        """Take the person out of everything; how many cases that were. Open ones go on without anybody to ask, with `note`."""
        accounts = self._identities.accounts(platform, account)
        return sum(self._forget(one, note) for one in accounts)

    def _forget(self, account: Account, note: str) -> int:
        cases = self._brought(account)
        for case in cases:
            case.text, case.result = mask(case.text), mask(case.result)
            self._session.add(case)
            for entry in self._session.exec(select(CaseEntry).where(CaseEntry.case_id == case.id)).all():
                entry.text = mask(entry.text)
                self._session.add(entry)
            if ABOUT[State(case.state)].open:
                self._session.add(CaseEntry(case_id=case.id or 0, at=self._now, kind="note", author="bot", text=note))
        self._session.flush()
        erasure.forget_person(self._session, account.platform, account.user_id)
        return len(cases)

    def _brought(self, account: Account) -> list[Case]:
        mine = select(Case).where(Case.platform == account.platform, Case.reporter == account.user_id)
        return list(self._session.exec(mine.order_by(col(Case.id))).all())

    def _alarms(self, account: Account) -> int:
        mine = select(func.count()).select_from(Alarm).where(Alarm.platform == account.platform, Alarm.sender == account.user_id)
        return int(self._session.exec(mine).one())

    def _kept(self, case: Case) -> KeptCase:
        photos = self._session.exec(select(func.count()).select_from(Attachment).where(Attachment.case_id == case.id)).one()
        return KeptCase(
            case.number,
            KIND_NAMES.get(case.kind, case.kind),
            ABOUT[State(case.state)].name,
            case.created_at,
            mask(case.text),
            case.place,
            int(photos),
        )

"""The same thing reported by many: one case, its witnesses, and every group that has to hear the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from storage.tables import Case, CaseWitness, Group


@dataclass(frozen=True, slots=True)
class Chat:
    """Where somebody is told: a chat (and topic) of a platform account."""

    platform: str
    account: str
    chat: str
    private: bool
    thread: str | None = None


class Witnesses:
    """The witnesses of cases inside one transaction."""

    def __init__(self, session: Session, now: datetime) -> None:
        self._session = session
        self._now = now

    def of(self, case: Case) -> list[CaseWitness]:
        """Everybody who reported the same after the reporter, in order."""
        return list(
            self._session.exec(select(CaseWitness).where(CaseWitness.case_id == case.id).order_by(col(CaseWitness.id))).all()
        )

    def count(self, case: Case) -> int:
        """How many neighbours reported it, the first one counted."""
        wanted = select(func.count()).select_from(CaseWitness).where(CaseWitness.case_id == case.id)
        return 1 + self._session.exec(wanted).one()

    def knows(self, case: Case, platform: str, person: str) -> bool:
        """Whether that person is the reporter or a witness of the case."""
        return (case.platform, case.reporter) == (platform, person) or self._row(case, platform, person) is not None

    def add(
        self, case: Case, chat: Chat, group_id: int | None, person: str, message_id: str, from_case: int | None = None
    ) -> bool:
        """One more witness; false when that person is known to the case already."""
        if self.knows(case, chat.platform, person):
            return False
        self._session.add(
            CaseWitness(
                case_id=case.id or 0,
                from_case=from_case,
                platform=chat.platform,
                account=chat.account,
                chat=chat.chat,
                private=chat.private,
                thread=chat.thread,
                group_id=group_id,
                person=person,
                message_id=message_id,
                at=self._now,
            )
        )
        self._session.flush()
        return True

    def follow(self, case: Case, master: Case) -> None:
        """The reporter and the witnesses of `case` become witnesses of `master`."""
        for witness in self.of(case):
            if witness.person is None or not self.knows(master, witness.platform, witness.person):
                witness.case_id, witness.from_case = master.id or 0, case.id
                self._session.add(witness)
        self._session.flush()
        if case.reporter is not None:
            chat = Chat(case.platform, case.account, case.chat, case.private, case.thread)
            self.add(master, chat, case.group_id, case.reporter, case.message_id, from_case=case.id)

    def unfollow(self, case: Case, master: Case) -> None:
        """Take back what `follow` did."""
        for witness in self.of(master):
            if witness.from_case != case.id:
                continue
            if (witness.platform, witness.person) == (case.platform, case.reporter):
                self._session.delete(witness)
            else:
                witness.case_id, witness.from_case = case.id or 0, None
                self._session.add(witness)
        self._session.flush()

    def drop(self, case: Case, platform: str, person: str) -> None:
        """That person took back what he reported: he is no witness any more."""
        row = self._row(case, platform, person)
        if row is not None:
            self._session.delete(row)
            self._session.flush()

    def pass_on(self, case: Case) -> bool:
        """The reporter steps back: the first who reported the same takes his place; false when there is none."""
        heir = next((witness for witness in self.of(case) if witness.person is not None), None)
        if heir is None:
            return False
        case.platform, case.account, case.chat = heir.platform, heir.account, heir.chat
        case.private, case.thread, case.group_id = heir.private, heir.thread, heir.group_id
        case.reporter, case.reporter_name, case.message_id = heir.person, "", heir.message_id
        self._session.delete(heir)
        self._session.add(case)
        self._session.flush()
        return True

    def groups(self, case: Case) -> Sequence[Group]:
        """Every active group in which it was reported, the case's own first."""
        ids = dict.fromkeys([case.group_id, *(witness.group_id for witness in self.of(case))])
        found = [self._session.get(Group, group_id) for group_id in ids if group_id is not None]
        return [group for group in found if group is not None and group.active]

    def private(self, case: Case) -> list[CaseWitness]:
        """Witnesses who reported it in the private chat."""
        return [witness for witness in self.of(case) if witness.private and witness.person is not None]

    def _row(self, case: Case, platform: str, person: str) -> CaseWitness | None:
        return self._session.exec(
            select(CaseWitness).where(
                CaseWitness.case_id == case.id, CaseWitness.platform == platform, CaseWitness.person == person
            )
        ).first()

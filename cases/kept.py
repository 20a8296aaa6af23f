"""Answers that officers let the bot keep: written down, given again in their grid, ended by their date or by a newer one."""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from storage.tables import Case, Counter, KeptAnswer, Officer

VERSION = "kept_answers"  # the counter that grows with every change, so that every running bot sees it
_LONG_NUMBER = re.compile(r"[\dxX*]{6,}")  # telephone, card, identity: whose they are is nobody's business later


class KeptAnswers:
    """The kept answers inside one transaction."""

    def __init__(self, session: Session, now: datetime) -> None:
        self._session = session
        self._now = now

    def keep(self, case: Case, officer: Officer, source: str, expires_at: datetime, *, everywhere: bool) -> KeptAnswer:
        """Keep the result of an answered question; an earlier answer kept of the same case ends."""
        if case.id is None or officer.id is None:
            raise ValueError("a case and an officer have to be stored before an answer is kept")
        for old in self._session.exec(select(KeptAnswer).where(KeptAnswer.case_id == case.id, _open())).all():
            old.dropped_at = self._now
            self._session.add(old)
        kept = KeptAnswer(
            case_id=case.id,
            grid_id=None if everywhere else case.grid_id,
            officer_id=officer.id,
            question=_LONG_NUMBER.sub("…", case.text)[:200],
            body=case.result,
            source=source,
            kept_at=self._now,
            expires_at=expires_at,
        )
        self._session.add(kept)
        changed(self._session)
        self._session.flush()
        return kept

    def served(self) -> list[KeptAnswer]:
        """What may be given now, oldest first."""
        rows = self._session.exec(
            select(KeptAnswer).where(_open(), KeptAnswer.expires_at > self._now).order_by(col(KeptAnswer.id))
        )
        return list(rows.all())

    def drop(self, number: int) -> KeptAnswer | None:
        """Give it no more; None when there is none of that number."""
        kept = self._session.get(KeptAnswer, number)
        if kept is None or kept.dropped_at is not None:
            return None
        kept.dropped_at = self._now
        self._session.add(kept)
        changed(self._session)
        return kept


def version(session: Session) -> int:
    """Grows with every change of the kept answers."""
    return session.exec(select(Counter.value).where(Counter.name == VERSION)).first() or 0


def changed(session: Session) -> None:
    """Tell every running bot; in the transaction of the change."""
    counter = session.get(Counter, VERSION) or Counter(name=VERSION, value=0)
    counter.value += 1
    session.add(counter)


def _open() -> ColumnElement[bool]:
    return col(KeptAnswer.dropped_at).is_(None)

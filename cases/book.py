"""The book of cases: finding and reading them, without changing anything."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam
from sqlmodel import Session, and_, col, or_, select

from cases.identities import Identities
from cases.lifecycle import ABOUT, OPEN_STATES, State
from cases.origin import Origin
from content.refusal import Refusal
from content.taxonomy import Category, Taxonomy
from storage.tables import Attachment, Case, CaseAssist, CaseEntry, Notice, Unit

_RECENT = (
    select(Case)
    .where(
        Case.platform == bindparam("platform"),
        Case.chat == bindparam("chat"),
        Case.reporter == bindparam("person"),
        Case.created_at >= bindparam("since"),
        col(Case.state).in_((*OPEN_STATES, State.DUPLICATE)),
    )
    .order_by(col(Case.id).desc())
)
_PHOTOS = select(Attachment).where(Attachment.case_id == bindparam("case")).order_by(col(Attachment.id))


class CaseBook:
    """Finds cases and says what stands in them. One book belongs to one transaction."""

    def __init__(self, session: Session, taxonomy: Taxonomy, zone: ZoneInfo, now: datetime) -> None:
        self.taxonomy = taxonomy
        self.zone = zone
        self.now = now
        self._session = session

    def find(self, number: str) -> Case:
        """The case of that number, locked for this transaction and as it is now; Refusal when there is none."""
        wanted = select(Case).where(Case.number == number).with_for_update()
        # one that this transaction has read before, another node may have changed since
        case = self._session.exec(wanted.execution_options(populate_existing=True)).first()
        if case is None:
            raise Refusal("desk.no_such", number=number)
        return case

    def get(self, case_id: int) -> Case | None:
        return self._session.get(Case, case_id)

    def by_message(self, platform: str, chat: str, message_id: str) -> Case | None:
        """The case that a message belongs to: one of its own messages, or one of our notices about it."""
        entry = self._session.exec(
            select(Case)
            .join(CaseEntry, col(CaseEntry.case_id) == col(Case.id))
            .where(CaseEntry.message_id == message_id, Case.platform == platform, Case.chat == chat)
        ).first()
        if entry is not None:
            return entry
        notice = self._session.exec(
            select(Notice).where(Notice.message_id == message_id, Notice.platform == platform, Notice.chat == chat)
        ).first()
        return self._session.get(Case, notice.case_id) if notice and notice.case_id else None

    def recent_of(self, origin: Origin, within: timedelta) -> list[Case]:
        """Cases that this person brought in this chat not longer ago than `within`, newest first: open ones, and merged ones."""
        wanted = {"platform": origin.platform, "chat": origin.chat, "person": origin.sender, "since": self.now - within}
        return list(self._session.exec(_RECENT, params=wanted).all())

    def of_reporter(self, platform: str, sender: str, most: int = 5) -> list[Case]:
        """The newest cases of this person, from every account that he has linked."""
        accounts = [(one.platform, one.user_id) for one in Identities(self._session, self.now).accounts(platform, sender)]
        mine = or_(*(and_(col(Case.platform) == name, col(Case.reporter) == user) for name, user in accounts))
        return list(self._session.exec(select(Case).where(mine).order_by(col(Case.id).desc()).limit(most)).all())

    def brought_by(self, case: Case, platform: str, sender: str) -> bool:
        """Whether this person brought the case, from whichever of his linked accounts."""
        return Identities(self._session, self.now).brought(case, platform, sender)

    def history(self, case: Case) -> list[CaseEntry]:
        return list(self._session.exec(select(CaseEntry).where(CaseEntry.case_id == case.id).order_by(col(CaseEntry.id))).all())

    def photos(self, case: Case) -> list[Attachment]:
        return list(self._session.exec(_PHOTOS, params={"case": case.id}).all())

    def photos_by(self, case: Case, author: str) -> list[Attachment]:
        """Photos that came from the "reporter" or an "officer", oldest first."""
        ids = [line.attachment_id for line in self.history(case) if line.kind == "photo" and line.author == author]
        return [photo for photo in self.photos(case) if photo.id in ids]

    def result_photos(self, case: Case) -> list[Attachment]:
        """Photos that an officer added since the case was resolved for the last time, oldest first."""
        lines = self.history(case)
        resolved = max((line.id or 0 for line in lines if line.state == State.RESOLVED), default=None)
        if resolved is None:
            return []
        ids = [
            line.attachment_id
            for line in lines
            if line.kind == "photo" and line.author == "officer" and (line.id or 0) > resolved
        ]
        return [photo for photo in self.photos(case) if photo.id in ids]

    def category(self, case: Case) -> Category:
        return self.taxonomy.categories.get(case.category) or self.taxonomy.categories["other"]

    def state_name(self, case: Case) -> str:
        return ABOUT[State(case.state)].name

    def units(self, case: Case) -> tuple[int, ...]:
        """Lead and assisting units."""
        return ((case.unit_id,) if case.unit_id else ()) + self.assisting(case)

    def assisting(self, case: Case) -> tuple[int, ...]:
        """Assisting units."""
        wanted = select(CaseAssist.unit_id).where(CaseAssist.case_id == case.id).order_by(col(CaseAssist.id))
        return tuple(self._session.exec(wanted).all())

    def unit_name(self, case: Case) -> str:
        """The lead unit's name, empty when there is none."""
        unit = self._session.get(Unit, case.unit_id) if case.unit_id else None
        return unit.name if unit else ""

    def unit_names(self, case: Case) -> str:
        """Lead and assisting units, as people read them."""
        units = [self._session.get(Unit, unit_id) for unit_id in self.units(case)]
        return "、".join(unit.name for unit in units if unit is not None)

    def author(self, case: Case, platform: str, person: str) -> str:
        """Who that person is to the case: its "reporter", or a "resident"."""
        return "reporter" if self.brought_by(case, platform, person) else "resident"

    def master_of(self, case: Case) -> Case:
        """The case that a merged one follows, else itself."""
        seen = case
        for _ in range(8):
            above = self._session.get(Case, seen.merged_into) if seen.merged_into is not None else None
            if above is None:
                break
            seen = above
        return seen

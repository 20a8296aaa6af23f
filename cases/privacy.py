"""A person's rights over what is kept: to see it, and to be forgotten (PIPL arts. 44 to 47).

Cases stay, because others rely on what was done about them; the person goes out of them. Which columns hold a person is listed in
`storage.erasure`, and which of these tables a person is shown in `SHOWN` here; a test reads every table and fails for one that
nobody has thought about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, SQLModel, and_, col, func, or_, select

from cases.identities import Account, Identities
from cases.lifecycle import ABOUT, State
from cases.statistics import KIND_NAMES
from content.masking import mask
from storage import erasure
from storage.tables import (
    Activity,
    ActivityEntry,
    Alarm,
    Attachment,
    Case,
    CaseEntry,
    CaseWitness,
    Dialog,
    LinkCode,
    LostItem,
    Notice,
    Officer,
    OfficerAccount,
    Proposal,
    ProposalVoice,
    Volunteer,
    WishClaim,
)

# table: the kinds of `Mark` (or "case", "alarm") by which a person sees what it holds
SHOWN: Mapping[str, frozenset[str]] = {
    "cases": frozenset({"case"}),
    "case_entry": frozenset({"case"}),
    "alarm": frozenset({"alarm"}),
    "attachment": frozenset({"photo"}),
    "case_witness": frozenset({"witness"}),
    "wish_claim": frozenset({"claim"}),
    "activity_entry": frozenset({"activity"}),
    "volunteer": frozenset({"hours"}),
    "proposal": frozenset({"proposal"}),
    "proposal_voice": frozenset({"comment", "vote", "rating"}),
    "linked_account": frozenset({"link"}),
    "link_code": frozenset({"code"}),
    "dialog": frozenset({"question"}),
    "outbox": frozenset({"notice"}),
    "officeraccount": frozenset({"badge"}),
}
NOT_SHOWN: Mapping[str, str] = {"code_guess": "a wrong code, for an hour; told to nobody, so that guessing learns nothing"}


@dataclass(frozen=True, slots=True)
class KeptCase:
    """A case that one person brought, as that person is told about it. `text` has its numbers masked: chats are looked at.

    `added` counts what the person said to it later, `detail` tells whether something is kept by which only the owner knows a lost
    thing, `pinned` whether a point on the map is.
    """

    number: str
    kind: str
    state: str
    created_at: datetime
    text: str
    place: str
    photos: int
    added: int
    rating: int | None
    detail: bool
    pinned: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """Something else that is kept of a person: its kind (`SHOWN`), what it is about in a few words, how many, since when."""

    kind: str
    about: str = ""
    state: str = ""
    count: float = 1
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept about a person: cases, emergencies, and everything else."""

    cases: tuple[KeptCase, ...]
    alarms: int
    marks: tuple[Mark, ...] = ()


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
        marks = [mark for one in accounts for mark in self._marks(one)]
        marks += [Mark("link", about=other.platform) for other in accounts[1:]]
        return Kept(tuple(self._kept(case) for case in cases), sum(self._alarms(one) for one in accounts), tuple(marks))

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
        return self._count(Alarm, platform=account.platform, sender=account.user_id)

    def _kept(self, case: Case) -> KeptCase:
        lost = self._session.exec(select(LostItem).where(LostItem.case_id == case.id)).first()
        return KeptCase(
            case.number,
            KIND_NAMES.get(case.kind, case.kind),
            ABOUT[State(case.state)].name,
            case.created_at,
            mask(case.text),
            case.place,
            self._photos_of_reporter(case),
            self._count(CaseEntry, case_id=case.id, author="reporter", kind="addition"),
            case.rating,
            lost is not None and bool(lost.detail),
            case.latitude is not None,
        )

    def _photos_of_reporter(self, case: Case) -> int:
        """Without those that others showed while people were in danger."""
        own = and_(col(Attachment.platform) == case.platform, col(Attachment.sender) == case.reporter)
        of_it = select(func.count()).where(Attachment.case_id == case.id, or_(col(Attachment.sender).is_(None), own))
        return int(self._session.exec(of_it).one())

    # --- everything else ---

    def _marks(self, who: Account) -> Iterator[Mark]:
        yield from self._about_cases(who)
        yield from self._about_activities(who)
        yield from self._about_proposals(who)
        badge = self._session.exec(
            select(Officer.badge, OfficerAccount.bound_at)
            .join(OfficerAccount, col(OfficerAccount.officer_id) == col(Officer.id))
            .where(OfficerAccount.platform == who.platform, OfficerAccount.user_id == who.user_id)
        ).first()
        if badge is not None:
            yield Mark("badge", about=badge[0], at=badge[1])
        for kind, count in (
            ("photo", self._count(Attachment, platform=who.platform, sender=who.user_id)),
            ("code", self._count(LinkCode, platform=who.platform, user_id=who.user_id)),
            ("question", self._count(Dialog, platform=who.platform, sender=who.user_id)),
            ("notice", self._count(Notice, platform=who.platform, private=True, chat=who.user_id)),
        ):
            if count:
                yield Mark(kind, count=count)

    def _about_cases(self, who: Account) -> Iterator[Mark]:
        witnessed = (
            select(Case.number, CaseWitness.at)
            .join(CaseWitness, col(CaseWitness.case_id) == col(Case.id))
            .where(CaseWitness.platform == who.platform, CaseWitness.person == who.user_id)
        )
        for number, at in self._session.exec(witnessed.order_by(col(CaseWitness.id))).all():
            yield Mark("witness", about=number, at=at)
        claimed = (
            select(Case.number, WishClaim.state, WishClaim.asked_at)
            .join(WishClaim, col(WishClaim.case_id) == col(Case.id))
            .where(WishClaim.platform == who.platform, WishClaim.user_id == who.user_id)
        )
        for number, state, at in self._session.exec(claimed.order_by(col(WishClaim.id))).all():
            yield Mark("claim", about=number, state=state, at=at)

    def _about_activities(self, who: Account) -> Iterator[Mark]:
        entries = (
            select(Activity.title, ActivityEntry.came_at, ActivityEntry.signed_at)
            .join(ActivityEntry, col(ActivityEntry.activity_id) == col(Activity.id))
            .where(ActivityEntry.platform == who.platform, ActivityEntry.user_id == who.user_id)
        )
        for title, came_at, at in self._session.exec(entries.order_by(col(ActivityEntry.id))).all():
            yield Mark("activity", about=title, state="came" if came_at else "signed", at=at)
        volunteers = select(Volunteer).where(Volunteer.platform == who.platform, Volunteer.user_id == who.user_id)
        for one in self._session.exec(volunteers).all():
            yield Mark("hours", about=one.trade, count=one.hours, at=one.agreed_at)

    def _about_proposals(self, who: Account) -> Iterator[Mark]:
        proposed = select(Proposal).where(Proposal.platform == who.platform, Proposal.user_id == who.user_id)
        for one in self._session.exec(proposed.order_by(col(Proposal.id))).all():
            yield Mark("proposal", about=mask(one.text), state=one.state, count=one.id or 0, at=one.created_at)
        spoken = select(ProposalVoice).where(ProposalVoice.platform == who.platform, ProposalVoice.user_id == who.user_id)
        for voice in self._session.exec(spoken.order_by(col(ProposalVoice.id))).all():
            yield Mark(voice.kind, about=mask(voice.text), count=voice.proposal_id, at=voice.at)

    def _count(self, table: type[SQLModel], **where: object) -> int:
        wanted = select(func.count()).select_from(table).filter_by(**where)
        return int(self._session.exec(wanted).one())

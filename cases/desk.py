"""The desk: everything that can happen to a case, inside the caller's transaction.

Every action of an officer asks the gate first; every change leaves a line in the case's history. Sending is not done here:
handlers say what has to be said in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from cases.dispatch import unit_for
from cases.lifecycle import ABOUT, OPEN_STATES, State, step
from cases.numbers import next_number
from cases.places import Where
from content.refusal import Refusal
from content.taxonomy import Category, Taxonomy
from storage.tables import Attachment, Case, CaseAssist, CaseEntry, Notice, Officer, Unit

NOT_TAKEN = (State.SUBMITTED, State.ACCEPTED, State.DISPATCHED)
REOPEN_WITHIN = timedelta(days=14)  # civic.md §3.3: "not solved" is heard up to 14 days after closing


class Gate(Protocol):
    """Decides whether the officer behind the present message may do something; raises a Refusal when not."""

    def require(
        self, action: str, *, grid_id: int | None = None, unit_ids: tuple[int, ...] = (), target: str = ""
    ) -> Officer: ...


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


class CaseDesk:
    """Opens, finds and moves cases. One desk belongs to one transaction."""

    def __init__(self, session: Session, gate: Gate, taxonomy: Taxonomy, zone: ZoneInfo, now: datetime) -> None:
        self.taxonomy = taxonomy
        self.zone = zone
        self.now = now
        self._session = session
        self._gate = gate

    # --- opening and finding ---

    def open(self, new: NewCase, photos: Sequence[int] = ()) -> Case:
        """A new case with its number and its first line of history."""
        origin = new.origin
        waits = new.needs_place and not new.place
        case = Case(
            number=next_number(self._session, self.now, self.zone),
            kind=new.kind,
            category=new.category,
            tier=new.tier,
            state=State.DRAFT if waits else State.SUBMITTED,
            text=new.text,
            place=new.place,
            grid_id=origin.grid_id if new.where is None else new.where.grid_id,
            group_id=origin.group_id,
            platform=origin.platform,
            account=origin.account,
            chat=origin.chat,
            private=origin.private,
            thread=origin.thread,
            reporter=origin.sender,
            reporter_name=origin.sender_name,
            message_id=origin.message_id,
            created_at=self.now,
            state_since=self.now,
        )
        if new.where is not None:
            _place(case, new.where)
        self._session.add(case)
        self._session.flush()
        self._note(case, "report", "reporter", text=new.text, message_id=origin.message_id, state=case.state)
        self.attach(case, photos, "reporter", message_id=origin.message_id)
        return case

    def find(self, number: str) -> Case:
        """The case of that number, locked for this transaction; Refusal when there is none."""
        case = self._session.exec(select(Case).where(Case.number == number).with_for_update()).first()
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
        """Open cases that this person brought in this chat not longer ago than `within`, newest first."""
        return list(
            self._session.exec(
                select(Case)
                .where(
                    Case.platform == origin.platform,
                    Case.chat == origin.chat,
                    Case.reporter == origin.sender,
                    Case.created_at >= self.now - within,
                    col(Case.state).in_(OPEN_STATES),
                )
                .order_by(col(Case.id).desc())
            ).all()
        )

    def of_reporter(self, platform: str, sender: str, most: int = 5) -> list[Case]:
        """The newest cases of one person."""
        return list(
            self._session.exec(
                select(Case).where(Case.platform == platform, Case.reporter == sender).order_by(col(Case.id).desc()).limit(most)
            ).all()
        )

    def history(self, case: Case) -> list[CaseEntry]:
        return list(self._session.exec(select(CaseEntry).where(CaseEntry.case_id == case.id).order_by(col(CaseEntry.id))).all())

    def photos(self, case: Case) -> list[Attachment]:
        return list(
            self._session.exec(select(Attachment).where(Attachment.case_id == case.id).order_by(col(Attachment.id))).all()
        )

    def category(self, case: Case) -> Category:
        return self.taxonomy.categories.get(case.category) or self.taxonomy.categories["other"]

    def state_name(self, case: Case) -> str:
        return ABOUT[State(case.state)].name

    def units(self, case: Case) -> tuple[int, ...]:
        """Lead and assisting units."""
        assisting = self._session.exec(select(CaseAssist.unit_id).where(CaseAssist.case_id == case.id)).all()
        return ((case.unit_id,) if case.unit_id else ()) + tuple(assisting)

    def unit_name(self, case: Case) -> str:
        unit = self._session.get(Unit, case.unit_id) if case.unit_id else None
        return unit.name if unit else ""

    # --- what the reporter does ---

    def add(self, case: Case, text: str, photos: Sequence[int], author: str, message_id: str = "") -> None:
        """More about a case: words, photos, or both. Information that was asked for starts the clock again."""
        if text:
            self._note(case, "addition", author, text=text, message_id=message_id)
        self.attach(case, photos, author, message_id=message_id)
        if case.state == State.NEEDS_INFO and author == "reporter":
            self._move(case, "inform" if case.officer_id else "inform_early", author)

    def attach(
        self, case: Case, photos: Sequence[int], author: str, *, message_id: str = "", officer_id: int | None = None
    ) -> None:
        """Tie stored photos to the case."""
        for photo in photos:
            attachment = self._session.get(Attachment, photo)
            if attachment is not None:
                attachment.case_id = case.id
                self._session.add(attachment)
                self._note(case, "photo", author, message_id=message_id, attachment_id=photo, officer_id=officer_id)

    def give_place(self, case: Case, place: str, message_id: str = "", where: Where | None = None) -> None:
        """The answer to "where"; an empty one when nobody answered in time. With it the case goes to the grid of the place."""
        if place:
            if where is not None and case.state == State.DRAFT:
                _place(case, where)
            case.place = place
            self._note(case, "addition", "reporter", text=place, message_id=message_id)
        if case.state == State.DRAFT:
            self._move(case, "place", "reporter")

    def pin(self, case: Case, where: Where, message_id: str = "") -> bool:
        """A point that followed the report. Its grid counts only while no unit has the case. False: it had a pin."""
        if where.point is None or (case.latitude is not None and case.located_by != "gazetteer"):
            return False
        if case.state in (State.DRAFT, State.SUBMITTED):
            _place(case, where)
        case.latitude, case.longitude = where.point.latitude, where.point.longitude
        case.place = case.place or where.place
        self._note(case, "addition", "reporter", text=where.place, message_id=message_id)
        self._session.add(case)
        return True

    def note_from_reporter(self, case: Case, kind: str, text: str) -> None:
        """The reporter changed ("edit") or took back ("recall") a message of the case: a new line, the old one stays."""
        self._note(case, kind, "reporter", text=text)

    def withdraw(self, case: Case) -> None:
        self._move(case, "withdraw", "reporter")
        case.closed_at = self.now

    def confirm(self, case: Case) -> None:
        """The reporter's word that it is solved: the only way to `closed_confirmed`."""
        self._move(case, "confirm", "reporter")
        case.closed_at = self.now

    def deny(self, case: Case, reason: str) -> None:
        """Not solved, with the reason; the case goes back to whoever had it."""
        if case.closed_at is not None and self.now - case.closed_at > REOPEN_WITHIN:
            raise Refusal("desk.too_old", number=case.number)
        self._move(case, "deny", "reporter", text=reason)
        case.reopened += 1
        case.closed_at = None

    def rate(self, case: Case, stars: int) -> None:
        """1 to 5, once per closing."""
        case.rating = stars
        self._note(case, "rating", "reporter", text=str(stars))
        self._session.add(case)

    # --- what the bot does by the routing table ---

    def route(self, case: Case) -> Unit | None:
        """Accept and dispatch a routine case to the unit that its category names; None when a dispatcher has to look."""
        category = self.category(case)
        unit = unit_for(self._session, category, case.grid_id)
        if unit is None:
            return None
        self._move(case, "accept", "bot")
        case.unit_id = unit.id
        self._move(case, "dispatch", "bot", text=unit.name)
        return unit

    def call_back(self, case: Case) -> None:
        self._move(case, "call_back", "bot")

    # --- what officers do ---

    def accept(self, case: Case) -> None:
        self._allowed("case.accept", case)
        self._move(case, "accept", "officer")

    def reject(self, case: Case, reason: str) -> None:
        self._allowed("case.reject", case)
        self._move(case, "reject", "officer", text=reason)
        case.result, case.closed_at = reason, self.now

    def dispatch(self, case: Case, units: Sequence[Unit]) -> None:
        """To the lead unit (first) and the assisting ones."""
        self._allowed("case.dispatch", case)
        self._move(case, "dispatch", "officer", text="、".join(unit.name for unit in units))
        case.unit_id, case.officer_id = units[0].id, None
        for old in self._session.exec(select(CaseAssist).where(CaseAssist.case_id == case.id)).all():
            self._session.delete(old)
        self._session.flush()
        for unit in units[1:]:
            if case.id is not None and unit.id is not None:
                self._session.add(CaseAssist(case_id=case.id, unit_id=unit.id))

    def take(self, case: Case) -> Officer:
        """The first to take it has it; the second is told who."""
        officer = self._allowed("case.take", case)
        if case.state in (State.SIGNED, State.IN_PROGRESS) and case.officer_id is not None:
            holder = self._session.get(Officer, case.officer_id)
            raise Refusal("desk.own" if case.officer_id == officer.id else "desk.taken", holder=holder.name if holder else "")
        self._move(case, "take", "officer")
        case.officer_id = officer.id
        return officer

    def contact(self, case: Case, note: str) -> None:
        self._allowed("case.contact", case)
        self._move(case, "contact", "officer", text=note)

    def request(self, case: Case, question: str) -> None:
        self._allowed("case.request", case)
        self._move(case, "request", "officer", text=question)

    def resolve(self, case: Case, result: str, *, action: str = "resolve") -> Officer:
        """The officer's word; the reporter's decides (`confirm`, `deny`)."""
        officer = self._allowed("case.answer" if action == "answer" else "case.resolve", case)
        self._move(case, action, "officer", text=result)
        case.result, case.resolved_by = result, officer.id
        return officer

    def look(self, case: Case) -> Officer:
        """Ask for the right to see everything about a case."""
        return self._allowed("case.view", case)

    def note(self, case: Case, text: str) -> None:
        self._note(case, "note", "officer", text=text)

    # --- inside ---

    def _allowed(self, action: str, case: Case) -> Officer:
        return self._gate.require(action, grid_id=case.grid_id, unit_ids=self.units(case), target=case.number)

    def _move(self, case: Case, action: str, author: str, text: str = "") -> None:
        if author == "officer" and action in ("contact", "resolve") and case.state in NOT_TAKEN:
            raise Refusal("desk.take_first", state=self.state_name(case), number=case.number)
        case.state = step(State(case.state), action)
        case.state_since = self.now
        self._note(case, "transition", author, text=text, state=case.state)
        self._session.add(case)
        self._session.flush()

    def _note(
        self,
        case: Case,
        kind: str,
        author: str,
        *,
        text: str = "",
        state: str = "",
        message_id: str = "",
        attachment_id: int | None = None,
        officer_id: int | None = None,
    ) -> None:
        if case.id is None:
            raise ValueError("a case has to be stored before it has a history")
        self._session.add(
            CaseEntry(
                case_id=case.id,
                at=self.now,
                kind=kind,
                author=author,
                officer_id=officer_id,
                text=text,
                state=state,
                message_id=message_id,
                attachment_id=attachment_id,
            )
        )


def _place(case: Case, where: Where) -> None:
    case.grid_id, case.located_by = where.grid_id, where.by or None
    if where.point is not None:
        case.latitude, case.longitude = where.point.latitude, where.point.longitude

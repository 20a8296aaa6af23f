"""The desk: everything that can happen to a case, inside the caller's transaction.

Every action of an officer asks the gate first; every step is one line of the table in `cases.lifecycle` and leaves a line in the
case's history. Sending is not done here: handlers say what has to be said in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from sqlmodel import Session

from cases.book import CaseBook
from cases.clocks import Clocks, Strike
from cases.dispatch import grid_codes
from cases.groups import unassigned
from cases.lifecycle import ABOUT, State, StateType
from cases.moves import Attempt, Mover
from cases.numbers import next_number
from cases.origin import NewCase, Origin
from cases.places import Where
from cases.routing import choose_units, experts_on
from cases.witnesses import Witnesses
from content.refusal import Refusal
from content.taxonomy import Taxonomy
from storage.tables import Attachment, Case, CaseEntry, Group, Officer, Unit

__all__ = ["CaseDesk", "Gate", "NewCase", "Origin"]

NOT_TAKEN = (State.SUBMITTED, State.ACCEPTED, State.DISPATCHED)


class Gate(Protocol):
    """Decides whether the officer behind the present message may do something; raises a Refusal when not."""

    def require(
        self, action: str, *, grid_id: int | None = None, unit_ids: tuple[int, ...] = (), target: str = ""
    ) -> Officer: ...


class CaseDesk(CaseBook):
    """Opens and moves cases. One desk belongs to one transaction."""

    def __init__(self, session: Session, gate: Gate, taxonomy: Taxonomy, zone: ZoneInfo, now: datetime, clocks: Clocks) -> None:
        super().__init__(session, taxonomy, zone, now)
        self.clocks = clocks
        self.witnesses = Witnesses(session, now)
        self._gate = gate
        self._mover = Mover(session, clocks, now)
        self.moved: list[Case] = []  # what took a step through this desk

    def open(self, new: NewCase, photos: Sequence[int] = ()) -> Case:
        """A new case with its number and its first line of history."""
        origin = new.origin
        case = Case(
            number=next_number(self._session, self.now, self.zone),
            kind=new.kind,
            category=new.category,
            tier=new.tier,
            state="",
            text=new.text,
            place=new.place,
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
        self._set_grid(case, origin.grid_id)
        if new.where is not None:
            self._place(case, new.where)
        self._mover.move(Attempt(case, "report_vaguely" if new.needs_place and not new.place else "report"))
        self._note(case, "report", "reporter", text=new.text, message_id=origin.message_id, state=case.state)
        self.attach(case, photos, "reporter", message_id=origin.message_id)
        return case

    # --- what the reporter does ---

    def add(self, case: Case, text: str, photos: Sequence[int], author: str, message_id: str = "") -> None:
        """More about a case: words, photos, or both. Information that was asked for starts the clocks again."""
        if text:
            self._note(case, "addition", author, text=text, message_id=message_id)
        self.attach(case, photos, author, message_id=message_id)
        if case.state == State.NEEDS_INFO and author == "reporter":
            self._move(case, "inform", author)
        elif case.officer_id is not None and ABOUT[State(case.state)].type is StateType.OPEN:
            self.clocks.heard(case)
            self.clocks.wind(case)

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
                self._place(case, where)
            case.place = place
            self._note(case, "addition", "reporter", text=place, message_id=message_id)
        if case.state == State.DRAFT:
            self._move(case, "place", "reporter")

    def pin(self, case: Case, where: Where, message_id: str = "") -> bool:
        """A point that followed the report. Its grid counts only while no unit has the case. False: it had a pin."""
        if where.point is None or (case.latitude is not None and case.located_by != "gazetteer"):
            return False
        if case.state in (State.DRAFT, State.SUBMITTED):
            self._place(case, where)
        case.latitude, case.longitude = where.point.latitude, where.point.longitude
        case.place = case.place or where.place
        self._note(case, "addition", "reporter", text=where.place, message_id=message_id)
        self._session.add(case)
        return True

    def note_from_reporter(self, case: Case, kind: str, text: str) -> None:
        """The reporter changed ("edit") or took back ("recall") a message of the case, or somebody says that the person is found
        ("found"): a new line, the old ones stay."""
        self._note(case, kind, "reporter", text=text)

    def withdraw(self, case: Case) -> bool:
        """The reporter takes it back. A case that others reported too goes on with the first of them; then it returns false."""
        if ABOUT[State(case.state)].open and self.witnesses.pass_on(case):
            self._note(case, "recall", "reporter")
            return False
        self._move(case, "withdraw", "reporter")
        return True

    def confirm(self, case: Case) -> None:
        """The reporter's word that it is solved: the only way to `closed_confirmed`."""
        self._move(case, "confirm", "reporter")

    def deny(self, case: Case, reason: str, author: str = "reporter") -> None:
        """Not solved, with the reason, said by the reporter or a "resident" who is a witness; back to whoever had it."""
        self._move(case, "deny", author, text=reason)

    def rate(self, case: Case, stars: int) -> None:
        """1 to 5, once per closing."""
        case.rating = stars
        self._note(case, "rating", "reporter", text=str(stars))
        self._session.add(case)

    # --- what the bot does ---

    def route(self, case: Case) -> list[Unit]:
        """Accept and dispatch a routine case to the units of the routing table, the lead first; [] when a person decides."""
        if self._of_unassigned_group(case):
            return []
        units = choose_units(self._session, self.category(case), case.grid_id)
        if units:
            self._move(case, "accept", "bot")
            self._move(case, "dispatch", "bot", text="、".join(unit.name for unit in units), units=units)
        return units

    def ask_experts(self, case: Case, subject: str) -> list[Unit]:
        """A question about a subject that a unit knows becomes that unit's to answer; [] when nobody is named for it (0241)."""
        units = experts_on(self._session, subject, case.grid_id)
        if units:
            case.unit_id = units[0].id
            self._session.add(case)
            self._note(case, "note", "bot", text="、".join(unit.name for unit in units))
        return units

    def _of_unassigned_group(self, case: Case) -> bool:
        """Nobody has said yet where the group is: a person has to find out whose matter this is."""
        if case.private or case.grid_id is not None:
            return False
        group = self._session.get(Group, case.group_id) if case.group_id is not None else None
        return group is None or unassigned(group)

    def mediate(self, case: Case, mediator: Officer) -> None:
        """An appointment is made: the mediator has the case, and the reporter has an answer."""
        self._move(case, "mediate", "officer", officer=mediator)

    def helped(self, case: Case, result: str) -> None:
        """It was brought about without an officer's `/办结` (a neighbour, a mediation, an owner found); the reporter decides."""
        self._move(case, "helped", "bot", text=result)

    def call_back(self, case: Case) -> None:
        self._move(case, "call_back", "bot")

    def ask_again(self, case: Case) -> None:
        """28 days later the reporter is asked whether it came back."""
        case.asked_again_at = self.now
        self._session.add(case)

    def go_on(self, case: Case) -> None:
        """Nobody answered what was asked: the clocks run again."""
        self._move(case, "go_on", "bot")

    def hold_over(self, case: Case) -> None:
        """The extension has run out."""
        self._move(case, "hold_over", "bot")

    def strike(self, case: Case) -> list[Strike]:
        """The marks that the case's clocks have reached; every miss leaves one line in the history."""
        strikes = self.clocks.strike(case)
        for strike in strikes:
            if strike.mark == 100:
                self._note(case, "miss", "bot", text=strike.clock)
        self.clocks.wind(case)
        return strikes

    # --- what officers do ---

    def accept(self, case: Case) -> None:
        self._allowed("case.accept", case)
        self._move(case, "accept", "officer")

    def reject(self, case: Case, reason: str) -> None:
        self._allowed("case.reject", case)
        self._move(case, "reject", "officer", text=reason)

    def dispatch(self, case: Case, units: Sequence[Unit]) -> None:
        """To the lead unit (first) and the assisting ones."""
        self._allowed("case.dispatch", case)
        self._move(case, "dispatch", "officer", text="、".join(unit.name for unit in units), units=units)

    def give_back(self, case: Case, reason: str) -> None:
        """退单: not this unit's matter; once, then a dispatcher's word counts."""
        self._allowed("case.return", case)
        self._move(case, "return", "officer", text=reason)

    def take(self, case: Case) -> Officer:
        """The first to take it has it; the second is told who."""
        officer = self._allowed("case.take", case)
        self._move(case, "take", "officer", officer=officer)
        return officer

    def contact(self, case: Case, note: str) -> None:
        self._allowed("case.contact", case)
        self._move(case, "contact", "officer", text=note)

    def request(self, case: Case, question: str) -> None:
        self._allowed("case.request", case)
        self._move(case, "request", "officer", text=question)

    def ask_hold(self, case: Case, days: int, reason: str) -> None:
        """延期: so many more days are wanted; a supervisor decides."""
        self._allowed("case.extend", case)
        self._move(case, "ask_hold", "officer", text=reason, days=days)

    def hold(self, case: Case) -> int:
        """The extension is granted: the clocks stand still for the returned number of days."""
        officer = self._allowed("case.hold", case)
        days = case.hold_days or 0
        self._move(case, "hold", "officer", text=str(days), officer=officer)
        return days

    def refuse_hold(self, case: Case, reason: str) -> None:
        self._allowed("case.hold", case)
        self._move(case, "refuse_hold", "officer", text=reason)

    def refer(self, case: Case, outside: str) -> None:
        """转办: to a department outside, with its number; the lead unit keeps the duty."""
        self._allowed("case.refer", case)
        self._move(case, "refer", "officer", text=outside)

    def resolve(self, case: Case, result: str, *, action: str = "resolve") -> Officer:
        """The officer's word; the reporter's decides (`confirm`, `deny`)."""
        officer = self._allowed("case.answer" if action == "answer" else "case.resolve", case)
        self._move(case, action, "officer", text=result, officer=officer)
        return officer

    def close_unreached(self, case: Case) -> None:
        """The reporter could not be reached: an end of its own that never counts as satisfied."""
        self._allowed("case.unreached", case)
        self._move(case, "unreached", "officer")

    def merge(self, case: Case, master: Case) -> None:
        """并单: `case` follows `master`; everybody who reported it hears the one result."""
        self._allowed("case.merge", case)
        self._allowed("case.merge", master)
        self._join(case, master, "officer")

    def join(self, case: Case, master: Case) -> None:
        """The bot itself puts a new report to the open case that it repeats; an officer can part them again."""
        self._join(case, master, "bot")

    def _join(self, case: Case, master: Case, author: str) -> None:
        self._move(case, "merge", author, text=master.number, master=master)
        self.witnesses.follow(case, master)
        self._note(master, "merged", author, text=case.number)

    def unmerge(self, case: Case) -> Case:
        """Take back a merging; returns the case that was the master."""
        self._allowed("case.merge", case)
        master = self.master_of(case)
        self._move(case, "unmerge", "officer", text=master.number)
        self.witnesses.unfollow(case, master)
        return master

    def review(self, case: Case) -> Officer:
        """Ask for the right to say what a second call-back brought."""
        return self._allowed("case.review", case)

    def overturn(self, case: Case, reason: str) -> None:
        """Another unit asked the reporter once more and heard that it is not solved."""
        self._allowed("case.review", case)
        self._move(case, "overturn", "officer", text=reason)

    def talk(self, case: Case) -> Officer:
        """Ask for the right to talk to the reporter through the bot."""
        return self._allowed("case.talk", case)

    def look(self, case: Case) -> Officer:
        """Ask for the right to see everything about a case."""
        return self._allowed("case.view", case)

    def note(self, case: Case, text: str, kind: str = "note") -> None:
        """A line of an officer: a "note" for colleagues, or a "message" that the reporter read."""
        self._note(case, kind, "officer", text=text)
        if kind == "message":
            self.clocks.replied(case)
            self.clocks.wind(case)

    # --- inside ---

    def _place(self, case: Case, where: Where) -> None:
        self._set_grid(case, where.grid_id)
        case.located_by = where.by or None
        if where.point is not None:
            case.latitude, case.longitude = where.point.latitude, where.point.longitude

    def _set_grid(self, case: Case, grid_id: int | None) -> None:
        """The civic grid's number and the police grid's both stand on the case."""
        case.grid_id = grid_id
        case.grid_code, case.police_grid = grid_codes(self._session, grid_id)

    def _allowed(self, action: str, case: Case) -> Officer:
        return self._gate.require(action, grid_id=case.grid_id, unit_ids=self.units(case), target=case.number)

    def _move(
        self,
        case: Case,
        action: str,
        author: str,
        text: str = "",
        *,
        officer: Officer | None = None,
        units: Sequence[Unit] = (),
        days: int = 0,
        master: Case | None = None,
    ) -> None:
        if author == "officer" and action in ("contact", "resolve") and case.state in NOT_TAKEN:
            raise Refusal("desk.take_first", state=self.state_name(case), number=case.number)
        self._mover.move(Attempt(case, action, text, officer, units, days, master))
        self._note(case, "transition", author, text=text, state=case.state)
        self.moved.append(case)

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

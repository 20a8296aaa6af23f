"""How long what is kept, and what ends when that is over (PIPL arts. 19 and 47; the terms: docs/privacy.md).

Every clock has a name; `due` counts what it would end now, `end` ends it. Both look at the same rows, so a dry run says what a
real one does. What is erased must leave the files, too: `Writer.empty_log` and the removal of photo files follow every run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update
from sqlmodel import Session, SQLModel, col

from cases.tips import Tips
from storage.media import seal_name
from storage.outbox import SENDING, UNCLAIMED
from storage.shredding import destroy_key
from storage.tables import (
    Alarm,
    Appeal,
    Attachment,
    BindCode,
    Block,
    Campaign,
    CampaignGroup,
    CampaignPart,
    Case,
    CaseEntry,
    CaseReview,
    CaseWitness,
    Deed,
    Dialog,
    InboxEvent,
    Notice,
    ProposalVoice,
    Repeat,
    TipPicture,
    Visit,
)


@dataclass(frozen=True, slots=True)
class Terms:
    """How long each kind is kept."""

    case: timedelta = timedelta(days=730)  # after its end; then its words and its person go, its numbers stay
    found: timedelta = timedelta(days=365)  # lost and found things
    missing_photo: timedelta = timedelta(hours=24)  # after a missing person was found
    rating: timedelta = timedelta(days=365)  # until a rating no longer says whom it rates
    alarm: timedelta = timedelta(days=180)
    notice: timedelta = timedelta(days=90)
    event: timedelta = timedelta(days=30)  # ids against a second delivery; words that nobody could handle
    loose_photo: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Ended:
    """What one clock ended, or would end."""

    name: str
    count: int


_Sealed = Visit | Deed | ProposalVoice


@dataclass(slots=True)
class _Clock:
    name: str
    due: Callable[[], int]
    end: Callable[[], int]


@dataclass(slots=True)
class Outcome:
    """Everything that one run ended, and the photo files to remove once it is committed."""

    ended: tuple[Ended, ...]
    files: list[str] = field(default_factory=list)


class Retention:
    """The clocks inside the caller's transaction."""

    def __init__(self, session: Session, now: datetime, terms: Terms, tips: Tips) -> None:
        self._session = session
        self._now = now
        self._terms = terms
        self._tips = tips
        self._files: list[str] = []

    def look(self) -> tuple[Ended, ...]:
        """What a run would end now; changes nothing."""
        return tuple(Ended(clock.name, clock.due()) for clock in self._clocks())

    def run(self) -> Outcome:
        """End everything whose time is over."""
        ended = tuple(Ended(clock.name, clock.end()) for clock in self._clocks())
        self._session.flush()
        return Outcome(ended, self._files)

    def known_files(self) -> set[str]:
        """Photo files that a row still names."""
        of_tips = self._session.execute(select(col(TipPicture.path))).scalars()
        return {*self._session.execute(select(col(Attachment.path))).scalars(), *of_tips}

    def _clocks(self) -> Sequence[_Clock]:
        return (*self._cases_and_words(), *self._all_photos(), *self._people(), *self._messages(), *self._passing())

    def _cases_and_words(self) -> Iterator[_Clock]:
        now, terms = self._now, self._terms
        sealed = col(Case.seal) != ""
        yield self._cases("cases", and_(sealed, col(Case.kind) != "lost_found", col(Case.closed_at) <= now - terms.case))
        yield self._cases(
            "lost and found", and_(sealed, col(Case.kind) == "lost_found", col(Case.created_at) <= now - terms.found)
        )
        yield _Clock("tips", lambda: len(self._tips.over()), self._end_tips)
        yield self._words("visits", Visit, and_(col(Visit.text) != "", col(Visit.at) <= now - terms.case), "place", "text")
        done = and_(col(Deed.what) != "", col(Deed.created_at) <= now - terms.case)
        yield self._words("good deeds", Deed, done, "who", "what", "shown_as")
        commented = and_(col(ProposalVoice.kind) == "comment", col(ProposalVoice.text) != "")
        yield self._words(
            "comments on proposals", ProposalVoice, and_(commented, col(ProposalVoice.at) <= now - terms.case), "text"
        )

    def _all_photos(self) -> Iterator[_Clock]:
        now, terms = self._now, self._terms
        found = and_(col(Case.kind) == "missing", col(Case.closed_at) <= now - terms.missing_photo)
        yield self._photos("photos of people who were found", col(Attachment.case_id).in_(select(col(Case.id)).where(found)))
        appealed = select(col(Appeal.photo)).where(col(Appeal.photo).is_not(None))  # an appeal's own photos end with it
        updated = select(col(Campaign.photo)).where(col(Campaign.photo).is_not(None))
        loose = and_(
            col(Attachment.case_id).is_(None),
            col(Attachment.created_at) <= now - terms.loose_photo,
            col(Attachment.path).not_in(appealed.union(updated)),
        )
        yield self._photos("photos without a case", loose)

    def _people(self) -> Iterator[_Clock]:
        now, terms = self._now, self._terms
        rated = and_(col(Case.rating).is_not(None), col(Case.resolved_by).is_not(None), col(Case.closed_at) <= now - terms.rating)
        yield self._update("ratings", Case, rated, resolved_by=None)
        alarmed = and_(col(Alarm.sender) != "", col(Alarm.started_at) <= now - terms.alarm)
        yield self._update("alarms", Alarm, alarmed, sender="", message_id="")

    def _messages(self) -> Iterator[_Clock]:
        now, terms = self._now, self._terms
        final = and_(col(Notice.state).in_(("sent", "dead", "cancelled")), col(Notice.campaign_id).is_(None))
        secret = and_(col(Notice.secret), col(Notice.created_at) <= now - timedelta(days=1))
        yield self._delete("notices", Notice, and_(final, or_(col(Notice.created_at) <= now - terms.notice, secret)))
        old = col(InboxEvent.received_at) <= now - terms.event
        yield self._delete("event ids", InboxEvent, and_(col(InboxEvent.state) == "done", old))
        kept = and_(col(InboxEvent.state) == "quarantined", col(InboxEvent.body).is_not(None), old)
        yield self._update("quarantined events", InboxEvent, kept, body=None)

    def _passing(self) -> Iterator[_Clock]:
        now, terms = self._now, self._terms
        yield self._delete("questions nobody answered", Dialog, col(Dialog.expires_at) <= now)
        yield self._delete("blocks that are over", Block, col(Block.until) <= now - terms.alarm)
        yield self._delete("counts of repeated reports", Repeat, col(Repeat.last_at) <= now - terms.event)
        yield self._delete("binding codes", BindCode, col(BindCode.expires_at) <= now - timedelta(days=1))

    # --- the kinds of clocks ---

    def _cases(self, name: str, over: ColumnElement[bool]) -> _Clock:
        def end() -> int:
            cases = list(self._session.execute(select(Case).where(over)).scalars())
            for case in cases:
                self._anonymise(case)
            return len(cases)

        return _Clock(name, lambda: self._count(Case, over), end)

    def _stop_campaigns(self, case: Case) -> None:
        """What has yet to be said about it to some groups never is."""
        about = select(col(Campaign.id)).where(col(Campaign.case_id) == case.id)
        waits = exists().where(col(CampaignGroup.campaign_id) == Campaign.id, col(CampaignGroup.waits))
        going = and_(col(Campaign.case_id) == case.id, col(Campaign.state).not_in(("stopped", "done")), waits)
        self._session.execute(update(Campaign).where(going).values(state="stopped", next_step_at=None, lot_at=None))
        self._session.execute(update(Campaign).where(col(Campaign.case_id) == case.id).values(text=None, photo=None))
        self._session.execute(update(CampaignPart).where(col(CampaignPart.campaign_id).in_(about)).values(text="", photo=None))

    def _anonymise(self, case: Case) -> None:
        """What remains are the facts that statistics count: kind, category, place in the district, times, outcome."""
        destroy_key(self._session, case.seal)
        self._drop_photos(col(Attachment.case_id) == case.id)
        self._session.execute(update(CaseEntry).where(col(CaseEntry.case_id) == case.id).values(text="", message_id=""))
        seen = col(CaseWitness.case_id) == case.id
        self._session.execute(update(CaseWitness).where(seen, col(CaseWitness.private)).values(chat=""))
        self._session.execute(update(CaseWitness).where(seen).values(person=None, message_id=""))
        self._session.execute(update(CaseReview).where(col(CaseReview.case_id) == case.id).values(note=""))
        said = col(Notice.case_id) == case.id
        unsaid = and_(said, col(Notice.state).in_(("pending", "held")), UNCLAIMED)
        self._session.execute(update(Notice).where(unsaid).values(state="cancelled"))
        self._session.execute(update(Notice).where(said, ~SENDING).values(text="", mention=None, reply_to=None))
        self._stop_campaigns(case)
        values: dict[str, Any] = {
            "text": "",
            "place": "",
            "result": "",
            "outside": "",
            "reporter": None,
            "reporter_name": "",
            "message_id": "",
            "latitude": None,
            "longitude": None,
            "seal": "",
        }
        if case.private:
            values["chat"] = ""
        self._session.execute(update(Case).where(col(Case.id) == case.id).values(**values))
        self._session.expire(case)

    def _end_tips(self) -> int:
        over = self._tips.over()
        for tip in over:
            self._files += self._session.execute(select(col(TipPicture.path)).where(col(TipPicture.tip_id) == tip.id)).scalars()
            self._tips.destroy(tip)
        return len(over)

    def _words(self, name: str, table: type[_Sealed], over: ColumnElement[bool], *columns: str) -> _Clock:
        """Words under a key of their own row: the key is destroyed, the columns are emptied, the row stays."""

        def end() -> int:
            rows = list(self._session.execute(select(col(table.id), col(table.seal)).where(over)))
            for row_id, seal in rows:
                destroy_key(self._session, seal)
                emptied = dict.fromkeys(columns, "") | {"seal": ""}
                self._session.execute(update(table).where(col(table.id) == row_id).values(**emptied))
            self._session.expire_all()
            return len(rows)

        return _Clock(name, lambda: self._count(table, over), end)

    def _photos(self, name: str, over: ColumnElement[bool]) -> _Clock:
        return _Clock(name, lambda: self._count(Attachment, over), lambda: self._drop_photos(over))

    def _drop_photos(self, over: ColumnElement[bool]) -> int:
        rows = list(self._session.execute(select(Attachment).where(over)).scalars())
        for row in rows:
            self._session.execute(update(CaseEntry).where(col(CaseEntry.attachment_id) == row.id).values(attachment_id=None))
            destroy_key(self._session, seal_name(row.path))
            self._session.delete(row)
            self._files.append(row.path)
        self._session.flush()
        return len(rows)

    def _update(self, name: str, table: type[SQLModel], over: ColumnElement[bool], **values: object) -> _Clock:
        def end() -> int:
            return int(self._session.execute(update(table).where(over).values(**values)).rowcount)  # type: ignore[attr-defined]

        return _Clock(name, lambda: self._count(table, over), end)

    def _delete(self, name: str, table: type[SQLModel], over: ColumnElement[bool]) -> _Clock:
        def end() -> int:
            return int(self._session.execute(delete(table).where(over)).rowcount)  # type: ignore[attr-defined]

        return _Clock(name, lambda: self._count(table, over), end)

    def _count(self, table: type[SQLModel], over: ColumnElement[bool]) -> int:
        return int(self._session.execute(select(func.count()).select_from(table).where(over)).scalar_one())

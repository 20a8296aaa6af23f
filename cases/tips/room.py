"""Confidential tips, apart from everything else: sealed words, a receipt that only the source knows, a record of every read.

No account id, name, group or message id comes near these tables. The source is a random designation to the staff. Who may read a
tip is decided by whose public key its key was sealed to: neither the roster nor the machine opens it for anybody else, except
that the server holds the keys of officers without a passphrase (docs/security.md says what that means).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlmodel import col, func, select

from cases.tips.access import IDENTITY, WORDS, id_of
from cases.tips.dialogue import shred_name
from cases.tips.keys import new_receipt, read_receipt
from cases.tips.pictures import LINK_LIVES, NewPicture, View
from cases.tips.records import Held, Line, Listed, Receipt, Status
from cases.tips.source import Source
from cases.tips.states import STATE_NAMES, TipState
from content.refusal import Refusal
from storage.sealing import new_key, open_with, seal_with
from storage.shredding import destroy_key, make_key
from storage.tables import Officer, Tip, TipKey, TipMessage, TipPicture, TipRead, TipRequest

MOST_DAYS = 365  # how far ahead the end may be put off
_ADJECTIVES = ["青", "白", "蓝", "金", "银", "紫", "碧", "墨", "丹", "素"]
_NOUNS = ["松", "竹", "梅", "兰", "鹤", "燕", "鹿", "舟", "石", "泉", "云", "帆", "桥", "灯", "荷", "枫"]


class Tips(Source):
    """The tips inside the caller's transaction; what it is built on: `Source`, `Dialogue`, `Access`."""

    # --- the source ---

    def receive(self, text: str, pictures: Sequence[NewPicture] = ()) -> Receipt:
        """Keep a tip with its pictures and give the receipt. Refusal for a text that is a receipt itself, or when nobody could
        read it."""
        if read_receipt(text):
            raise Refusal("tips.is_receipt")
        digits, key = new_receipt(), new_key()
        claim = self._keys.claim(digits)
        tip = Tip(
            designation=self._designation(),
            receipt_tag=claim.tag,
            receipt_key=seal_with(claim.key, key),
            created_on=self._today(),
            expires_at=self._today() + timedelta(days=1) + self._kept_for,
        )
        self._session.add(tip)
        self._session.flush()
        make_key(self._session, shred_name(tip))
        self._seal_to_custodians(tip, key, WORDS)
        self._write(tip, key, "source", text, pictures=pictures)
        return Receipt(digits, tip.designation)

    def by_receipt(self, digits: str, who: str) -> Held:
        """The tip of a receipt. `who` (never stored) is slowed down after wrong ones; an unknown receipt and one whose tip is
        over get the same refusal after the same work."""
        self._keys.guard.check(who, self._now)
        claim = self._keys.claim(digits)
        # what is not found is looked up like what is: the newest tip stands in for it, and something is opened
        wanted = select(Tip.id).where(Tip.receipt_tag == claim.tag, Tip.expires_at > self._now).scalar_subquery()
        newest = select(func.max(Tip.id)).scalar_subquery()
        tip = self._session.exec(select(Tip).where(Tip.id == func.coalesce(wanted, newest))).first()
        found = tip is not None and tip.receipt_tag == claim.tag and tip.expires_at > self._now
        sealed = tip.receipt_key if tip is not None and found else seal_with(claim.key, new_key())
        key = open_with(claim.key, sealed) if sealed is not None else b""
        if tip is None or not found or not key:
            self._keys.guard.failed(who, self._now)
            raise Refusal("tips.no_such")
        self._keys.guard.passed(who)
        return Held(tip, key)

    def begin(self, held: Held) -> str:
        """A token that stands for the receipt for half an hour."""
        return self._keys.begin(id_of(held.tip), held.key, self._now)

    def resume(self, token: str) -> Held:
        """The tip of such a token; Refusal `tips.again` when it is over."""
        tip_id, key = self._keys.resume(token, self._now)
        tip = self._session.get(Tip, tip_id)
        if tip is None or tip.expires_at <= self._now or tip.receipt_key is None:
            raise Refusal("tips.no_such")
        return Held(tip, key)

    def tell_more(self, held: Held, text: str, pictures: Sequence[NewPicture] = ()) -> None:
        """One more message of the source."""
        if read_receipt(text):
            raise Refusal("tips.is_receipt")
        self._write(held.tip, held.key, "source", text, pictures=pictures)
        if TipState(held.tip.state) is TipState.DIALOGUE:
            self._move(held.tip, "tell")

    def reveal(self, held: Held, text: str) -> None:
        """The source says who they are: sealed under a key of its own, which only the custodians get."""
        key = new_key()
        for old in self._session.exec(select(TipKey).where(TipKey.tip_id == held.tip.id, TipKey.part == IDENTITY)).all():
            self._session.delete(old)
        self._session.execute(delete(TipMessage).where(col(TipMessage.tip_id) == held.tip.id, col(TipMessage.author) == IDENTITY))
        self._session.execute(delete(TipRequest).where(col(TipRequest.tip_id) == held.tip.id))
        self._session.flush()
        self._seal_to_custodians(held.tip, key, IDENTITY)
        self._write(held.tip, key, IDENTITY, text)

    def status(self, held: Held) -> Status:
        """What the source sees with the receipt."""
        tip = held.tip
        lines = self._open_lines(tip, held.key, ("officer",))
        requests = self._session.exec(select(TipRequest.state).where(TipRequest.tip_id == tip.id)).all()
        return Status(
            tip.state,
            tuple(line for _, line in lines),
            self.readers(tip),
            self._identity(tip) is not None,
            len(requests),
            list(requests).count("allowed"),
        )

    # --- officers ---

    def listed(self, officer: Officer) -> list[Listed]:
        """The tips that this officer may read, newest first."""
        mine = select(TipKey.tip_id).where(TipKey.officer_id == officer.id, TipKey.part == WORDS)
        if self._is_custodian(officer):
            mine = select(TipKey.tip_id).where(
                (col(TipKey.officer_id) == officer.id) | (col(TipKey.officer_id).is_(None)), TipKey.part == WORDS
            )
        rows = self._session.exec(
            select(Tip)
            .where(col(Tip.id).in_(mine), Tip.expires_at > self._now, Tip.state != TipState.DESTROYED)
            .order_by(col(Tip.id).desc())
        ).all()
        return [Listed(tip.designation, tip.state, tip.created_on, (tip.expires_at - self._now).days) for tip in rows]

    def find(self, words: str, officer: Officer) -> Tip:
        """The tip of that name; the same refusal for one that is absent, one that is over and one that is not the officer's."""
        name = words.strip()
        tip = self._session.exec(select(Tip).where(Tip.designation == name, Tip.expires_at > self._now)).first()
        if tip is None or tip.state == TipState.DESTROYED or self._access(tip, officer, WORDS) is None:
            raise Refusal("tips.no_such_name", name=name[:20])
        return tip

    def read(self, tip: Tip, officer: Officer) -> list[Line]:
        """Open the dialogue for an officer; which messages were read is written down. A sealed one has to be unsealed first."""
        if tip.state == TipState.SEALED:
            raise Refusal("tips.not_now", state=STATE_NAMES[TipState.SEALED])
        key = self._key_of(tip, officer, WORDS)
        lines = self._open_lines(tip, key, ("source", "officer"))
        for message_id, _ in lines:
            self._note_read(tip, message_id, officer)
        if tip.state == TipState.RECEIVED:
            self._move(tip, "read")
        return [line for _, line in lines]

    def links(self, tip: Tip, officer: Officer) -> list[str]:
        """For each picture of a tip that the officer may read a token that opens it for ten minutes (`look_at`)."""
        rows = self._session.exec(select(TipPicture).where(TipPicture.tip_id == tip.id).order_by(col(TipPicture.id))).all()
        key = self._key_of(tip, officer, WORDS) if rows else b""
        until = self._now + LINK_LIVES
        opened = [(row.id or 0, bytes.fromhex(self._open(tip, key, row.sealed))) for row in rows]
        return [View(row, id_of(officer), until, opener).token(self._keys.house) for row, opener in opened]

    def look_at(self, token: str) -> tuple[Tip, Officer, TipPicture, bytes]:
        """The picture of a token with its file's key, for an officer who may still read the tip; that it was looked at is written
        down. Refusal `tips.link_over` for one that is over or was taken back, whatever the reason."""
        view = View.read(token, self._keys.house)
        picture = self._session.get(TipPicture, view.picture_id) if view is not None and view.until > self._now else None
        tip = self._session.get(Tip, picture.tip_id) if picture is not None else None
        officer = self._session.get(Officer, view.officer_id) if view is not None else None
        if view is None or picture is None or tip is None or officer is None or not officer.active:
            raise Refusal("tips.link_over")
        if tip.state == TipState.SEALED or tip.expires_at <= self._now or self._access(tip, officer, WORDS) is None:
            raise Refusal("tips.link_over")
        self._note_read(tip, picture.message_id, officer)
        return tip, officer, picture, view.key

    def pictures(self, tip: Tip, officer: Officer) -> list[tuple[str, bytes]]:
        """Path and key of each picture's file; that they were opened is written down."""
        rows = self._session.exec(select(TipPicture).where(TipPicture.tip_id == tip.id).order_by(col(TipPicture.id))).all()
        key = self._key_of(tip, officer, WORDS) if rows else b""
        for row in rows:
            self._note_read(tip, row.message_id, officer)
        return [(row.path, bytes.fromhex(self._open(tip, key, row.sealed))) for row in rows]

    def answer(self, tip: Tip, officer: Officer, text: str) -> None:
        """An officer's message to the source."""
        self._move(tip, "answer")
        self._write(tip, self._key_of(tip, officer, WORDS), "officer", text, officer)

    def move(self, tip: Tip, action: str) -> None:
        """A step of the chain (`cases.tips.states.STEPS`)."""
        self._move(tip, action)

    def readers(self, tip: Tip) -> int:
        """How many officers have opened anything of it."""
        return len(set(self._session.exec(select(TipRead.officer_id).where(TipRead.tip_id == tip.id)).all()))

    # --- its end ---

    def postpone(self, tip: Tip, days: int) -> datetime:
        """Keep it `days` longer than now planned, at most a year from today; the new end."""
        wanted = tip.expires_at + timedelta(days=days)
        if not 1 <= days <= MOST_DAYS or wanted > self._now + timedelta(days=MOST_DAYS + 1):
            raise Refusal("tips.bad_days", most=MOST_DAYS)
        tip.expires_at = wanted
        self._session.add(tip)
        return wanted

    def destroy(self, tip: Tip) -> None:
        """Its keys, words and pictures go; that there was one and who read it stays. The pictures' files are unreadable at once
        and removed by a later round of `bot.tidy`."""
        self._move(tip, "destroy")
        destroy_key(self._session, shred_name(tip))
        for table in (TipKey, TipMessage, TipPicture, TipRequest):
            self._session.execute(delete(table).where(col(table.tip_id) == tip.id))
        tip.receipt_tag = tip.receipt_key = None
        self._session.add(tip)
        self._session.flush()

    def over(self) -> list[Tip]:
        """Tips whose time is over and that are not destroyed yet."""
        return list(self._session.exec(select(Tip).where(Tip.expires_at <= self._now, Tip.state != TipState.DESTROYED)).all())

    def _designation(self) -> str:
        for _ in range(50):
            name = secrets.choice(_ADJECTIVES) + secrets.choice(_NOUNS) + str(secrets.randbelow(900) + 100)
            if self._session.exec(select(Tip.id).where(Tip.designation == name)).first() is None:
                return name
        raise RuntimeError("no free designation")

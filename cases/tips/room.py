"""Confidential tips, apart from everything else: sealed words, a receipt that only the source knows, a record of every read.

No account id, name, group or message id comes near these tables. The source is a random designation to the staff. Who may read a
tip is decided by whose public key its key was sealed to: neither the roster nor the machine opens it for anybody else, except
that the server holds the keys of officers without a passphrase (docs/security.md says what that means).
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlmodel import Session, col, func, select

from cases.tips.keys import LEAST_PASSPHRASE, Pair, TipKeys, new_receipt, read_receipt
from cases.tips.pictures import LINK_LIVES, NewPicture, View
from cases.tips.states import STATE_NAMES, TipState, step
from content.refusal import Refusal
from storage.sealing import Sealed, mix, new_key, open_sealed, open_with, seal_to, seal_with
from storage.shredding import destroy_key, get_key, make_key
from storage.tables import Officer, OfficerKey, OfficerRole, Tip, TipKey, TipMessage, TipPicture, TipRead, TipRequest

KEPT_FOR = timedelta(days=90)  # GlobaLeaks' default
MOST_DAYS = 365  # how far ahead the end may be put off
CUSTODIAN = "custodian"
WORDS, IDENTITY = "words", "identity"
_ADJECTIVES = ["青", "白", "蓝", "金", "银", "紫", "碧", "墨", "丹", "素"]
_NOUNS = ["松", "竹", "梅", "兰", "鹤", "燕", "鹿", "舟", "石", "泉", "云", "帆", "桥", "灯", "荷", "枫"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the source gets once: the receipt in groups of four digits, and the name under which staff know the tip."""

    digits: str
    designation: str

    @property
    def shown(self) -> str:
        return " ".join(self.digits[start : start + 4] for start in range(0, len(self.digits), 4))


@dataclass(frozen=True, slots=True)
class Held:
    """A tip in the hands of its source: with the key that the receipt opened."""

    tip: Tip
    key: bytes


@dataclass(frozen=True, slots=True)
class Line:
    """One message of the dialogue, opened, and how many pictures came with it."""

    author: str
    text: str
    at: datetime
    pictures: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """What the source may know: answers, how many officers have read, who asked or was allowed to see who they are."""

    state: str
    answers: tuple[Line, ...]
    readers: int
    identity_given: bool
    asked: int
    allowed: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A tip's key sealed to an officer's `public` key, before that officer has it."""

    sealed: bytes
    public: bytes


@dataclass(frozen=True, slots=True)
class Listed:
    """A tip in an officer's list."""

    designation: str
    state: str
    created_on: datetime
    days_left: int


class Tips:
    """The tips inside the caller's transaction."""

    def __init__(self, session: Session, keys: TipKeys, now: datetime, kept_for: timedelta = KEPT_FOR) -> None:
        self._session = session
        self._keys = keys
        self._now = now
        self._kept_for = kept_for

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
        make_key(self._session, _shred_name(tip))
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
        return self._keys.begin(_id(held.tip), held.key, self._now)

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

    def set_passphrase(self, officer: Officer, passphrase: str) -> int:
        """A key pair under a passphrase of the officer's own; what could be read before is sealed anew. Returns how many tips are
        lost to this officer because the former passphrase was not at hand."""
        if len(passphrase.strip()) < LEAST_PASSPHRASE or read_receipt(passphrase):
            raise Refusal("tips.short_passphrase", least=LEAST_PASSPHRASE)
        pair, private = self._keys.make_pair(passphrase.strip())
        row = self._session.get(OfficerKey, officer.id)
        lost = 0
        if row is not None:
            try:
                old: bytes | None = self._keys.private(_officer_id(officer), _pair(row), self._now)
            except (Refusal, Sealed):
                old = None
            for access in self._session.exec(select(TipKey).where(TipKey.officer_id == officer.id)).all():
                if old is None:
                    self._session.delete(access)
                    lost += access.part == WORDS
                else:
                    access.sealed = seal_to(pair.public, open_sealed(old, access.sealed))
                    self._session.add(access)
        self._store_pair(officer, pair)
        self._keys.remember(_officer_id(officer), private, self._now)
        return lost

    def has_passphrase(self, officer: Officer) -> bool:
        """Whether the officer's key lies under a passphrase of their own."""
        row = self._session.get(OfficerKey, officer.id)
        return row is not None and row.salt is not None

    def unlock(self, officer: Officer, passphrase: str) -> None:
        """Open the officer's key for ten minutes of use, in memory."""
        row = self._session.get(OfficerKey, officer.id)
        if row is None:
            raise Refusal("tips.no_passphrase")
        self._keys.unlock(_officer_id(officer), _pair(row), passphrase.strip(), self._now)

    def lock(self, officer: Officer) -> None:
        self._keys.lock(_officer_id(officer))

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
        return [View(row, _officer_id(officer), until, opener).token(self._keys.house) for row, opener in opened]

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

    def who_may_read(self, tip: Tip) -> list[Officer]:
        """Everybody to whom its key is sealed."""
        return list(
            self._session.exec(
                select(Officer)
                .join(TipKey, col(TipKey.officer_id) == col(Officer.id))
                .where(TipKey.tip_id == tip.id, TipKey.part == WORDS)
                .order_by(col(Officer.badge))
            ).all()
        )

    def to_notify(self, tip_name: str) -> list[Officer]:
        """Whom to tell that a tip came or was added to: whoever may read it and is still there; else the custodians."""
        tip = self._session.exec(select(Tip).where(Tip.designation == tip_name)).one()
        return [officer for officer in self.who_may_read(tip) if officer.active] or self._custodians()

    # --- access ---

    def grant(self, tip: Tip, officer: Officer, to: Officer) -> None:
        """Let another officer read it: its key is sealed to theirs."""
        self.hand_over(tip, to, self.prepare(tip, officer, to))

    def prepare(self, tip: Tip, officer: Officer, to: Officer, part: str = WORDS) -> Prepared:
        """What would let `to` in, made with this officer's key while it is open; nobody has it before `hand_over`."""
        if self._row(tip, to, part) is not None:
            raise Refusal("tips.has_it", badge=to.badge)
        public = self._public_of(to)
        if public is None:
            raise Refusal("tips.no_key", badge=to.badge)
        return Prepared(seal_to(public, self._key_of(tip, officer, part)), public)

    def hand_over(self, tip: Tip, to: Officer, prepared: Prepared, part: str = WORDS) -> None:
        """Let `to` in with what was prepared. Refusal `tips.key_changed` when they have another key by now."""
        if self._row(tip, to, part) is not None:
            raise Refusal("tips.has_it", badge=to.badge)
        if self._public_of(to) != prepared.public:
            raise Refusal("tips.key_changed", badge=to.badge)
        self._session.add(TipKey(tip_id=_id(tip), officer_id=to.id, part=part, sealed=prepared.sealed))
        self._session.flush()

    def revoke(self, tip: Tip, of: Officer) -> None:
        """Take it back from an officer; the last one who may read it stays."""
        row = self._row(tip, of, WORDS)
        if row is None:
            raise Refusal("tips.has_it_not", badge=of.badge)
        if len(self.who_may_read(tip)) == 1:
            raise Refusal("tips.last_reader")
        self._session.execute(delete(TipKey).where(col(TipKey.tip_id) == tip.id, col(TipKey.officer_id) == of.id))

    def transfer(self, tip: Tip, officer: Officer, to: Officer, prepared: Prepared | None = None) -> None:
        """Give it to another officer and keep nothing; the identity stays with the custodians."""
        if self._row(tip, to, WORDS) is None:
            self.hand_over(tip, to, prepared or self.prepare(tip, officer, to))
        self.revoke(tip, officer)

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
        destroy_key(self._session, _shred_name(tip))
        for table in (TipKey, TipMessage, TipPicture, TipRequest):
            self._session.execute(delete(table).where(col(table.tip_id) == tip.id))
        tip.receipt_tag = tip.receipt_key = None
        self._session.add(tip)
        self._session.flush()

    def over(self) -> list[Tip]:
        """Tips whose time is over and that are not destroyed yet."""
        return list(self._session.exec(select(Tip).where(Tip.expires_at <= self._now, Tip.state != TipState.DESTROYED)).all())

    # --- who the source is ---

    def ask_identity(self, tip: Tip, officer: Officer, reason: str) -> list[Officer]:
        """Ask to see who the source is; returns the custodians who may decide. Refusal when the source has not said it."""
        if self._identity(tip) is None:
            raise Refusal("tips.no_identity")
        deciders = [other for other in self._custodians() if other.id != officer.id and self._access(tip, other, IDENTITY)]
        if not deciders:
            raise Refusal("tips.no_decider")
        key = self._key_of(tip, officer, WORDS)
        known = self._request(tip, officer)
        request = known or TipRequest(tip_id=_id(tip), officer_id=_officer_id(officer), reason=b"", at=self._now)
        request.reason, request.state, request.decided_by = self._seal(tip, key, reason), "asked", None
        request.at = self._now
        self._session.add(request)
        return deciders

    def requests(self, tip: Tip, officer: Officer) -> list[tuple[Officer, str]]:
        """Who waits for a decision, and why."""
        rows = self._session.exec(select(TipRequest).where(TipRequest.tip_id == tip.id, TipRequest.state == "asked")).all()
        if not rows:
            return []
        key = self._key_of(tip, officer, WORDS)
        found = [(self._session.get(Officer, row.officer_id), self._open(tip, key, row.reason)) for row in rows]
        return [(who, reason) for who, reason in found if who is not None]

    def prepare_identity(self, tip: Tip, custodian: Officer, asker: Officer) -> Prepared | None:
        """What would let the asker see who the source is; None when they have it already. Nobody decides for themselves."""
        self._open_request(tip, custodian, asker)
        return None if self._row(tip, asker, IDENTITY) is not None else self.prepare(tip, custodian, asker, IDENTITY)

    def decide_identity(
        self, tip: Tip, custodian: Officer, asker: Officer, *, allow: bool, prepared: Prepared | None = None
    ) -> None:
        """A custodian lets another officer see who the source is, or does not. Nobody decides for themselves."""
        request = self._open_request(tip, custodian, asker)
        request.state, request.decided_by = "allowed" if allow else "refused", custodian.id
        self._session.add(request)
        if allow and self._row(tip, asker, IDENTITY) is None:
            self.hand_over(tip, asker, prepared or self.prepare(tip, custodian, asker, IDENTITY), IDENTITY)

    def _open_request(self, tip: Tip, custodian: Officer, asker: Officer) -> TipRequest:
        request = self._request(tip, asker)
        if request is None or request.state != "asked":
            raise Refusal("tips.no_request", badge=asker.badge)
        if custodian.id == asker.id:
            raise Refusal("tips.own_request")
        return request

    def identity(self, tip: Tip, officer: Officer) -> str:
        """Who the source says to be, for an officer who was allowed; that it was read is written down."""
        message, request = self._identity(tip), self._request(tip, officer)
        if message is None:
            raise Refusal("tips.no_identity")
        if request is None or request.state != "allowed":
            raise Refusal("tips.ask_first")
        self._note_read(tip, message.id or 0, officer)
        return self._open(tip, self._key_of(tip, officer, IDENTITY), message.sealed)

    # --- inside ---

    def _move(self, tip: Tip, action: str) -> None:
        tip.state = step(TipState(tip.state), action)
        self._session.add(tip)
        self._session.flush()

    def _write(
        self,
        tip: Tip,
        key: bytes,
        author: str,
        text: str,
        officer: Officer | None = None,
        pictures: Sequence[NewPicture] = (),
    ) -> None:
        at = self._now if author == "officer" else self._today()
        sealed = self._seal(tip, key, text)
        by = officer.id if officer else None
        message = TipMessage(tip_id=_id(tip), author=author, officer_id=by, sealed=sealed, at=at)
        self._session.add(message)
        self._session.flush()
        for picture in pictures:
            opener = self._seal(tip, key, picture.key.hex())
            self._session.add(TipPicture(tip_id=_id(tip), message_id=message.id or 0, path=picture.path, sealed=opener))

    def _seal(self, tip: Tip, key: bytes, text: str) -> bytes:
        return seal_with(mix(key, get_key(self._session, _shred_name(tip))), text.encode())

    def _open(self, tip: Tip, key: bytes, sealed: bytes) -> str:
        try:
            return open_with(mix(key, get_key(self._session, _shred_name(tip))), sealed).decode()
        except Sealed as problem:
            raise Refusal("tips.gone", name=tip.designation) from problem

    def _open_lines(self, tip: Tip, key: bytes, authors: tuple[str, ...]) -> list[tuple[int, Line]]:
        rows = self._session.exec(
            select(TipMessage)
            .where(TipMessage.tip_id == tip.id, col(TipMessage.author).in_(authors))
            .order_by(col(TipMessage.id))
        ).all()
        pictures = Counter(self._session.exec(select(TipPicture.message_id).where(TipPicture.tip_id == tip.id)).all())
        return [(row.id or 0, Line(row.author, self._open(tip, key, row.sealed), row.at, pictures[row.id or 0])) for row in rows]

    def _note_read(self, tip: Tip, message_id: int, officer: Officer) -> None:
        self._session.add(TipRead(tip_id=_id(tip), message_id=message_id, officer_id=_officer_id(officer), at=self._now))

    def _identity(self, tip: Tip) -> TipMessage | None:
        return self._session.exec(select(TipMessage).where(TipMessage.tip_id == tip.id, TipMessage.author == IDENTITY)).first()

    def _request(self, tip: Tip, officer: Officer) -> TipRequest | None:
        return self._session.exec(
            select(TipRequest).where(TipRequest.tip_id == tip.id, TipRequest.officer_id == officer.id)
        ).first()

    def _row(self, tip: Tip, officer: Officer | None, part: str) -> TipKey | None:
        officer_id = officer.id if officer else None
        return self._session.exec(
            select(TipKey).where(TipKey.tip_id == tip.id, TipKey.officer_id == officer_id, TipKey.part == part)
        ).first()

    def _access(self, tip: Tip, officer: Officer, part: str) -> TipKey | None:
        """The officer's own access, or the house's when a tip came before there was a custodian."""
        own = self._row(tip, officer, part)
        return own or (self._row(tip, None, part) if self._is_custodian(officer) else None)

    def _key_of(self, tip: Tip, officer: Officer, part: str) -> bytes:
        row = self._access(tip, officer, part)
        if row is None:
            raise Refusal("tips.no_such_name", name=tip.designation)
        if row.officer_id is None:
            key = open_sealed(self._keys.house_private(), row.sealed)
            self._seal_key(tip, key, officer, part)
            return key
        pair = self._session.get(OfficerKey, officer.id)
        if pair is None:
            raise Refusal("tips.no_such_name", name=tip.designation)
        return open_sealed(self._keys.private(_officer_id(officer), _pair(pair), self._now), row.sealed)

    def _seal_to_custodians(self, tip: Tip, key: bytes, part: str) -> None:
        sealed = sum(self._seal_key(tip, key, officer, part) for officer in self._custodians())
        if sealed:
            return
        if not self._keys.server_held:
            raise Refusal("tips.nobody")
        self._session.add(TipKey(tip_id=_id(tip), officer_id=None, part=part, sealed=seal_to(self._keys.house_public(), key)))

    def _public_of(self, officer: Officer) -> bytes | None:
        """The key to which something is sealed for this officer; None when it would not be theirs alone and has to be."""
        row = self._session.get(OfficerKey, officer.id)
        if row is None and self._keys.server_held:
            pair, _ = self._keys.make_pair()
            row = self._store_pair(officer, pair)
        return None if row is None or (row.salt is None and not self._keys.server_held) else row.public

    def _seal_key(self, tip: Tip, key: bytes, to: Officer, part: str) -> bool:
        public = self._public_of(to)
        if public is None:
            return False
        self._session.add(TipKey(tip_id=_id(tip), officer_id=to.id, part=part, sealed=seal_to(public, key)))
        self._session.flush()
        return True

    def _store_pair(self, officer: Officer, pair: Pair) -> OfficerKey:
        row = self._session.get(OfficerKey, officer.id)
        if row is None:
            row = OfficerKey(
                officer_id=_officer_id(officer),
                public=pair.public,
                sealed_private=pair.sealed_private,
                salt=pair.salt,
                made_at=self._now,
            )
        row.public, row.sealed_private, row.salt, row.made_at = pair.public, pair.sealed_private, pair.salt, self._now
        self._session.add(row)
        self._session.flush()
        return row

    def _custodians(self) -> list[Officer]:
        return list(
            self._session.exec(
                select(Officer)
                .join(OfficerRole, col(OfficerRole.officer_id) == col(Officer.id))
                .where(col(Officer.active), OfficerRole.role == CUSTODIAN)
                .distinct()
            ).all()
        )

    def _is_custodian(self, officer: Officer) -> bool:
        return any(other.id == officer.id for other in self._custodians())

    def _today(self) -> datetime:
        return self._now.replace(hour=0, minute=0, second=0, microsecond=0)

    def _designation(self) -> str:
        for _ in range(50):
            name = secrets.choice(_ADJECTIVES) + secrets.choice(_NOUNS) + str(secrets.randbelow(900) + 100)
            if self._session.exec(select(Tip.id).where(Tip.designation == name)).first() is None:
                return name
        raise RuntimeError("no free designation")


def _shred_name(tip: Tip) -> str:
    return f"tip:{_id(tip)}"


def _id(tip: Tip) -> int:
    if tip.id is None:
        raise ValueError("the tip has to be stored first")
    return tip.id


def _officer_id(officer: Officer) -> int:
    if officer.id is None:
        raise ValueError("the officer has to be stored first")
    return officer.id


def _pair(row: OfficerKey) -> Pair:
    return Pair(row.public, row.sealed_private, row.salt)

"""Confidential tips, apart from everything else: sealed words, a receipt that only the source knows, a record of every read.

No account id, name, group or message id comes near these tables. The source is a random designation to the staff.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from sqlmodel import Session, col, select

from content.refusal import Refusal
from storage.tables import Officer, Tip, TipMessage, TipRead

KEPT_FOR = timedelta(days=90)  # GlobaLeaks' default
RECEIPT_DIGITS = 20  # about 66 bits, reliability.md T11
LOOKUP_DIGITS = 4
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # OWASP's minimum for Argon2id
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
class Line:
    """One message of the dialogue, opened."""

    author: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Seal:
    """How words are sealed and opened; the keys stay outside this room."""

    seal: Callable[[str], bytes]
    unseal: Callable[[bytes], str]


class Tips:
    """The tips inside the caller's transaction."""

    def __init__(self, session: Session, seal: Seal, now: datetime) -> None:
        self._session = session
        self._seal = seal
        self._now = now

    def receive(self, text: str) -> Receipt:
        """Keep a tip and give the receipt, which is stored only as a hash. A text that is a receipt itself is refused."""
        if read_receipt(text):
            raise Refusal("tips.is_receipt")
        digits = "".join(secrets.choice("0123456789") for _ in range(RECEIPT_DIGITS))
        tip = Tip(
            designation=self._designation(),
            lookup=digits[:LOOKUP_DIGITS],
            receipt_hash=_HASHER.hash(digits),
            created_at=self._now,
            expires_at=self._now + KEPT_FOR,
        )
        self._session.add(tip)
        self._session.flush()
        self.add(tip, "source", text)
        return Receipt(digits, tip.designation)

    def by_receipt(self, digits: str) -> Tip:
        """The tip of a receipt; the same refusal, after the same work, whether it never existed or is over."""
        candidates = self._session.exec(
            select(Tip).where(Tip.lookup == digits[:LOOKUP_DIGITS], Tip.expires_at > self._now).order_by(col(Tip.id))
        ).all()
        for tip in candidates:
            if _matches(tip.receipt_hash, digits):
                return tip
        if not candidates:
            _matches(_NOBODY, digits)
        raise Refusal("tips.no_such")

    def by_designation(self, words: str) -> Tip:
        tip = self._session.exec(select(Tip).where(Tip.designation == words.strip(), Tip.expires_at > self._now)).first()
        if tip is None:
            raise Refusal("tips.no_such_name", name=words.strip()[:20])
        return tip

    def add(self, tip: Tip, author: str, text: str) -> None:
        """One more sealed message."""
        if tip.id is None:
            raise ValueError("a tip has to be stored before its messages")
        self._session.add(TipMessage(tip_id=tip.id, author=author, sealed=self._seal.seal(text), at=self._now))

    def read(self, tip: Tip, officer: Officer) -> list[Line]:
        """Open the dialogue for an officer; that he read it is written down."""
        if tip.id is None or officer.id is None:
            raise ValueError("only a stored tip can be read by a stored officer")
        self._session.add(TipRead(tip_id=tip.id, officer_id=officer.id, at=self._now))
        if tip.state == "received":
            tip.state = "under_review"
            self._session.add(tip)
        return self._lines(tip, seen_by="officer")

    def answers(self, tip: Tip) -> list[Line]:
        """What officers wrote to the source."""
        return [line for line in self._lines(tip, seen_by="source") if line.author == "officer"]

    def reads(self, tip: Tip) -> int:
        return len(self._session.exec(select(TipRead).where(TipRead.tip_id == tip.id)).all())

    def open(self) -> list[Tip]:
        """Tips that are not over, newest first."""
        return list(self._session.exec(select(Tip).where(Tip.expires_at > self._now).order_by(col(Tip.id).desc())).all())

    def _lines(self, tip: Tip, seen_by: str) -> list[Line]:
        rows = self._session.exec(select(TipMessage).where(TipMessage.tip_id == tip.id).order_by(col(TipMessage.id))).all()
        for row in rows:
            if row.author != seen_by and row.seen_at is None:
                row.seen_at = self._now
                self._session.add(row)
        return [Line(row.author, self._seal.unseal(row.sealed), row.at) for row in rows]

    def _designation(self) -> str:
        for _ in range(50):
            name = secrets.choice(_ADJECTIVES) + secrets.choice(_NOUNS) + str(secrets.randbelow(900) + 100)
            if self._session.exec(select(Tip.id).where(Tip.designation == name)).first() is None:
                return name
        raise RuntimeError("no free designation")


def read_receipt(text: str) -> str | None:
    """The digits when a text is nothing but a receipt (blanks and full-width digits allowed)."""
    digits = "".join(str(int(c)) for c in text if c.isdecimal())
    others = [c for c in text if not c.isdecimal() and not c.isspace() and c not in "-－—"]
    return digits if len(digits) == RECEIPT_DIGITS and not others else None


def _matches(receipt_hash: str, digits: str) -> bool:
    try:
        return _HASHER.verify(receipt_hash, digits)
    except VerifyMismatchError:
        return False


_NOBODY = _HASHER.hash(secrets.token_hex(16))

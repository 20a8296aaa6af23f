"""The keys of tips: receipts, officers' key pairs, and what is unlocked for a while in memory and nowhere else.

One `TipKeys` lives as long as the bot. What it holds in memory (unlocked private keys, open receipts, failed guesses) is gone
after a stop; then a passphrase or a receipt is asked for again.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from content.refusal import Refusal
from storage.sealing import Sealed, Sealer, new_pair, open_with, public_of, read_or_make, seal_with, stretch

RECEIPT_DIGITS = 20  # about 66 bits; OWASP ASVS 5.0 6.6.3 asks for 64 bits of codes that are looked up
UNLOCKED_FOR = timedelta(minutes=10)
SESSION = timedelta(minutes=30)
LEAST_PASSPHRASE = 10  # characters

FREE_TRIES = 5
TRIES_OF_ALL = 30  # wrong receipts in TRY_WINDOW by everybody together, then one a second
TRY_WINDOW = timedelta(minutes=10)
LONGEST_WAIT = timedelta(minutes=15)
MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Pair:
    """An officer's key pair as it is stored."""

    public: bytes
    sealed_private: bytes
    salt: bytes | None


@dataclass(frozen=True, slots=True)
class Claim:
    """What a receipt proves: the tag under which its tip is found, and the key that opens it."""

    tag: str
    key: bytes


@dataclass(slots=True)
class Guard:
    """Slows down whoever tries receipts or passphrases that are wrong; per person and for everybody together. In memory only: a
    table of who tried when would say who has a tip."""

    _own: OrderedDict[str, tuple[int, datetime]] = field(default_factory=OrderedDict)
    _all: deque[datetime] = field(default_factory=deque)

    def check(self, who: str, now: datetime) -> None:
        """Refusal `tips.wait` while `who` has to wait."""
        seconds = max(self._own_wait(who, now), self._common_wait(now))
        if seconds > 0:
            raise Refusal("tips.wait", minutes=max(1, -(-int(seconds) // 60)))

    def failed(self, who: str, now: datetime) -> None:
        """It was wrong."""
        count = self._own.pop(who, (0, now))[0] + 1
        self._own[who] = (count, now)
        while len(self._own) > MOST_REMEMBERED:
            self._own.popitem(last=False)
        self._all.append(now)

    def passed(self, who: str) -> None:
        """It was right."""
        self._own.pop(who, None)

    def _own_wait(self, who: str, now: datetime) -> float:
        count, last = self._own.get(who, (0, now))
        if count < FREE_TRIES:
            return 0.0
        wait = min(LONGEST_WAIT, timedelta(minutes=1 << min(count - FREE_TRIES, 10)))
        return (last + wait - now).total_seconds()

    def _common_wait(self, now: datetime) -> float:
        while self._all and now - self._all[0] > TRY_WINDOW:
            self._all.popleft()
        if len(self._all) < TRIES_OF_ALL:
            return 0.0
        return (self._all[-1] + timedelta(seconds=1) - now).total_seconds()


class TipKeys:
    """The keys of one installation. `server_held`: officers without a passphrase may read tips with a key that the server keeps;
    without it only officers with a passphrase get tips at all."""

    def __init__(self, folder: Path, *, server_held: bool = True) -> None:
        self.server_held = server_held
        self.guard = Guard()
        self.house = Sealer(folder / "tips.key")
        self._salt = read_or_make(folder / "receipts.key")
        self._unlocked: dict[int, tuple[bytes, datetime]] = {}
        self._sessions: dict[str, tuple[int, bytes, datetime]] = {}

    # --- receipts ---

    def claim(self, digits: str) -> Claim:
        """What these digits prove. Always the same work: one Argon2id, whether there is such a tip or not."""
        raw = stretch(digits, self._salt, 64)
        return Claim(raw[:32].hex(), raw[32:])

    def begin(self, tip_id: int, key: bytes, now: datetime) -> str:
        """Remember for half an hour that this receipt was shown; the token stands in the dialog instead of the tip's name."""
        self._sessions = {token: held for token, held in self._sessions.items() if held[2] > now}
        token = secrets.token_urlsafe(12)
        self._sessions[token] = (tip_id, key, now + SESSION)
        return token

    def resume(self, token: str, now: datetime) -> tuple[int, bytes]:
        """(tip, key) of a token; Refusal `tips.again` when it is over or the bot was started anew."""
        tip_id, key, until = self._sessions.get(token, (0, b"", now))
        if until <= now:
            raise Refusal("tips.again")
        return tip_id, key

    # --- officers ---

    def house_public(self) -> bytes:
        """The public key for tips that came when nobody could read them yet."""
        return public_of(self.house_private())

    def house_private(self) -> bytes:
        return self.house.derive("house key pair")

    def make_pair(self, passphrase: str | None = None) -> tuple[Pair, bytes]:
        """A new key pair for an officer, and its private key in the clear."""
        public, private = new_pair()
        if passphrase is None:
            return Pair(public, self.house.seal_bytes(private), None), private
        salt = secrets.token_bytes(16)
        return Pair(public, seal_with(stretch(passphrase, salt), private), salt), private

    def private(self, officer_id: int, pair: Pair, now: datetime) -> bytes:
        """The private key of an officer; Refusal `tips.locked` when a passphrase is needed."""
        if pair.salt is None:
            return self.house.unseal_bytes(pair.sealed_private)
        private, until = self._unlocked.get(officer_id, (b"", now))
        if until <= now:
            self._unlocked.pop(officer_id, None)
            raise Refusal("tips.locked")
        self._unlocked[officer_id] = (private, now + UNLOCKED_FOR)
        return private

    def unlock(self, officer_id: int, pair: Pair, passphrase: str, now: datetime) -> None:
        """Open an officer's key for ten minutes of use; Refusal `tips.wrong_passphrase`, and `tips.wait` after five of them."""
        who = f"officer:{officer_id}"
        self.guard.check(who, now)
        if pair.salt is None:
            raise Refusal("tips.no_passphrase")
        try:
            private = open_with(stretch(passphrase, pair.salt), pair.sealed_private)
        except Sealed:
            self.guard.failed(who, now)
            raise Refusal("tips.wrong_passphrase") from None
        self.guard.passed(who)
        self.remember(officer_id, private, now)

    def remember(self, officer_id: int, private: bytes, now: datetime) -> None:
        self._unlocked[officer_id] = (private, now + UNLOCKED_FOR)

    def lock(self, officer_id: int) -> None:
        """Forget an officer's key at once."""
        self._unlocked.pop(officer_id, None)


def new_receipt() -> str:
    """Twenty random digits."""
    return "".join(secrets.choice("0123456789") for _ in range(RECEIPT_DIGITS))


def read_receipt(text: str) -> str | None:
    """The digits when a text is nothing but a receipt (blanks and full-width digits allowed)."""
    digits = "".join(str(int(c)) for c in text if c.isdecimal())
    others = [c for c in text if not c.isdecimal() and not c.isspace() and c not in "-－—"]
    return digits if len(digits) == RECEIPT_DIGITS and not others else None

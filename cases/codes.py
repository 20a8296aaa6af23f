"""One-time codes that people type: what is kept of them, and a limit on guessing."""

from __future__ import annotations

import hashlib
import math
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlmodel import Session, col, select

from content.refusal import Refusal
from storage.tables import CodeGuess

DIGITS = 8
MOST_WRONG = 5  # of one account within WINDOW; after that not even the right code is taken
WINDOW = timedelta(hours=1)


def new_code() -> str:
    """Eight random digits: with five guesses an hour, one account would need two thousand years for an even chance."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"


def code_hash(code: str) -> str:
    """How a one-time code is kept: it is random and short-lived, so a plain hash is enough."""
    return hashlib.sha256(code.strip().encode()).hexdigest()


class Guesses:
    """Wrong codes of one platform account, inside the caller's transaction."""

    def __init__(self, session: Session, platform: str, user_id: str, now: datetime) -> None:
        self._session = session
        self._platform = platform
        self._user_id = user_id
        self._now = now

    def check(self) -> None:
        """Refusal `officers.too_many_codes` while this account has guessed too often."""
        wrong = self._wrong()
        if len(wrong) >= MOST_WRONG:
            left = wrong[-MOST_WRONG] + WINDOW - self._now
            raise Refusal("officers.too_many_codes", minutes=max(1, math.ceil(left.total_seconds() / 60)))

    def note(self) -> int:
        """One more; what no longer counts goes. Returns how many count now. A refusal raised after it would take it back."""
        self._session.execute(delete(CodeGuess).where(col(CodeGuess.at) <= self._now - WINDOW))
        self._session.add(CodeGuess(platform=self._platform, user_id=self._user_id, at=self._now))
        self._session.flush()
        return len(self._wrong())

    def _wrong(self) -> list[datetime]:
        mine = select(CodeGuess.at).where(
            CodeGuess.platform == self._platform, CodeGuess.user_id == self._user_id, CodeGuess.at > self._now - WINDOW
        )
        return sorted(self._session.exec(mine).all())

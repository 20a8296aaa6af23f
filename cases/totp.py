"""One-time passwords of officers (TOTP, RFC 6238: SHA-1, six digits, 30 seconds, what every authenticator app does).

The key is shown once and kept sealed. A code is taken once: the time step of the last one is stored, and neither it nor an
earlier one is taken again (RFC 6238 section 5.2). One step to either side is allowed for clocks that differ.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta

import pyotp
from pyotp.utils import strings_equal
from sqlmodel import Session

from content.refusal import Refusal
from storage.sealing import Sealer
from storage.tables import Officer, OfficerTotp

DIGITS = 6
DRIFT = 1  # time steps to either side
MOST_WRONG = 5  # codes of one officer within WINDOW; after that not even the right one is taken
WINDOW = timedelta(hours=1)
_CODE = re.compile(r"(?<!\d)\d{3}[\s-]?\d{3}(?!\d)")


def read_code(words: str) -> str:
    """The six digits in what somebody typed, full-width or in two halves; empty when there are none."""
    found = _CODE.search(unicodedata.normalize("NFKC", words))
    return re.sub(r"\D", "", found[0]) if found else ""


class Totp:
    """The one-time passwords of officers, inside the caller's transaction."""

    def __init__(self, session: Session, sealer: Sealer, now: datetime, issuer: str) -> None:
        """`issuer` is what the officer's app shows beside the badge."""
        self._session = session
        self._sealer = sealer
        self._now = now
        self._issuer = issuer

    def enrolled(self, officer: Officer) -> bool:
        """Whether this officer has proved a key."""
        row = self._session.get(OfficerTotp, officer.id)  # read only: the terminal asks it on a connection that takes no lock
        return row is not None and row.sealed is not None

    def begin(self, officer: Officer) -> tuple[str, str]:
        """A new key, and the link that an authenticator app reads it from. It counts from its first right code on; until then an
        older one does. Nobody can be shown it again."""
        key = pyotp.random_base32()
        row = self._row(officer) or OfficerTotp(officer_id=officer.id or 0)
        row.sealed_next = self._sealer.seal(key)
        self._session.add(row)
        self._session.flush()
        return key, pyotp.TOTP(key).provisioning_uri(name=officer.badge, issuer_name=self._issuer)

    def prove(self, officer: Officer, code: str) -> bool:
        """The first code of a new key: from now on it counts. False, and counted, when it is wrong; Refusal after too many."""
        row = self._row(officer)
        if row is None or row.sealed_next is None:
            raise Refusal("confirm.nothing_to_prove")
        self._check_patience(row)
        step = self._step_of(row.sealed_next, code, 0)
        if step is None:
            self._note_wrong(row)
            return False
        row.sealed, row.sealed_next, row.proved_at = row.sealed_next, None, self._now
        # the code that proved the key is not a code for anything else
        row.last_step, row.wrong, row.wrong_since = step, 0, None
        self._session.add(row)
        return True

    def take(self, officer: Officer, code: str) -> bool:
        """Whether this is a code of this officer that was not used yet; from now on it is. A wrong one is counted.

        Refusal `confirm.not_enrolled` without a key, `confirm.too_many` after too many wrong ones.
        """
        row = self._row(officer)
        if row is None or row.sealed is None:
            raise Refusal("confirm.not_enrolled")
        self._check_patience(row)
        step = self._step_of(row.sealed, code, row.last_step)
        if step is None:
            self._note_wrong(row)
            return False
        row.last_step, row.wrong, row.wrong_since = step, 0, None
        self._session.add(row)
        return True

    def drop(self, officer: Officer) -> bool:
        """This officer has no key any more; false when there was none."""
        row = self._row(officer)
        if row is None:
            return False
        self._session.delete(row)
        self._session.flush()
        return True

    def wrong(self, officer: Officer) -> int:
        """How many wrong codes count against this officer now."""
        row = self._row(officer)
        return row.wrong if row is not None else 0

    def _step_of(self, sealed: bytes, code: str, after: int) -> int | None:
        """The time step of a right code later than `after`, within the allowed drift."""
        totp = pyotp.TOTP(self._sealer.unseal(sealed))
        here = totp.timecode(self._now)
        steps = (here + offset for offset in range(-DRIFT, DRIFT + 1))
        return next((step for step in steps if step > after and strings_equal(code, totp.generate_otp(step))), None)

    def _check_patience(self, row: OfficerTotp) -> None:
        if row.wrong_since is not None and row.wrong_since + WINDOW <= self._now:
            row.wrong, row.wrong_since = 0, None
        if row.wrong >= MOST_WRONG and row.wrong_since is not None:
            left = row.wrong_since + WINDOW - self._now
            raise Refusal("confirm.too_many", minutes=max(1, -(-int(left.total_seconds()) // 60)))

    def _note_wrong(self, row: OfficerTotp) -> None:
        row.wrong += 1
        row.wrong_since = row.wrong_since or self._now
        self._session.add(row)
        self._session.flush()

    def _row(self, officer: Officer) -> OfficerTotp | None:
        return self._session.get(OfficerTotp, officer.id, with_for_update=True)

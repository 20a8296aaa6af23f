"""What each of our accounts has claimed and is sending, and whether it is ours at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Protocol

from sqlmodel import Session

from bot.messages import Address
from bot.pacing import AccountKey
from bot.platforms.base import Adapter
from storage.claims import Claim

OnGone = Callable[[Session, Address, int | None, str], None]


class Hold(Protocol):
    """Which accounts are ours, where several nodes share them; `bot.leases.Leases` by account."""

    holder: str

    def token(self, account: AccountKey) -> int | None:
        """The fencing token while this account is ours to begin something for."""
        ...

    def stands(self, session: Session, account: AccountKey, token: int) -> Callable[[], bool]:
        """Whether it still is, inside this transaction and until its end; the answer may wait until it is asked for."""
        ...


class Account:
    """One account's claims: those that wait for their slot, best first, and those that are being sent."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.queue: list[Claim] = []
        self.sending: dict[int, Claim] = {}
        self.look = True  # rows may have come that go before those in the queue
        self.more = False  # more rows wait behind those in the queue
        self.token: int | None = None  # the lease under which we took it over, and whose past we know

    def add(self, claims: Iterable[Claim]) -> None:
        """Put new claims where they belong."""
        self.queue += claims
        self.queue.sort(key=attrgetter("lane", "id"))

    def take_out(self, wanted: Callable[[Claim], bool]) -> list[Claim]:
        """Remove those claims from the queue."""
        found = [claim for claim in self.queue if wanted(claim)]
        if found:
            self.queue = [claim for claim in self.queue if not wanted(claim)]
        return found


class Accounts(dict[AccountKey, Account]):
    """All of them. `hold` tells which are ours where several nodes share the database."""

    def __init__(self, adapters: Mapping[AccountKey, Adapter], hold: Hold | None) -> None:
        super().__init__({key: Account(adapter) for key, adapter in adapters.items()})
        self.hold = hold

    def ours(self, key: AccountKey) -> bool:
        """Whether something may be begun for this account."""
        return self.hold is None or self.hold.token(key) is not None

    def stands(self, session: Session, key: AccountKey) -> Callable[[], bool]:
        """The fence: nobody has taken this account over, and nobody can before this transaction ends. To be asked for in it."""
        if self.hold is None:
            return lambda: True
        token = self.hold.token(key)
        return (lambda: False) if token is None else self.hold.stands(session, key, token)

    def look_everywhere(self) -> None:
        """Rows may have come for any of them."""
        for account in self.values():
            account.look = True

    def known_claims(self) -> list[int]:
        """The rows that are ours and that we know of."""
        return [id_ for account in self.values() for id_ in (*(claim.id for claim in account.queue), *account.sending)]


def earliest(*times: datetime | None) -> datetime | None:
    """The first of these times, None when there is none."""
    return min((time for time in times if time is not None), default=None)

"""Who a request comes from: tokens, the guard against foreign pages, and how officers sign in."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import math
import secrets
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlmodel import Session

from bot.errors import RefusedInput
from bot.platforms.web.people import People, Person, hashed
from bot.platforms.web.settings import BADGE, OfficerGate, WebSettings
from bot.platforms.web.store import change, millis, row
from storage.writer import Writer

LEAST_PASSWORD = 10
LONGEST_PASSWORD = 200
TRIES = 5
TRIES_SECONDS = 60.0
ROSTER_SECONDS = 15.0  # how long the roster's word about an officer is taken as still true
MOST_WATCHED = 10_000


class Sessions:
    """Tokens of signed-in people. The file holds only their hashes."""

    def __init__(
        self, settings: WebSettings, writer: Writer, people: People, gate: OfficerGate, clock: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._people = people
        self._gate = gate
        self._clock = clock
        self._known: dict[str, tuple[str, int]] = {}
        self._on_roster: dict[str, datetime] = {}
        self._secret = b""

    async def load(self) -> None:
        """Read the secret that guards against foreign pages, or make it."""
        fresh = secrets.token_hex(32)

        def work(session: Session) -> str:
            change(session, "INSERT OR IGNORE INTO secret VALUES ('csrf', ?)", fresh)
            found = row(session, "SELECT value FROM secret WHERE name = 'csrf'")
            return fresh if found is None else str(found[0])

        self._secret = (await self._writer.run(work)).encode()

    async def start(self, person: Person) -> str:
        """A new token for this person."""
        token = secrets.token_urlsafe(32)
        settings = self._settings
        officer = person.role == "officer" and not settings.demo
        lasts = timedelta(hours=settings.officer_session_hours) if officer else timedelta(days=settings.resident_session_days)
        until = millis(self._clock() + lasts)
        digest = hashed(token)
        await self._writer.run(lambda s: change(s, "INSERT INTO session VALUES (?, ?, ?)", digest, person.id, until))
        self._known[digest] = (person.id, until)
        return token

    async def person(self, token: str | None) -> Person | None:
        """Whose token this is; None when it is nobody's, has run out, or its officer has left the roster."""
        if not token or len(token) > 200:
            return None
        digest = hashed(token)
        known = self._known.get(digest)
        if known is None:
            found = await self._writer.read(lambda s: row(s, "SELECT person, until FROM session WHERE hash = ?", digest))
            if found is None:
                return None
            known = (str(found[0]), int(found[1]))
            if len(self._known) > MOST_WATCHED:
                self._known.clear()
            self._known[digest] = known
        who, until = known
        person = self._people.person(who)
        if person is None or person.persona is not self._settings.demo or until <= millis(self._clock()):
            return None
        if not await self.still_there(person):
            return None
        return person

    async def still_there(self, person: Person) -> bool:
        """Whether this person may go on. An officer who has left the roster may not, and all their tokens end."""
        if person.badge is None or person.persona:
            return True
        now = self._clock()
        asked = self._on_roster.get(person.badge)
        if asked is not None and timedelta(0) <= now - asked < timedelta(seconds=ROSTER_SECONDS):
            return True
        if await self._gate.officer(person.badge) is None:
            self._on_roster.pop(person.badge, None)
            await self.end_all(person.id)
            return False
        self._on_roster[person.badge] = now
        return True

    async def end(self, token: str) -> None:
        """Forget this token."""
        digest = hashed(token)
        await self._writer.run(lambda s: change(s, "DELETE FROM session WHERE hash = ?", digest))
        self._known.pop(digest, None)

    async def end_all(self, who: str) -> None:
        """Forget every token of this person."""
        await self._writer.run(lambda s: change(s, "DELETE FROM session WHERE person = ?", who))
        self._known = {digest: known for digest, known in self._known.items() if known[0] != who}

    async def purge(self) -> None:
        """Remove tokens and invitations that have run out."""
        now = millis(self._clock())

        def work(session: Session) -> None:
            change(session, "DELETE FROM session WHERE until <= ?", now)
            change(session, "DELETE FROM invite WHERE until <= ?", now)

        await self._writer.run(work)
        self._known = {digest: known for digest, known in self._known.items() if known[1] > now}

    def csrf(self, visit: str) -> str:
        """What a page of ours has to send along with every change; only we can make it for this visit's cookie."""
        return hmac.new(self._secret, visit.encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    def csrf_fits(self, visit: str | None, given: str | None) -> bool:
        """Whether `given` belongs to this visit."""
        if not visit or not given:
            return False
        return hmac.compare_digest(self.csrf(visit).encode(), given.encode("utf-8", "replace"))


class Throttle:
    """Counts tries per key: so many a minute, then the next has to wait. The wait always ends; nobody is locked out."""

    def __init__(self, clock: Callable[[], datetime], most: int = TRIES) -> None:
        self._clock = clock
        self._most = most
        self._tries: dict[str, deque[datetime]] = {}

    def wait(self, *keys: str) -> int:
        """Seconds until another try is allowed under every one of `keys`; 0 for now. A refused try does not count."""
        now = self._clock()
        longest = 0.0
        for key in keys:
            tries = self._fresh(key, now)
            if len(tries) >= self._most:
                longest = max(longest, TRIES_SECONDS - (now - tries[-self._most]).total_seconds())
        return math.ceil(longest)

    def count(self, *keys: str) -> None:
        """A try is being made."""
        now = self._clock()
        if len(self._tries) > MOST_WATCHED:
            self._tries = {key: tries for key in list(self._tries) if (tries := self._fresh(key, now))}
        for key in keys:
            self._fresh(key, now).append(now)

    def succeeded(self, *keys: str) -> None:
        """The try under way was none of a guesser's: do not count it. Many officers may share an address."""
        for key in keys:
            if self._tries.get(key):
                self._tries[key].pop()

    def _fresh(self, key: str, now: datetime) -> deque[datetime]:
        tries = self._tries.setdefault(key, deque())
        while tries and (now - tries[0]).total_seconds() >= TRIES_SECONDS:
            tries.popleft()
        return tries


class SignIn:
    """How officers come in: badge and password; the first time a one-time code and a password of their choice."""

    def __init__(
        self, people: People, sessions: Sessions, gate: OfficerGate, clock: Callable[[], datetime], hasher: PasswordHasher
    ) -> None:
        self._people = people
        self._sessions = sessions
        self._gate = gate
        self._hasher = hasher
        self._throttle = Throttle(clock)
        self._known_places: set[str] = set()
        # a hash takes 64 MB and a processor for a moment: two at a time
        self._turn = asyncio.Semaphore(2)
        self._nobody: str | None = None

    async def sign_in(self, badge: str, password: str, address: str) -> Person:
        """The officer with this badge and password. Raises RefusedInput `signin.wrong` or `signin.wait`."""
        keys = self._admit(badge, address)
        stored = await self._people.password(badge) if BADGE.fullmatch(badge) else None
        card = await self._gate.officer(badge) if stored else None
        # an unknown badge takes as long as a wrong password, so that badges cannot be found out
        fits = await self._verify(stored or await self._decoy(), password)
        if card is None or stored is None or not fits:
            raise RefusedInput("signin.wrong")
        if self._hasher.check_needs_rehash(stored):
            await self._people.set_password(badge, await self._hash(password))
        self._welcome(badge, address, keys)
        return await self._people.add_officer(card)

    async def first(self, badge: str, code: str, password: str, address: str) -> Person:
        """The officer whose one-time code this is, with `password` from now on; older sign-ins of theirs end. Raises RefusedInput
        `signin.short_password`, `signin.bad_code` or `signin.wait`."""
        if not LEAST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise RefusedInput("signin.short_password", least=LEAST_PASSWORD)
        keys = self._admit(badge, address)
        card = await self._gate.check_code(badge, code.strip()[:100]) if BADGE.fullmatch(badge) else None
        if card is None or card.badge != badge:
            raise RefusedInput("signin.bad_code")
        await self._people.set_password(badge, await self._hash(password))
        person = await self._people.add_officer(card)
        await self._sessions.end_all(person.id)
        self._welcome(badge, address, keys)
        return person

    def _admit(self, badge: str, address: str) -> tuple[str, ...]:
        # who has signed in from this address before does not wait because strangers try the same badge from elsewhere
        place = f"{badge[:40]} {address}"
        by_badge = f"place {place}" if place in self._known_places else f"badge {badge[:40]}"
        keys = (by_badge, f"address {address}")
        seconds = self._throttle.wait(*keys)
        if seconds:
            raise RefusedInput("signin.wait", seconds=seconds)
        self._throttle.count(*keys)
        return keys

    def _welcome(self, badge: str, address: str, keys: tuple[str, ...]) -> None:
        self._throttle.succeeded(*keys)
        if len(self._known_places) > MOST_WATCHED:
            self._known_places.clear()
        self._known_places.add(f"{badge} {address}")

    async def _hash(self, password: str) -> str:
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password.encode("utf-8", "replace"))

    async def _decoy(self) -> str:
        if self._nobody is None:
            self._nobody = await self._hash(secrets.token_urlsafe(16))
        return self._nobody

    async def _verify(self, stored: str, password: str) -> bool:
        def work() -> bool:
            try:
                return self._hasher.verify(stored, password[:LONGEST_PASSWORD].encode("utf-8", "replace"))
            except (Argon2Error, InvalidHashError):
                return False

        async with self._turn:
            return await asyncio.to_thread(work)

"""One transaction of the outbox with the storage: results in, claims out. Runs on the writer's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlmodel import Session

from bot.messages import Address
from bot.notices import Lane
from bot.outbox.accounts import Accounts, OnGone, earliest
from bot.pacing import NEVER, AccountKey, Pacing
from bot.verdicts import DIED, OutboxRule, Pause, Verdicts, account_scope, chat_scope
from storage import claims, notices, receipts
from storage.caps import Caps
from storage.claims import Claim, Look, Taken, really
from storage.paces import Booking, book
from storage.receipts import Result, Sent
from storage.writer import take_turn

log = structlog.get_logger("bot.outbox")


@dataclass(frozen=True, slots=True)
class Order:
    """What one exchange is to do. `known` are the claims that are ours, where one may have been committed without an answer."""

    now: datetime
    results: Sequence[Result] = ()
    pauses: Sequence[Pause] = ()
    gone: Sequence[tuple[Address, str]] = ()
    known: Sequence[int] | None = None
    taken: Mapping[AccountKey, int] = field(default_factory=dict)  # accounts that have just become ours
    asking: Sequence[AccountKey] = ()
    claiming: bool = True
    recover: bool = False
    first: bool = False

    @property
    def empty(self) -> bool:
        done = self.results or self.gone or self.pauses or self.known is not None
        return not (done or self.recover or self.asking)

    @property
    def only_receipts(self) -> bool:
        """Nothing is asked for, and nothing that is written changes what waits or who may be spoken to."""
        asked = self.asking or self.recover or self.taken or self.known is not None
        return not (asked or self.pauses or self.gone) and all(isinstance(result, Sent) for result in self.results)


@dataclass(slots=True)
class Answer:
    """What one exchange brought, once committed and settled. `pauses` and `next_due` are None when they were not asked for."""

    pauses: dict[str, datetime] | None = None
    sent: list[tuple[str, str, str, datetime]] = field(default_factory=list)
    leases_until: datetime | None = None
    claims: dict[AccountKey, list[Claim]] = field(default_factory=dict)
    more: set[AccountKey] = field(default_factory=set)
    ready_at: datetime | None = None  # when the first chat that was passed over may be spoken to
    next_due: datetime | None = None
    bookings: list[Booking] = field(default_factory=list)
    booked: dict[str, datetime] = field(default_factory=dict)
    taking: dict[AccountKey, list[Taken]] = field(default_factory=dict)
    due: Callable[[], datetime | None] | None = None

    def settle(self) -> None:
        """After the commit: what travelled with it has its answer only now."""
        for key, taking in self.taking.items():
            self.claims[key] = really(self.claims[key], taking)
        if self.due is not None:
            self.next_due = self.due()


@dataclass(frozen=True, slots=True)
class _Look:
    """What was begun to be asked for one account: whether it is still ours, and its first rows; and the room for them by lane."""

    key: AccountKey
    rooms: list[int]
    stands: Callable[[], bool]
    rows: Look


class Exchange:
    """The statements of a round. `picture` guards queues and pacing, which the event loop uses meanwhile."""

    def __init__(
        self,
        accounts: Accounts,
        pacing: Pacing,
        verdicts: Verdicts,
        rule: OutboxRule,
        picture: threading.Lock,
        *,
        me: str,
        node: str,
        on_gone: OnGone | None,
        caps: Callable[[datetime], Caps] | None,
    ) -> None:
        self.rule = rule
        self._accounts = accounts
        self._pacing = pacing
        self._verdicts = verdicts
        self._picture = picture
        self._me = me
        self._node = node
        self._on_gone = on_gone
        self._caps = caps

    def work(self, session: Session, order: Order) -> Answer:
        """Everything of one exchange, inside the caller's transaction."""
        connection, now = session.connection(), order.now
        receipts.write_back(connection, self._me, order.results)
        answer = Answer()
        if order.only_receipts:
            return answer
        if order.known is not None:
            claims.release_others(connection, self._me, order.known)
        for address, why in order.gone:
            self._close_chat(session, address, why, now)
        if order.pauses:
            notices.write_pauses(connection, order.pauses, now)
        pauses = notices.read_pauses(connection, now)
        if order.first and self._accounts.hold is None:
            answer.sent = receipts.sent_since(connection, now - self._pacing.memory(self._accounts))
        for key in order.taken:
            answer.sent += receipts.spoken_since(connection, key, now - self._pacing.memory([key]), now)
        if order.recover:
            answer.leases_until = self._recover(session, now, order.first)
        looks = [self._look(session, key, now, answer) for key in order.asking]
        answer.pauses = pauses()
        for look in looks:
            # the fence stands before the rows in the same round trip; a look at an account that is paused or lost is let go
            if answer.pauses.get(account_scope(look.key), now) <= now and look.stands():
                self._claim(session, look, now, answer)
        if order.asking and self._accounts.hold is not None:
            with self._picture:
                answer.bookings = self._pacing.wanted(self._waiting(answer), now)
            answer.booked = book(connection, answer.bookings, now)
        if order.claiming:
            answer.due = claims.next_due(connection, now)
        return answer

    def most_in_queue(self, key: AccountKey) -> int:
        """How many claims of an account may wait for their slots."""
        return int(min(2 * self.rule.in_flight, 2 + self._pacing.slots_within(key, self.rule.horizon)))

    def chat_ready_at(
        self, key: AccountKey, chat: str, lane: Lane, now: datetime, pauses: Mapping[str, datetime], *, private: bool
    ) -> datetime:
        """When this lane may next speak in this chat, by its pause and its pace."""
        pause = pauses.get(chat_scope(key, chat), now) if pauses else now
        return max(pause, self._pacing.chat_ready_at(key, chat, lane, now, private=private))

    def _waiting(self, answer: Answer) -> dict[AccountKey, int]:
        """How many messages of each account will want a slot."""
        return {key: len(account.queue) + len(answer.claims.get(key, ())) for key, account in self._accounts.items()}

    def _look(self, session: Session, key: AccountKey, now: datetime, answer: Answer) -> _Look:
        with self._picture:
            rooms = self._rooms(key, now, answer)
        stands = self._accounts.stands(session, key)
        return _Look(key, rooms, stands, claims.look(session.connection(), key, now, rooms[0]))

    def _claim(self, session: Session, look: _Look, now: datetime, answer: Answer) -> None:
        key, rooms, pauses = look.key, look.rooms, answer.pauses or {}
        with self._picture:
            free = not pauses and not self._pacing.limits_chats(key)
        soon = now + timedelta(seconds=self.rule.horizon)

        def room(lane: int) -> int:
            return rooms[lane]

        def ready(chat: str, lane: int, private: bool) -> bool:
            if free:
                return True
            with self._picture:
                at = self.chat_ready_at(key, chat, Lane(lane), now, pauses, private=private)
            if at > soon:
                answer.ready_at = earliest(answer.ready_at, at)
            return at <= soon

        taking: list[Taken] = []
        found, exhausted = claims.claim(
            session.connection(),
            key,
            owner=self._me,
            now=now,
            lease=timedelta(seconds=self.rule.lease),
            room=room,
            ready=ready,
            caps=self._caps(now) if self._caps else None,
            first=look.rows,
            taking=taking,
        )
        if found:
            answer.claims[key], answer.taking[key] = found, taking
        if not exhausted:
            answer.more.add(key)

    def _rooms(self, key: AccountKey, now: datetime, answer: Answer) -> list[int]:
        """How many claims of each lane or better there is room for."""
        soon = now + timedelta(seconds=self.rule.horizon)
        queued = [claim.lane for claim in self._accounts[key].queue]
        rooms = [self.most_in_queue(key) - sum(other <= lane for other in queued) for lane in Lane]
        for lane in Lane:
            at = self._pacing.lane_ready_at(key, lane, now)
            if at > soon:
                rooms[lane] = 0
                answer.ready_at = earliest(answer.ready_at, at)
        # a campaign that is stopped must not have claims that wait for the slots of a slow account
        within_a_second = max(1, int(min(self._pacing.slots_within(key, 1.0), 1e6)))
        rooms[Lane.CAMPAIGN] = min(rooms[Lane.CAMPAIGN], within_a_second - len(queued))
        slot = self._pacing.account_ready_at(key, now)
        if now + timedelta(seconds=1) < slot < NEVER:  # a slot that has yet to be booked is nobody's reason to wait
            rooms[Lane.CAMPAIGN] = 0
            answer.ready_at = earliest(answer.ready_at, slot)
        return rooms

    def _recover(self, session: Session, now: datetime, first: bool) -> datetime | None:
        """Treat what dead owners had claimed as sends whose answer was lost; when the next lease of somebody else ends."""
        node = self._node if first or self._accounts.hold is not None else None
        found, next_end = claims.abandoned(session.connection(), me=self._me, node=node, now=now)
        for row in found:
            key = row.claim.platform, row.claim.account
            account = self._accounts.get(key)
            if account is not None and self._accounts.stands(session, key)():
                result = self._verdicts.uncertain(account.adapter, row.claim, DIED)
                receipts.write_back(session.connection(), row.owner, [result])
        if self.rule.patrol is not None:
            next_end = earliest(next_end, now + timedelta(seconds=self.rule.lease))
        return next_end

    def _close_chat(self, session: Session, address: Address, why: str, now: datetime) -> None:
        if self._accounts.hold is not None:
            take_turn(session)  # what is said about it is a turn like others
        group_id, changed = notices.close_chat(session.connection(), address.platform, address.account, address.chat, why, now)
        if not changed or self._on_gone is None:
            return
        try:
            with session.begin_nested():
                self._on_gone(session, address, group_id, why)
        except Exception:
            log.exception("outbox.on_gone", group=group_id)

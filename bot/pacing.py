"""How fast we may speak: budgets per account, per chat, per group and overall, on an absolute schedule.

The rules are configuration. What was used of a budget is read back from the outbox rows (`sent_at`) when the bot starts, so a
restart does not hand out a fresh budget. Several nodes book their slots in storage before they use them. Pauses told by a
platform are rows of their own (`storage.tables.Pause`).

Alarms skip the chat budgets, which are our own caution, and obey the account's schedule, which delays them by one slot at most.
Replies may use the whole of a chat's minute; the other lanes leave `chat_reserve` of it alone, so that a resident who answers a
post is answered at once.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bot.allowance import AccountRule, Allowance
from bot.notices import Lane
from storage.paces import Booking

AccountKey = tuple[str, str]  # platform, account

MINUTE = timedelta(minutes=1)
NEVER = datetime.max.replace(tzinfo=UTC)  # not before a slot is booked
OVERALL = "overall"
CATCH_UP = timedelta(milliseconds=150)  # a booked slot is used so much too late rather than lost


@dataclass(frozen=True, slots=True)
class PacingRule:
    """What one platform bears. Rates of zero or below are refused; `math.inf` means no limit.

    The defaults are Telegram's published limits with the margin that was measured to cause no refusals (29/s instead of 30/s).
    """

    per_account_per_second: float = 29.0
    per_chat_interval: float = 1.0  # seconds between two messages in one chat
    per_chat_per_minute: int = 20
    chat_reserve: int = 5  # of the chat's and of the group's minute, kept for replies
    per_group_per_minute: int | None = None  # where a group bears less than a private chat
    account: AccountRule | None = None  # what the whole account bears, where the platform publishes no limits

    def __post_init__(self) -> None:
        if not self.per_account_per_second > 0:
            raise ValueError("per_account_per_second must be above 0")
        if not 0 <= self.per_chat_interval < 60:
            raise ValueError("per_chat_interval must be 0 to 60 seconds")
        if not 0 <= self.chat_reserve < self.per_chat_per_minute:
            raise ValueError("chat_reserve must be below per_chat_per_minute")
        if self.per_group_per_minute is not None and self.chat_reserve >= self.per_group_per_minute:
            raise ValueError("chat_reserve must be below per_group_per_minute")

    @classmethod
    def unlimited(cls) -> PacingRule:
        """No limit at all, for platforms of our own and for tests."""
        return cls(per_account_per_second=math.inf, per_chat_interval=0.0, per_chat_per_minute=1_000_000_000, chat_reserve=0)

    @property
    def limits_chats(self) -> bool:
        return self.per_chat_interval > 0 or self.in_a_minute(private=False) < 1_000_000_000

    def in_a_minute(self, *, private: bool) -> int:
        """How many messages a private chat, or a group, bears in a minute."""
        if private or self.per_group_per_minute is None:
            return self.per_chat_per_minute
        return min(self.per_chat_per_minute, self.per_group_per_minute)


@dataclass(slots=True)
class _Second:
    """What left lately: a platform counts in any second, so what left late must not be followed by all that is in time.

    One more than the rate is let into a second, and that second is half a slot longer than one: what is picked and leaves some
    milliseconds later is in another second for the platform than for us.
    """

    interval: timedelta
    left: deque[datetime] = field(init=False)
    span: timedelta = field(init=False)

    def __post_init__(self) -> None:
        # a slot is a whole number of microseconds, and so a little longer or shorter than its share of a second
        most = int(timedelta(seconds=1) / self.interval + 0.01) + 1 if self.interval else 1
        self.left = deque(maxlen=most)
        self.span = (most - 0.5) * self.interval

    def ready_at(self, now: datetime) -> datetime:
        if len(self.left) < (self.left.maxlen or 0) or self.left[-1] > now:  # the clock was set back
            return now
        return self.left[0] + self.span

    def take(self, now: datetime) -> None:
        if self.left and self.left[-1] > now:
            self.left.clear()
        self.left.append(now)


@dataclass(slots=True)
class _Schedule:
    """Slots at fixed distances in absolute time: a late start does not shift the following ones by more than one slot."""

    interval: timedelta
    next_at: datetime | None = None
    second: _Second = field(init=False)

    def __post_init__(self) -> None:
        self.second = _Second(self.interval)

    def ready_at(self, now: datetime) -> datetime:
        if self.next_at is None or not self.interval:
            return now
        # more than one slot ahead can only mean that the clock was set back
        return max(self.next_at if now < self.next_at <= now + self.interval else now, self.second.ready_at(now))

    def take(self, now: datetime) -> None:
        if not self.interval:
            return
        previous = self.next_at
        if previous is None or previous > now + self.interval:
            previous = now
        self.next_at = max(previous, now - self.interval) + self.interval
        self.second.take(now)

    def restore(self, at: datetime) -> None:
        self.next_at = max(self.next_at or at, at + self.interval)


@dataclass(slots=True)
class _Booked:
    """Slots that were booked in storage, ours to use one after the other; one that was missed by more than `patience` is lost.

    Where one node uses all slots of a scope, as of an account, it knows what left in the last second and may use a slot late.
    """

    interval: timedelta
    shared: bool = False
    slots: deque[datetime] = field(default_factory=deque)
    second: _Second = field(init=False)
    patience: timedelta = field(init=False)

    def __post_init__(self) -> None:
        self.second = _Second(self.interval)
        self.patience = self.interval if self.shared else max(self.interval, CATCH_UP)

    def ready_at(self, now: datetime) -> datetime:
        if not self.interval:
            return now
        self._drop_missed(now)
        return max(self.slots[0], self.second.ready_at(now)) if self.slots else NEVER

    def take(self, now: datetime) -> None:
        if self.slots:
            self.slots.popleft()
            self.second.take(now)

    def restore(self, at: datetime) -> None:
        """What was sent before was booked before."""

    def wanting(self, messages: int, now: datetime) -> int:
        """How many slots are missing for so many messages."""
        if not self.interval:
            return 0
        self._drop_missed(now)
        return max(0, messages - len(self.slots))

    def _drop_missed(self, now: datetime) -> None:
        while self.slots and self.slots[0] < now - self.patience:
            self.slots.popleft()


@dataclass(slots=True)
class _Account:
    rule: PacingRule
    schedule: _Schedule | _Booked
    chats: dict[str, deque[datetime]] = field(default_factory=dict)
    allowance: Allowance | None = None
    swept_at: datetime | None = None


class Pacing:
    """Says when the next message of a lane may go to a chat, and remembers what went.

    `rules` are by platform; `default` is for platforms without one. `overall_per_second` bounds all accounts together.
    `booking` is for several nodes: the slots of accounts and of all together are then booked in storage (`wanted`, `book`).
    Not safe for use from several threads at once.
    """

    def __init__(
        self,
        rules: Mapping[str, PacingRule] | None = None,
        *,
        default: PacingRule | None = None,
        overall_per_second: float = math.inf,
        booking: bool = False,
        rng: random.Random | None = None,
    ) -> None:
        if not overall_per_second > 0:
            raise ValueError("overall_per_second must be above 0")
        self._rules = dict(rules or {})
        self._default = default or PacingRule()
        self._booking = booking
        self._random = rng or random.Random()
        self._cautions: dict[AccountKey, tuple[datetime | None, datetime | None]] = {}
        all_together = _interval(overall_per_second)
        self._overall = _Booked(all_together, shared=True) if booking else _Schedule(all_together)
        self._accounts: dict[AccountKey, _Account] = {}

    @classmethod
    def unlimited(cls) -> Pacing:
        """No limits, for tests about something else."""
        return cls(default=PacingRule.unlimited())

    def rule(self, platform: str) -> PacingRule:
        return self._rules.get(platform, self._default)

    def account_ready_at(self, account: AccountKey, now: datetime) -> datetime:
        """When the account's next slot begins; `now` when it may speak at once."""
        return max(self._account(account).schedule.ready_at(now), self._overall.ready_at(now))

    def chat_ready_at(self, account: AccountKey, chat: str, lane: Lane, now: datetime, *, private: bool = False) -> datetime:
        """When this lane may next speak in this chat (a group unless `private`), the account's own slot aside."""
        state = self._account(account)
        if lane is Lane.ALARM:
            return now
        if state.allowance is not None:
            allowed = state.allowance.ready_at(lane, chat, now)
            return max(allowed, self._chat_ready_at(state, chat, lane, now, private))
        return self._chat_ready_at(state, chat, lane, now, private)

    def limits_chats(self, account: AccountKey) -> bool:
        """Whether a chat of this account ever has to wait."""
        state = self._account(account)
        return state.rule.limits_chats or state.allowance is not None

    def lane_ready_at(self, account: AccountKey, lane: Lane, now: datetime) -> datetime:
        """When this lane may next speak in any chat but the last one: before that no row of it has to be looked at."""
        allowance = self._account(account).allowance
        return now if allowance is None else allowance.ready_at(lane, "", now)

    def be_careful(self, account: AccountKey, held_until: datetime | None, slow_until: datetime | None) -> None:
        """The platform has warned the account: nothing but alarms until the one time, half the pace until the other."""
        self._cautions[account] = held_until, slow_until
        allowance = self._account(account).allowance
        if allowance is not None:
            allowance.held_until, allowance.slow_until = held_until, slow_until

    def memory(self, accounts: Iterable[AccountKey]) -> timedelta:
        """How long what these accounts sent has to be remembered over a restart."""
        rules = [self.rule(platform).account for platform, _ in accounts]
        return max((rule.memory for rule in rules if rule is not None), default=MINUTE)

    def _chat_ready_at(self, state: _Account, chat: str, lane: Lane, now: datetime, private: bool) -> datetime:
        if not state.rule.limits_chats:
            return now
        spoken = state.chats.get(chat)
        if not spoken:
            return now
        rule = state.rule
        while spoken and not now - MINUTE < spoken[0] <= now + MINUTE:  # too old, or the clock was set back
            spoken.popleft()
        if not spoken:
            return now
        ready = spoken[-1] + timedelta(seconds=rule.per_chat_interval)
        budget = rule.in_a_minute(private=private) - (rule.chat_reserve if lane > Lane.REPLY else 0)
        if len(spoken) >= budget:
            ready = max(ready, spoken[-budget] + MINUTE)
        return max(ready, now)

    def take(self, account: AccountKey, chat: str, now: datetime) -> None:
        """Note that a message goes to `chat` now."""
        state = self._account(account)
        state.schedule.take(now)
        self._overall.take(now)
        if state.allowance is not None:
            state.allowance.take(chat, now)
        if state.rule.limits_chats:
            state.chats.setdefault(chat, deque()).append(now)
            self._sweep(state, now)

    def restore(self, sent: Iterable[tuple[str, str, str, datetime]]) -> None:
        """Take over what was sent before the start: (platform, account, chat, sent_at), by time, of the last `memory`."""
        for platform, account, chat, at in sent:
            state = self._account((platform, account))
            state.schedule.restore(at)
            self._overall.restore(at)
            if state.allowance is not None:
                state.allowance.take(chat, at)
            if state.rule.limits_chats:
                state.chats.setdefault(chat, deque()).append(at)

    def slots_within(self, account: AccountKey, seconds: float) -> float:
        """How many messages the account may send in so many seconds."""
        return self._account(account).rule.per_account_per_second * seconds

    def _account(self, account: AccountKey) -> _Account:
        state = self._accounts.get(account)
        if state is None:
            rule = self.rule(account[0])
            interval = _interval(rule.per_account_per_second)
            state = self._accounts[account] = _Account(rule, _Booked(interval) if self._booking else _Schedule(interval))
            if rule.account is not None:
                state.allowance = Allowance(rule.account, self._random, *self._cautions.get(account, (None, None)))
        return state

    def wanted(self, waiting: Mapping[AccountKey, int], now: datetime) -> list[Booking]:
        """The slots that are missing for so many messages of each account; nothing when slots are not booked."""
        missing: list[Booking] = []
        for account, messages in waiting.items():
            schedule = self._account(account).schedule
            if isinstance(schedule, _Booked) and (count := schedule.wanting(messages, now)):
                missing.append(Booking(_scope(account), count, schedule.interval))
        if isinstance(self._overall, _Booked) and (count := self._overall.wanting(sum(waiting.values()), now)):
            missing.append(Booking(OVERALL, count, self._overall.interval))
        return missing

    def book(self, bookings: Iterable[Booking], first: Mapping[str, datetime]) -> None:
        """The slots of `wanted` are ours: `first` is when those of each scope begin."""
        booked = {_scope(key): state.schedule for key, state in self._accounts.items()} | {OVERALL: self._overall}
        for booking in bookings:
            schedule = booked[booking.scope]
            if isinstance(schedule, _Booked):
                schedule.slots.extend(first[booking.scope] + n * booking.step for n in range(booking.count))

    def forget(self, account: AccountKey) -> None:
        """Somebody else speaks for this account now."""
        self._accounts.pop(account, None)

    @staticmethod
    def _sweep(state: _Account, now: datetime) -> None:
        """Once a minute forget the chats that have been silent for a minute."""
        if state.swept_at is not None and abs(now - state.swept_at) < MINUTE:
            return
        state.swept_at = now
        for chat in [chat for chat, spoken in state.chats.items() if not spoken or now - spoken[-1] > MINUTE]:
            del state.chats[chat]


def _scope(account: AccountKey) -> str:
    return f"account:{account[0]}:{account[1]}"


def _interval(per_second: float) -> timedelta:
    return timedelta(0) if math.isinf(per_second) else timedelta(seconds=1 / per_second)

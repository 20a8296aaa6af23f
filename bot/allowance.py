"""What an account may do where a platform publishes no limits: a pause between chats, so many a minute and a day, and caution.

Alarms are always allowed. Replies may use all of it; the other lanes leave a reserve of it alone, so that a resident is
answered on the day of a campaign, too.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.notices import Lane

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
SLOW = 2  # how much slower an account goes after a warning


@dataclass(frozen=True, slots=True)
class AccountRule:
    """Seconds between messages to different chats are drawn from `between_chats`. None means no limit."""

    between_chats: tuple[float, float] = (0.0, 0.0)
    per_minute: int | None = None
    minute_reserve: int = 0  # of the minute, kept for replies
    per_day: int | None = None
    day_reserve: int = 0

    def __post_init__(self) -> None:
        shortest, longest = self.between_chats
        if not 0 <= shortest <= longest <= 600:
            raise ValueError("between_chats must be two numbers of 0 to 600 seconds, the smaller one first")
        for most, reserve, name in ((self.per_minute, self.minute_reserve, "minute"), (self.per_day, self.day_reserve, "day")):
            if most is not None and not 0 <= reserve < most:
                raise ValueError(f"the {name}'s reserve must be below the {name}'s limit")

    @property
    def memory(self) -> timedelta:
        """How long what was sent has to be remembered."""
        return DAY if self.per_day is not None else MINUTE


@dataclass(slots=True)
class Allowance:
    """What one account has used. `rng` draws the pauses."""

    rule: AccountRule
    rng: random.Random
    held_until: datetime | None = None
    slow_until: datetime | None = None
    _sent: deque[datetime] = field(default_factory=deque)
    _last: tuple[datetime, str] | None = None
    _pause: timedelta = timedelta(0)

    def ready_at(self, lane: Lane, chat: str, now: datetime) -> datetime:
        """When a message of this lane may go to this chat; `chat` "" asks for any chat but the last."""
        if lane is Lane.ALARM:
            return now
        slow = SLOW if self.slow_until is not None and self.slow_until > now else 1
        ready = max(now, self.held_until or now)
        if self._last is not None and self._last[0] <= now and self._last[1] != chat:
            ready = max(ready, self._last[0] + self._pause * slow)
        kept = lane > Lane.REPLY
        rule = self.rule
        for most, reserve, span in ((rule.per_minute, rule.minute_reserve, MINUTE), (rule.per_day, rule.day_reserve, DAY)):
            if most is not None:
                ready = max(ready, self._within(max(1, most // slow - (reserve // slow if kept else 0)), span, now))
        return ready

    def take(self, chat: str, at: datetime) -> None:
        """Note that a message goes there."""
        self._last = (at, chat)
        self._pause = timedelta(seconds=self.rng.uniform(*self.rule.between_chats))
        self._sent.append(at)
        while self._sent and at - self._sent[0] >= self.rule.memory:
            self._sent.popleft()

    def _within(self, budget: int, span: timedelta, now: datetime) -> datetime:
        """When fewer than `budget` messages lie within `span`."""
        sent = self._sent
        # what lies in the future can only mean that the clock was set back
        if len(sent) < budget or sent[-budget] > now:
            return now
        return max(now, sent[-budget] + span)

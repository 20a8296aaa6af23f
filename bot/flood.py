"""Who talks too much waits behind the others; nobody is refused (an emergency channel must not).

Buckets per person, group and platform say when; what is over them is *late*: kept and answered like everything else, after
whatever is not. The same words again and again from one person are dealt with once, because the first of them
is on its way already, and a report's repetitions are counted (`storage.repeats`).
Emergencies are never weighed. All of it is in memory: a table of who talks how much would be a profile.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from bot.messages import Inbound
from storage.repeats import signature

MOST_REMEMBERED = 50_000
SAME_AGAIN = 3  # the same words from one person are heard so often, a report once …
SAME_WITHIN = timedelta(minutes=10)  # … in this time
SHORTEST = 6  # characters; "好的" may be said as often as one likes


class Weight(Enum):
    """What becomes of a message."""

    PROMPT = "prompt"
    LATE = "late"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Rate:
    """A bucket: so many at once, refilled by so many a minute."""

    burst: float
    per_minute: float


PERSON = Rate(12, 6)
GROUP = Rate(120, 60)
PLATFORM = Rate(3_000, 1_500)


@dataclass(slots=True)
class _Bucket:
    left: float
    at: datetime


@dataclass(slots=True)
class Flood:
    """Weighs what the glance has kept."""

    person: Rate = PERSON
    group: Rate = GROUP
    platform: Rate = PLATFORM
    repeated: int = 0  # how many messages were the same words again
    _buckets: OrderedDict[tuple[str, ...], _Bucket] = field(default_factory=OrderedDict)
    _said: OrderedDict[tuple[str, str, str], deque[datetime]] = field(default_factory=OrderedDict)

    def weigh(self, event: Inbound, now: datetime, *, report: bool = False) -> Weight:
        """How a message of somebody is to be treated; it counts from now on."""
        if self._is_repeated(event, now, 1 if report else SAME_AGAIN):
            self.repeated += 1
            return Weight.REPEATED
        address = event.address
        person = self._take(("person", address.platform, event.sender.id), self.person, now)
        group = address.private or self._take(("group", address.platform, address.chat), self.group, now)
        platform = self._take(("platform", address.platform), self.platform, now)
        if not person:
            return Weight.LATE
        # a full group or platform is no reason to let somebody wait who has hardly said anything
        crowded = not (group and platform)
        return Weight.LATE if crowded and self._has_talked(address.platform, event.sender.id) else Weight.PROMPT

    def unheard(self, event: Inbound) -> None:
        """What was weighed could not be kept: the platform delivers it again, and it has not been said before then."""
        times = self._said.get((event.address.platform, event.sender.id, signature(event.text)))
        if times:
            times.pop()

    def _has_talked(self, platform: str, sender: str) -> bool:
        return self._buckets[("person", platform, sender)].left < self.person.burst - 3

    def _take(self, name: tuple[str, ...], rate: Rate, now: datetime) -> bool:
        bucket = self._buckets.pop(name, None) or _Bucket(rate.burst, now)
        bucket.left = min(rate.burst, bucket.left + (now - bucket.at).total_seconds() * rate.per_minute / 60)
        bucket.at = now
        self._buckets[name] = bucket
        while len(self._buckets) > MOST_REMEMBERED:
            self._buckets.popitem(last=False)
        if bucket.left < 1:
            return False
        bucket.left -= 1
        return True

    def _is_repeated(self, event: Inbound, now: datetime, most: int) -> bool:
        words = signature(event.text)
        if len(words) < SHORTEST or event.attachments:
            return False
        key = (event.address.platform, event.sender.id, words)
        times = self._said.pop(key, None) or deque()
        while times and now - times[0] > SAME_WITHIN:
            times.popleft()
        times.append(now)
        self._said[key] = times
        while len(self._said) > MOST_REMEMBERED:
            self._said.popitem(last=False)
        return len(times) > most

"""Who talks too much waits behind the others; nobody is refused (an emergency channel must not).

Buckets per person, group and platform say when; what is over them is *late*: kept and answered like everything else, after
whatever is not. The same words again and again from one person are dealt with once, because the first of them
is on its way already, and a report's repetitions are counted (`storage.repeats`).
Emergencies are never weighed. All of it is in memory: a table of who talks how much would be a profile.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from bot.messages import Inbound
from storage.repeats import signature

MOST_REMEMBERED = 50_000
FEW = 1_000  # before that nothing is looked over
SAME_AGAIN = 3  # the same words from one person are heard so often, a report once …
SAME_WITHIN_SECONDS = 600.0  # … in this time
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
GROUP = Rate(40, 40)
PLATFORM = Rate(3_000, 1_500)
HARDLY_ANYTHING = 2  # messages that count for nothing yet where a group or platform is full

Who = tuple[str, str]  # platform, and the id of a person or chat there


class _Buckets:
    """The buckets of one rate. Only the second at which a bucket is full again is stored: who is not there has a full one."""

    def __init__(self, rate: Rate) -> None:
        self._each = 60 / rate.per_minute  # seconds until one message more may come
        self._room = (rate.burst - 1) * self._each
        self._full_at: dict[Who, float] = {}
        self._look_at = FEW

    def take(self, who: Who, now: float) -> bool:
        """Whether there is room for one more; it is taken then."""
        full_at = self._full_at.get(who, now)
        if full_at < now:
            full_at = now
        if full_at - now > self._room:
            return False
        self._full_at[who] = full_at + self._each
        if len(self._full_at) > self._look_at:
            self._forget(now)
        return True

    def taken(self, who: Who, now: float) -> float:
        """How many messages a bucket is short of."""
        return max(self._full_at.get(who, now) - now, 0.0) / self._each

    def _forget(self, now: float) -> None:
        """Full buckets need not be remembered, and of the others those that are nearly full the least."""
        left = sorted(((at, who) for who, at in self._full_at.items() if at > now), reverse=True)
        self._full_at = {who: at for at, who in left[: MOST_REMEMBERED // 2]}
        self._look_at = max(FEW, 2 * len(self._full_at))


class _Sayings:
    """Who said what how often lately. What somebody says first is only laid aside: whoever says no more costs next to nothing."""

    def __init__(self) -> None:
        # when somebody last spoke, and what was said; None once it stands among the others
        self._first: OrderedDict[Who, tuple[float, str | None]] = OrderedDict()
        self._said: OrderedDict[tuple[Who, str], deque[float]] = OrderedDict()

    def count(self, who: Who, text: str, now: float) -> int:
        """How often somebody has said nearly the same lately, this time included; 0 for what is too short to count."""
        first = self._first.pop(who, None)
        self._first[who] = now, text if first is None else None
        while len(self._first) > MOST_REMEMBERED or now - next(iter(self._first.values()))[0] > SAME_WITHIN_SECONDS:
            self._first.popitem(last=False)
        if first is None:
            return 1
        at, words = first
        if words is not None:
            self._add(who, signature(words), at)
        return self._add(who, signature(text), now)

    def forget(self, who: Who, text: str) -> None:
        """The last time that this was said does not count."""
        _, words = self._first.get(who, (0.0, None))
        if words is not None:
            del self._first[who]
            return
        times = self._said.get((who, signature(text)))
        if times:
            times.pop()

    def _add(self, who: Who, words: str, now: float) -> int:
        if len(words) < SHORTEST:
            return 0
        times = self._said.pop((who, words), None) or deque()
        while times and now - times[0] > SAME_WITHIN_SECONDS:
            times.popleft()
        times.append(now)
        self._said[who, words] = times
        while len(self._said) > MOST_REMEMBERED or _over(next(iter(self._said.values())), now):
            self._said.popitem(last=False)
        return len(times)


def _over(times: deque[float], now: float) -> bool:
    return not times or now - times[-1] > SAME_WITHIN_SECONDS


@dataclass(slots=True)
class Flood:
    """Weighs what the glance has kept."""

    repeated: int = 0  # how many messages were the same words again
    _people: _Buckets = field(default_factory=lambda: _Buckets(PERSON))
    _groups: _Buckets = field(default_factory=lambda: _Buckets(GROUP))
    _platforms: _Buckets = field(default_factory=lambda: _Buckets(PLATFORM))
    _sayings: _Sayings = field(default_factory=_Sayings)

    def weigh(self, event: Inbound, now: datetime, *, report: bool = False) -> Weight:
        """How a message of somebody is to be treated; it counts from now on."""
        address, at = event.address, now.timestamp()
        who = address.platform, event.sender.id
        most = 1 if report else SAME_AGAIN
        if not event.attachments and self._sayings.count(who, event.text, at) > most:
            self.repeated += 1
            return Weight.REPEATED
        person = self._people.take(who, at)
        group = address.private or self._groups.take((address.platform, address.chat), at)
        platform = self._platforms.take((address.platform, ""), at)
        if not person:
            return Weight.LATE
        # a full group or platform is no reason to let somebody wait who has hardly said anything
        crowded = not (group and platform)
        return Weight.LATE if crowded and self._people.taken(who, at) > HARDLY_ANYTHING else Weight.PROMPT

    def unheard(self, event: Inbound) -> None:
        """What was weighed could not be kept: the platform delivers it again, and it has not been said before then."""
        if not event.attachments:
            self._sayings.forget((event.address.platform, event.sender.id), event.text)

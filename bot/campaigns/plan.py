"""What would be sent to whom, and why not to the others; nothing here changes anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.audience import MeantGroup
from bot.campaigns.rules import PostRules, Skipped
from content.expressions import EVERY, Whom
from content.posts import Post


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody, or a schedule, wants sent.

    `what` is a category, slugs of posts with commas between, or "theme:<key>". `origin` is "schedule:<name>",
    "officer:<badge>" or "shell"; `planner` is the officer's id. A post that a group had within `no_repeat` does not go there
    again. `late_for` is the time at which it should have been sent. `starts_at` (UTC) holds it back, `over` spreads it evenly,
    `accounts` ("platform:account") restricts it; empty means all.
    """

    what: str
    whom: Whom = EVERY
    origin: str = "shell"
    no_repeat: timedelta = timedelta(0)
    late_for: datetime | None = None
    planner: int | None = None
    starts_at: datetime | None = None
    over: timedelta = timedelta(0)
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Planned:
    """One group in a plan: a post, or the reason why there is none."""

    meant: MeantGroup
    post: Post | None
    skipped: Skipped | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """What one of our accounts has to do: groups that get a post, and how long that takes at its pace."""

    name: str
    groups: int
    takes: timedelta


@dataclass(frozen=True, slots=True)
class Plan:
    """What would happen at its time."""

    request: Request
    groups: tuple[Planned, ...]

    @property
    def sent(self) -> int:
        return sum(planned.post is not None for planned in self.groups)

    @property
    def members(self) -> int:
        """People in the groups that get it, as far as the platforms told; somebody in two groups counts twice."""
        return sum(planned.meant.members or 0 for planned in self.groups if planned.post is not None)

    @property
    def uncounted(self) -> int:
        """How many of the groups that get it have no count of members."""
        return sum(planned.meant.members is None for planned in self.groups if planned.post is not None)

    @property
    def reasons(self) -> Mapping[Skipped, int]:
        """How many groups are left out, by reason."""
        return Counter(planned.skipped for planned in self.groups if planned.skipped is not None)

    def left_out(self, reason: Skipped) -> tuple[str, ...]:
        """The names of the groups that are left out for this reason."""
        return tuple(planned.meant.name for planned in self.groups if planned.skipped is reason)

    @property
    def posts(self) -> tuple[Post, ...]:
        """The posts that are used, the most used first."""
        used = Counter(planned.post.slug for planned in self.groups if planned.post)
        found = {planned.post.slug: planned.post for planned in self.groups if planned.post}
        return tuple(found[slug] for slug, _ in used.most_common())

    def accounts(self, rules: PostRules) -> tuple[Account, ...]:
        """What each of our accounts has to do, the busiest first."""
        counts = Counter((planned.meant.platform, planned.meant.account) for planned in self.groups if planned.post is not None)
        found = []
        for (platform, account), count in counts.most_common():
            rate = rules.rates.get(platform, 0)
            found.append(Account(f"{platform}:{account}", count, timedelta(seconds=count / rate) if rate else timedelta(0)))
        return tuple(found)

    def ends_at(self, rules: PostRules, now: datetime) -> datetime:
        """When the last group has it, if no platform tells us to wait and no resident is answered meanwhile.

        What falls into quiet hours leaves when they are over.
        """
        return rules.after_quiet(self._last_at(rules, now))

    def meets_quiet(self, rules: PostRules, now: datetime) -> bool:
        """Whether quiet hours part it: the rest then leaves when they are over."""
        return self.sent > 0 and rules.meets_quiet(max(now, self.request.starts_at or now), self._last_at(rules, now))

    def _last_at(self, rules: PostRules, now: datetime) -> datetime:
        start = max(now, self.request.starts_at or now)
        longest = max((account.takes for account in self.accounts(rules)), default=timedelta(0))
        return start + max(longest, self.request.over)

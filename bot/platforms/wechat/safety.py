"""What WeChat's own warnings mean, and how an account gets through them.

WeChat publishes no limits. It says "操作过于频繁" and then refuses, forces a logout, or blocks. So the first warning holds back
everything but emergencies for a while, the next within a day for longer, and afterwards the account goes at half its pace.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

_WARNS = re.compile(
    r"频繁|过快|太快|稍后再试|被限制|限制登录|异常|违规|冻结"
    r"|too (?:fast|many)|frequen|rate.?limit|restricted|blocked|banned",
    re.IGNORECASE,
)
_GONE = re.compile(
    r"not (?:in|a member of) (?:the |this )?(?:room|group|chat)|room not found|group (?:is )?dismissed"
    r"|不在群|不是群成员|移出|已解散|not (?:your )?friend|不是.{0,6}(?:好友|朋友)|拉黑|拒收",
    re.IGNORECASE,
)
_LOGGED_OUT = re.compile(r"not log(?:ged)?.?in|logged out|未登录|重新登录", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Severity:
    """How long an account is careful after a warning. Seconds."""

    hold_seconds: float = 1800.0  # after the first warning; each further one within `remember_seconds` doubles it
    longest_hold_seconds: float = 28_800.0
    slow_seconds: float = 86_400.0  # afterwards at half the pace
    remember_seconds: float = 86_400.0

    def held(self, warnings: int) -> timedelta:
        """How long to be silent after so many warnings."""
        return timedelta(seconds=min(self.longest_hold_seconds, self.hold_seconds * 2 ** min(warnings - 1, 10)))

    def slow(self) -> timedelta:
        """How long to go slowly after that."""
        return timedelta(seconds=self.slow_seconds)


def warns(reason: str) -> bool:
    """Whether an error or event of the service is WeChat's warning about the account."""
    return _WARNS.search(reason) is not None


def says_gone(reason: str) -> bool:
    """Whether the service says that we are not in that group, or may not write to that person."""
    return _GONE.search(reason) is not None


def says_logged_out(reason: str) -> bool:
    """Whether the service says that the account is not logged in."""
    return _LOGGED_OUT.search(reason) is not None

"""What a failed send means, decided by its cause (bot/errors.py) and never by blind repetition.

* RetryLater: pending again after a jittered wait; the scope that the platform named is paused, in storage.
* NeverDelivered: dead, with the reason; when the bot is gone from the chat, the chat's other notices with it.
* AnswerLost, a time-out or a bug: it may have arrived. Alarms, replies and notices to officers are repeated and marked as a
  repetition; a campaign stays "unknown" for an officer to decide. Where the platform recognises a repeated key, everything is
  repeated and nothing needs a mark.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.errors import RetryLater
from bot.messages import Outbound
from bot.notices import Lane, read_choices
from bot.pacing import AccountKey
from bot.platforms.base import Adapter
from storage.claims import Claim
from storage.receipts import Ended, Waiting

DIED = "the process that was sending it died"  # of a notice that a kill caught: it tells nothing of the notice or the platform

Pause = tuple[str, datetime]  # scope and end, as in storage.tables.Pause


@dataclass(frozen=True, slots=True)
class OutboxRule:
    """Times in seconds. `lease` bounds how long a dead node can hold a claim; it must outlast a send.

    `patrol` is how often to look for rows that somebody else's process wrote; None never looks, for a database of our own.
    """

    send_timeout: float = 30.0
    lease: float = 120.0
    horizon: float = 0.25  # claim what has its slot within this time
    in_flight: int = 32  # sends at a time per account
    in_flight_reserve: int = 8  # of these, kept for alarms and replies
    repeats: int = 3  # after an answer was lost
    first_wait: float = 1.0
    longest_wait: float = 300.0
    most_attempts: int = 300  # about a day at the longest wait
    grace: float = 8.0  # for sends under way when the bot stops
    patrol: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.send_timeout + self.horizon < self.lease:
            raise ValueError("the lease must be longer than a send")
        if not 0 <= self.in_flight_reserve < self.in_flight:
            raise ValueError("in_flight_reserve must be below in_flight")
        if self.repeats < 0 or self.most_attempts < 1:
            raise ValueError("repeats must be 0 or more, most_attempts 1 or more")
        if not 0 < self.first_wait <= self.longest_wait:
            raise ValueError("first_wait must be above 0 and at most longest_wait")


class Verdicts:
    """Turns what a send met into what becomes of its row. `mark` precedes the text of a repetition."""

    def __init__(self, rule: OutboxRule, clock: Callable[[], datetime], mark: str, rng: random.Random) -> None:
        self.rule = rule
        self._clock = clock
        self._mark = mark
        self._random = rng

    def outbound(self, adapter: Adapter, claim: Claim) -> Outbound:
        """The message as the platform gets it."""
        marked = claim.lost > 0 and not adapter.can.exactly_once
        return Outbound(
            key=claim.key,
            text=self._mark + claim.text if marked else claim.text,
            reply_to=claim.reply_to,
            photo=claim.photo,
            choices=read_choices(claim.choices),
            mention=claim.mention,
        )

    def later(self, claim: Claim, problem: RetryLater) -> tuple[Waiting | Ended, Pause | None]:
        """Certainly not delivered: pause what the platform named, exactly as long as it said, and try again."""
        rule = self.rule
        if claim.attempt >= rule.most_attempts:
            return Ended(claim, "dead", f"given up after {claim.attempt} attempts: {problem.why}"[:200]), None
        own = self.jittered(min(rule.longest_wait, rule.first_wait * 2 ** min(claim.attempt - 1, 16)))
        why = problem.why or str(problem)
        if problem.scope == "message":
            return Waiting(claim, self._in(max(problem.seconds, own)), why), None
        # a platform that keeps saying "now" is not believed for ever
        until = self._in(problem.seconds if claim.attempt <= 3 else max(problem.seconds, own))
        account = claim.platform, claim.account
        scope = account_scope(account) if problem.scope == "account" else chat_scope(account, claim.chat)
        return Waiting(claim, until, why), (scope, until)

    def uncertain(self, adapter: Adapter, claim: Claim, why: str) -> Waiting | Ended:
        """It may have arrived: the lane decides whether it is said again."""
        rule = self.rule
        repeat = adapter.can.exactly_once or claim.lane != Lane.CAMPAIGN
        if not repeat or claim.lost >= rule.repeats:
            return Ended(claim, "unknown", why[:200])
        wait = self.jittered(min(rule.longest_wait, rule.first_wait * 2**claim.lost))
        return Waiting(claim, self._in(wait), why[:200], lost=True)

    def jittered(self, seconds: float) -> float:
        """A quarter more or less, so that many who failed together do not come back together."""
        return seconds * self._random.uniform(0.75, 1.25)

    def _in(self, seconds: float) -> datetime:
        return self._clock() + timedelta(seconds=seconds)


def account_scope(key: AccountKey) -> str:
    """The name of a pause of one account."""
    return f"account:{key[0]}:{key[1]}"


def chat_scope(key: AccountKey, chat: str) -> str:
    """The name of a pause of one chat."""
    return f"chat:{key[0]}:{key[1]}:{chat}"

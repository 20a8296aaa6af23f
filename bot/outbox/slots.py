"""Which of the claimed notices has its slot now: by the account's pace, the chat's pace, pauses, and how many are under way."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.notices import Lane
from bot.outbox.accounts import Account, Accounts, earliest
from bot.outbox.exchange import Exchange
from bot.outbox.pauses import Pauses
from bot.pacing import NEVER, AccountKey, Pacing
from bot.verdicts import OutboxRule, account_scope
from storage.claims import Claim

LANES = tuple(Lane)  # by number
BOOK_AGAIN = timedelta(milliseconds=5)


@dataclass(slots=True)
class Picked:
    """`started` count as being sent from here on, `returned` go back into the table; `come_back`: when the next has its slot."""

    started: list[Claim] = field(default_factory=list)
    returned: list[Claim] = field(default_factory=list)
    come_back: datetime | None = None


class Slots:
    """Looks at one account's queue at a time. Whoever calls holds the picture (`Outbox`)."""

    def __init__(self, accounts: Accounts, pacing: Pacing, storage: Exchange, pauses: Pauses) -> None:
        self._accounts = accounts
        self._pacing = pacing
        self._storage = storage
        self._pauses = pauses

    def pick(self, key: AccountKey, account: Account, now: datetime) -> Picked:
        """What has its slot now, taken out of the queue; what is to be returned still stands in it."""
        if not self._accounts.ours(key):
            return Picked(returned=list(account.queue))
        pauses = self._pauses
        if pauses.covers(account_scope(key), now):
            waits = pauses.until[account_scope(key)] if account.look or account.more else None
            return Picked(returned=list(account.queue), come_back=waits)
        picked = Picked()
        rule, sending = self._storage.rule, account.sending
        unbound = not pauses and not self._pacing.limits_chats(key)
        in_time = now + timedelta(seconds=rule.send_timeout)
        too_far = now + timedelta(seconds=4 * rule.horizon)
        for claim in account.queue:
            if claim.lease_until < in_time:
                picked.returned.append(claim)  # we were held up; somebody else may have it by now
                continue
            if len(sending) >= places(rule, claim.lane):
                break
            slot = self._pacing.account_ready_at(key, now)
            chat = now if unbound else self._chat_ready_at(key, claim, now)
            if chat > too_far:
                picked.returned.append(claim)
            elif slot == NEVER:
                # a slot was missed; the next exchange books another
                picked.come_back = earliest(picked.come_back, now + BOOK_AGAIN)
                break
            elif slot <= now and chat <= now:
                self._pacing.take(key, claim.chat, now)
                sending[claim.id] = claim
                picked.started.append(claim)
            else:
                picked.come_back = earliest(picked.come_back, max(slot, chat))
        for claim in picked.started:
            account.queue.remove(claim)
        return picked

    def _chat_ready_at(self, key: AccountKey, claim: Claim, now: datetime) -> datetime:
        lane = LANES[claim.lane]
        return self._storage.chat_ready_at(key, claim.chat, lane, now, self._pauses.until, private=claim.private)


def places(rule: OutboxRule, lane: int) -> int:
    """How many sends may be under way for one of this lane to start: the better the lane, the more."""
    if lane == Lane.ALARM:
        return rule.in_flight + rule.in_flight_reserve
    return rule.in_flight - rule.in_flight_reserve if lane > Lane.REPLY else rule.in_flight

"""The way out: claim, pace, send, receipt.

Rows are claimed in small numbers just before their slot comes, so that a reply or an alarm that is written meanwhile overtakes a
campaign; within one lane a chat hears its notices in the order in which they were written. One transaction per round writes back
what ended and claims what comes next; a send that ends starts the next one by itself, and receipts of posts wait a moment for
company (decision 0171). What a failed send means is decided in bot/verdicts.py.

Where several nodes share the database, an account is ours only while we hold its lease (`hold`), whose token every claiming
transaction looks at, and the slots are booked in storage (decisions 0102 and 0103).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog
from sqlmodel import Session

from bot.messages import Address
from bot.notices import Lane
from bot.outbox.accounts import Account, Accounts, Hold, OnGone, earliest
from bot.outbox.delivery import Delivery
from bot.outbox.exchange import Answer, Exchange, Order
from bot.outbox.pauses import Pauses
from bot.outbox.slots import Slots
from bot.pacing import NEVER, AccountKey, Pacing
from bot.platforms.base import Adapter
from bot.verdicts import OutboxRule, Verdicts, account_scope, chat_scope
from storage import notices, receipts
from storage.caps import Caps
from storage.claims import Claim
from storage.failpoints import failpoint
from storage.receipts import Ended, Result, Sent, Waiting
from storage.writer import StorageUnavailable, Writer

RECEIPTS_TOGETHER = 32  # so many are worth a transaction of their own
RECEIPTS_WAIT = 0.02  # seconds that a receipt waits for company

log = structlog.get_logger("bot.outbox")

SOON_OVER_SECONDS = 0.02  # an exchange with a file is over by then, unless the writer is busy


class Outbox:
    """Sends what the outbox table holds, for the accounts in `adapters` (platform, account).

    `clock` gives the time in UTC. `node` names this process for ever: what an earlier process of that name had claimed is taken
    over at the start. `on_gone` is called once, inside the transaction, when a group turns out to have removed the bot.
    `repeat_mark` precedes the text of a repetition. `caps` says what a group bears of posts at a time.
    """

    def __init__(
        self,
        writer: Writer,
        adapters: Mapping[AccountKey, Adapter],
        pacing: Pacing,
        clock: Callable[[], datetime],
        *,
        node: str,
        on_gone: OnGone | None = None,
        repeat_mark: str = "（重发）",
        rule: OutboxRule | None = None,
        rng: random.Random | None = None,
        hold: Hold | None = None,
        caps: Callable[[datetime], Caps] | None = None,
    ) -> None:
        self._hold = hold
        self._writer = writer
        self._accounts = Accounts(adapters, hold)
        self._pacing = pacing
        self._clock = clock
        self._me = hold.holder if hold is not None else f"{node}/{secrets.token_hex(4)}"
        self._verdicts = Verdicts(rule or OutboxRule(), self._now, repeat_mark, rng or random.Random())
        self._delivery = Delivery(self._verdicts, self._now)
        self._picture = threading.Lock()  # queues and pacing: the writer's thread looks at them while sends are started
        self._storage = Exchange(
            self._accounts,
            pacing,
            self._verdicts,
            rule or OutboxRule(),
            self._picture,
            me=self._me,
            node=node,
            on_gone=on_gone,
            caps=caps,
        )
        self._results: list[Result] = []
        self._gone: list[tuple[Address, str]] = []
        self._pauses = Pauses()
        self._slots = Slots(self._accounts, pacing, self._storage, self._pauses)
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._turn = asyncio.Lock()
        self._started = False
        self._stopping = False
        self._leases_checked_until: datetime | None = None
        self._next_due: datetime | None = None
        self._patrol_at: datetime | None = None
        self._troubles = 0
        self._in_doubt = False  # a transaction of ours may have been committed without our knowing
        self._hurry = False  # what ended is to be written down now
        self._company: asyncio.TimerHandle | None = None  # how long receipts still wait for it

    @property
    def rule(self) -> OutboxRule:
        """Its times and numbers."""
        return self._storage.rule

    @rule.setter
    def rule(self, rule: OutboxRule) -> None:
        self._storage.rule = self._verdicts.rule = rule

    def wake(self) -> None:
        """Rows were committed: look at once. Cheap, and safe to call too often; only from the event loop."""
        self._accounts.look_everywhere()
        self._woken.set()

    async def run(self) -> None:
        """Send until stopped. Sleeps without polling while nothing is due."""
        while not self._stopping:
            self._woken.clear()
            come_back = await self._round()
            if not self._stopping:
                await self._rest(come_back)

    async def drain(self) -> None:
        """Send until nothing more is due by the clock and nothing is under way. What waits for a slot or a pause is not due."""
        self._accounts.look_everywhere()
        try:
            await self._until_idle()
        finally:
            self._woken.set()  # `run` may rest beside us, and what waits for its slot now is not what it rests for

    async def _until_idle(self) -> None:
        while True:
            self._woken.clear()
            come_back = await self._round()
            if self._under_way:
                await self._woken.wait()
            elif self._results:
                self._hurry = True
            elif come_back is None or come_back > self._clock():
                return

    async def stop(self) -> None:
        """Stop within ten seconds: let sends finish, give unsent claims back, write everything down."""
        self._stopping = True
        self._write_now()
        async with self._turn:
            for account in self._accounts.values():
                self._results += [Waiting(claim, None, used=False) for claim in account.take_out(lambda _: True)]
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self.rule.grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1.0)
        self._in_doubt = self._in_doubt or not self._tasks
        try:
            async with asyncio.timeout(1.0), self._turn:
                await self._exchange(claiming=False)
        except (TimeoutError, StorageUnavailable):
            log.error("outbox.stop", unwritten=len(self._results))  # the next start treats them as sends whose answer was lost

    @property
    def _under_way(self) -> bool:
        return any(account.sending for account in self._accounts.values())

    def busy(self, key: AccountKey) -> bool:
        """Whether something of this account is under way or not written down yet."""
        account = self._accounts.get(key)
        if account is None:
            return False
        written = all((result.claim.platform, result.claim.account) != key for result in self._results)
        return bool(account.sending or account.queue) or not written

    def pause(self, scope: str, seconds: float) -> None:
        """A platform asked for a pause in answer to something that no notice was; kept like the outbox's own."""
        self._pauses.add((scope, self._clock() + timedelta(seconds=seconds)))
        self.wake()

    def paused(self, scope: str) -> float:
        """Seconds until a pause is over; 0 when there is none."""
        until = self._pauses.until.get(scope)
        return 0.0 if until is None else max(0.0, (until - self._clock()).total_seconds())

    async def stop_campaign(self, campaign_id: int) -> int:
        """Cancel what has not left yet of a campaign; returns how many notices that were. Sends under way finish."""
        async with self._turn:
            mine: list[Result] = []
            for account in self._accounts.values():
                mine += [Ended(claim, "cancelled") for claim in account.take_out(lambda one: one.campaign_id == campaign_id)]

            def work(session: Session) -> int:
                receipts.write_back(session.connection(), self._me, mine)
                return notices.cancel_campaign(session.connection(), campaign_id)

            return await self._writer.run(work) + len(mine)

    # --- one round ------------------------------------------------------------------------------------------------

    async def _round(self) -> datetime | None:
        """Write back, claim, launch. Returns when to come again if nobody wakes us."""
        async with self._turn:
            if self._stopping:
                return None
            try:
                await self._exchange_and_launch()
            except Exception as problem:
                self._troubles += 1
                log.error("outbox.storage", problem=type(problem).__name__, troubles=self._troubles)
                return self._clock() + timedelta(seconds=self._verdicts.jittered(min(5.0, 0.1 * 2 ** min(self._troubles, 8))))
            self._troubles = 0
            return self._launch()

    async def _exchange_and_launch(self) -> None:
        """An exchange with a server, or with a writer that has much to do, may take longer than a slot; what is claimed already
        is started in the meantime. Without that an account sends one message for every exchange."""
        exchange = asyncio.create_task(self._exchange(claiming=True), name="outbox exchange")
        try:
            if self._hold is None:
                await asyncio.wait([exchange], timeout=SOON_OVER_SECONDS)
            while not exchange.done():
                come_back = self._launch() if self._started else None
                wait = 0.05 if come_back is None else (come_back - self._clock()).total_seconds()
                await asyncio.wait([exchange], timeout=min(0.05, max(0.002, wait)))
            exchange.result()
        finally:
            if not exchange.done():
                exchange.cancel()
                await asyncio.wait([exchange])

    async def _exchange(self, *, claiming: bool) -> None:
        """One transaction: results in, claims out. Receipts alone wait for each other, unless we are to hurry."""
        order = self._order(claiming)
        if order.empty or (claiming and order.only_receipts and not self._hurry):
            return
        self._results, self._pauses.told, self._gone, self._hurry = [], [], [], False
        for key in order.asking:
            self._accounts[key].look = self._accounts[key].more = False  # what is said of it meanwhile stands
        try:
            answer = await self._writer.run(lambda session: self._storage.work(session, order))
            answer.settle()
        except BaseException:
            self._results = [*order.results, *self._results]
            self._pauses.told = [*order.pauses, *self._pauses.told]
            self._gone = [*order.gone, *self._gone]
            for key in order.asking:
                self._accounts[key].look = True
            self._in_doubt = self._hurry = True
            raise
        self._in_doubt = False
        if order.results:
            failpoint("outbox.receipt")
        self._take_over(order, answer)

    def _order(self, claiming: bool) -> Order:
        """What is to be done now."""
        now = self._clock()
        if self._next_due is not None and self._next_due <= now:
            self._next_due = None
            self._accounts.look_everywhere()
        if self.rule.patrol is not None:
            later = now + timedelta(seconds=self.rule.patrol)
            if self._patrol_at is None or not now < self._patrol_at <= later:  # due, or the clock was set back
                self._patrol_at = later
                self._accounts.look_everywhere()
        recover = claiming and self._must_recover(now)
        taken = self._notice_leases() if claiming else {}
        known = [*(result.claim.id for result in self._results), *self._accounts.known_claims()] if self._in_doubt else None
        return Order(
            now,
            self._results,
            self._pauses.told,
            self._gone,
            known,
            taken,
            [key for key in self._accounts if self._asks(key, now)] if claiming else [],
            claiming,
            recover or bool(taken),
            claiming and not self._started,
        )

    def _take_over(self, order: Order, answer: Answer) -> None:
        """Make the committed answer our picture of the world."""
        for key, token in order.taken.items():
            self._accounts[key].token = token
        self._pacing.restore(answer.sent)
        self._pacing.book(answer.bookings, answer.booked)
        if answer.pauses is not None:
            self._pauses.restore(answer.pauses)
            self._next_due = earliest(answer.next_due, answer.ready_at)
        self._started = self._started or order.recover
        if order.recover:
            self._leases_checked_until = answer.leases_until
        for key in order.asking:
            account = self._accounts[key]
            account.more = account.more or key in answer.more
            account.add(answer.claims.get(key, ()))
        if answer.claims:
            failpoint("outbox.claimed")

    def _asks(self, key: AccountKey, now: datetime) -> bool:
        """Whether to look for rows of this account now."""
        account = self._accounts[key]
        if not (account.look or account.more or account.queue):
            return False
        if self._pauses.covers(account_scope(key), now) or not self._accounts.ours(key):
            return False
        if account.queue and self._hold is not None and self._pacing.account_ready_at(key, now) == NEVER:
            return True  # slots were missed and have to be booked again
        if account.look or not account.more or len(account.queue) > self.rule.in_flight:
            return account.look
        return len(account.queue) * 2 <= self._storage.most_in_queue(key)

    def _must_recover(self, now: datetime) -> bool:
        return not self._started or (self._leases_checked_until is not None and self._leases_checked_until <= now)

    def _notice_leases(self) -> dict[AccountKey, int]:
        """Accounts that became ours under a token that we have not worked under yet; what is not ours any more is let go of."""
        taken: dict[AccountKey, int] = {}
        if self._hold is None:
            return taken
        for key, account in self._accounts.items():
            token = self._hold.token(key)
            if token is None:
                self._give_back(account, list(account.queue))
            elif token != account.token:
                taken[key] = token
                account.look = True
                self._pacing.forget(key)
        return taken

    # --- what has its slot ----------------------------------------------------------------------------------------

    def _launch(self) -> datetime | None:
        """Start what has its slot now; returns when the next slot, due time, pause or lease ends."""
        with self._picture:
            now = self._clock()
            come_back = earliest(self._next_due, self._leases_checked_until, self._patrol_at)
            for key, account in self._accounts.items():
                come_back = earliest(come_back, self._launch_account(key, account, now))
            return now if self._hurry else come_back

    def _launch_account(self, key: AccountKey, account: Account, now: datetime) -> datetime | None:
        started, come_back = self._pick(key, account, now)
        self._start(key, account, started)
        return now if started and self._asks(key, now) else come_back

    def _start(self, key: AccountKey, account: Account, claims: list[Claim]) -> None:
        for claim in claims:
            task = asyncio.create_task(self._send(key, account, claim), name="outbox send")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _pick(self, key: AccountKey, account: Account, now: datetime) -> tuple[list[Claim], datetime | None]:
        """What has its slot now, which counts as being sent from here on; and when the next one has."""
        picked = self._slots.pick(key, account, now)
        if picked.returned:
            self._give_back(account, picked.returned)
        return picked.started, picked.come_back

    def _give_back(self, account: Account, unsent: list[Claim]) -> None:
        for claim in unsent:
            account.queue.remove(claim)
            self._results.append(Waiting(claim, None, used=False))
            account.look = self._hurry = True

    async def _rest(self, until: datetime | None) -> None:
        # at most half a minute at a time, because the clock may be set while we wait
        seconds = None if until is None else min(30.0, (until - self._clock()).total_seconds())
        if seconds is not None and seconds <= 0:
            await asyncio.sleep(0)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    def _now(self) -> datetime:
        return self._clock()

    # --- one send -------------------------------------------------------------------------------------------------

    async def _send(self, key: AccountKey, account: Account, first: Claim) -> None:
        """Send one notice and note what came of it; then, in the place that is free, what waited for it."""
        task = asyncio.current_task()
        claim: Claim | None = first
        while claim is not None and task is not None:
            result = await self._send_one(task, key, account, claim)
            claim = self._finish(key, account, claim, result, alive=not task.cancelling())

    async def _send_one(self, task: asyncio.Task[object], key: AccountKey, account: Account, claim: Claim) -> Result:
        if self._told_to_wait(key, claim) or not self._accounts.ours(key):
            # told between the start of this task and now, by the answer to another send; or we were held up and lost the account
            return Waiting(claim, None, used=False)
        address = Address(claim.platform, claim.account, claim.chat, claim.private, claim.thread)
        outcome = await self._delivery.deliver(task, account.adapter, address, claim, self.rule.send_timeout)
        if (pause := outcome.pause) is not None:
            self._pauses.add(pause)
        if (why := outcome.gone) is not None:
            self._gone.append((address, why))
            self._results += [Ended(other, "dead", why) for other in account.take_out(lambda one: one.chat == claim.chat)]
        return outcome.result

    def _told_to_wait(self, key: AccountKey, claim: Claim) -> bool:
        if not self._pauses:
            return False
        now = self._clock()
        return any(self._pauses.covers(scope, now) for scope in (account_scope(key), chat_scope(key, claim.chat)))

    def _finish(self, key: AccountKey, account: Account, claim: Claim, result: Result, *, alive: bool) -> Claim | None:
        """Note what became of it. Returns what the task that sent it is to send next, if it is `alive`."""
        account.sending.pop(claim.id, None)
        self._results.append(result)
        account.more = True  # the next notice for this chat
        account.look = account.look or claim.lane < Lane.CAMPAIGN
        now = self._clock()
        started, come_back = self._go_on(key, account, now)
        idle = not account.sending and not self._under_way
        if account.look or idle or not isinstance(result, Sent) or len(self._results) >= RECEIPTS_TOGETHER:
            self._write_now()
        elif self._company is None:
            self._company = asyncio.get_running_loop().call_later(RECEIPTS_WAIT, self._write_now)
        if come_back is not None or self._asks(key, now):
            self._woken.set()
        following = started.pop(0) if started and alive else None
        self._start(key, account, started)
        return following

    def _go_on(self, key: AccountKey, account: Account, now: datetime) -> tuple[list[Claim], datetime | None]:
        """What waited for the place that is free now; when the next one has its slot."""
        if not account.queue or self._stopping or self._troubles or self._in_doubt:
            return [], None
        with self._picture:
            return self._pick(key, account, now)

    def _write_now(self) -> None:
        if self._company is not None:
            self._company.cancel()
            self._company = None
        self._hurry = True
        self._woken.set()

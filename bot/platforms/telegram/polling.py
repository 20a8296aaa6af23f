"""Asking for updates: the offset passes an update only when it is done, and a dead loop does not pass for a quiet one.

The offset is never stored. After a quiet week Telegram numbers its updates anew, perhaps lower, and a remembered number would
throw away what nobody has read; what comes twice is recognised by the inbox.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from telegram.error import Conflict, InvalidToken, TelegramError

from bot.platforms.telegram.failures import SlowDown, words_of
from bot.platforms.telegram.intake import Intake, number_of

log = structlog.get_logger(__name__)

GetUpdates = Callable[[int | None, float], Awaitable[list[object]]]

FIRST_WAIT = 0.5
LONGEST_WAIT = 10.0
AT_ONCE = 0.05  # an empty answer within this time was not held: some servers do not, and must not be asked without end
REST = 0.2


class Stalled(Exception):
    """No poll has succeeded for too long, or cannot: the connection has to be built anew. The text is for the operator."""


class Polling:
    """One loop. `ask(offset, patience)` is one getUpdates call that lasts at most `patience` seconds; `monotonic` and `sleep` are
    in seconds and given by tests."""

    def __init__(
        self,
        ask: GetUpdates,
        intake: Intake,
        *,
        patience: float,
        stall: float,
        on_success: Callable[[int], None],
        on_trouble: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._ask = ask
        self._intake = intake
        self._patience = patience
        self._stall = stall
        self._on_success = on_success
        self._on_trouble = on_trouble
        self._monotonic = monotonic
        self._sleep = sleep
        self.offset: int | None = None
        self._taken: set[int] = set()  # done, but behind one that is not

    async def run(self) -> None:
        """Poll until cancelled. Raises Stalled."""
        good = self._monotonic()
        failures = 0
        while True:
            left = self._stall - (self._monotonic() - good)
            if left <= 0:
                raise Stalled(f"no successful poll for {self._stall:.0f} s")
            began = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(min(self._patience, left)):
                    updates = await self._ask(self.offset, min(self._patience, left))
            except InvalidToken:
                raise Stalled(NO_SUCH_BOT) from None
            except (TelegramError, TimeoutError) as problem:
                failures += 1
                if isinstance(problem, Conflict) and "webhook" in problem.message.lower():
                    raise Stalled(_WEBHOOK) from None
                self._on_trouble(_why(problem))
                await self._sleep(_wait(problem, failures))
                continue
            good = self._monotonic()
            self._on_success(len(updates))
            if await self._take(updates):
                failures = 0
                if not updates and asyncio.get_running_loop().time() - began < AT_ONCE:
                    await self._sleep(REST)
            else:
                failures += 1
                self._on_trouble("the storage does not take updates now; they stay with Telegram")
                await self._sleep(_wait(None, failures))

    async def _take(self, updates: list[object]) -> bool:
        """Take a batch and move the offset up to the first update that is not done; true when all are."""
        fresh = [raw for raw in updates if number_of(raw) not in self._taken]
        done = await self._intake.take(fresh)
        for raw, ok in zip(fresh, done, strict=True):
            number = number_of(raw)
            if ok and number is not None:
                self._taken.add(number)
        open_ = [number for raw, ok in zip(fresh, done, strict=True) if not ok and (number := number_of(raw)) is not None]
        numbers = [number for raw in updates if (number := number_of(raw)) is not None]
        if numbers:
            self.offset = min(open_) if open_ else max(numbers) + 1
            self._taken = {number for number in self._taken if number >= self.offset}
        return all(done) and (bool(numbers) or not updates)


NO_SUCH_BOT = "Telegram does not know this token; ask @BotFather for the bot's token and put it into telegram.token"
_TWO_POLLERS = (
    "another program asks for this bot's updates with the same token; stop it (only one can have them), "
    "or get a new token from @BotFather"
)
_WEBHOOK = "another program has set a webhook for this bot; stop it: we take the webhook away and ask again"


def _why(problem: BaseException) -> str:
    if isinstance(problem, Conflict):
        return _TWO_POLLERS
    return words_of(problem)


def _wait(problem: BaseException | None, failures: int) -> float:
    if isinstance(problem, SlowDown):
        return problem.seconds
    return float(min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures - 1, 10)))

"""One notice to its platform, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from msgspec import Struct
from msgspec.structs import replace

from bot.errors import AnswerLost, NeverDelivered, RetryLater
from bot.messages import Address
from bot.outbox.patience import Patience
from bot.platforms.base import Adapter
from bot.verdicts import Pause, Verdicts
from storage.claims import Claim
from storage.failpoints import failpoint
from storage.receipts import Ended, Result, Sent, Waiting

log = structlog.get_logger("bot.outbox")


class Outcome(Struct, frozen=True):
    """The result for the row; a pause that the platform told; and why the chat is closed to us, if it is."""

    result: Result
    pause: Pause | None = None
    gone: str | None = None


class Delivery:
    """Says notices, changes what was said, takes it back. Never raises: whatever happens is an outcome."""

    def __init__(self, verdicts: Verdicts, clock: Callable[[], datetime]) -> None:
        self._verdicts = verdicts
        self._clock = clock
        self._patience = Patience()

    async def deliver(
        self, task: asyncio.Task[object], adapter: Adapter, address: Address, claim: Claim, seconds: float
    ) -> Outcome:
        """Do in `task` what the notice says, within so many seconds."""
        failpoint("outbox.before_send")
        self._patience.begin(task, seconds)
        late = False
        try:
            try:
                result = await self._do(adapter, address, claim)
            finally:
                late = self._patience.end(task)
            failpoint("outbox.sent")
        except RetryLater as problem:
            return Outcome(*self._verdicts.later(claim, problem))
        except NeverDelivered as problem:
            return Outcome(Ended(claim, "dead", problem.why), gone=problem.why if problem.gone else None)
        except (AnswerLost, TimeoutError) as problem:
            result = self._verdicts.uncertain(adapter, claim, str(problem) or "no answer in time")
        except asyncio.CancelledError:
            result = self._verdicts.uncertain(adapter, claim, "no answer in time" if late else "stopped while sending")
        except Exception as problem:
            log.exception("outbox.adapter_bug", platform=claim.platform, notice=claim.id)
            result = self._verdicts.uncertain(adapter, claim, f"{type(problem).__name__}: {problem}"[:200])
        return Outcome(result)

    async def _do(self, adapter: Adapter, address: Address, claim: Claim) -> Result:
        if claim.changes is not None and (result := await self._change(adapter, address, claim)) is not None:
            return result
        if claim.recalls is None:
            receipt = await adapter.send(address, self._verdicts.outbound(adapter, claim))
            return Sent(claim, receipt.message_id, self._clock())
        if await adapter.recall(address, claim.recalls):
            return Sent(claim, "", self._clock())
        if claim.text and adapter.can.edit:  # too old to be deleted: other words in its place
            instead = replace(self._verdicts.outbound(adapter, claim), text=claim.text)
            if await adapter.edit(address, claim.recalls, instead):
                return Sent(claim, "", self._clock())
        return Ended(claim, "dead", "the platform does not take it back")

    async def _change(self, adapter: Adapter, address: Address, claim: Claim) -> Result | None:
        """Put other words into a notice that is there; None when it is to be said anew instead."""
        target = claim.changed
        if target is not None and target.state == "pending":
            return Waiting(claim, self._clock() + timedelta(seconds=1), "what it changes is not there yet", used=False)
        if target is not None and target.message_id and adapter.can.edit:
            # the same words twice are the same message, so a lost answer needs no mark
            what = replace(self._verdicts.outbound(adapter, claim), text=claim.text)
            if await adapter.edit(address, target.message_id, what):
                return Sent(claim, target.message_id, self._clock())
        return None if claim.or_say else Ended(claim, "cancelled", "there is nothing to change")

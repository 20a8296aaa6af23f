"""How long a send may take, by one timer for all that are under way. `asyncio.timeout` sets one for each, and most never ring."""

from __future__ import annotations

import asyncio


class Patience:
    """Cancels the tasks whose time is over; each asks afterwards whether it was that. Of one event loop."""

    def __init__(self) -> None:
        self._until: dict[asyncio.Task[object], float] = {}
        self._over: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, task: asyncio.Task[object], seconds: float) -> None:
        """From now on `task` has so many seconds."""
        loop = task.get_loop()
        self._until[task] = until = loop.time() + seconds
        if self._timer is None or self._timer.when() > until:
            self._ring_at(loop, until)

    def end(self, task: asyncio.Task[object]) -> bool:
        """It is through; whether its time was over and it was cancelled for that, which is taken back here."""
        self._until.pop(task, None)
        if task not in self._over:
            return False
        self._over.discard(task)
        task.uncancel()
        return True

    def _ring_at(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(at, self._ring, loop)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for task in [task for task, until in self._until.items() if until <= now]:
            del self._until[task]
            self._over.add(task)
            task.cancel()
        if self._until:
            self._ring_at(loop, min(self._until.values()))

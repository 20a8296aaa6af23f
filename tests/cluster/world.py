"""The platform of a cluster's tests: a server that many nodes talk to, that loses answers on purpose and writes everything down.

One object in the test's own process. It knows what was said, what arrived where, which answers were lost, and how fast each
account spoke; a message counts as arrived when it is in the chat, whoever sent it and whether or not anybody heard the answer.
"""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import json
import random
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

WINDOW = 1.0  # seconds, in which a platform counts


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to say something. `left`, `began` and `ended` are monotonic: when its node let it go, when it was
    read here, and when it was answered; `answered` is false when its answer was lost."""

    key: str
    account: str
    chat: str
    text: str
    node: str
    began: float
    ended: float
    arrived: bool
    answered: bool
    refused: bool = False
    left: float = 0.0


@dataclass(slots=True)
class World:
    """`per_second` is what each account may say in any second, `overall` what all may; 0 for no limit."""

    per_second: int = 0
    overall: int = 0
    lose: float = 0.0  # share of answers that are lost, half of them after the message arrived
    latency: float = 0.005
    chance: random.Random = field(default_factory=lambda: random.Random(20261126))
    attempts: list[Attempt] = field(default_factory=list)
    heard: dict[str, dict[str, Any]] = field(default_factory=dict)  # what people said, by event id
    said_at: dict[str, float] = field(default_factory=dict)
    confirmed: set[str] = field(default_factory=set)
    paused: dict[str, float] = field(default_factory=dict)  # account -> until when it must not ask
    in_pause: int = 0  # requests that came all the same
    port: int = 0
    _waiting: dict[str, deque[str]] = field(default_factory=dict)
    _said: dict[str, asyncio.Event] = field(default_factory=dict)
    _recent: dict[str, list[float]] = field(default_factory=dict)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _count: int = 0

    async def __aenter__(self) -> World:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # transports close themselves in the loop's next turns

    # --- people ---

    def say(self, account: str, chat: str, sender: str, text: str) -> str:
        """Somebody writes in a group; the event's id."""
        event_id = f"e{len(self.heard) + 1}"
        self.heard[event_id] = {
            "id": event_id,
            "account": account,
            "chat": chat,
            "sender": sender,
            "text": text,
            "at": datetime.now(UTC).isoformat(),
        }
        self.said_at[event_id] = time.monotonic()
        self._waiting.setdefault(account, deque()).append(event_id)
        self._said.setdefault(account, asyncio.Event()).set()
        return event_id

    def arrivals(self, chat: str) -> list[Attempt]:
        """What is in a chat, in order, copies included."""
        return [attempt for attempt in self.attempts if attempt.chat == chat and attempt.arrived]

    @property
    def refused(self) -> int:
        return sum(attempt.refused for attempt in self.attempts)

    # --- nodes ---

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        answers: set[asyncio.Task[None]] = set()
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while line := await reader.readline():
                    asked = json.loads(line)
                    answer = asyncio.create_task(self._answer(asked, writer))
                    answers.add(answer)
                    answer.add_done_callback(answers.discard)
        except asyncio.CancelledError:
            pass  # the end of the test; a server's task that is cancelled would be reported as a fault
        finally:
            for answer in answers:
                answer.cancel()  # a poll whose node is gone
            writer.transport.abort()

    async def _answer(self, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        match asked["op"]:
            case "poll":
                said = await self._poll(asked["account"])
            case "confirm":
                self.confirmed.add(asked["event"])
                said = {}
            case _:
                found = await self._send(asked)
                if found is None:
                    return
                said = found
        with contextlib.suppress(OSError):
            writer.write(json.dumps({"n": asked["n"], **said}, ensure_ascii=False).encode() + b"\n")

    async def _poll(self, account: str) -> dict[str, Any]:
        """The next event that nobody has confirmed; again and again until somebody does, as after every new connection."""
        waiting = self._waiting.setdefault(account, deque())
        while True:
            while waiting and waiting[0] in self.confirmed:
                waiting.popleft()
            if waiting:
                return {"event": self.heard[waiting[0]]}
            said = self._said.setdefault(account, asyncio.Event())
            said.clear()
            await said.wait()

    async def _send(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        began, account = time.monotonic(), asked["account"]
        # the clock is one for all processes of a machine; what waits to be read here has been said, or on a busy machine this
        # process would take for too fast what it has read too late
        left = min(float(asked.get("left", began)), began)
        if self.paused.get(account, 0.0) > left:
            self.in_pause += 1
        refused = self._too_fast(account, self.per_second, left) or self._too_fast("", self.overall, left)
        if self.latency:
            await asyncio.sleep(self.latency)
        lost = not refused and self.chance.random() < self.lose
        arrived = not refused and (not lost or self.chance.random() < 0.5)
        self.attempts.append(
            Attempt(
                asked["key"],
                account,
                asked["chat"],
                asked["text"],
                asked["node"],
                began,
                time.monotonic(),
                arrived,
                not lost,
                refused,
                left,
            )
        )
        if lost:
            return None if self.chance.random() < 0.5 else {"lost": True}
        if refused:
            self.paused[account] = time.monotonic() + 1.0
            return {"retry": 1.0}
        self._count += 1
        return {"id": f"m{self._count}"}

    def _too_fast(self, scope: str, limit: int, now: float) -> bool:
        if not limit:
            return False
        recent = self._recent.setdefault(scope, [])
        del recent[: bisect.bisect_right(recent, now - 2 * WINDOW)]
        place = bisect.bisect_right(recent, now)
        if place - bisect.bisect_right(recent, now - WINDOW) >= limit:
            return True
        recent.insert(place, now)  # several nodes' requests may be read in another order than they were made in
        return False

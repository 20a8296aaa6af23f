"""A platform whose every answer is scripted and whose whole history can outlive `kill -9` of the bot.

    platform = FakePlatform("telegram")
    platform.fail(RetryLater(3, "chat"), Lost(delivered=True), Hang())   # the next three sends, in this order
    platform.fail(NeverDelivered("kicked", gone=True), chat="g7")        # the next send to g7
    platform.say("张阿姨", "g1", "你好")                                   # heard by whoever listens
    [arrival.what.text for arrival in platform.arrived]                  # duplicates included

What was heard but never confirmed is delivered again at the next `listen`, as a platform does. With `path` the history is kept in
a file of JSON lines; a second FakePlatform on the same file goes on where the first was killed.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import asdict

from bot.clock import Clock
from bot.config import Settings
from bot.errors import AnswerLost, RefusedInput, RetryLater
from bot.messages import Address, Attachment, Inbound, Outbound, Receipt
from bot.platforms.base import Capabilities, Feed, Health
from storage.writer import Writer
from tests.kit.peer import Arrival, Fault, Hang, Lost, Peer

if TYPE_CHECKING:
    from bot.app import App

__all__ = ["Arrival", "FakePlatform", "Fault", "Hang", "Lost", "read_arrival", "read_history", "read_inbound"]


@dataclass(slots=True)
class _Script:
    fault: Fault
    chat: str | None


class FakePlatform(Peer):
    """An Adapter and its peer in one. Everything is public on purpose: a test may look at and change what it likes.

    `refuse_over` is the most messages that any second may see (a sliding window); what is beyond gets RetryLater for the account.
    """

    def __init__(
        self,
        name: str = "web",
        account: str = "main",
        *,
        can: Capabilities | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        path: Path | None = None,
        latency: float = 0.0,
        refuse_over: int | None = None,
    ) -> None:
        super().__init__(name, account, clock)
        self.can = can or Capabilities(recall=True, edit=True, choices=True, mention=True)
        self.path = path
        self.latency = latency  # seconds of real time per send
        self.refuse_over = refuse_over
        self.attempts: list[tuple[datetime, Address, Outbound]] = []
        self._confirmed: list[str] = []
        self.deliveries: list[str] = []  # event ids as they were handed to the feed
        self.script: list[_Script] = []
        self.listeners = 0
        self.most_listeners = 0
        self.listen_faults: deque[Exception | None] = deque()
        self.confirm_lost = False  # die between take and confirm: the event is delivered again
        self.last_error = ""
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._confirmations = asyncio.Condition()
        self._recent: deque[datetime] = deque()
        self._count = 0
        if path is not None and path.exists():
            self._load(path)

    # --- the test's side ------------------------------------------------------------------------------------------

    def fail(self, *faults: Fault, chat: str | None = None) -> None:
        """The next sends (to `chat`, or to any chat) meet these faults, one each."""
        self.script += [_Script(fault, chat) for fault in faults]

    def keep_photo(self, photo_id: str, data: bytes, mime: str = "image/jpeg") -> Attachment:
        """Make bytes available to `fetch`."""
        kept = super().keep_photo(photo_id, data, mime)
        self._note(what="photo", id=photo_id, data=base64.b64encode(data).decode())
        return kept

    def inject(self, event: Inbound) -> None:
        """Any event; the same event id a second time is a second delivery."""
        if event.event_id not in self.heard:
            self.heard[event.event_id] = event
            if self.path is not None:
                self._note(what="event", event=_plain(event))
        self._queue.put_nowait(event.event_id)

    @property
    def confirmed(self) -> list[str]:
        return self._confirmed

    @property
    def unconfirmed(self) -> list[str]:
        done = set(self.confirmed)
        return [event_id for event_id in self.heard if event_id not in done]

    async def all_confirmed(self) -> None:
        """Wait until everything that was said is confirmed."""
        async with self._confirmations:
            await self._confirmations.wait_for(lambda: not self.unconfirmed)

    # --- the peer's side ------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Nothing has to run."""

    async def close(self) -> None:
        """Nothing runs."""

    async def move_in(self, people: dict[str, str], groups: dict[str, str]) -> None:
        """Everybody is known by the name that a test gives."""

    def environ(self) -> dict[str, str]:
        return {}

    def adapter(self, settings: Settings, writer: Writer, clock: Clock, house: list[App]) -> FakePlatform:
        return self

    async def leave(self, adapter: object) -> None:
        """It is the same one at the next start."""

    def user_id(self, person: str) -> str:
        return person

    def chat_id(self, chat: str) -> str:
        return chat

    # --- the adapter's side ---------------------------------------------------------------------------------------

    async def listen(self, feed: Feed) -> None:
        self.listeners += 1
        self.most_listeners = max(self.most_listeners, self.listeners)
        try:
            if self.listen_faults and (fault := self.listen_faults.popleft()) is not None:
                raise fault
            self._queue = asyncio.Queue()
            for event_id in self.unconfirmed:
                self._queue.put_nowait(event_id)
            while True:
                await self._hand_over(feed, await self._queue.get())
        except Exception as problem:
            self.last_error = f"{type(problem).__name__}: {problem}"
            raise
        finally:
            self.listeners -= 1

    async def _hand_over(self, feed: Feed, event_id: str) -> None:
        self.deliveries.append(event_id)
        self._note(what="delivered", id=event_id)
        await feed.take(self.heard[event_id])
        if self.confirm_lost:
            return
        async with self._confirmations:
            self._confirmed.append(event_id)
            self._note(what="confirmed", id=event_id)
            self._confirmations.notify_all()

    async def send(self, to: Address, what: Outbound) -> Receipt:
        if (to.platform, to.account) != (self.name, self.account):
            raise AssertionError(f"{to} is not of {self.name}:{self.account}")
        now = self.clock()
        self.attempts.append((now, to, what))
        if self.path is not None:
            self._note(what="attempt", to=asdict(to), key=what.key)
        if self.latency:
            await asyncio.sleep(self.latency)
        fault = self._next_fault(to.chat)
        self._refuse_when_too_fast(now)
        if isinstance(fault, Exception):
            raise fault
        if fault is None:
            return self._deliver(to, what)
        if fault.delivered:
            self._deliver(to, what)
        if isinstance(fault, Hang):
            await asyncio.Event().wait()
        raise AnswerLost("scripted")

    async def edit(self, to: Address, message_id: str, what: Outbound) -> bool:
        if all(arrival.message_id != message_id for arrival in self.arrived) or (to, message_id) in self.recalled:
            return False
        faults = [step for step in self.script if step.chat == f"edit:{to.chat}"]  # a test scripts edits by this name
        if faults:
            self.script.remove(faults[0])
            if isinstance(faults[0].fault, Exception):
                raise faults[0].fault
        edited = Arrival(to, what, message_id, self.clock())
        self.edited.append(edited)
        if self.path is not None:
            self._note(what="attempt", to=asdict(to), key=what.key)
            self._note(what="arrived", arrival=_plain(edited))  # what stands in the chat now is what was to be said
        return True

    async def recall(self, to: Address, message_id: str) -> bool:
        if not self.can.recall or all(arrival.message_id != message_id for arrival in self.arrived):
            return False
        self.recalled.append((to, message_id))
        self._note(what="recalled", to=asdict(to), id=message_id)
        return True

    async def fetch(self, attachment: Attachment, limit: int) -> bytes:
        data = self.photos.get(attachment.id)
        if data is None:
            raise RetryLater(1.0, why="no such photo yet")
        if len(data) > limit:
            raise RefusedInput("photo_too_large", limit=limit)
        return data

    def health(self) -> Health:
        return Health(listening=self.listeners > 0, last_error=self.last_error)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _next_fault(self, chat: str) -> Fault | None:
        for index, step in enumerate(self.script):
            if step.chat in (None, chat):
                del self.script[index]
                return step.fault
        return None

    def _refuse_when_too_fast(self, now: datetime) -> None:
        if self.refuse_over is None:
            return
        while self._recent and (now - self._recent[0]).total_seconds() >= 1.0:
            self._recent.popleft()
        if len(self._recent) >= self.refuse_over:
            raise RetryLater(1.0, "account", "too fast")
        self._recent.append(now)

    def _deliver(self, to: Address, what: Outbound) -> Receipt:
        if self.can.exactly_once:
            for arrival in self.arrived:
                if arrival.what.key == what.key:
                    return Receipt(arrival.message_id, arrival.at)
        self._count += 1
        arrival = Arrival(to, what, f"out{self._count}", self.clock())
        self.arrived.append(arrival)
        if self.path is not None:
            self._note(what="arrived", arrival=_plain(arrival))
        return Receipt(arrival.message_id, arrival.at)

    def _note(self, **line: Any) -> None:
        """One line to the file, in one write: `kill -9` cannot take back what the kernel has, only cut it short between pages."""
        if self.path is None:
            return
        data = (json.dumps(line, ensure_ascii=False) + "\n").encode()
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, data)
        finally:
            os.close(file)

    def _load(self, path: Path) -> None:
        _cut_off_torn_line(path)
        for entry in read_history(path):
            match entry["what"]:
                case "event":
                    event = read_inbound(entry["event"])
                    self.heard[event.event_id] = event
                case "confirmed":
                    self._confirmed.append(entry["id"])
                case "delivered":
                    self.deliveries.append(entry["id"])
                case "arrived":
                    self.arrived.append(read_arrival(entry["arrival"]))
                case "photo":
                    self.photos[entry["id"]] = base64.b64decode(entry["data"])
                case "recalled":
                    self.recalled.append((Address(**entry["to"]), entry["id"]))
        self._count = len(self.arrived)


def read_history(path: Path) -> Iterator[dict[str, Any]]:
    """What the file tells; a last line that a kill has cut short tells nothing."""
    for line in path.read_bytes().split(b"\n")[:-1]:
        yield json.loads(line)


def _cut_off_torn_line(path: Path) -> None:
    """What is written next must not stand in it."""
    history = path.read_bytes()
    whole = history.rfind(b"\n") + 1
    if whole < len(history):
        os.truncate(path, whole)


def _plain(value: Inbound | Arrival) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return plain


def read_inbound(plain: dict[str, Any]) -> Inbound:
    """The event that `FakePlatform` wrote to its file."""
    return msgspec.convert(plain, Inbound)


def read_arrival(plain: dict[str, Any]) -> Arrival:
    """The arrival that `FakePlatform` wrote to its file."""
    return msgspec.convert(plain, Arrival)

"""Tests that read like the conversation.

    def test_a_report(chat: Scenario) -> None:
        chat.say("张阿姨", "港新1号网格", "3号楼2单元楼道有人给电动车充电")
        chat.expect("港新1号网格", "收到，编号*（*）*")
        chat.expect("马宏", "【派单】*")              # a person's name: the private chat with the bot
        # anything the bot says beyond that fails the test

The bot is the real one, on a database, with the sample district; only the clock and the other side of the platform are stand-ins.
Which platform and which engine that are, the cell says (tests/kit/cells.py): by default the fake web platform and a SQLite file.
Posts go out by schedule only when a test sets schedules (`environ={"QIANSHAO_SCHEDULES": …}`), pictures are read only with
`reads=True`.

People, groups and messages have the scenario's own ids everywhere (`address`, `arrived`, `Said`); what the tables hold is the
platform's id: `user_id`, `chat_id`.
"""

from __future__ import annotations

import asyncio
import functools
import sqlite3
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from sqlalchemy import inspect
from sqlmodel import select

from bot.app import CONTENT, App, Library, open_database
from bot.clock import ManualClock
from bot.config import Settings, load_settings
from bot.demo import District, load_district
from bot.leases import LeaseRule
from bot.messages import Address, Attachment, Inbound, Kind, Quote, Sender
from bot.pacing import Pacing
from bot.photos import PhotoWorker
from bot.platforms.base import Adapter
from bot.understanding.pictures import PictureReader
from content.gazetteer import Gazetteer
from storage.writer import Writer
from tests.kit import laid
from tests.kit.cells import Cell, cell
from tests.kit.hearing import Hearing
from tests.kit.peer import Arrival
from tests.kit.photos import NearPhotos, jpeg
from tests.kit.statements import lend, take_back

MORNING = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # ten o'clock in Shanghai, a Monday
PRIVATE = "私聊"

LONG_LEASES = LeaseRule(length=300.0)  # between two lines of a scenario its bot stands still, and can prolong nothing
PATIENCE = 60.0  # seconds until what a scenario waits for will never come

T = TypeVar("T")


@functools.cache
def library(content: Path = CONTENT) -> Library:
    """The content, read once for all tests."""
    return Library.load(content, MORNING)


@functools.cache
def sample_district() -> District:
    """The sample district, read once for all tests."""
    return load_district(CONTENT / "demo" / "district.toml")


@functools.cache
def sample_places() -> Gazetteer:
    """Its places, read once for all tests."""
    return Gazetteer.load(CONTENT / "demo" / "gazetteer.toml")


@dataclass(frozen=True, slots=True)
class Said:
    """Something a person said, to be edited or recalled later."""

    event: Inbound


class Scenario(Hearing):
    """The sample district in a test's hands."""

    def __init__(
        self,
        folder: Path,
        *,
        url: str = "",
        start: datetime = MORNING,
        environ: dict[str, str] | None = None,
        content: Path = CONTENT,
        reads: bool = False,
    ) -> None:
        self.folder = folder
        self.clock = ManualClock(start)
        self.cell: Cell = cell.get()
        super().__init__(self.cell.peer(self.clock), sample_district())
        # cards, as schedules, second looks by chance, and what waits for a one-time password: only when a test sets them
        quiet = {"QIANSHAO_SCHEDULES": "[]", "QIANSHAO_DESK__CARDS": "false", "QIANSHAO_DESK__REVIEW_SHARE": "0"}
        quiet |= {"QIANSHAO_CONFIRMATIONS__ENABLED": "false"}
        self._own = {"QIANSHAO_BOT__DATA_DIR": str(folder)} | quiet | (environ or {})
        self._url = url
        self._lent = ""  # a database that was copied for us
        self._content = content
        self._reads = reads
        self._reader: PictureReader | None = None
        self._runner = asyncio.Runner()
        self._house: asyncio.Task[None] | None = None
        self._leave = asyncio.Event()
        self._writer: Writer | None = None
        self._commits: sqlite3.Connection | None = None  # a look at SQLite's count of commits
        self._state = (0, 0)

    def __enter__(self) -> Scenario:
        self._runner.run(self._open_doors())
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self.nothing_more()
        finally:
            self._runner.run(self._close_doors())
            self._runner.close()

    # --- people ---

    def say(
        self,
        who: str,
        where: str,
        text: str = "",
        *,
        photo: bytes | None = None,
        photos: int = 0,
        files: tuple[Attachment, ...] = (),
        quoting: Arrival | None = None,
        mention: bool = False,
        **more: Any,
    ) -> Said:
        """Somebody writes in a group (its name) or in the private chat ("私聊"); returns after the bot has dealt with it."""
        if quoting is not None:
            more["quote"] = Quote(quoting.message_id, quoting.what.text, mine=True)
        attachments: tuple[Attachment, ...] = ()
        if photos:
            attachments = tuple(self.platform.keep_photo(f"p{len(self.platform.photos)}-{n}", jpeg(n)) for n in range(photos))
        before = len(self.platform.arrived)
        event = self.platform.say(
            Sender(self._people.get(who, who), who),
            self.address(who, where),
            text,
            photo=photo,
            attachments=(*attachments, *files),
            mentions_me=mention or "@前哨" in text,
            **more,
        )
        self.settle()
        if event.attachments and text and where == PRIVATE and not self.platform.captions:
            self._pass_over_the_question(before, event.address)
        return Said(event)

    def _pass_over_the_question(self, before: int, where: Address) -> None:
        """A picture that had to go ahead of its words is asked about: no matter of a scenario that sends both as one.

        tests/platforms/wechat/test_talk.py shows it.
        """
        said = library(self._content).phrases.say("help.photo_alone")
        asked = [one for one in self.platform.arrived[before:] if one.to == where and one.what.text == said]
        for one in asked[:1]:
            self.platform.arrived.remove(one)

    def shout(self, who: str | Sender, where: str, text: str = "", **more: Any) -> Said:
        """The same without waiting for the bot; `who` may be somebody who is not of the district."""
        sender = who if isinstance(who, Sender) else Sender(self._people.get(who, who), who)
        return Said(self.platform.say(sender, self.address(sender.id, where), text, **more))

    def tap(self, who: str, arrival: Arrival, value: str) -> None:
        """Somebody presses a button under a message of the bot."""
        self.platform.tap(Sender(self._people.get(who, who), who), arrival, value)
        self.settle()

    def happens(self, kind: Kind, who: str, where: str, **more: Any) -> None:
        """Something other than a message: `happens(Kind.JOINED, "群主", "新群", group_name="新群")`."""
        if kind is Kind.JOINED:
            self._groups.setdefault(where, where)
        self.platform.say(Sender(self._people.get(who, who), who), self.address(who, where), kind=kind, **more)
        self.settle()

    def recall(self, said: Said) -> None:
        """Somebody takes a message back."""
        self._again(said, Kind.RECALL, "")

    def edit(self, said: Said, text: str) -> None:
        """Somebody changes a message."""
        self._again(said, Kind.EDIT, text)

    def wait(self, **by: float) -> None:
        """Time passes: `wait(minutes=2)`."""
        self.clock.advance(timedelta(**by))
        self.settle()

    def restart(self, **later: float) -> None:
        """The bot stops and starts again on the same data: `restart()` at once, `restart(minutes=20)` after some time."""
        self._runner.run(self._stop())
        self.clock.advance(timedelta(**later))
        self._runner.run(self._start())
        self.settle()

    # --- the bot ---

    def traces(self, *words: str) -> list[str]:
        """Which of these words stand in which file of the data directory, logs of the database included."""
        found = []
        for path in sorted(self.folder.rglob("*")):
            data = path.read_bytes() if path.is_file() else b""
            found += [f"{path.name}: {word}" for word in words if word.encode() in data]
        if self._lent:
            found += self._app.writer.read_now(lambda session: laid.traces(session, words))
        return found

    def rows(self, *columns: Any) -> list[Any]:
        """A look into a table in order of its key, oldest row first: `chat.rows(Case.number, Case.state)`."""
        wanted = select(*columns).order_by(*inspect(getattr(columns[0], "class_", columns[0])).primary_key)
        return self._app.writer.read_now(lambda session: list(session.exec(wanted).all()))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a piece of the bot in its own event loop."""
        return self._runner.run(work)

    def user_id(self, who: str) -> str:
        """The platform's id of a person, as it stands in the tables."""
        return self.platform.user_id(self._people.get(who, who))

    def chat_id(self, where: str) -> str:
        """The platform's id of a group, as it stands in the tables."""
        return self.platform.chat_id(self._groups.get(where, where))

    # --- the house ---

    @property
    def app(self) -> App:
        """The running bot."""
        return self._app

    def settle(self) -> None:
        """Let everything that was said be heard, handled and answered."""
        self._runner.run(self._settle())

    def settle_until(self, true: Callable[[], bool]) -> None:
        """The same until `true()` holds: for what the bot begins aside and nobody waits for."""

        async def wait() -> None:
            async with asyncio.timeout(PATIENCE):
                while not true():
                    await self._settle()
                    await asyncio.sleep(0)

        self._runner.run(wait())

    def hear(self) -> None:
        """Let everything that was said be heard and kept, and no more."""
        self._runner.run(asyncio.wait_for(self.platform.all_confirmed(), PATIENCE))

    def breathe(self) -> None:
        """Let the bot do what the time has made due, without hurrying it."""

        async def idle() -> None:
            for _ in range(20):
                await asyncio.sleep(0)
            await asyncio.wait_for(self._app.lanes.drained(), PATIENCE)

        self._runner.run(idle())

    def address(self, who: str, where: str) -> Address:
        """Where a person writes."""
        name, account = self.platform.name, self.platform.account
        if where == PRIVATE:
            return Address(name, account, self._people.get(who, who), private=True)
        return Address(name, account, self._groups.get(where, where))

    async def _settle(self) -> None:
        await asyncio.wait_for(self.platform.all_confirmed(), PATIENCE)
        for number in range(3):
            await asyncio.wait_for(self._app.settle(), PATIENCE)
            if not self._moved() and number:
                return

    def _moved(self) -> bool:
        """Whether anything was committed or said since this was last asked; of PostgreSQL nobody can tell, so yes."""
        if self._commits is None:
            return True
        before, self._state = (
            self._state,
            (self._commits.execute("PRAGMA data_version").fetchone()[0], len(self.platform.arrived)),
        )
        return self._state != before

    async def _open_doors(self) -> None:
        await self.platform.open()
        try:
            await self.platform.move_in(
                {i: name for name, i in self._people.items()}, {i: name for name, i in self._groups.items()}
            )
            if self.cell.postgres is not None and not self._url:
                self._lent = await asyncio.to_thread(laid.borrowed, self.cell.postgres, self.district, self.platform)
            own = self.platform.environ() | {"QIANSHAO_STORAGE__URL": self._lent or self._url} | self._own
            self.settings: Settings = load_settings(Path("config.toml"), own)
            await self._start()
        except BaseException:
            if self._writer is not None:
                await asyncio.to_thread(self._writer.close)
            await self.platform.close()
            raise

    async def _close_doors(self) -> None:
        try:
            await self._stop()
        finally:
            await self.platform.close()
            if self._lent and self.cell.postgres is not None:
                await asyncio.to_thread(self.cell.postgres.take_back, self._lent)

    async def _start(self) -> None:
        writer = await asyncio.to_thread(self._open)
        self._statements = lend(writer.engine)
        file = writer.engine.url.database if not writer.shared else None
        self._commits = sqlite3.connect(file, isolation_level=None) if file else None
        self._photos = PhotoWorker(patience_seconds=PATIENCE) if self.cell.plain else NearPhotos()
        self._reader = PictureReader(patience_seconds=PATIENCE, idle_seconds=600) if self._reads else None
        house: list[App] = []
        self._adapter: Adapter = self.platform.adapter(self.settings, writer, self.clock, house)
        self._app = App(
            self.settings,
            writer,
            library(self._content),
            [self._adapter],
            self._photos,
            self.clock,
            pacing=Pacing.unlimited(),
            reader=self._reader,
            gazetteer=sample_places(),
            lease_rule=LONG_LEASES,
        )
        self._app._knowledge.patience = PATIENCE
        house.append(self._app)
        self._leave = asyncio.Event()
        ready = asyncio.Event()

        async def live() -> None:
            async with self._app.running():
                ready.set()
                await self._leave.wait()

        self._house = asyncio.create_task(live())
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait([waiting, self._house], return_when=asyncio.FIRST_COMPLETED)
        if self._house.done():
            self._house.result()

    def _open(self) -> Writer:
        if self._lent:
            return open_database(self._lent)
        return laid.opened(self.settings, self.folder, self.district, self.platform)

    async def _stop(self) -> None:
        self._leave.set()
        if self._house is not None:
            await self._house
        await self.platform.leave(self._adapter)
        await self._photos.close()
        if self._reader is not None:
            await self._reader.close()
        if self._commits is not None:
            self._commits.close()
        await asyncio.to_thread(self._app.writer.close)
        take_back(self._statements)

    def _again(self, said: Said, kind: Kind, text: str) -> None:
        event = said.event
        self.platform.say(event.sender, event.address, text, kind=kind, message_id=event.message_id)
        self.settle()

"""Ordinary chat gets no answer and leaves no trace: not in a file, not in a log, not in memory."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import io
import logging
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
import structlog
from ahocorasick_rs import AhoCorasick
from sqlmodel import Session, func, select

import bot.inbox
from bot.app import CONTENT, serving
from bot.config import load_settings
from bot.demo import load_district
from bot.inbox import Inbox
from bot.jobs import Job
from bot.logs import set_up_logs
from bot.messages import Address, Inbound, Sender
from bot.platforms.web import RoomSeed
from bot.understanding.meaning import Hint
from storage.tables import InboxEvent, Notice
from tests.kit.scenario import Scenario, library
from tests.platforms.web.conftest import Browser
from tests.understanding.chatter import chatter

MESSAGES = 10_000
GROUPS = ("gx01", "gx02", "hotpot", "riders", "market", "elders")
PEOPLE = ("zhang", "chen", "lin", "huang", "he", "xu", "gao", "sun", "tang", "ma", "ding", "luo")
SHORTEST = 5  # characters; less is found everywhere by chance


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that anybody logs, at the lowest level."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    set_up_logs("debug", stream)
    root.setLevel(logging.DEBUG)
    yield stream
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    logging.raiseExceptions = True


class Traces:
    """Looks for many texts at once, in every form in which a program could have kept them."""

    def __init__(self, texts: Iterable[str]) -> None:
        forms = {form.decode("latin-1"): text for text in texts if len(text) >= SHORTEST for form in self._forms(text)}
        self._texts = tuple(forms.values())
        self._automaton = AhoCorasick(forms)

    @staticmethod
    def _forms(text: str) -> Iterator[bytes]:
        plain = text.encode()
        yield from (plain, text.encode("utf-16-le"), text.encode("utf-16-be"), text.encode("unicode_escape"))
        for shift in range(3):
            # what stands before it in the encoded stream decides which of three forms it takes; its ends mix with neighbours
            coded = base64.b64encode(bytes(shift) + plain).rstrip(b"=")
            yield coded[(shift * 8 + 5) // 6 : len(coded) - 1]

    def in_bytes(self, data: bytes) -> list[str]:
        found = self._automaton.find_matches_as_indexes(data.decode("latin-1"), overlapping=True)
        return [self._texts[number] for number, _, _ in found]

    def in_files(self, folder: Path) -> dict[str, list[str]]:
        """Which files below the folder hold which of the texts."""
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        found = {str(path.relative_to(folder)): self.in_bytes(path.read_bytes()) for path in files}
        return {name: texts for name, texts in found.items() if texts}


def chat_away(scenario: Scenario, texts: Iterable[str]) -> None:
    """Many people in several groups, all at once."""
    for number, text in enumerate(texts):
        who, group = PEOPLE[number % len(PEOPLE)], GROUPS[number % len(GROUPS)]
        scenario.platform.say(Sender(who, who), Address("web", "web", group), text)
    scenario.settle()


def kept(scenario: Scenario) -> tuple[int, int]:
    """How many events and notices are stored."""

    def count(session: Session) -> tuple[int, int]:
        return session.exec(select(func.count()).select_from(InboxEvent)).one(), session.exec(
            select(func.count()).select_from(Notice)
        ).one()

    return scenario.app.writer.read_now(count)


def test_ten_thousand_messages_leave_no_trace(tmp_path: Path, log: io.StringIO) -> None:
    texts = list(chatter(MESSAGES))
    traces = Traces(texts)
    with Scenario(tmp_path / "data") as scenario:
        chat_away(scenario, texts)
        assert scenario.app.inbox.heard == MESSAGES
        assert scenario.platform.arrived == []
        assert scenario.app.inbox.kept == 0
        assert kept(scenario) == (0, 0)
        assert traces.in_files(tmp_path) == {}
    assert traces.in_files(tmp_path) == {}
    assert traces.in_bytes(log.getvalue().encode()) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "base64"])
def test_a_trace_is_found_in_every_form(encoding: str, tmp_path: Path) -> None:
    texts = list(chatter(200))
    words = f"前面的字{texts[150]}后面的字"
    data = base64.b64encode(b"x" + words.encode()) if encoding == "base64" else words.encode(encoding)
    (tmp_path / "file").write_bytes(b"\x00\xff" + data + b"\xff")
    assert texts[150] in Traces(texts).in_files(tmp_path)["file"]


def test_a_glance_that_keeps_everything_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot.inbox, "glance", lambda event, mind, senses, now: Job(event, Hint(), addressed=False))
    with Scenario(tmp_path) as scenario:
        chat_away(scenario, chatter(50))
        assert kept(scenario)[0] == scenario.app.inbox.heard >= 50


def test_an_intake_that_writes_words_down_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: io.StringIO) -> None:
    take = Inbox.take

    async def chatty(self: Inbox, event: Inbound) -> None:
        logging.getLogger("bot.inbox").debug("heard " + event.text)  # noqa: G003
        await take(self, event)

    monkeypatch.setattr(Inbox, "take", chatty)
    texts = list(chatter(200))[150:]
    with Scenario(tmp_path) as scenario:
        chat_away(scenario, texts)
    assert Traces(texts).in_bytes(log.getvalue().encode())


CANARY = "".join(reversed("的过飞雀丝金"))


def in_memory() -> list[str]:
    """Every string with the canary in it that anything still holds."""
    gc.collect()
    found: dict[int, str] = {}
    for thing in gc.get_objects():
        for held in gc.get_referents(thing):
            if isinstance(held, str) and CANARY in held and len(held) > len(CANARY):
                found[id(held)] = held
    return list(found.values())


def test_memory_does_not_keep_them(tmp_path: Path) -> None:
    with Scenario(tmp_path) as scenario:
        chat_away(scenario, (f"{CANARY}，第{number}只，今天天气真好" for number in range(500)))
        # the chat itself remembers what was said in it; the bot must not
        scenario.platform.heard.clear()
        scenario.platform._queue = asyncio.Queue()
        assert in_memory() == []
        remembered = [f"{CANARY}，还有一只"]
        assert in_memory() == remembered


async def test_the_rooms_own_file_has_them_sealed_and_no_other_at_all(tmp_path: Path, log: io.StringIO) -> None:
    """With the real web chat, which is a chat server and keeps its rooms' messages for seven days, sealed."""
    texts = [text for text in chatter(3_000) if len(text) >= SHORTEST][-600:]
    data = tmp_path / "data"
    settings = load_settings(
        Path("config.toml"), {"QIANSHAO_BOT__DATA_DIR": str(data), "QIANSHAO_WEB__PORT": "0", "QIANSHAO_BOT__DEMO": "true"}
    )
    traces = Traces(texts)
    async with serving(settings, library=library()) as app:
        assert app.web is not None
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            rooms = {seed.id: seed.members for seed in app_rooms()}
            talks = [
                talk(session, app.web.url, person, [room for room in rooms if person in rooms[room]], texts[n :: len(PEOPLE)])
                for n, person in enumerate(PEOPLE)
            ]
            assert sum(await asyncio.gather(*talks)) == len(texts)
        await app.settle()
        assert app.inbox.heard == len(texts)
        assert app.inbox.kept == 0
        with contextlib.closing(sqlite3.connect(data / "web.sqlite3")) as rooms_file:
            assert rooms_file.execute("SELECT count(*) FROM message").fetchone()[0] >= len(texts)
        assert traces.in_files(data) == {}
    assert traces.in_files(data) == {}
    assert traces.in_bytes(log.getvalue().encode()) == []


def app_rooms() -> Iterable[RoomSeed]:
    return load_district(CONTENT / "demo" / "district.toml").web_rooms()


async def talk(session: aiohttp.ClientSession, url: str, person: str, rooms: list[str], texts: list[str]) -> int:
    """One person in a browser says all this, slower than the server's limit; how much was acknowledged."""
    browser = await Browser(session, url).become(person)
    tab = await browser.tab()
    acknowledged = 0
    for number, text in enumerate(texts):
        answer = await tab.say(text, room=rooms[number % len(rooms)], cid=str(uuid4()))
        acknowledged += answer["t"] == "ack"
        tab.passed.clear()
        await asyncio.sleep(0.06)
    await tab.socket.close()
    return acknowledged

"""What keeps the bot fast, as rules without a clock: what is not done, and how often something is done."""

from __future__ import annotations

import asyncio
import random
import re
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import func, select

from bot.clock import Clock
from bot.glance import Senses, glance
from bot.inbox import Inbox
from bot.jobs import Job
from bot.lanes import Lanes
from bot.messages import Address, Inbound, Sender
from bot.mind import Mind
from bot.understanding import lexicon, segment, text
from bot.understanding.meaning import Hint
from bot.understanding.signs import Parts
from bot.understanding.triggers import Triggers, Vocabulary
from bot.understanding.understanding import Understanding
from storage.sealing import Sealer
from storage.tables import InboxEvent
from storage.writer import Writer
from tests.kit.scenario import library
from tests.storage.conftest import open_writer
from tests.understanding.chatter import chatter
from tests.understanding.conftest import lines

CONTENT = Path(__file__).parents[1] / "content"
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def said(words: str, number: int = 0) -> Inbound:
    """Somebody says this in a group, to nobody in particular."""
    return Inbound(f"e{number}", Address("web", "web", "gx01"), Sender("zhang", "张阿姨"), NOW, text=words)


# --- the glance ---


def test_small_talk_is_not_segmented(monkeypatch: pytest.MonkeyPatch) -> None:
    understanding = library().understanding

    def fail(*_: object) -> Any:
        raise AssertionError("a glance that segments costs ten times as much")

    monkeypatch.setattr(segment, "_segmenter", fail)
    monkeypatch.setattr(text, "_segmenter", fail)
    for words in chatter(2_000):
        understanding.glance(words)


def test_the_library_is_only_searched_for_questions() -> None:
    searched: list[str] = []

    def certain(words: str) -> bool:
        searched.append(words)
        return False

    understanding = library().understanding
    senses = Senses(understanding.glance, lambda words: None, certain)
    mind = Mind()
    texts = list(chatter(2_000))
    for words in texts:
        glance(said(words), mind, senses, NOW)
    assert set(searched) <= {words for words in texts if understanding.glance(words).question}
    assert len(searched) < len(texts) // 20


def test_triggers_are_found_like_by_searching_for_each() -> None:
    dice = random.Random(5)
    alphabet = "一二三火着了电动车充水"
    words = {"".join(dice.choices(alphabet, k=dice.randint(1, 4))): 1 << n for n in range(120)}
    vocabulary = Vocabulary()
    half = [Triggers(vocabulary, dict(list(words.items())[start::2])) for start in (0, 1)]
    for _ in range(3_000):
        line = "".join(dice.choices(alphabet + "abc ，", k=dice.choice((0, 1, 2, 9, 30, 600))))
        seen = vocabulary.look(line)
        assert sum(triggers.mask(seen) for triggers in half) == sum({mask for word, mask in words.items() if word in line})


def test_entries_are_met_like_by_asking_each() -> None:
    dice = random.Random(6)
    sizes = [dice.randint(1, 4) for _ in range(40)]
    parts = Parts(first=7, sizes=sizes)
    entries = [parts.add(size) for size in sizes]
    bits = [bit for entry in entries for bit in entry]
    for _ in range(500):
        families = sum(dice.sample(bits, k=dice.randint(0, len(bits)))) | dice.getrandbits(7)
        assert parts.met(families) == sum(entry[0] for entry in entries if families & sum(entry) == sum(entry))


def test_a_bot_that_is_warm_makes_nobody_wait_for_a_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words of scenes and signs are compiled when a text first needs them; cold, these texts do."""
    compiled: list[str] = []

    def count(pattern: str, compiling: Callable[[str], re.Pattern[str]] = re.compile) -> re.Pattern[str]:
        compiled.append(pattern)
        return compiling(pattern)

    monkeypatch.setattr(lexicon.re, "compile", count)
    understanding = Understanding.load(CONTENT, weights=False)
    said = [line.rpartition("|")[2] for name in ("emergencies.txt", "false_friends.txt") for line in lines(name)[::3]]
    compiled.clear()
    before = [understanding.read(words) for words in said[::2]]
    assert compiled
    understanding.warm()
    compiled.clear()
    assert [understanding.read(words) for words in said][::2] == before
    assert compiled == []


@pytest.mark.parametrize(
    ("text", "intent"), [("3号楼着火了\ud83d快来人", "emergency"), ("3号楼路灯坏了\ud83d三天没人管", "hazard")]
)
def test_half_a_character_hides_nothing_beside_it(text: str, intent: str) -> None:
    understanding = library().understanding
    meaning = understanding.read(text, hint=understanding.glance(text))
    assert (meaning.intent, meaning.places[0].text) == (intent, "3号楼")


# --- the writer ---


@pytest.fixture
async def inbox(tmp_path: Path) -> AsyncIterator[tuple[Inbox, Writer]]:
    writer = open_writer(f"sqlite:///{tmp_path}/qianshao.db")
    senses = Senses(lambda words: Hint(report=True), lambda words: None, lambda words: False)
    lanes: Lanes[Job] = Lanes(_nothing)
    opened = Inbox(writer, Sealer(tmp_path / "key"), senses, lanes, Mind(), Clock(), timedelta(minutes=2))
    await opened.take(said("第一条"))
    yield opened, writer
    writer.close()


async def _nothing(job: Job) -> None:
    """Nobody works here."""


def watch(writer: Writer) -> list[tuple[str, int]]:
    """Every statement that the writer's connection runs from now on, with its thread."""
    seen: list[tuple[str, int]] = []
    writer._raw.set_trace_callback(lambda sql: seen.append((sql.partition(" ")[0], threading.get_ident())))
    return seen


async def test_a_lone_report_is_committed_without_changing_threads(
    inbox: tuple[Inbox, Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    # a disk that is slow today would send it to the writer's thread, which is right, and not the subject here
    monkeypatch.setattr("storage.writer.SLOW_COMMIT_SECONDS", 1e9)
    statements = watch(inbox[1])
    for number in range(1, 21):
        await inbox[0].take(said("着火了", number))
    assert [verb for verb, _ in statements] == ["BEGIN", "INSERT", "COMMIT"] * 20
    assert {thread for _, thread in statements} == {threading.get_ident()}


async def test_fifty_at_once_share_commits(inbox: tuple[Inbox, Writer]) -> None:
    statements = watch(inbox[1])
    await asyncio.gather(*(inbox[0].take(said("着火了", number)) for number in range(1, 51)))
    verbs = [verb for verb, _ in statements]
    assert verbs.count("COMMIT") <= 5
    assert verbs.count("INSERT") <= 5  # the interpreter is given away and won back around each
    assert await inbox[1].read(lambda session: session.exec(select(func.count()).select_from(InboxEvent)).one()) == 51


async def test_units_of_work_share_commits_too(inbox: tuple[Inbox, Writer]) -> None:
    statements = watch(inbox[1])
    inside, gate = threading.Event(), threading.Event()
    first = asyncio.create_task(inbox[1].run(lambda session: (inside.set(), gate.wait())))
    assert await asyncio.to_thread(inside.wait, 60)
    rest = [asyncio.create_task(inbox[1].run(lambda session: None)) for _ in range(40)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(first, *rest)
    assert [verb for verb, _ in statements].count("COMMIT") == 2


# --- the start ---


@pytest.mark.parametrize(
    "module", ["alembic", "PIL", "jieba", "psycopg", "sklearn", "aiosqlite", "pytest", "playwright", "mako", "setuptools"]
)
def test_the_bot_is_loaded_without(module: str, loaded: Callable[[], frozenset[str]]) -> None:
    assert module not in loaded()


@pytest.fixture(scope="session")
def loaded() -> Callable[[], frozenset[str]]:
    """The top-level modules that are there once the bot has been imported in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", "import bot.app, sys; print(*{name.partition('.')[0] for name in sys.modules})"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = frozenset(done.stdout.split())
    return lambda: found

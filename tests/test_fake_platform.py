"""The scripted platform keeps its word: what other tests conclude rests on it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from bot.errors import AnswerLost, NeverDelivered, RefusedInput, RetryLater
from bot.messages import Address, Choice, Inbound, Kind, Location, Outbound, Quote, Sender
from bot.platforms.base import Adapter, Capabilities
from tests.kit.fake_platform import FakePlatform, Hang, Lost

ROOT = Path(__file__).parents[1]
GROUP = Address("web", "main", "g1")


class Ears:
    def __init__(self) -> None:
        self.taken: list[str] = []

    async def take(self, event: Inbound) -> None:
        self.taken.append(event.event_id)

    async def quarantine(self, platform: str, account: str, event_id: str, raw: bytes, why: str) -> None: ...


def test_it_is_an_adapter() -> None:
    adapter: Adapter = FakePlatform()
    assert not adapter.health().listening


async def test_faults_come_in_their_order_and_chat() -> None:
    platform = FakePlatform()
    platform.fail(RetryLater(1), Lost(delivered=True), Lost(delivered=False), ValueError("bug"))
    platform.fail(NeverDelivered("no"), chat="g2")
    for kind in (RetryLater, AnswerLost, AnswerLost, ValueError):
        with pytest.raises(kind):
            await platform.send(GROUP, Outbound("k", "x"))
    with pytest.raises(NeverDelivered):
        await platform.send(Address("web", "main", "g2"), Outbound("k2", "y"))
    await platform.send(GROUP, Outbound("k3", "z"))
    assert platform.texts() == ["x", "z"]
    assert len(platform.attempts) == 6


async def test_a_hanging_send_never_ends() -> None:
    platform = FakePlatform()
    platform.fail(Hang(delivered=True))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(platform.send(GROUP, Outbound("k", "x")), 0.01)
    assert platform.texts() == ["x"]


async def test_keys_are_recognised_where_the_platform_can() -> None:
    once, twice = FakePlatform(can=Capabilities(exactly_once=True)), FakePlatform()
    for platform in (once, twice):
        first = await platform.send(GROUP, Outbound("k", "x"))
        second = await platform.send(GROUP, Outbound("k", "x"))
        assert (first.message_id == second.message_id) == platform.can.exactly_once
    assert (len(once.arrived), len(twice.arrived)) == (1, 2)


async def test_photos() -> None:
    platform = FakePlatform()
    event = platform.say("张阿姨", "g1", photo=b"12345")
    (photo,) = event.attachments
    assert await platform.fetch(photo, 5) == b"12345"
    with pytest.raises(RefusedInput):
        await platform.fetch(photo, 4)


async def test_a_message_of_another_account_is_a_mistake_of_the_bot() -> None:
    with pytest.raises(AssertionError):
        await FakePlatform().send(Address("web", "other", "g1"), Outbound("k", "x"))


def test_history_and_unconfirmed_events_survive_sigkill(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    first = FakePlatform(path=path)
    said = first.say(
        Sender("u1", "张阿姨", personal=False),
        Address("web", "main", "g1", private=True, thread="3"),
        "你好\n第二行\u2028第三行",
        kind=Kind.EDIT,
        quote=Quote("m1", "前文", mine=True),
        location=Location(31.9, 121.2, "港新路"),
        photo=b"\xff\xd8",
        mentions_me=True,
    )
    unheard = [first.say("b", "g1", f"m{i}") for i in range(3)]
    code = """
        import asyncio, os, signal, sys
        from pathlib import Path
        from bot.messages import Address, Choice, Outbound
        from tests.kit.fake_platform import FakePlatform
        platform = FakePlatform(path=Path(sys.argv[1]))
        class Ears:
            count = 0
            async def take(self, event):
                self.count += 1
                if self.count == 3:
                    await platform.send(Address("web", "main", "g1"), Outbound("k", "答复", choices=(Choice("好", "1"),)))
                    os.kill(os.getpid(), signal.SIGKILL)
        asyncio.run(platform.listen(Ears()))
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(path)]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == -signal.SIGKILL
    again = FakePlatform(path=path)
    assert again.heard[said.event_id] == said
    assert again.confirmed == [said.event_id, unheard[0].event_id]
    assert again.unconfirmed == [unheard[1].event_id, unheard[2].event_id]
    assert again.deliveries == [said.event_id, unheard[0].event_id, unheard[1].event_id]
    assert [(a.what.key, a.what.text, a.what.choices) for a in again.arrived] == [("k", "答复", (Choice("好", "1"),))]
    assert again.photos == {"photo-1": b"\xff\xd8"}


async def test_the_unconfirmed_is_delivered_again() -> None:
    platform, ears = FakePlatform(), Ears()
    platform.say("a", "g1", "x")
    platform.confirm_lost = True
    for _ in range(2):
        task = asyncio.create_task(platform.listen(ears))
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    assert ears.taken == ["e1", "e1"]
    platform.confirm_lost = False
    task = asyncio.create_task(platform.listen(ears))
    await asyncio.wait_for(platform.all_confirmed(), 60)
    task.cancel()
    await asyncio.wait([task])

"""The connection is never given up: killed, frozen, refused, without a login; every time without one is written down."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime

import pytest
from sqlmodel import Session, select

from bot.messages import Kind
from bot.platforms.wechat import Gap, WechatSettings
from bot.platforms.wechat.client import Lost, Told
from bot.platforms.wechat.client import Puppet as Client
from bot.platforms.wechat.stream import Stream
from storage.tables import WechatAccount, WechatGap
from tests.kit.ports import HeldPort
from tests.kit.puppet import TOKEN, quick
from tests.platforms.wechat.conftest import ROOM, Line, until

pytestmark = [pytest.mark.timeout(600), pytest.mark.filterwarnings("ignore::storage.database.OldLibrary")]

ROUNDS = int(os.environ.get("QIANSHAO_PUPPET_ROUNDS", "50"))
LIFE = {"first_wait": WechatSettings("h:1", "t").first_wait, "longest_wait": WechatSettings("h:1", "t").longest_wait}
IMPATIENT = {"ding_seconds": 0.05, "dead_seconds": 0.4, "connect_seconds": 2.0, "call_seconds": 5.0}


def gaps(session: Session) -> list[tuple[float, str]]:
    rows = session.exec(select(WechatGap).order_by(WechatGap.id)).all()  # type: ignore[arg-type]
    return [((row.to_at - row.from_at).total_seconds(), row.why) for row in rows]


def alive(session: Session) -> bool:
    return session.exec(select(WechatAccount.alive_at)).first() is not None


async def test_killed_and_frozen_again_and_again(line: Line) -> None:
    """Each time: noticed, mended, one gap written down; what is said before and after is heard once, in order."""
    puppet = line.puppet
    told: list[Gap] = []
    tried: list[str] = []

    async def on_gap(gap: Gap) -> None:
        told.append(gap)

    async with line.platform({"on_gap": on_gap}, **IMPATIENT) as platform:
        for number in range(ROUNDS):
            await hear(line, f"第{number}轮之前说的", tried, told)
            kill = number % 8 == 0
            if kill:
                puppet.prepare()
            before, broken = len(told), datetime.now(UTC)
            if kill:
                puppet.kill()
            else:
                puppet.freeze()
            await until(lambda: not platform.health().listening and platform.health().last_error != "")
            noticed = datetime.now(UTC)
            if kill:
                await puppet.revive()
            else:
                puppet.thaw()
            await until(lambda before=before: len(told) > before and platform.health().listening)  # type: ignore[misc]
            # a sign of life that was on its way may still come in after the moment of breaking
            assert any(gap.from_at <= noticed and broken <= gap.to_at for gap in told[before:])
            await hear(line, f"第{number}轮之后说的", tried, told)
        assert line.heard() == [words for words in tried if words in line.heard()]  # once, in order
        assert [event.kind for event in line.feed.taken].count(Kind.JOINED) == 1
    found = line.writer.read_now(gaps)
    assert len(found) == len(told) >= ROUNDS
    assert all(seconds > 0 for seconds, _ in found)
    assert all(earlier.to_at <= later.from_at for earlier, later in itertools.pairwise(told))
    assert {"the connection broke", "no sign of life for 0 s"} & {why for _, why in found}


async def hear(line: Line, words: str, tried: list[str], told: list[Gap]) -> None:
    """Somebody says something and it is heard; only what falls into a gap that is owned up to may have to be said again."""
    said: list[str] = []
    while not any(one in line.heard() for one in said):
        gaps_before = len(told)
        said.append(words + "，又说一遍" * len(said))
        tried.append(said[-1])
        await line.puppet.say("张阿姨", ROOM, said[-1])
        await until(lambda: any(one in line.heard() for one in said) or len(told) > gaps_before)  # noqa: B023


async def test_a_control_without_the_heartbeat_a_frozen_service_passes_for_a_quiet_one(line: Line) -> None:
    async with line.platform(**{**IMPATIENT, "dead_seconds": 1000.0}) as platform:
        line.puppet.freeze()
        await asyncio.sleep(1.5)  # three times what the test above waits for
        assert platform.health().listening
        line.puppet.thaw()


async def test_a_stream_that_ends_is_a_failure_too(line: Line) -> None:
    async with line.platform() as platform:
        await line.puppet.say("张阿姨", ROOM, "还在")
        await line.feed.until(lambda: "还在" in line.heard())
        somebody = Client(quick(line.puppet.port), asyncio.Semaphore(1))
        await somebody._stub.stop()  # the service ends the stream in good order
        somebody.close()
        await until(lambda: len(line.writer.read_now(gaps)) == 1 and platform.health().listening)
        await line.puppet.say("张阿姨", ROOM, "又在了")
        await line.feed.until(lambda: "又在了" in line.heard())


async def test_a_payload_under_way_when_the_connection_breaks_is_fetched_over_the_next_one(line: Line) -> None:
    async with line.platform():
        await line.puppet.fault("messagePayload", delay=600)
        await line.puppet.say("张阿姨", ROOM, "断线时说的")
        async with asyncio.timeout(60):
            while not (await line.puppet.calls())[0].get("messagePayload"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await line.puppet.deed("hangup")
        await line.feed.until(lambda: "断线时说的" in line.heard())
        assert line.heard() == ["断线时说的"]


async def test_a_restart_of_the_bot_is_a_gap_and_the_first_start_is_none(line: Line) -> None:
    async with line.platform():
        await until(lambda: line.writer.read_now(alive))  # an account that has never been there has missed nothing
        assert line.writer.read_now(gaps) == []
    async with line.platform() as platform:
        await until(lambda: platform.last_gap is not None)
        [(seconds, why)] = line.writer.read_now(gaps)
        assert seconds > 0
        assert why == "the bot was not running"
        assert "what was written then is gone" in platform.health().last_error


async def test_without_a_login_nothing_is_heard_and_the_operator_reads_what_to_do(line: Line) -> None:
    async with line.platform() as platform:
        await line.puppet.deed("logout")
        await until(lambda: not platform.health().listening)
        assert "scan the code" in platform.health().last_error
        await line.puppet.deed("login")
        await until(lambda: platform.health().listening)
        await until(lambda: len(line.writer.read_now(gaps)) == 1)  # a time without a login is a gap like any other


async def test_the_wrong_token_is_told_and_never_repeated(line: Line, capfd: pytest.CaptureFixture[str]) -> None:
    async with line.vain(token="wrong-" + TOKEN) as platform:
        await until(lambda: "does not know wechat.token" in platform.health().last_error)
        assert not platform.health().listening
    out, err = capfd.readouterr()
    assert "does not know wechat.token" in out + err
    assert TOKEN not in out + err  # the service's answer quotes it


async def test_a_second_program_with_the_same_account_is_named(line: Line, capfd: pytest.CaptureFixture[str]) -> None:
    async with line.platform(), line.vain() as second:
        await until(lambda: "another program listens" in second.health().last_error)
        assert not second.health().listening
    out, _ = capfd.readouterr()
    assert "another program listens" in out


async def test_nobody_there_is_tried_again_and_again_within_two_seconds(line: Line) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0.001)

    given = {"sleep": sleep}
    with HeldPort() as port:
        async with line.vain(given, endpoint=f"127.0.0.1:{port}", **LIFE) as platform:
            await until(lambda: len(waits) > 10)
            assert not platform.health().listening
    assert all(0.1 <= wait <= 2.0 for wait in waits)
    assert len({round(wait, 3) for wait in waits[5:]}) > 3  # jittered: many bots do not come back in step


class Silent:
    """A connection whose stream opens and then says nothing."""

    def __init__(self) -> None:
        self.dings = 0

    async def events(self, opened: Callable[[], None]) -> AsyncGenerator[Told, None]:
        opened()
        await asyncio.Event().wait()
        yield Told(0, "")

    async def ding(self, _: str) -> None:
        self.dings += 1


async def test_a_silent_stream_is_declared_dead_after_thirty_seconds() -> None:
    now, puppet = 0.0, Silent()

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        await asyncio.sleep(0)

    async def ignore(_: Told) -> None:
        return None

    settings = quick(1, ding_seconds=10.0, dead_seconds=30.0)
    stream = Stream(puppet, settings, lambda: None, ignore, lambda: now, sleep)  # type: ignore[arg-type]
    with pytest.raises(Lost, match="no sign of life for 30 s"):
        await stream.run()
    assert 30.0 < now <= 40.0
    assert puppet.dings >= 3


async def test_the_last_sign_of_life_is_kept_now_and_then(line: Line) -> None:
    async with line.platform():
        await until(
            lambda: line.writer.read_now(lambda session: session.exec(select(WechatAccount.alive_at)).first()) is not None
        )

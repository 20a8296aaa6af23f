"""Files by address: only from hosts that the settings name, and never from an address that is not public."""

from __future__ import annotations

import base64
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.errors import RefusedInput, RetryLater
from bot.messages import Attachment
from bot.platforms.wechat.client import Lost, NoConnection
from bot.platforms.wechat.files import PublicOnly, TooLarge, allowed, download, from_base64, gather, is_public, read_box
from tests.platforms.wechat.conftest import ROOM, Line

pytestmark = [pytest.mark.timeout(60), pytest.mark.filterwarnings("ignore::storage.database.OldLibrary")]

NOT_OURS = [
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.5.5", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1",
    "255.255.255.255", "192.0.0.8", "198.18.0.1", "240.0.0.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::",
    "2001:db8::1", "not an address", "",
]  # fmt: skip

FORMS = [
    "http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/", "http://0/",
    "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://localhost/", "http://LOCALHOST./", "http://10.0.0.1/",
    "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "gopher://files.example.cn/", "ftp://files.example.cn/",
    "http://files.example.cn@127.0.0.1/", "http://user:pass@files.example.cn/", "http://files.example.cn:22/",
    "http://files.example.cn.evil.cn/", "http://evil.cn/#files.example.cn", "http://evil.cn/?files.example.cn",
    "//files.example.cn/", "http:/files.example.cn/", "http://", "", "javascript:alert(1)", "http://files.example.cn:99999/",
    "http://xn--/", "http://*.example.cn/", "data:image/png;base64,AAAA",
]  # fmt: skip


@pytest.mark.parametrize("address", NOT_OURS)
def test_what_is_no_public_address(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "114.114.114.114", "2400:3200::1", "64:ff9b::101:101"])
def test_what_is_one(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("url", FORMS)
def test_an_address_that_is_not_on_the_list_is_not_fetched(url: str) -> None:
    assert not allowed(url, ("files.example.cn", "*.cdn.example.cn"))


def test_an_address_on_the_list_is() -> None:
    hosts = ("files.example.cn", "*.cdn.example.cn")
    for url in ("https://files.example.cn/a", "http://FILES.example.cn:80/a", "https://a.b.cdn.example.cn:443/x"):
        assert allowed(url, hosts)
    assert not allowed("https://cdn.example.cn/", hosts)
    assert not allowed("https://files.example.cn/", ())


class Fixed(AbstractResolver):
    """A name server that says what a test wants, each time something else."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [ResolveResult(hostname=host, host=one, port=port, family=family, proto=0, flags=0) for one in found]

    async def close(self) -> None:
        return None


@asynccontextmanager
async def trap() -> AsyncIterator[tuple[int, list[str]]]:
    """A server on loopback that must not be reached."""
    reached: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        reached.append(request.path)
        if request.path == "/away":
            raise web.HTTPFound("http://127.0.0.1/secret")
        return web.Response(body=b"x" * 5000)

    app = web.Application()
    app.router.add_get("/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1], reached
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("answers", [["127.0.0.1"], ["1.1.1.1", "127.0.0.1"], ["::1"], ["10.0.0.7"], []])
async def test_a_named_host_that_leads_home_is_not_asked(answers: list[str]) -> None:
    async with trap() as (port, reached):
        with pytest.raises(OSError):
            await download(f"http://files.example.cn:{port}/secret", 10_000, PublicOnly(Fixed(answers)))
        assert reached == []


async def test_a_name_that_changes_its_mind_is_looked_up_once() -> None:
    """Public when it is looked at, loopback a moment later: the connection goes to what was looked at, or nowhere."""
    async with trap() as (port, reached):
        inner = Fixed(["127.0.0.1"], ["1.1.1.1"])
        with pytest.raises(OSError):
            await download(f"http://files.example.cn:{port}/secret", 10_000, PublicOnly(inner))
        assert reached == []


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "[::1]"])
async def test_an_address_written_as_a_number_is_not_even_resolved(host: str) -> None:
    async with trap() as (port, reached):
        with pytest.raises(NoConnection):
            await download(f"http://{host}:{port}/secret", 10_000)
        assert reached == []


async def test_size_and_redirects_are_bounded() -> None:
    """The same server, reached through a resolver that pretends that it is fine: what else protects us."""
    async with trap() as (port, reached):
        here = Fixed(["127.0.0.1"])
        assert len(await download(f"http://files.example.cn:{port}/a", 5000, here)) == 5000
        with pytest.raises(TooLarge):
            await download(f"http://files.example.cn:{port}/a", 4999, here)
        with pytest.raises(NoConnection):
            await download(f"http://files.example.cn:{port}/away", 5000, here)
        assert "/secret" not in reached


def test_a_box_that_is_none() -> None:
    assert read_box("{") == read_box("[]") == {}


def test_base64_is_bounded_and_strict() -> None:
    text = base64.b64encode(b"x" * 100).decode()
    assert from_base64(text, 100) == b"x" * 100
    with pytest.raises(TooLarge):
        from_base64(text, 99)
    with pytest.raises(TooLarge):
        from_base64("A" * 4_000_000, 99)
    with pytest.raises(Lost):
        from_base64("***=", 100)


async def test_pieces_without_end_are_cut_off() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000

    with pytest.raises(TooLarge):
        await gather(endless(), 10_000)


async def test_a_file_by_address_is_fetched_by_the_service_and_by_nobody_else(line: Line) -> None:
    """The puppet gives a FileBox of an address on loopback: the service itself may fetch it, we do not."""
    async with trap() as (port, reached), line.platform() as platform:
        url = {"url": f"http://127.0.0.1:{port}/photo.jpg", "name": "photo.jpg"}
        await line.puppet.say("张阿姨", ROOM, sort="image", file=url)
        await line.feed.until(lambda: len(line.feed.taken) == 2)
        attachment = line.feed.taken[1].attachments[0]
        assert await platform.fetch(attachment, 10_000) == b"x" * 5000
        fetched = len(reached)
        assert fetched >= 1  # by the service, from where it stands
        with pytest.raises(RefusedInput, match=r"photo\.too_large"):
            await platform.fetch(attachment, 4000)

    async with line.platform(file_hosts=("127.0.0.1",), fetch_seconds=4.0) as platform:
        gone = {"url": f"http://127.0.0.1:{port}/photo.jpg", "name": "photo.jpg"}  # the service cannot have it any more
        await line.puppet.say("张阿姨", ROOM, sort="image", file=gone, message_id="gone")
        with pytest.raises((RefusedInput, RetryLater)):
            await platform.fetch(Attachment("image:gone", "photo"), 10_000)

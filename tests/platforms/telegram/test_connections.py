"""Our own way over HTTP against a server that does as it is told: what arrives, what does not, and what nobody knows."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from telegram.error import TelegramError

from bot.platforms.telegram import connection as connection_module
from bot.platforms.telegram import request as request_module
from bot.platforms.telegram.failures import NoAnswer, NotSent, TooLarge
from bot.platforms.telegram.request import ApiRequest
from bot.platforms.telegram.sending import Sent
from tests.kit import certificates

Act = Callable[["Line"], Awaitable[None]]


class Line:
    """A connection as the server has it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.open = True

    async def read(self) -> bytes:
        """One whole request; nothing when the client has gone."""
        loop, come = asyncio.get_running_loop(), b""
        while (end := come.find(b"\r\n\r\n")) < 0 or len(come) < end + 4 + int(_field(come[:end], b"content-length") or 0):
            with contextlib.suppress(ConnectionError):
                if part := await loop.sock_recv(self.sock, 65536):
                    come += part
                    continue
            return b""
        return come

    async def write(self, *parts: bytes) -> None:
        for part in parts:
            await asyncio.get_running_loop().sock_sendall(self.sock, part)
            await asyncio.sleep(0)

    def close(self) -> None:
        """At once, so that the client finds it before its event loop has turned."""
        self.open = False
        self.sock.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Only from within an act: nobody may be waiting for this socket."""
        self.open = False
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Peer:
    """Meets the next requests with `acts`, one each, then answers everything."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.requests: list[bytes] = []
        self.lines: list[Line] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.setblocking(False)
        self.port = self._listening.getsockname()[1]

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._tasks.add(asyncio.create_task(self._accept()))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for line in self.lines:
            line.sock.close()
        self._listening.close()

    async def _accept(self) -> None:
        while True:
            sock, _ = await asyncio.get_running_loop().sock_accept(self._listening)
            sock.setblocking(False)
            self.lines.append(Line(sock))
            self._tasks.add(asyncio.create_task(self._serve(self.lines[-1])))

    async def _serve(self, line: Line) -> None:
        while line.open and (request := await line.read()):
            self.requests.append(request)
            act = self.acts.pop(0) if self.acts else answers(len(self.requests))
            await act(line)


def _field(head: bytes, name: bytes) -> bytes | None:
    for row in head.split(b"\r\n")[1:]:
        if row.lower().startswith(name + b":"):
            return row.partition(b":")[2].strip()
    return None


def body(number: int) -> bytes:
    return b'{"ok": true, "result": {"message_id": %d}}' % number


def whole(number: int, *fields: bytes, status: bytes = b"200 OK") -> bytes:
    rows = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body(number)), *fields]
    return b"\r\n".join([*rows, b"", body(number)])


def answers(number: int) -> Act:
    return lambda line: line.write(whole(number))


def writes(*parts: bytes, then: str = "") -> Act:
    """These bytes, each by itself, and then "close", "reset" or nothing."""

    async def act(line: Line) -> None:
        await line.write(*parts)
        if then:
            getattr(line, then)()

    return act


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    made = Peer()
    made.start()
    yield made
    await made.stop()


Forward = Callable[[float], Awaitable[None]]


@pytest.fixture
async def forward(monkeypatch: pytest.MonkeyPatch) -> Forward:
    """Lets so many seconds pass by the event loop's clock, and what rings then ring."""
    loop, ahead = asyncio.get_running_loop(), 0.0
    real = loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + ahead)

    async def move(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds
        for _ in range(5):
            await asyncio.sleep(0)

    return move


@contextlib.asynccontextmanager
async def pool(connections: int = 2, read: float = 20.0, connect: float = 20.0) -> AsyncIterator[ApiRequest]:
    made = ApiRequest(connections=connections, read=read, connect=connect, proxies=False)
    await made.initialize()
    try:
        yield made
    finally:
        await made.shutdown()


async def say(made: ApiRequest, root: str, words: str = "收到") -> int:
    return (await made.ask(f"{root}/bot1:x/sendMessage", {"chat_id": -1, "text": words}, Sent)).message_id


async def test_one_after_the_other_goes_over_the_same_connection(peer: Peer) -> None:
    async with pool() as made:
        assert [await say(made, peer.root) for _ in range(5)] == [1, 2, 3, 4, 5]
    assert len(peer.lines) == 1
    head, _, sent = peer.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /bot1:x/sendMessage HTTP/1.1\r\n")
    assert _field(head, b"host") == b"127.0.0.1:%d" % peer.port
    assert _field(head, b"content-type") == b"application/json"
    assert sent == '{"chat_id":-1,"text":"收到"}'.encode()


async def test_no_more_connections_than_the_pool_has(peer: Peer) -> None:
    async with pool(3) as made:
        found = await asyncio.gather(*(say(made, peer.root) for _ in range(40)))
    assert sorted(found) == list(range(1, 41))
    assert len(peer.lines) == 3


CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'9;x=y\r\n{"ok": tr\r\n21\r\nue, "result": {"message_id": 7}}\n\r\n0\r\nX: y\r\n\r\n'
)


@pytest.mark.parametrize(
    ("act", "kept"),
    [
        (writes(*(whole(7)[i : i + 1] for i in range(len(whole(7))))), True),
        (writes(*(CHUNKED[i : i + 1] for i in range(len(CHUNKED)))), True),
        (writes(CHUNKED), True),
        (writes(b"HTTP/1.1 100 Continue\r\n\r\n" + whole(7)), True),
        (writes(whole(7, b"Connection: close"), then="close"), False),
        (writes(whole(7, b"Connection: close")), False),
        (writes(b"HTTP/1.0 200 OK\r\n\r\n", body(7), then="close"), False),
        (writes(b"HTTP/1.1 200 OK\r\n\r\n", body(7), then="close"), False),
        (writes(whole(7) + whole(8)), False),
    ],
)
async def test_an_answer_in_every_form(peer: Peer, act: Act, kept: bool) -> None:
    peer.acts = [act]
    async with pool() as made:
        assert await say(made, peer.root) == 7
        assert await say(made, peer.root) == 2
    assert len(peer.lines) == (1 if kept else 2)


@pytest.mark.parametrize(
    "act",
    [
        writes(then="close"),
        writes(then="reset"),
        writes(b"HTTP/1.1 200", then="close"),
        writes(whole(7)[:-9], then="close"),
        writes(whole(7)[:-9], then="reset"),
        writes(CHUNKED[:-5], then="close"),
        writes(b"HTTP/1.1 200 OK\r\n\r\n", body(7)[:-1], then="close"),
        writes(b"HTTP/1.1 200 OK\r\n\r\n", body(7)[:-1], then="reset"),
        writes(b"220 mail.example ESMTP\r\n"),
        writes(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"),
        writes(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
        writes(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
        writes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n"),
        writes(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        writes(whole(7, b"Content-Encoding: gzip")),
    ],
)
@pytest.mark.parametrize("used", [False, True])
async def test_nobody_knows_and_nothing_is_said_twice(peer: Peer, act: Act, used: bool) -> None:
    peer.acts = [answers(1)] * used + [act]
    async with pool() as made:
        if used:
            await say(made, peer.root)
        with pytest.raises(NoAnswer):
            await say(made, peer.root)
        assert len(peer.requests) == 1 + used
        assert await say(made, peer.root) == 2 + used
    assert len(peer.lines) == 2


async def test_a_connection_that_was_closed_meanwhile_is_not_used(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "LOOK_AGAIN_SECONDS", 0.0)
    async with pool() as made:
        assert await say(made, peer.root) == 1
        peer.lines[0].close()  # and our event loop has not heard of it
        assert await say(made, peer.root) == 2
        peer.lines[1].close()
        await until(lambda: not made_connections(made))  # now it hears
        assert await say(made, peer.root) == 3
    assert len(peer.requests) == 3


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while True:
            if true():
                return
            await asyncio.sleep(0)


def made_connections(made: ApiRequest) -> int:
    return sum(len(way._all) for way in made._ways.values())  # type: ignore[union-attr]


async def test_what_nobody_asked_for_is_nobodys_answer(peer: Peer) -> None:
    async with pool() as made:
        assert await say(made, peer.root) == 1
        await peer.lines[0].write(whole(99, status=b"408 Request Timeout"))
        await until(lambda: not made_connections(made))
        assert await say(made, peer.root) == 2


async def test_patience_with_an_answer_ends(peer: Peer, forward: Forward) -> None:
    peer.acts = [writes(whole(7)[:20])]
    async with pool(read=20.0) as made:
        asked = asyncio.create_task(say(made, peer.root))
        await until(lambda: bool(peer.requests))
        await forward(21)
        with pytest.raises(NoAnswer):
            await asked
    async with pool() as made:  # its answer would come now: nobody may get it
        assert await say(made, peer.root) == 2


async def test_a_longer_patience_is_not_cut_short_by_an_earlier_one(peer: Peer, forward: Forward) -> None:
    answer = asyncio.Event()

    async def late(line: Line) -> None:
        await answer.wait()
        await line.write(whole(7))

    peer.acts = [answers(1), late]
    async with pool(read=20.0) as made:
        await say(made, peer.root)
        slow = asyncio.create_task(made.call(f"{peer.root}/bot1:x/getUpdates", {}, 60.0))
        await until(lambda: len(peer.requests) == 2)
        await forward(30)  # longer than the patience of the first
        answer.set()
        assert await slow == {"message_id": 7}


async def test_no_place_is_certainly_not_sent(peer: Peer, forward: Forward) -> None:
    peer.acts = [writes()]
    async with pool(1, read=60.0, connect=20.0) as made:
        first = asyncio.create_task(say(made, peer.root))
        await until(lambda: bool(peer.requests))
        second = asyncio.create_task(say(made, peer.root))
        await asyncio.sleep(0)
        await forward(21)
        with pytest.raises(NotSent):
            await second
        assert len(peer.requests) == 1
        await made.shutdown()
        with pytest.raises(NoAnswer):
            await first
        with pytest.raises(NotSent):
            await say(made, peer.root)
    assert len(peer.requests) == 1


async def test_who_gives_up_takes_the_connection_with_him(peer: Peer) -> None:
    peer.acts = [writes()]
    async with pool(1) as made:
        given_up = asyncio.create_task(say(made, peer.root))
        waits = asyncio.create_task(say(made, peer.root))
        await until(lambda: bool(peer.requests))
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        with contextlib.suppress(OSError):
            await peer.lines[0].write(whole(99))
        assert await waits == 2  # its own, over a connection of its own
    assert len(peer.lines) == 2


async def test_who_gives_up_waiting_loses_nobodys_place(peer: Peer) -> None:
    peer.acts = [writes()]
    async with pool(1) as made:
        first = asyncio.create_task(say(made, peer.root))
        await until(lambda: bool(peer.requests))
        others = [asyncio.create_task(say(made, peer.root)) for _ in range(3)]
        await asyncio.sleep(0)
        await peer.lines[0].write(whole(50))
        assert await first == 50
        others[0].cancel()  # it may have been given the connection in this very moment
        assert sorted(await asyncio.gather(*others[1:])) == sorted(range(2, 2 + len(peer.requests) - 1))[-2:]
        assert await say(made, peer.root) == len(peer.requests)
    assert len(peer.lines) <= 2


async def test_no_connection_is_certainly_not_sent() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        async with pool() as made:
            for root in (
                f"http://127.0.0.1:{nobody.getsockname()[1]}",
                "http://no-such-host.invalid",
            ):
                with pytest.raises(NotSent) as told:
                    await say(made, root)
                assert "bot1:x" not in str(told.value)
                assert root.partition("//")[2] not in str(told.value)


async def test_a_server_that_never_finishes_its_greeting_is_not_waited_for(peer: Peer) -> None:
    async with pool(connect=0.1) as made:
        with pytest.raises(NotSent):
            await say(made, "https://" + peer.root[7:])  # it waits for a request, and gets the beginning of TLS


async def test_a_request_that_broke_off_half_way_may_have_arrived(peer: Peer) -> None:
    async def resets(line: Line) -> None: ...

    async def reads_little(line: Line) -> bytes:
        await asyncio.get_running_loop().sock_recv(line.sock, 1000)
        line.reset()
        return b""

    async with pool() as made:
        await say(made, peer.root)
        peer.lines[0].read = lambda: reads_little(peer.lines[0])  # type: ignore[method-assign]
        peer.acts = [answers(1), resets]
        await say(made, peer.root)  # the read before was waited for already
        with pytest.raises(NoAnswer):
            await say(made, peer.root, "字" * 3_000_000)


@pytest.mark.parametrize(
    "act",
    [
        writes(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"),
        writes(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3e8\r\n" + b"x" * 1000 + b"\r\n", b"3e8\r\n" + b"x" * 1000
        ),
        writes(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 600, b"x" * 600),
        writes(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000),
        writes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * 70_000),
    ],
)
async def test_an_answer_without_end_is_cut(peer: Peer, act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_module, "MOST_ANSWER_BYTES", 1000)
    peer.acts = [act]
    async with pool() as made:
        with pytest.raises(TelegramError) as told:
            await say(made, peer.root)
        assert isinstance(told.value, TooLarge | NoAnswer)
        assert not isinstance(told.value, NotSent)
        assert await say(made, peer.root) == 2


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    """A server's context whose authority our side trusts."""
    made = certificates.make()
    for name, text in (("ca.pem", made.authority), ("cert.pem", made.certificate), ("key.pem", made.key)):
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    request_module._tls.cache_clear()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    yield context
    request_module._tls.cache_clear()


async def test_over_tls_with_the_hosts_own_certificate_only(trusted: ssl.SSLContext) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            while True:
                asked.append(await reader.readuntil(b"\r\n\r\n"))
                await reader.readexactly(int(_field(asked[-1], b"content-length") or 0))
                writer.write(whole(len(asked)))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=trusted)
    port = server.sockets[0].getsockname()[1]
    async with pool() as made:
        assert await say(made, f"https://127.0.0.1:{port}") == 1
        assert await say(made, f"https://127.0.0.1:{port}") == 2
        with pytest.raises(NotSent):
            await say(made, f"https://localhost:{port}")  # the certificate is another's
    assert len(asked) == 2
    server.close()

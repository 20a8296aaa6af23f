"""One call of the puppet protocol whose two messages are bytes: what grpclib's client does, without what we never use of it.

grpclib's own call keeps metadata in and out, events for listeners, deadlines in headers and statistics, which takes a third of
the time of a small call. This one speaks to the same connection one layer below, and raises the same errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping

from grpclib.client import Channel
from grpclib.const import Status
from grpclib.exceptions import GRPCError, StreamTerminatedError
from grpclib.metadata import decode_grpc_message
from grpclib.protocol import Stream
from grpclib.utils import Wrapper

_HEAD = 5  # bytes before a message: whether it is compressed, and its length
_OF_HTTP = {  # what a proxy in between means, by https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
    "401": Status.UNAUTHENTICATED,
    "403": Status.PERMISSION_DENIED,
    "404": Status.UNIMPLEMENTED,
    "429": Status.UNAVAILABLE,
    "502": Status.UNAVAILABLE,
    "503": Status.UNAVAILABLE,
    "504": Status.UNAVAILABLE,
}


class RawCalls:
    """Calls over `channel`; `metadata` goes with each of them."""

    def __init__(self, channel: Channel, metadata: Mapping[str, str]) -> None:
        self._channel = channel
        self._more = [
            (":scheme", channel._scheme),
            (":authority", channel._authority),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            *metadata.items(),
        ]

    async def ask(self, path: str, request: bytes) -> bytes:
        """The answer's bytes. Raises GRPCError, StreamTerminatedError, OSError."""
        wrapper = Wrapper()
        stream, release = await self._send(wrapper, path, request)
        try:
            with wrapper:
                return await _answer(stream)
        finally:
            if stream.closable:
                stream.reset_nowait()
            release()

    async def listen(self, path: str, request: bytes, patience: float, opened: Callable[[], None]) -> AsyncGenerator[bytes, None]:
        """The answers' bytes, one after the other. `opened` is called when the service has accepted the call, which may take
        `patience` seconds. Raises like `ask`, and TimeoutError."""
        wrapper = Wrapper()
        async with asyncio.timeout(patience):
            stream, release = await self._send(wrapper, path, request)
        try:
            async with asyncio.timeout(patience):
                with wrapper:
                    await _accepted(stream)
            opened()
            while True:
                # whoever works on an answer must not be cancelled because the connection breaks meanwhile
                with wrapper:
                    body = await _message(stream)
                if body is None:
                    break
                yield body
            with wrapper:
                _check(dict(await stream.recv_trailers()))
        except StreamTerminatedError:
            _check_terminated(stream)
            raise
        finally:
            if stream.closable:
                stream.reset_nowait()
            release()

    async def _send(self, wrapper: Wrapper, path: str, request: bytes) -> tuple[Stream, Callable[[], None]]:
        protocol = await self._channel.__connect__()
        stream = protocol.processor.connection.create_stream(wrapper=wrapper)
        # fields that begin with a colon come first
        head = [(":method", "POST"), (":path", path), *self._more]
        with wrapper:
            release = await stream.send_request(head, _processor=protocol.processor)
            try:
                await stream.send_data(b"\0" + len(request).to_bytes(4, "big") + request, end_stream=True)
            except BaseException:
                if stream.closable:
                    stream.reset_nowait()
                release()
                raise
        return stream, release


async def _answer(stream: Stream) -> bytes:
    try:
        await _accepted(stream)
        body = await _message(stream)
        _check(dict(await stream.recv_trailers()))
    except StreamTerminatedError:
        _check_terminated(stream)
        raise
    if body is None:
        raise GRPCError(Status.UNKNOWN, "an answer without content")
    return body


async def _accepted(stream: Stream) -> None:
    """The head of the answer. Raises GRPCError when it is all that comes."""
    headers = dict(await stream.recv_headers())
    if headers.get(":status") != "200":
        raise GRPCError(_OF_HTTP.get(headers.get(":status", ""), Status.UNKNOWN), f"status {headers.get(':status')}")
    if "grpc-status" in headers:
        _check(headers)
        raise GRPCError(Status.UNKNOWN, "an answer without content")


async def _message(stream: Stream) -> bytes | None:
    """The next message; None after the last one."""
    front = await stream.recv_data(_HEAD)
    if not front:
        return None
    if front[0]:
        raise GRPCError(Status.UNIMPLEMENTED, "a compressed message")
    return await stream.recv_data(int.from_bytes(front[1:], "big"))


def _check_terminated(stream: Stream) -> None:
    """A service may say why and reset the stream at once: what it said counts."""
    if stream.trailers is not None:
        _check(dict(stream.trailers))
    elif stream.headers is not None and "grpc-status" in (said := dict(stream.headers)):
        _check(said)


def _check(trailers: Mapping[str, str]) -> None:
    try:
        status = Status(int(trailers.get("grpc-status", "2")))
    except ValueError:
        status = Status.UNKNOWN
    if status is not Status.OK:
        raise GRPCError(status, decode_grpc_message(trailers.get("grpc-message", "")))

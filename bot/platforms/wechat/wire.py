"""What the puppet service says on the wire beyond what `wechaty_grpc` 0.20 knows, and what its numbers really mean.

The stub's `MessageType` names are not the ones that services use: they hand the numbers of `wechaty-puppet`'s own enumeration
through (npm `wechaty-puppet` 1.20, `src/schemas/message.ts`), so that a text arrives as 7, which the stub calls VIDEO.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import betterproto


class MessageSort(IntEnum):
    """`wechaty-puppet`'s MessageType."""

    UNKNOWN = 0
    ATTACHMENT = 1
    AUDIO = 2
    CONTACT = 3
    CHAT_HISTORY = 4
    EMOTICON = 5
    IMAGE = 6
    TEXT = 7
    LOCATION = 8
    MINI_PROGRAM = 9
    GROUP_NOTE = 10
    TRANSFER = 11
    RED_ENVELOPE = 12
    RECALLED = 13
    URL = 14
    VIDEO = 15
    POST = 16


class BoxSort(IntEnum):
    """npm `file-box`'s FileBoxType, as it stands in a FileBox written as JSON."""

    UNKNOWN = 0
    BASE64 = 1
    URL = 2
    QRCODE = 3
    BUFFER = 4
    FILE = 5
    STREAM = 6
    UUID = 7


@dataclass(eq=False, repr=False)
class LocationPayload(betterproto.Message):
    """wechaty/puppet/location.proto."""

    accuracy: float = betterproto.float_field(1)
    address: str = betterproto.string_field(2)
    latitude: float = betterproto.double_field(3)
    longitude: float = betterproto.double_field(4)
    name: str = betterproto.string_field(5)


@dataclass(eq=False, repr=False)
class LocationRequest(betterproto.Message):
    """MessageLocationRequest."""

    id: str = betterproto.string_field(1)


@dataclass(eq=False, repr=False)
class LocationResponse(betterproto.Message):
    """MessageLocationResponse."""

    location: LocationPayload = betterproto.message_field(1)  # noqa: RUF009 (betterproto's way)


@dataclass(eq=False, repr=False)
class DownloadRequest(betterproto.Message):
    """wechaty/puppet/download-upload.proto."""

    id: str = betterproto.string_field(1)


@dataclass(eq=False, repr=False)
class DownloadResponse(betterproto.Message):
    """One piece of a file."""

    chunk: bytes = betterproto.bytes_field(1)


@dataclass(eq=False, repr=False)
class Wrapped(betterproto.Message):
    """google.protobuf.StringValue."""

    value: str = betterproto.string_field(1)


@dataclass(eq=False, repr=False)
class SentResponse(betterproto.Message):
    """Every MessageSend*Response: the id stands in field 2; older services know only the wrapped field 1."""

    wrapped: Wrapped = betterproto.message_field(1)  # noqa: RUF009
    id: str = betterproto.string_field(2)

    @property
    def message_id(self) -> str:
        """The id of what was sent; empty when the service does not tell it."""
        return self.id or self.wrapped.value

"""Protocol buffers of the few messages that come and go with every line in a group, read and written by hand.

The generated classes of `wechaty_grpc` take longer to read one payload than HTTP/2 takes to bring it. Only what is used is made;
unknown fields are passed over, as the protocol wants it. The numbers of the fields are those of `wechaty/puppet/*.proto`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class Garbled(ValueError):
    """Bytes that are no message of protocol buffers."""


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields in their order: number, and an int for a varint or bytes for everything else. Raises Garbled."""
    at, end = 0, len(data)
    while at < end:
        key = data[at]
        at += 1
        if key > 0x7F:
            key, at = _varint(data, at - 1)
        sort = key & 7
        if sort == BYTES:
            if at >= end:
                raise Garbled("cut off")
            size = data[at]
            at += 1
            if size > 0x7F:
                size, at = _varint(data, at - 1)
        elif sort == VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        elif sort in (FIXED64, FIXED32):
            size = 8 if sort == FIXED64 else 4
        else:
            raise Garbled(f"wire type {sort}")
        if at + size > end:
            raise Garbled("cut off")
        yield key >> 3, data[at : at + size]
        at += size


def string(number: int, text: str) -> bytes:
    """One string field; nothing for an empty one, which is how protocol buffers write it."""
    if not text:
        return b""
    body = text.encode()
    return b"%c%s%s" % (number << 3 | BYTES, _size(len(body)), body)


def text_of(value: object) -> str:
    """A string field's text. Raises Garbled."""
    if not isinstance(value, bytes):
        raise Garbled("not a string")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Garbled("not UTF-8") from None


def number_of(value: object) -> int:
    """A varint field's number. Raises Garbled."""
    if not isinstance(value, int):
        raise Garbled("not a number")
    return value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends."""
    value = shift = 0
    for index in range(at, min(at + 10, len(data))):
        byte = data[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, index + 1
        shift += 7
    raise Garbled("cut off")


def _size(size: int) -> bytes:
    parts = bytearray()
    while size > 0x7F:
        parts.append(size & 0x7F | 0x80)
        size >>= 7
    parts.append(size)
    return bytes(parts)

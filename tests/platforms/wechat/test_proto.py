"""The hand-written reading of protocol buffers against the generated classes, and against bytes that are none."""

from __future__ import annotations

import random

import pytest
from wechaty_grpc.wechaty import puppet

from bot.platforms.wechat import proto
from bot.platforms.wechat.client import Refused, Told, _payload, _told

CHANCE = random.Random(7)
WORDS = ("", "a", "3号楼楼道有人给电动车充电", "喂" * 60, "长" * 9000, "🙂\n\0")


@pytest.mark.parametrize("number", range(40))
def test_a_payload_says_the_same_as_the_generated_class(number: int) -> None:
    pick = CHANCE.choice
    made = puppet.MessagePayloadResponse(
        id=f"m{number}",
        filename=pick(WORDS),
        text=pick(WORDS),
        timestamp=pick((0, 1, 127, 128, 1_764_000_000_123, 2**63)),
        type=pick((0, 1, 7, 16)),
        from_id=pick(WORDS),
        room_id=pick(WORDS),
        to_id=pick(WORDS),
        mention_ids=[pick(WORDS[1:]) for _ in range(number % 4)],
    )
    found = _payload("asked", bytes(made))
    assert (found.id, found.sort, found.text, found.talker, found.room) == (
        made.id,
        int(made.type),
        made.text,
        made.from_id,
        made.room_id,
    )
    assert (found.listener, found.mentions, found.stamp, found.filename) == (
        made.to_id,
        tuple(made.mention_ids),
        made.timestamp,
        made.filename,
    )


def test_the_time_of_newer_services_is_read() -> None:
    stamp = b"\x08" + bytes([0x80 | 1_764_000_000 & 0x7F]) + _rest(1_764_000_000 >> 7) + b"\x10\x80\x89\x7a"
    answer = proto.string(1, "m1") + b"\x52" + bytes([len(stamp)]) + stamp
    assert _payload("m1", answer).stamp == 1_764_000_000_002


def test_requests_are_written_as_the_generated_class_writes_them() -> None:
    for text in WORDS:
        assert proto.string(1, text) == bytes(puppet.MessagePayloadRequest(id=text))


def test_an_event_is_read_and_unknown_fields_are_passed_over() -> None:
    event = puppet.EventResponse(type=puppet.EventType(18), payload='{"messageId": "m1"}')
    assert _told(bytes(event)) == Told(18, event.payload)
    unknown = b"\x19" + b"\0" * 8 + b"\x25" + b"\0" * 4 + b"\xba\x06\x02hi"
    assert _told(unknown + bytes(event)) == Told(18, event.payload)


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_payload_that_is_cut_off_is_refused_and_never_half_read(cut: int) -> None:
    whole = bytes(puppet.MessagePayloadResponse(text="3号楼楼道有人给电动车充电", from_id="wxid", room_id="g"))
    try:
        found = _payload("m1", whole[:-cut])
    except Refused:
        return
    # protocol buffers that end between two fields are whole
    assert (found.text, found.talker, found.room) in {
        ("3号楼楼道有人给电动车充电", "wxid", ""),
        ("3号楼楼道有人给电动车充电", "", ""),
        ("", "", ""),
    }


@pytest.mark.parametrize(
    "wrong", [b"\x0b", b"\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x1a\x02\xff\xfe", b"\x18\x01"]
)
def test_garbled_bytes_are_refused(wrong: bytes) -> None:
    with pytest.raises(Refused):
        _payload("m1", wrong)
    assert _told(b"\x0b") == Told(0, "")


def _rest(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])

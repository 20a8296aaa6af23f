"""Logs: JSON lines that hold no word, name or number of a person, whoever wrote the line."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from bot.logs import OURS, mask, set_up_logs
from bot.messages import Address, Inbound, Sender

CANARIES = ("金丝雀", "13812345678", "110101199003078888", "6222 0212 3456 7890", "12345:AAEabcdefghijklmnopqrstuvwx", "hunter2")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root, names = logging.getLogger(), [*OURS, "aiohttp.access"]
    kept = root.handlers[:], root.level, [logging.getLogger(name).level for name in names], logging.raiseExceptions
    stream = io.StringIO()
    set_up_logs("debug", stream)
    yield stream
    logging.captureWarnings(False)
    root.handlers[:], root.level, logging.raiseExceptions = kept[0], kept[1], kept[3]
    for name, level in zip(names, kept[2], strict=True):
        logging.getLogger(name).setLevel(level)
    logging.getLogger("aiohttp.access").disabled = False
    structlog.reset_defaults()


def read(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_time_level_and_logger(lines: io.StringIO) -> None:
    structlog.get_logger("bot.outbox").info(
        "sent", lane=2, groups=6017, at_most=0.5, path=Path("a/b"), when=datetime(2026, 11, 23, tzinfo=UTC)
    )
    (line,) = read(lines)
    assert list(line)[:4] == ["at", "level", "logger", "event"]
    assert str(line["at"]).endswith("Z")
    assert (line["level"], line["logger"], line["event"], line["lane"], line["groups"]) == ("info", "bot.outbox", "sent", 2, 6017)
    assert (line["path"], line["when"]) == ("a/b", "2026-11-23 00:00:00+00:00")


@pytest.mark.parametrize("key", ["text", "name", "token", "phone", "bot_token", "web_password", "sender", "NAME", "result"])
def test_keys_that_carry_words_names_or_secrets_are_dropped(lines: io.StringIO, key: str) -> None:
    structlog.get_logger("bot").info("kept", **{key: "金丝雀"}, table={key: "金丝雀", "count": 3}, many=[{key: "金丝雀"}])
    assert "金丝雀" not in lines.getvalue()
    assert read(lines)[0]["table"] == {"count": 3}


@pytest.mark.parametrize("canary", CANARIES[1:5])
def test_numbers_and_secrets_are_masked_wherever_they_stand(lines: io.StringIO, canary: str) -> None:
    log = structlog.get_logger("bot")
    log.info("seen", detail="seen " + canary, problem=f"x {canary} y", nested=[(f"{canary}",)])
    if canary.isdigit():
        log.info("as a number", chat=int(canary))
    logging.getLogger("bot.x").warning("standard %s", canary)
    assert canary not in lines.getvalue()


def test_addresses_with_passwords_are_masked() -> None:
    assert mask("postgresql://user:hunter2@host/db") == "postgresql://[secret]host/db"
    assert mask("Authorization: Bearer hunter2") == "Authorization: [secret]"
    assert mask("2611-0042 on 2026-11-23 10:30, 6017 groups") == "2611-0042 on 2026-11-23 10:30, 6017 groups"
    assert mask("tel 1381-234-5678") == "tel [11 digits]"


def test_exceptions_are_told_by_type_and_place_only(lines: io.StringIO) -> None:
    try:
        try:
            raise KeyError("金丝雀 hunter2")
        except KeyError as cause:
            raise ValueError("金丝雀 13812345678") from cause
    except ValueError as error:
        structlog.get_logger("bot").error("failed", exc_info=True)
        structlog.get_logger("bot").error("failed", exc_info=error)
        logging.getLogger("aiohttp.server").exception("Error handling request")
    for line in read(lines):
        assert line["exception"] == "ValueError < KeyError"
        assert "tests/test_logs.py" in str(line["frames"])
    assert not any(canary in lines.getvalue() for canary in CANARIES)


async def test_a_lost_task_does_not_print_what_it_died_of(lines: io.StringIO) -> None:
    async def die() -> None:
        raise ValueError("金丝雀")

    task = asyncio.ensure_future(die())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_exception_handler(
        {"message": "Task exception was never retrieved", "exception": task.exception(), "task": task}
    )
    (line,) = read(lines)
    assert (line["event"], line["exception"]) == ("Task exception was never retrieved", "ValueError")
    assert "金丝雀" not in lines.getvalue()


def test_other_libraries_keep_their_template_only(lines: io.StringIO) -> None:
    logging.getLogger("sqlalchemy.engine").error("INSERT %s\nwith %s", "金丝雀", "金丝雀")
    logging.getLogger("somebody").info("金丝雀")
    (line,) = read(lines)
    assert line["event"] == "INSERT %s"
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("an old function", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)
    assert "an old function" in str(read(lines)[-1]["event"])


def test_there_is_no_access_log(lines: io.StringIO) -> None:
    logging.getLogger("aiohttp.access").error("GET /join?invite=金丝雀")
    assert lines.getvalue() == ""


def test_control_characters_become_visible(lines: io.StringIO) -> None:
    structlog.get_logger("bot").info("x", problem="\x1b[2J\r\n\u202egnp\x9b")
    assert read(lines)[0]["problem"] == "\\u001b[2J\\u000d\\u000a\\u202egnp\\u009b"
    assert not set("\x1b\r\u202e\x9b") & set(lines.getvalue())


@dataclass(frozen=True)
class Thing:
    words: str


def test_objects_are_named_by_their_type(lines: io.StringIO) -> None:
    event = Inbound("1", Address("web", "web", "g"), Sender("u", "金丝雀"), datetime.now(UTC), text="金丝雀")
    structlog.get_logger("bot").warning(
        "odd", event_seen=event, thing=Thing("金丝雀"), raw_bytes=b"abc", error=ValueError("金丝雀")
    )
    (line,) = read(lines)
    assert (line["event_seen"], line["thing"], line["error"]) == ("<Inbound>", "<Thing>", "<ValueError>")
    assert "金丝雀" not in lines.getvalue()


def test_lines_stay_short(lines: io.StringIO) -> None:
    structlog.get_logger("bot").info("long", problem="x" * 20_000)
    assert len(str(read(lines)[0]["problem"])) == 301


def test_the_level_holds_for_our_lines(lines: io.StringIO) -> None:
    set_up_logs("warning", lines)
    structlog.get_logger("bot.x").info("quiet")
    structlog.get_logger("handlers.x").warning("loud")
    assert [line["event"] for line in read(lines)] == ["loud"]

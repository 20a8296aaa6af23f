"""Logs: one JSON object a line on stderr, for machines and for whoever is on call; never what people said or who they are.

What must not be in a log cannot be left to whoever writes the log line, so a processor at the end takes it out: keys that carry
words, names or secrets are dropped, long runs of digits (phones, cards, identity numbers, chat ids) are masked, control
characters are made visible, objects are reduced to their type. An exception is logged by its type and its places in the code,
without its message, which often quotes the data that caused it. Lines of other libraries keep their first line only, without
its arguments.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Mapping
from datetime import date, time, timedelta
from enum import Enum
from pathlib import PurePath
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

OURS: tuple[str, ...] = ("bot", "handlers", "cases", "storage", "content", "console", "__main__")
DROPPED = frozenset(
    [
        "text",
        "texts",
        "body",
        "words",
        "name",
        "names",
        "sender_name",
        "reporter_name",
        "group_name",
        "title",
        "question",
        "answer",
        "place",
        "places",
        "address",
        "content",
        "caption",
        "result",
        "receipt",
        "code",
        "api_key",
        "authorization",
        "cookie",
        "cookies",
        "headers",
        "params",
        "parameters",
        "values",
        "data",
        "payload",
        "raw",
        "reporter",
        "sender",
        "user",
        "user_id",
        "email",
        "url",
    ]
)
_DROPPED_PARTS = re.compile("token|password|passwd|secret|phone|mobile|id_card|plate", re.IGNORECASE)
_DIGITS = re.compile(r"\d(?:[ -]?\d){6,}")
_HARMLESS = re.compile(r"\d{4}-\d{4,5}|\d{4}-\d\d-\d\d(?: \d\d)?")  # case numbers and dates
_SECRETS = re.compile(r"(?<=://)[^/\s@]+@|\b\d+:[A-Za-z0-9_-]{20,}|(?i:bearer)\s+\S+|puppet_\w+_\w+")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_TIMESTAMP = "at"
_LONGEST = 300
_MOST_FRAMES = 12


def set_up_logs(level: str = "info", stream: TextIO | None = None) -> None:
    """Send everything that is logged, by us and by libraries, to `stream` (stderr). `level`: debug, info, warning, error."""
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key=_TIMESTAMP),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*before, only_first_line],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                describe_exception,
                redact,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for package in OURS:
        logging.getLogger(package).setLevel(level.upper())
    # an access log holds who looked at what and when
    logging.getLogger("aiohttp.access").disabled = True
    logging.captureWarnings(True)
    logging.raiseExceptions = False


def only_first_line(_logger: object, _method: str, event: EventDict) -> EventDict:
    """A line of another library: its arguments and further lines may quote data (asyncio prints the exception's own text)."""
    record = event.get("_record")
    if isinstance(record, logging.LogRecord):
        warning = record.name == "py.warnings"
        said = record.getMessage() if warning else str(record.msg)
        event["event"] = next(iter(said.splitlines()), "")
        event.pop("positional_args", None)
    return event


def describe_exception(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replace an exception by its type, the types behind it and where it came through."""
    given = event.pop("exc_info", None)
    record = event.get("_record")
    if not given and isinstance(record, logging.LogRecord):
        given = record.exc_info
    event.pop("stack_info", None)
    error = _exception_of(given)
    if error is not None:
        event["exception"] = " < ".join(_chain(error))
        event["frames"] = _frames(error.__traceback__)
    return event


def redact(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Take out what must not be in a log. The last processor before the line is written."""
    cleaned = _clean_table(event)
    first = {key: cleaned[key] for key in (_TIMESTAMP, "level", "logger", "event") if key in cleaned}
    return {**first, **cleaned}


def _clean_table(table: Mapping[Any, object]) -> dict[str, object]:
    return {str(key): _clean(value, str(key)) for key, value in table.items() if not _is_dropped(str(key))}


def _is_dropped(key: str) -> bool:
    return key.lower() in DROPPED or _DROPPED_PARTS.search(key) is not None


def _clean(value: object, key: str = "") -> object:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, Enum):
        return _clean(value.value)
    if isinstance(value, int):
        return value if abs(value) < 10_000_000 else mask(str(value))
    if isinstance(value, str):
        return value if key == _TIMESTAMP else mask(value)
    if isinstance(value, Mapping):
        return _clean_table(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item) for item in list(value)[:_MOST_FRAMES]]
    if isinstance(value, date | time | timedelta | PurePath):
        return mask(str(value)) if isinstance(value, PurePath) else str(value)
    return f"<{type(value).__name__}>"


def mask(text: str) -> str:
    """The text with secrets and long numbers masked, control characters visible, and no longer than 300 characters."""
    masked = _SECRETS.sub("[secret]", text)
    masked = _DIGITS.sub(_mask_digits, masked)
    masked = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", masked)
    return masked if len(masked) <= _LONGEST else masked[:_LONGEST] + "…"


def _mask_digits(found: re.Match[str]) -> str:
    if _HARMLESS.fullmatch(found[0]):
        return found[0]
    return f"[{sum(character.isdigit() for character in found[0])} digits]"


def _exception_of(given: object) -> BaseException | None:
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):
        return next((part for part in given if isinstance(part, BaseException)), None)
    return sys.exc_info()[1] if given else None


def _chain(error: BaseException) -> list[str]:
    names: list[str] = []
    current: BaseException | None = error
    while current is not None and len(names) < 5:
        names.append(type(current).__qualname__)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return names


def _frames(trace: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(trace)[-_MOST_FRAMES:]
    return [f"{'/'.join(PurePath(frame.filename).parts[-2:])}:{frame.lineno} {frame.name}" for frame in frames]

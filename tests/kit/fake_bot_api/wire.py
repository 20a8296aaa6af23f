"""What goes over the line: calls, answers, and every way in which an answer can fail."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web


@dataclass(frozen=True, slots=True)
class TooFast:
    """429. Without `seconds` the answer names no wait."""

    seconds: int | None = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it stands, nothing is done: `Answer(502, "<html>")`, `Answer(403, {"ok": False, …})`."""

    status: int
    body: str | dict[str, Any] = ""


@dataclass(frozen=True, slots=True)
class Hang:
    """No answer at all; `delivered` says whether it was done."""

    delivered: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """The answer breaks off in the middle of its JSON; what was asked for is done."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """The connection closes without an answer; `delivered` says whether it was done."""

    delivered: bool = False


Fault = TooFast | Answer | Hang | Cut | Dropped


@dataclass(frozen=True, slots=True)
class Call:
    """One request: the method and what was given with it. `files` are the names of uploaded parts."""

    method: str
    given: dict[str, str]
    files: tuple[str, ...] = ()


def refusal(status: int, said: str, **parameters: Any) -> Answer:
    """The Bot API's own form of an error."""
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": said}
    return Answer(status, {**body, "parameters": parameters} if parameters else body)


KICKED = refusal(403, "Forbidden: bot was kicked from the supergroup chat")
BLOCKED = refusal(403, "Forbidden: bot was blocked by the user")


def ok(result: Any) -> dict[str, Any]:
    """The Bot API's own form of success."""
    return {"ok": True, "result": result}


def out(answer: Answer) -> web.Response:
    """The answer as a response."""
    if isinstance(answer.body, dict):
        return web.json_response(answer.body, status=answer.status)
    return web.Response(text=answer.body, status=answer.status, content_type="text/html")


async def read(request: web.Request) -> tuple[dict[str, str], dict[str, bytes]]:
    """What came with a call, by whichever of the three ways that the Bot API allows."""
    given: dict[str, str] = dict(request.query)
    files: dict[str, bytes] = {}
    if request.content_type == "application/json":
        for key, value in (await request.json()).items():
            given[key] = value if isinstance(value, str) else json.dumps(value)
        return given, files
    for key, part in (await request.post()).items():
        if isinstance(part, web.FileField):
            files[key] = part.file.read()
        elif isinstance(part, str):
            given[key] = part
        else:
            files[key] = bytes(part)
    return given, files

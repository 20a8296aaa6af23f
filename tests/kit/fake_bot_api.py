"""A Bot API server for tests: what a real one does with updates and messages, and every way in which it can fail.

    async with FakeBotApi() as api:
        api.say("张阿姨", "好邻居群", "3号楼有人在楼道充电")        # an update that waits for getUpdates
        api.fail("sendMessage", TooFast(3))                          # the next sendMessage is refused
        api.sent                                                     # every message that is in a chat, in order

The base url is `api.root`. What was asked is in `api.calls`. With `path` the history (updates, confirmations, messages) is a file
of JSON lines that outlives the server's own process. Of two pollers the newer one wins, as with the real server.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from aiohttp import web

TOKEN = "1000001:test-token-of-nobody"
BOT = {"id": 1000001, "is_bot": True, "first_name": "前哨", "username": "qianshao_test_bot"}
OLDEST_MESSAGE = 100


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


@dataclass(slots=True)
class Chat:
    """What the server knows of a chat."""

    id: int
    type: str
    title: str = ""
    members: dict[int, str] = field(default_factory=dict)  # user id -> status
    moved_to: int | None = None
    closed: str = ""  # why the bot cannot write there
    messages: Iterator[int] = field(default_factory=lambda: iter(range(OLDEST_MESSAGE, 10**9)))
    topics: set[int] = field(default_factory=set)


def refusal(status: int, said: str, **parameters: Any) -> Answer:
    """The Bot API's own form of an error."""
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": said}
    return Answer(status, {**body, "parameters": parameters} if parameters else body)


KICKED = refusal(403, "Forbidden: bot was kicked from the supergroup chat")
BLOCKED = refusal(403, "Forbidden: bot was blocked by the user")
CONFLICT = refusal(409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running")


class FakeBotApi:
    """One bot on one server. Everything is public: a test may look at and change what it likes."""

    def __init__(
        self,
        *,
        token: str = TOKEN,
        path: Path | None = None,
        hold: float = 60.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.token = token
        self.path = path
        self.hold = hold  # the longest that a poll is held, in seconds
        self.now = now  # the server's time, in seconds since 1970
        self.on_sent: Callable[[dict[str, Any]], None] = lambda _: None
        self.on_edited: Callable[[dict[str, Any]], None] = lambda _: None
        self.on_deleted: Callable[[int, int], None] = lambda _chat, _message: None
        self.me = {**BOT, "id": int(token.partition(":")[0]), "can_join_groups": True, "can_read_all_group_messages": True}
        self.root = ""
        self.updates: list[dict[str, Any]] = []  # not confirmed yet
        self.every_update: list[dict[str, Any]] = []
        self.confirmed: list[int] = []
        self.given_out: list[int] = []  # update ids in every answer to getUpdates
        self.sent: list[dict[str, Any]] = []
        self.edited: list[dict[str, Any]] = []
        self.deleted: list[tuple[int, int]] = []
        self.answered: list[str] = []  # callback queries
        self.calls: list[Call] = []
        self.polls = 0
        self.chats: dict[int, Chat] = {}
        self.people: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.webhook: dict[str, Any] = {}
        self.faults: dict[str, deque[tuple[Fault, int | None]]] = {}
        self.next_update = 700_000_001
        self._poll = 0
        self._news = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self._stop = asyncio.Event()

    async def __aenter__(self) -> FakeBotApi:
        app = web.Application(client_max_size=60_000_000)
        app.router.add_route("*", "/bot{token}/{method}", self._called)
        app.router.add_get("/file/bot{token}/{path:.+}", self._download)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.root = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        async with self._news:
            self._news.notify_all()
        if self._runner is not None:
            await self._runner.cleanup()

    # --- the test's side ----------------------------------------------------------------------------------------------

    def person(self, name: str, **more: Any) -> dict[str, Any]:
        """The account of somebody with this name; the same one every time."""
        if name not in self.people:
            self.people[name] = {"id": 5_000_001 + len(self.people), "is_bot": False, "first_name": name, **more}
        return self.people[name]

    def group(self, title: str, type: str = "supergroup") -> Chat:  # noqa: A002
        """The group of this title, with the bot as a member; the same one every time."""
        for chat in self.chats.values():
            if chat.title == title and chat.moved_to is None:
                return chat
        number = -1_001_000_000_001 - len(self.chats) if type == "supergroup" else -4_000_001 - len(self.chats)
        self.chats[number] = Chat(number, type, title, {int(self.me["id"]): "member"})
        return self.chats[number]

    def private(self, name: str) -> Chat:
        """The private chat of somebody with the bot."""
        number = int(self.person(name)["id"])
        return self.chats.setdefault(number, Chat(number, "private", name))

    def say(self, who: str, where: str | Chat, text: str = "", **more: Any) -> dict[str, Any]:
        """Somebody writes in the group (its title; "" is the private chat). `more` are further fields of the message."""
        chat = where if isinstance(where, Chat) else self.group(where) if where else self.private(who)
        message = self.message(chat, self.person(who), **({"text": text} if text else {}), **more)
        self.update(message=message)
        return message

    def message(self, chat: Chat, user: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """A message as the server would give it, without telling anybody."""
        made = {"message_id": next(chat.messages), "from": user, "chat": self.card(chat), "date": int(self.now()), **fields}
        return {key: value for key, value in made.items() if value is not None}

    def update(self, **body: Any) -> int:
        """Any update, right or wrong; returns its number."""
        number = self.next_update
        self.next_update += 1
        self.put({"update_id": number, **body})
        return number

    def put(self, raw: dict[str, Any]) -> None:
        """An update exactly as given."""
        self.updates.append(raw)
        self.every_update.append(raw)
        self._note(what="update", id=raw.get("update_id"))
        self._tell()

    def photo(self, data: bytes, *, name: str = "") -> list[dict[str, Any]]:
        """The sizes of a photo whose largest is `data`."""
        file_id = name or f"photo{len(self.files)}"
        self.files[file_id] = data
        small = {"file_id": f"{file_id}-s", "file_unique_id": f"u{file_id}s", "width": 90, "height": 67, "file_size": 900}
        big = {"file_id": file_id, "file_unique_id": f"u{file_id}", "width": 640, "height": 480, "file_size": len(data)}
        return [small, big]

    def tap(self, who: str, message: dict[str, Any], data: str) -> int:
        """Somebody presses a button under a message of the bot."""
        query = {
            "id": f"q{self.next_update}",
            "from": self.person(who),
            "message": plain(message),
            "chat_instance": "1",
            "data": data,
        }
        return self.update(callback_query=query)

    def migrate(self, chat: Chat, *, tell: bool = True) -> Chat:
        """The group becomes a supergroup with an id and message ids of its own."""
        new = Chat(-1_002_000_000_001 - len(self.chats), "supergroup", chat.title, dict(chat.members))
        self.chats[new.id] = new
        chat.moved_to = new.id
        if tell:
            anonymous = self.person("群主")
            self.update(message=self.message(chat, anonymous, migrate_to_chat_id=new.id))
            self.update(message=self.message(new, anonymous, migrate_from_chat_id=chat.id))
        return new

    def membership(self, chat: Chat, before: str, after: str, who: str = "群主") -> int:
        """Our own standing in a group changes."""
        chat.members[int(self.me["id"])] = after
        chat.closed = "" if after not in ("left", "kicked") else "Forbidden: bot was kicked from the supergroup chat"
        change = {
            "chat": self.card(chat),
            "from": self.person(who),
            "date": int(self.now()),
            "old_chat_member": self._member(before),
            "new_chat_member": self._member(after),
        }
        return self.update(my_chat_member=change)

    def fail(self, method: str, *faults: Fault, chat: int | None = None) -> None:
        """The next calls of `method` (for `chat`, or any) meet these faults, one each."""
        self.faults.setdefault(method, deque()).extend((fault, chat) for fault in faults)

    def texts(self, chat: Chat | None = None) -> list[str]:
        """What stands in a chat (or all), captions too."""
        return [
            message.get("text", message.get("caption", ""))
            for message in self.sent
            if chat is None or message["chat"]["id"] == chat.id
        ]

    async def until(self, true: Any) -> None:
        """Return once `true()` holds; it is looked at after every call that changes anything."""
        async with self._news:
            self._news.notify_all()  # what was done outside the loop could tell nobody
            await self._news.wait_for(true)

    async def all_confirmed(self) -> None:
        """Return once every update was confirmed by an offset beyond it."""
        await self.until(lambda: not self.updates)

    # --- the server's side --------------------------------------------------------------------------------------------

    def card(self, chat: Chat) -> dict[str, Any]:
        if chat.type == "private":
            return {"id": chat.id, "type": "private", "first_name": chat.title}
        return {"id": chat.id, "type": chat.type, "title": chat.title}

    async def _called(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["token"] != self.token:
            return _out(refusal(401, "Unauthorized"))
        method = request.match_info["method"]
        given, files = await _given(request)
        call = Call(method, given, tuple(files))
        self.calls.append(call)
        work = getattr(self, f"_do_{method.lower()}", None)
        if work is None:
            return _out(refusal(404, "Not Found"))
        fault = self._next_fault(method, given)
        if isinstance(fault, TooFast):
            wait = {} if fault.seconds is None else {"retry_after": fault.seconds}
            return _out(refusal(429, f"Too Many Requests: retry after {fault.seconds}", **wait))
        if isinstance(fault, Answer):
            return _out(fault)
        if fault is None or isinstance(fault, Cut) or fault.delivered:
            answer = await work(given, files)
        else:
            answer = {"ok": True, "result": True}
        self._tell()
        if isinstance(fault, Hang):
            await self._stop.wait()
        if isinstance(fault, Dropped):
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        if isinstance(answer, Answer):
            return _out(answer)
        body = json.dumps(answer)
        return web.Response(text=body[: len(body) // 2] if isinstance(fault, Cut) else body, content_type="application/json")

    def _next_fault(self, method: str, given: dict[str, str]) -> Fault | None:
        waiting = self.faults.get(method, deque())
        for index, (fault, chat) in enumerate(waiting):
            if chat is None or str(chat) == given.get("chat_id"):
                del waiting[index]
                return fault
        return None

    async def _do_getme(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        return _ok(self.me)

    async def _do_getupdates(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        if self.webhook.get("url"):
            return refusal(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete it")
        self._poll += 1
        mine = self._poll
        self.polls += 1
        if (offset := int(given.get("offset", "0"))) > 0:
            self._confirm(offset)
        self._tell()
        seconds = min(float(given.get("timeout", "0")), self.hold)
        async with self._news:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._news.wait_for(lambda: bool(self.updates) or self._stop.is_set() or self._poll != mine)
        if self._poll != mine:
            return CONFLICT
        batch = self.updates[: int(given.get("limit", "100"))]
        self.given_out += [raw["update_id"] for raw in batch if isinstance(raw.get("update_id"), int)]
        return _ok(batch)

    def _confirm(self, offset: int) -> None:
        """What is below the offset is forgotten for good: this is where a careless client loses messages."""
        gone = [raw for raw in self.updates if isinstance(raw.get("update_id"), int) and raw["update_id"] < offset]
        self.updates = [raw for raw in self.updates if raw not in gone]
        for raw in gone:
            self.confirmed.append(raw["update_id"])
            self._note(what="confirmed", id=raw["update_id"])
        if gone:
            self._tell()

    async def _do_setwebhook(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        self.webhook = {"url": given.get("url", ""), "secret": given.get("secret_token", "")}
        return _ok(True)

    async def _do_deletewebhook(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        self.webhook = {}
        if given.get("drop_pending_updates") == "true":
            self.updates.clear()
        return _ok(True)

    async def _do_getwebhookinfo(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        return _ok(
            {
                "url": self.webhook.get("url", ""),
                "has_custom_certificate": False,
                "pending_update_count": len(self.updates),
            }
        )

    async def _do_sendmessage(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        text = given.get("text", "")
        if not text.strip():
            return refusal(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > 4096 and given.get("parse_mode") != "HTML":
            return refusal(400, "Bad Request: message is too long")
        return self._deliver(given, {"text": text})

    async def _do_sendphoto(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        caption = given.get("caption", "")
        if len(caption.encode("utf-16-le")) // 2 > 1024 and given.get("parse_mode") != "HTML":
            return refusal(400, "Bad Request: message caption is too long")
        if files:
            sizes = self.photo(next(iter(files.values())))
        elif given.get("photo", "") in self.files:
            sizes = self.photo(self.files[given["photo"]], name=given["photo"])
        else:
            return refusal(400, "Bad Request: wrong file identifier/HTTP URL specified")
        return self._deliver(given, {"photo": sizes, **({"caption": caption} if caption else {})})

    def _deliver(self, given: dict[str, str], content: dict[str, Any]) -> Any:
        chat = self.chats.get(int(given["chat_id"]))
        if chat is None:
            return refusal(400, "Bad Request: chat not found")
        if chat.moved_to is not None:
            said = "Bad Request: group chat was upgraded to a supergroup chat"
            return refusal(400, said, migrate_to_chat_id=chat.moved_to)
        if chat.closed:
            return refusal(403, chat.closed)
        thread = given.get("message_thread_id")
        if thread is not None and int(thread) not in chat.topics:
            return refusal(400, "Bad Request: message thread not found")
        reply = json.loads(given["reply_parameters"]) if "reply_parameters" in given else None
        message = self.message(chat, {key: self.me[key] for key in BOT}, **content)
        if thread is not None:
            message |= {"message_thread_id": int(thread), "is_topic_message": True}
        if "reply_markup" in given:
            message["reply_markup"] = json.loads(given["reply_markup"])
        self.sent.append({**message, "parse_mode": given.get("parse_mode"), "reply": reply})
        self.on_sent(self.sent[-1])
        self._note(what="sent", chat=chat.id, text=content.get("text", content.get("caption", "")))
        return _ok(message)

    async def _do_editmessagetext(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        return self._edit(given, "text", given.get("text", ""))

    async def _do_editmessagecaption(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        return self._edit(given, "caption", given.get("caption", ""))

    def _edit(self, given: dict[str, str], what: str, words: str) -> Any:
        which = (int(given["chat_id"]), int(given["message_id"]))
        chat = self.chats.get(which[0])
        if chat is not None and chat.closed:
            return refusal(403, chat.closed)
        message = next((one for one in self.sent if (one["chat"]["id"], one["message_id"]) == which), None)
        if message is None or which in self.deleted:
            return refusal(400, "Bad Request: message to edit not found")
        if what not in message:
            return refusal(400, f"Bad Request: there is no {what} in the message to edit")
        markup = json.loads(given["reply_markup"]) if "reply_markup" in given else None
        if message[what] == words and message.get("reply_markup") == markup:
            same = "specified new message content and reply markup are exactly the same as a current content and reply markup"
            return refusal(400, f"Bad Request: message is not modified: {same} of the message")
        message[what] = words
        message["parse_mode"] = given.get("parse_mode")
        message.pop("reply_markup", None)
        if markup is not None:
            message["reply_markup"] = markup
        self.edited.append(message)
        self.on_edited(message)
        return _ok({**plain(message), "edit_date": int(self.now())})

    async def _do_deletemessage(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        which = (int(given["chat_id"]), int(given["message_id"]))
        if all((message["chat"]["id"], message["message_id"]) != which for message in self.sent):
            return refusal(400, "Bad Request: message to delete not found")
        self.deleted.append(which)
        self.on_deleted(*which)
        return _ok(True)

    async def _do_answercallbackquery(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        self.answered.append(given["callback_query_id"])
        return _ok(True)

    async def _do_getfile(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        file_id = given.get("file_id", "")
        if file_id not in self.files:
            return refusal(400, "Bad Request: invalid file_id")
        if len(self.files[file_id]) > 20_000_000:
            return refusal(400, "Bad Request: file is too big")
        size = len(self.files[file_id])
        return _ok({"file_id": file_id, "file_unique_id": f"u{file_id}", "file_size": size, "file_path": f"photos/{file_id}.jpg"})

    async def _download(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["token"] != self.token:
            return web.Response(status=401)
        fault = self._next_fault("download", {})
        if isinstance(fault, Answer):
            return _out(fault)
        if fault is not None:
            await self._stop.wait()
        data = self.files.get(request.match_info["path"].removeprefix("photos/").removesuffix(".jpg"))
        return web.Response(status=404) if data is None else web.Response(body=data)

    async def _do_getchat(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        chat = self.chats.get(int(given["chat_id"]))
        if chat is None:
            return refusal(400, "Bad Request: chat not found")
        return _ok({**self.card(chat), "accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": _NO_GIFTS})

    async def _do_getchatmember(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        number = int(given["user_id"])
        chat = self.chats.get(int(given["chat_id"]))
        user = next((one for one in (*self.people.values(), self.me) if one["id"] == number), None)
        if chat is None or user is None:
            return refusal(400, "Bad Request: chat not found" if chat is None else "Bad Request: user not found")
        if number == self.me["id"]:
            return _ok(self._member(chat.members.get(number, "left")))
        return _ok({"status": "member", "user": {key: user[key] for key in ("id", "is_bot", "first_name")}})

    async def _do_getchatadministrators(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        return _ok([])

    def _member(self, status: str) -> dict[str, Any]:
        user = {key: self.me[key] for key in BOT}
        extra: dict[str, Any] = {"kicked": {"until_date": 0}}.get(status, {})
        if status == "administrator":
            names = "can_be_edited is_anonymous can_manage_chat can_delete_messages can_manage_video_chats can_restrict_members"
            more = "can_promote_members can_change_info can_invite_users can_post_stories can_edit_stories"
            newest = "can_delete_stories can_send_welcome_messages can_manage_direct_messages can_manage_tags"
            extra = dict.fromkeys(f"{names} {more} {newest}".split(), False)
        if status == "restricted":
            names = "can_send_messages can_send_audios can_send_documents can_send_photos can_send_videos can_send_video_notes"
            more = "can_send_voice_notes can_send_polls can_send_other_messages can_add_web_page_previews can_change_info"
            newest = "can_invite_users can_pin_messages can_manage_topics can_react_to_messages can_edit_tag"
            extra = {**dict.fromkeys(f"{names} {more} {newest}".split(), False), "is_member": True, "until_date": 0}
        return {"status": status, "user": user, **extra}

    # --- inside -------------------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        """Let whoever waits look again."""

        async def tell() -> None:
            async with self._news:
                self._news.notify_all()

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # a test that is no coroutine; `until` makes up for it
        task = loop.create_task(tell())
        _telling.add(task)
        task.add_done_callback(_telling.discard)

    def _note(self, **line: Any) -> None:
        if self.path is None:
            return
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, (json.dumps(line, ensure_ascii=False) + "\n").encode())
        finally:
            os.close(file)


_telling: set[asyncio.Task[None]] = set()
_GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
_NO_GIFTS = dict.fromkeys(_GIFTS, False)


def plain(message: dict[str, Any]) -> dict[str, Any]:
    """A sent message without what only tests look at."""
    return {key: value for key, value in message.items() if key not in ("parse_mode", "reply")}


def _ok(result: Any) -> dict[str, Any]:
    return {"ok": True, "result": result}


def _out(answer: Answer) -> web.Response:
    if isinstance(answer.body, dict):
        return web.json_response(answer.body, status=answer.status)
    return web.Response(text=answer.body, status=answer.status, content_type="text/html")


async def _given(request: web.Request) -> tuple[dict[str, str], dict[str, bytes]]:
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

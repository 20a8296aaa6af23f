"""The chats of a fake Bot API, the people in them, and what a test does there."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.kit.fake_bot_api.wire import Call, Fault

TOKEN = "1000001:test-token-of-nobody"
BOT = {"id": 1000001, "is_bot": True, "first_name": "前哨", "username": "qianshao_test_bot"}
OLDEST_MESSAGE = 100
PATIENCE = 60.0  # seconds until what a test waits for will never come

_telling: set[asyncio.Task[None]] = set()


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


class Chats:
    """Everything is public: a test may look at and change what it likes."""

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
        self._stop = asyncio.Event()

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

    def texts(self, chat: Chat | None = None) -> list[str]:
        """What stands in a chat (or all), captions too."""
        return [
            message.get("text", message.get("caption", ""))
            for message in self.sent
            if chat is None or message["chat"]["id"] == chat.id
        ]

    async def until(self, true: Any) -> None:
        """Return once `true()` holds; it is looked at after every call that changes anything."""
        async with asyncio.timeout(PATIENCE), self._news:
            self._news.notify_all()  # what was done outside the loop could tell nobody
            await self._news.wait_for(true)

    async def all_confirmed(self) -> None:
        """Return once every update was confirmed by an offset beyond it."""
        await self.until(lambda: not self.updates)

    def card(self, chat: Chat) -> dict[str, Any]:
        """The chat as it stands in an update."""
        if chat.type == "private":
            return {"id": chat.id, "type": "private", "first_name": chat.title}
        return {"id": chat.id, "type": chat.type, "title": chat.title}

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


def plain(message: dict[str, Any]) -> dict[str, Any]:
    """A sent message without what only tests look at."""
    return {key: value for key, value in message.items() if key not in ("parse_mode", "reply")}

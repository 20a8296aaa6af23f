"""The people of a scenario on Telegram: what they do becomes updates of the fake Bot API server for the real adapter."""

from __future__ import annotations

import html
import re
import zlib
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bot.app.platforms import telegram_platforms
from bot.clock import Clock
from bot.config import Settings
from bot.errors import AnswerLost, NeverDelivered, RetryLater
from bot.messages import Address, Attachment, Choice, Inbound, Kind, Outbound, Sender
from bot.platforms.base import Adapter
from storage.writer import Writer
from tests.kit.fake_bot_api import BOT, KICKED, TOKEN, Chat, Dropped, FakeBotApi, TooFast, refusal
from tests.kit.fake_bot_api import Fault as ServerFault
from tests.kit.fake_bot_api import Hang as ServerHang
from tests.kit.peer import Arrival, Fault, Hang, Lost, Peer

if TYPE_CHECKING:
    from bot.app import App

ACCOUNT = TOKEN.partition(":")[0]
CALLING = re.compile(r'<a href="tg://user\?id=(\d+)">[^<]*</a> ')
ANONYMOUS = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
OUR_NAME = "@前哨"
EDIT = "edit:"  # before a chat: what is scripted is a change of a message there
SENDS = ("sendMessage", "sendPhoto")


class TelegramPeer(Peer):
    """One bot account on a server of its own."""

    recalls = False

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__("telegram", ACCOUNT, clock)
        self.api = FakeBotApi(now=lambda: clock().timestamp())
        self.photos = self.api.files
        self.api.on_sent = lambda message: self.arrived.append(self._arrival(message))
        self.api.on_edited = lambda message: self.edited.append(self._arrival(message))
        self.api.on_deleted = self._deleted
        for method in SENDS[1:]:
            self.api.faults[method] = self.api.faults.setdefault(SENDS[0], deque())
        self._people: dict[int, str] = {}
        self._chats: dict[int, str] = {}
        self._messages: dict[tuple[int, str], int] = {}  # (chat, the scenario's id) -> the server's
        self._names: dict[tuple[int, int], str] = {}  # and back
        self._updates: dict[str, list[dict[str, Any]]] = {}  # of each event
        self._events: dict[int, str] = {}  # the event of an update

    async def open(self) -> None:
        await self.api.__aenter__()

    async def move_in(self, people: dict[str, str], groups: dict[str, str]) -> None:
        for person, name in people.items():
            self._user(Sender(person, name))
        for group, name in groups.items():
            self._group(group).title = name

    async def close(self) -> None:
        await self.api.__aexit__(None, None, None)

    def environ(self) -> dict[str, str]:
        return {
            "QIANSHAO_TELEGRAM__ENABLED": "true",
            "QIANSHAO_TELEGRAM__TOKEN": TOKEN,
            "QIANSHAO_TELEGRAM__BASE_URL": self.api.root,
        }

    def adapter(self, settings: Settings, writer: Writer, clock: Clock, house: list[App]) -> Adapter:
        return telegram_platforms(settings, writer, clock, house)[0]

    # --- ids ----------------------------------------------------------------------------------------------------------

    def user_id(self, person: str) -> str:
        number = 1_000_000_000 + zlib.crc32(person.encode())
        self._people[number] = person
        return str(number)

    def chat_id(self, chat: str) -> str:
        number = -1_001_000_000_000 - zlib.crc32(chat.encode())
        self._chats[number] = chat
        return str(number)

    # --- in -----------------------------------------------------------------------------------------------------------

    @property
    def confirmed(self) -> list[str]:
        open_ = {self._events[raw["update_id"]] for raw in self.api.updates if raw["update_id"] in self._events}
        return [event_id for event_id in self.heard if event_id not in open_]

    async def all_confirmed(self) -> None:
        await self.api.all_confirmed()

    def inject(self, event: Inbound) -> None:
        if event.event_id in self.heard:
            for raw in self._updates[event.event_id]:
                self.api.put(raw)
            return
        self.heard[event.event_id] = event
        before = len(self.api.every_update)
        self._happen(event)
        self._updates[event.event_id] = self.api.every_update[before:]
        for raw in self._updates[event.event_id]:
            self._events[raw["update_id"]] = event.event_id

    def _happen(self, event: Inbound) -> None:
        chat = self._chat(event)
        user = self._user(event.sender)
        match event.kind:
            case Kind.MESSAGE:
                for fields in self._parts(event, chat):
                    self.api.update(message=self._message(event, chat, user, fields))
            case Kind.EDIT:
                number = self._number(chat.id, event.message_id)
                fields = {"text": event.text, "edit_date": int(event.at.timestamp())}
                self.api.update(edited_message={**self._message(event, chat, user, fields), "message_id": number})
            case Kind.RECALL:
                pass  # Telegram tells a bot nothing of it
            case Kind.TAP:
                which = (chat.id, self._number(chat.id, event.message_id))
                message = next(one for one in self.api.sent if (one["chat"]["id"], one["message_id"]) == which)
                query = {"id": event.event_id, "from": user, "message": message, "chat_instance": "1", "data": event.text}
                self.api.update(callback_query=query)
            case Kind.JOINED | Kind.LEFT:
                before, after = ("left", "member") if event.kind is Kind.JOINED else ("member", "left")
                self.api.membership(chat, before, after, event.sender.name)
            case Kind.MET:
                self.api.update(message=self._message(event, chat, user, {"text": "/start"}))

    def _chat(self, event: Inbound) -> Chat:
        if event.address.private:
            number = int(self.user_id(event.address.chat))
            return self.api.chats.setdefault(number, Chat(number, "private", event.sender.name))
        chat = self._group(event.address.chat)
        chat.title = event.group_name or chat.title
        if event.address.thread is not None:
            chat.topics.add(int(event.address.thread))
        return chat

    def _group(self, name: str) -> Chat:
        number = int(self.chat_id(name))
        return self.api.chats.setdefault(number, Chat(number, "supergroup", name, {int(ACCOUNT): "member"}))

    def _user(self, sender: Sender) -> dict[str, Any]:
        user = {"id": int(self.user_id(sender.id)), "is_bot": False, "first_name": sender.name}
        self.api.people[sender.id] = user
        # the account opened the chat with the bot, as the sample district's people have
        number = int(user["id"])
        self.api.chats.setdefault(number, Chat(number, "private", sender.name))
        return user

    def _parts(self, event: Inbound, chat: Chat) -> list[dict[str, Any]]:
        """The content of the messages that Telegram makes of one: an album of n photos is n of them."""
        words: dict[str, Any] = {}
        text = event.text
        key = "caption" if event.attachments else "text"
        if event.mentions_me:
            name = f"@{BOT['username']}"
            text = text.replace(OUR_NAME, name, 1) if OUR_NAME in text else f"{name} {text}".strip()
            start = len(text[: text.index(name)].encode("utf-16-le")) // 2
            words["entities" if key == "text" else "caption_entities"] = [
                {"type": "mention", "offset": start, "length": len(name)}
            ]
        if text:
            words[key] = text
        if event.location is not None:
            place = {"latitude": event.location.latitude, "longitude": event.location.longitude}
            words["location"] = place
            if event.location.name:
                words["venue"] = {"location": place, "title": event.location.name, "address": ""}
        files = [self._file(one) for one in event.attachments]
        if not files or (len(files) == 1 and event.album is None):
            return [{**words, **(files[0] if files else {})}]
        album = event.album or f"album-{event.event_id}"
        return [{**(words if n == 0 else {}), **file, "media_group_id": album} for n, file in enumerate(files)]

    def _file(self, attachment: Attachment) -> dict[str, Any]:
        size = {"file_id": attachment.id, "file_unique_id": f"u{attachment.id}", "file_size": attachment.size}
        if attachment.kind == "photo":
            return {"photo": [{**size, "width": 64, "height": 48}]}
        return {"document": {**size, "mime_type": attachment.mime}}

    def _message(self, event: Inbound, chat: Chat, user: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
        extra: dict[str, Any] = {}
        if event.copied:
            extra["forward_origin"] = {"type": "hidden_user", "sender_user_name": "某人", "date": int(event.at.timestamp())}
        if event.quote is not None:
            extra |= self._quoted(event, chat)
        if event.address.thread is not None:
            extra |= {"message_thread_id": int(event.address.thread), "is_topic_message": True}
        if not event.sender.personal:
            extra["sender_chat"] = self.api.card(chat)
            user = ANONYMOUS
        message = self.api.message(chat, user, **extra, **fields)
        message["date"] = int(event.at.timestamp())
        if (chat.id, event.message_id) not in self._messages:
            self._messages[chat.id, event.message_id] = message["message_id"]
            self._names[chat.id, message["message_id"]] = event.message_id
        return message

    def _quoted(self, event: Inbound, chat: Chat) -> dict[str, Any]:
        quote = event.quote
        if quote is None or not quote.message_id:
            return {}
        number = self._number(chat.id, quote.message_id)
        author = {key: self.api.me[key] for key in BOT} if quote.mine else self._user(event.sender)
        answered: dict[str, Any] = {"message_id": number, "from": author, "chat": self.api.card(chat), "date": 1}
        if quote.text:
            answered["text"] = quote.text
        return {"reply_to_message": answered}

    def _number(self, chat: int, message_id: str) -> int:
        """The server's id of a message that the scenario knows, ours or theirs."""
        if (chat, message_id) in self._messages:
            return self._messages[chat, message_id]
        return int(message_id) if message_id.isdigit() else 1

    # --- out ----------------------------------------------------------------------------------------------------------

    def fail(self, *faults: Fault, chat: str | None = None) -> None:
        group = chat.removeprefix(EDIT) if chat is not None else None
        method = "editMessageText" if chat != group else SENDS[0]
        where = int(self.chat_id(group)) if group is not None else None
        self.api.fail(method, *(_server_fault(fault) for fault in faults), chat=where)

    def _arrival(self, message: dict[str, Any]) -> Arrival:
        words = message.get("text", message.get("caption", ""))
        mention: str | None = None
        if message.get("parse_mode") == "HTML":
            called = CALLING.match(words)
            mention = self._people.get(int(called[1]), called[1]) if called else None
            words = html.unescape(words[called.end() :] if called else words)
        rows = message.get("reply_markup", {}).get("inline_keyboard", [])
        choices = tuple(Choice(button["text"], button["callback_data"]) for row in rows for button in row)
        reply = message.get("reply")
        chat = message["chat"]["id"]
        what = Outbound(
            key=f"{chat}:{message['message_id']}",
            text=words,
            reply_to=self._names.get((chat, reply["message_id"]), str(reply["message_id"])) if reply else None,
            photo="photo" if "photo" in message else None,
            choices=choices,
            mention=mention,
        )
        thread = str(message["message_thread_id"]) if "message_thread_id" in message else None
        return Arrival(self._address(chat, thread), what, str(message["message_id"]), self.clock())

    def _address(self, chat: int, thread: str | None = None) -> Address:
        private = chat > 0
        known = self._people if private else self._chats
        return Address(self.name, self.account, known.get(chat, str(chat)), private, thread)

    def _deleted(self, chat: int, message_id: int) -> None:
        self.recalled.append((self._address(chat), str(message_id)))


def _server_fault(fault: Fault) -> ServerFault:
    """What the server does for the bot to read this in it."""
    match fault:
        case RetryLater(scope="message"):
            return refusal(500, "Internal Server Error")
        case RetryLater():
            return TooFast(int(fault.seconds))
        case AnswerLost():
            return Dropped(delivered=True)
        case NeverDelivered(gone=True):
            return KICKED
        case NeverDelivered():
            return refusal(400, f"Bad Request: {fault.why}")
        case Lost():
            return Dropped(fault.delivered)
        case Hang():
            return ServerHang(fault.delivered)
        case _:
            raise TypeError(f"no server of Telegram does this: {fault!r}")

"""Saying it on Telegram: one notice in as few messages as its length allows, and what a refusal means."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import structlog
from telegram import Bot
from telegram.error import BadRequest, ChatMigrated, TelegramError

from bot.errors import AnswerLost, NeverDelivered, RetryLater, TransportError
from bot.messages import Address, Outbound
from bot.platforms.telegram.limiter import Limits
from bot.platforms.telegram.parse import Moved
from bot.platforms.telegram.request import ApiRequest
from bot.platforms.telegram.session import Upload
from bot.platforms.telegram.text import MOST_CAPTION, MOST_TEXT, buttons, calling, split, units
from bot.platforms.telegram.verdict import Verdicts
from storage.media import opened

log = structlog.get_logger(__name__)

T = TypeVar("T")

MOST_PHOTO_BYTES = 10_000_000
MOST_KNOWN_PHOTOS = 256
NAME_UNITS = 160  # kept free for a name that is put before the text
_NO_THREAD = ("thread not found", "topic_closed", "topic_deleted")
JOIN = "+"  # between the ids of the messages of one long notice


class Photo(msgspec.Struct):
    """One size of a photo that is in a chat."""

    file_id: str


class Sent(msgspec.Struct):
    """What we want to know of a message that we sent; python-telegram-bot makes an object of every field, which takes longer than
    the request."""

    message_id: int
    photo: list[Photo] = []


class Sending:
    """Sends through `bot`. `names` is what people are called; `on_move` is told the new id of a group that moved."""

    def __init__(
        self,
        bot: Bot,
        pool: ApiRequest,
        limits: Limits,
        data_dir: Path,
        names: MutableMapping[str, str],
        on_move: Callable[[Moved], Awaitable[None]],
        monotonic: Callable[[], float],
    ) -> None:
        self._bot = bot
        self._root = bot.base_url
        self._pool = pool
        self._limits = limits
        self._data_dir = data_dir
        self._names = names
        self._on_move = on_move
        self._verdicts = Verdicts(monotonic)
        self._photos: OrderedDict[str, str] = OrderedDict()  # path -> Telegram's id of the same photo, uploaded once
        self.moved: dict[str, str] = {}  # old chat id -> new one

    async def send(self, to: Address, what: Outbound) -> str:
        """Say it; returns the message id, or several joined by JOIN. Raises RetryLater, NeverDelivered, AnswerLost."""
        chat = self.moved.get(to.chat, to.chat)
        said: list[str] = []
        try:
            try:
                await self._say(chat, to, what, said)
            except ChatMigrated as moved:
                if said:
                    raise AnswerLost("the group moved while it was being told") from None
                await self._on_move(Moved(chat, str(moved.new_chat_id)))
                await self._say(str(moved.new_chat_id), to, what, said)
        except TelegramError as problem:
            verdict: TransportError = self._verdicts.of(problem, chat)
        except TransportError as problem:
            verdict = problem
        else:
            return JOIN.join(said)
        if said and isinstance(verdict, RetryLater):
            # its beginning stands in the chat: saying it all again is for the lane to decide
            raise AnswerLost("only the beginning was sent") from None
        raise verdict from None

    async def edit(self, to: Address, message_id: str, what: Outbound) -> bool:
        """Let a message say something else; false when it is gone, too long or in several parts."""
        chat = self.moved.get(to.chat, to.chat)
        if chat != to.chat or not message_id.isdigit() or units(what.text) > MOST_TEXT - NAME_UNITS:
            return False  # in a group that moved the numbers of messages began anew
        name = await self._name(chat, what.mention) if what.mention else ""
        words = calling(what.text, what.mention, name) if name and what.mention else what.text
        which: dict[str, Any] = {
            "chat_id": _chat(chat),
            "message_id": int(message_id),
            "parse_mode": "HTML" if name else None,
            "reply_markup": buttons(what.choices),
        }
        try:
            try:
                await self._ask("editMessageText", object, {"text": words, **which})
            except BadRequest as problem:
                if "no text in the message" not in problem.message.lower() or units(words) > MOST_CAPTION:
                    raise
                await self._ask("editMessageCaption", object, {"caption": words, **which})
        except ChatMigrated as moved:
            await self._on_move(Moved(chat, str(moved.new_chat_id)))
            return False
        except BadRequest as problem:
            return "not modified" in problem.message.lower()
        except TelegramError as problem:
            raise self._verdicts.of(problem, chat) from None
        return True

    async def recall(self, to: Address, message_id: str) -> bool:
        """Delete it, all its parts; false when Telegram would not."""
        chat = self.moved.get(to.chat, to.chat)
        ids = [int(one) for one in message_id.split(JOIN) if one.isdigit()]
        gone = bool(ids)
        for one in ids:
            try:
                gone = await self._delete(chat, one) and gone
            except TelegramError as problem:
                log.info("telegram.not_recalled", why=type(problem).__name__)
                gone = False
        return gone

    async def _delete(self, chat: str, message_id: int) -> bool:
        given = {"chat_id": _chat(chat), "message_id": message_id}
        return await self._limits.ask("deleteMessage", chat, lambda: self._ask("deleteMessage", bool, given))

    async def _say(self, chat: str, to: Address, what: Outbound, said: list[str]) -> None:
        """Send the parts; `said` gets the id of each that is in the chat."""
        name = await self._name(chat, what.mention) if what.mention else ""
        room = NAME_UNITS if name else 0
        parts = split(what.text, MOST_TEXT - room)
        photo = what.photo
        if photo is not None and units(what.text) <= MOST_CAPTION - room:
            await self._part(chat, to, what, parts[0], name, photo=photo, first=True, last=True, said=said)
            return
        if photo is not None:
            await self._part(chat, to, what, "", "", photo=photo, first=True, last=False, said=said)
        for index, part in enumerate(parts):
            first = index == 0
            await self._part(
                chat,
                to,
                what,
                part,
                name if first else "",
                photo=None,
                first=first and photo is None,
                last=index == len(parts) - 1,
                said=said,
            )

    async def _part(
        self,
        chat: str,
        to: Address,
        what: Outbound,
        text: str,
        name: str,
        *,
        photo: str | None,
        first: bool,
        last: bool,
        said: list[str],
    ) -> None:
        given: dict[str, object] = {
            "chat_id": _chat(chat),
            # without a parse mode nothing in a plain text can be markup
            "parse_mode": "HTML" if name else None,
            "reply_parameters": _reply(what.reply_to) if first and what.reply_to else None,
            "reply_markup": buttons(what.choices) if last and what.choices else None,
            "message_thread_id": int(to.thread) if to.thread and to.thread.isdigit() else None,
        }
        words = calling(text, what.mention, name) if name and what.mention else text
        try:
            message = await self._message(words, photo, given)
        except BadRequest as problem:
            if given["message_thread_id"] is None or not any(word in problem.message.lower() for word in _NO_THREAD):
                raise
            given["message_thread_id"] = None
            message = await self._message(words, photo, given)  # the topic is gone, the group is not
        said.append(str(message.message_id))

    def _message(self, words: str, photo: str | None, given: dict[str, object]) -> Awaitable[Sent]:
        if photo is None:
            given["text"] = words
            return self._ask("sendMessage", Sent, given)
        return self._photo(photo, {**given, "caption": words or None})

    async def _photo(self, photo: str, given: dict[str, object]) -> Sent:
        known = self._photos.get(photo)
        if known is not None:
            try:
                return await self._ask("sendPhoto", Sent, {**given, "photo": known})
            except BadRequest as problem:
                if "file" not in problem.message.lower():
                    raise
                del self._photos[photo]
        message = await self._ask("sendPhoto", Sent, given, Upload("photo", "photo.jpg", await self._read(photo), "image/jpeg"))
        if message.photo:
            self._photos[photo] = message.photo[-1].file_id
            if len(self._photos) > MOST_KNOWN_PHOTOS:
                self._photos.popitem(last=False)
        return message

    def _ask(self, method: str, kind: type[T], given: Mapping[str, object], upload: Upload | None = None) -> Awaitable[T]:
        return self._pool.ask(f"{self._root}/{method}", given, kind, upload)

    async def _read(self, photo: str) -> bytes:
        def read() -> bytes:
            base = self._data_dir.resolve()
            path = (base / photo).resolve()
            if not path.is_relative_to(base):
                raise NeverDelivered("the photo does not lie in the data directory")
            with path.open("rb") as file:
                return opened(file.read(MOST_PHOTO_BYTES + 1))

        try:
            data = await asyncio.to_thread(read)
        except OSError:
            raise NeverDelivered("the photo cannot be read") from None
        if len(data) > MOST_PHOTO_BYTES:
            raise NeverDelivered("the photo is too large for Telegram")
        return data

    async def _name(self, chat: str, person: str) -> str:
        """What the person is called; empty when that cannot be learnt, then nobody is called by name."""
        if not person.isdigit():
            return ""
        if person not in self._names:
            try:
                member = await self._bot.get_chat_member(_chat(chat), int(person))
            except (TelegramError, TypeError, KeyError, ValueError):
                return ""
            self._names[person] = member.user.full_name
        name = self._names[person]
        return name if units(name) + 1 <= NAME_UNITS else name[: NAME_UNITS // 2 - 1]


def _reply(message_id: str | None) -> dict[str, object] | None:
    """To quote what may be deleted by now; an id of another time or place is left out."""
    first = (message_id or "").split(JOIN)[0]
    return {"message_id": int(first), "allow_sending_without_reply": True} if first.isdigit() else None


def _chat(chat: str) -> int:
    try:
        return int(chat)
    except ValueError:
        raise NeverDelivered("this is no chat of Telegram", gone=True) from None

"""Saying it on WeChat, and what a refusal or a lost answer means.

The account hears its own messages, so a send whose answer was lost is settled by the message itself: if it comes back, it is in
the chat. If it does not, nobody knows, and the notice's lane decides.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog
from grpclib.const import Status

from bot.errors import AnswerLost, NeverDelivered, RetryLater, TransportError
from bot.messages import Address, Outbound
from bot.platforms.wechat import safety
from bot.platforms.wechat.client import CallFailed, NoConnection, NotUs, Payload, Puppet, Refused
from bot.platforms.wechat.names import Names
from bot.platforms.wechat.settings import WechatSettings
from bot.platforms.wechat.text import calling, card_of, split
from bot.platforms.wechat.wire import MessageSort
from storage.media import SUFFIX, opened

log = structlog.get_logger(__name__)

JOIN = "+"  # between the ids of the messages of one long notice
LONGEST_SIDE = 1600  # pixels of a picture that we send
MOST_PICTURE = 900_000  # bytes of it; the service refuses messages above 4 MiB
MOST_FILE = 10_000_000
MOST_AUTHORS = 5_000
MOST_ECHOES = 512
_PICTURES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True, slots=True)
class _Picture:
    """A file ready to be sent."""

    name: str
    data: bytes


class Echoes:
    """What the account has heard of itself lately, and who waits for it."""

    def __init__(self) -> None:
        self._heard: OrderedDict[str, tuple[str, str, str]] = OrderedDict()  # message id -> chat, kind, text
        self._used: OrderedDict[str, None] = OrderedDict()  # ids that the service itself has told as answers
        self._news = asyncio.Event()

    def heard(self, payload: Payload) -> None:
        """One of our own messages came back."""
        kind = "text" if payload.sort == MessageSort.TEXT else "other"
        self._heard[payload.id] = (payload.room or payload.listener, kind, _plain(payload.text))
        if len(self._heard) > MOST_ECHOES:
            self._heard.popitem(last=False)
        self._news.set()

    def answered(self, message_id: str) -> None:
        """This id belongs to a send whose answer came: no other send is settled by it."""
        self._used[message_id] = None
        if len(self._used) > MOST_ECHOES:
            self._used.popitem(last=False)

    def since(self) -> set[str]:
        """The ids heard so far."""
        return set(self._heard)

    async def wait(self, chat: str, text: str | None, before: set[str], seconds: float) -> str:
        """The id of a message of ours in `chat` that was not there `before`: with these words, or a picture for None."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self._news.clear()
                    for message_id, (where, kind, words) in self._heard.items():
                        fits = kind == "other" if text is None else words == _plain(text)
                        if where == chat and fits and message_id not in before and message_id not in self._used:
                            self.answered(message_id)
                            return message_id
                    await self._news.wait()
        except TimeoutError:
            return ""


class Sending:
    """Sends over the connection that `current` gives. `on_warning` is told when WeChat finds the account too busy."""

    def __init__(
        self,
        settings: WechatSettings,
        data_dir: Path,
        names: Names,
        current: Callable[[], Puppet | None],
        on_warning: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._data_dir = data_dir
        self._names = names
        self._current = current
        self._on_warning = on_warning
        self._authors: OrderedDict[tuple[str, str], str] = OrderedDict()  # (chat, message id) -> who wrote it
        self.echoes = Echoes()

    def remember(self, chat: str, message_id: str, person: str) -> None:
        """Who wrote a message, to call them by name when it is answered: WeChat lets no program quote."""
        self._authors[chat, message_id] = person
        if len(self._authors) > MOST_AUTHORS:
            self._authors.popitem(last=False)

    async def send(self, to: Address, what: Outbound) -> str:
        """Say it; returns the message id, or several joined by JOIN. Raises RetryLater, NeverDelivered, AnswerLost."""
        puppet = self._current()
        if puppet is None:
            raise RetryLater(1.0, "account", "no connection to WeChat")
        picture = await self._picture(what.photo) if what.photo is not None else None
        said: list[str] = []
        try:
            if picture is not None:
                name, data = picture.name, picture.data
                said.append(await self._settled(to, None, lambda: puppet.send_file(to.chat, name, data)))
            if what.text or picture is None:
                await self._say(puppet, to, what, said)
        except TransportError as problem:
            if said and isinstance(problem, RetryLater):
                # its beginning stands in the chat: saying it all again is for the lane to decide
                raise AnswerLost("only the beginning was sent") from None
            raise
        return JOIN.join(said)

    async def recall(self, message_id: str) -> bool:
        """Take it back, all its parts; WeChat allows two minutes."""
        puppet = self._current()
        ids = [one for one in message_id.split(JOIN) if one and not one.startswith("unseen:")]
        gone = bool(ids) and puppet is not None
        for one in ids:
            try:
                gone = puppet is not None and await puppet.recall(one) and gone
            except CallFailed as problem:
                log.info("wechat.not_recalled", why=str(problem))
                gone = False
        return gone

    async def _say(self, puppet: Puppet, to: Address, what: Outbound, said: list[str]) -> None:
        person, name = await self._addressee(to, what)
        text = calling(what.text, name) if name else what.text
        card = card_of(text) if not name else None
        if card is not None:
            try:
                said.append(
                    await self._settled(to, None, lambda: puppet.send_link(to.chat, card.title, card.description, card.url))
                )
                return
            except NeverDelivered as problem:
                if problem.gone:
                    raise
                log.info("wechat.no_card", why=problem.why)  # this service knows no cards: the words say it, too
        for index, part in enumerate(split(text)):
            mentions = (person,) if index == 0 and name else ()
            said.append(await self._settled(to, part, partial(puppet.send_text, to.chat, part, mentions)))

    async def _addressee(self, to: Address, what: Outbound) -> tuple[str, str]:
        """Who is called by name, and the name; nobody in a private chat, or when the name cannot be learnt."""
        if to.private:
            return "", ""
        person = what.mention or self._authors.get((to.chat, (what.reply_to or "").split(JOIN)[0]), "")
        name = await self._names.of(to.chat, person) if person else ""
        return person, name

    async def _settled(self, to: Address, text: str | None, call: Callable[[], Awaitable[str]]) -> str:
        """One message: the id from the answer, or from the message itself as the account hears it."""
        before = self.echoes.since()
        try:
            message_id = await call()
        except CallFailed as problem:
            await self._raise_certain(problem)
            message_id = await self.echoes.wait(to.chat, text, before, self._settings.echo_seconds)
            if not message_id:
                raise AnswerLost(str(problem)) from None
            return message_id
        if message_id:
            self.echoes.answered(message_id)
            return message_id
        # this service tells no ids; without one the message can neither be recalled nor answered
        found = await self.echoes.wait(to.chat, text, before, self._settings.echo_seconds)
        return found or "unseen:" + hashlib.sha256(f"{to.chat}{text}{len(before)}".encode()).hexdigest()[:16]

    async def _raise_certain(self, problem: CallFailed) -> None:
        """Raise what is certain about a failed send; return when nothing is."""
        if isinstance(problem, NotUs):
            raise RetryLater(60.0, "account", str(problem)) from None
        if isinstance(problem, NoConnection):
            raise RetryLater(1.0, "account", str(problem)) from None
        if not isinstance(problem, Refused):
            return
        # the service's sentence may quote the message: it decides here and goes no further
        if safety.warns(problem.reason):
            await self._on_warning()
            raise RetryLater(60.0, "message", "WeChat finds the account too busy") from None
        if safety.says_gone(problem.reason) or problem.status is Status.NOT_FOUND:
            raise NeverDelivered("the account is not in this chat, or may not write there", gone=True) from None
        if safety.says_logged_out(problem.reason):
            raise RetryLater(10.0, "account", "the account is not logged in") from None
        if not problem.arrived:
            raise NeverDelivered(str(problem)) from None

    async def _picture(self, photo: str) -> _Picture:
        """The file below the data directory, a picture made small enough. Raises NeverDelivered."""

        def read() -> _Picture:
            base = self._data_dir.resolve()
            path = (base / photo).resolve()
            if not path.is_relative_to(base):
                raise NeverDelivered("the file does not lie in the data directory")
            with path.open("rb") as file:
                data = opened(file.read(MOST_FILE + 1))
            if len(data) > MOST_FILE:
                raise NeverDelivered("the file is too large for WeChat")
            if path.suffix.lower() not in (*_PICTURES, SUFFIX):
                return _Picture(path.name, data)
            return _Picture(f"{path.stem[:16]}.jpg", smaller(data))

        try:
            return await asyncio.to_thread(read)
        except (OSError, ValueError):
            raise NeverDelivered("the file cannot be read") from None


def smaller(data: bytes) -> bytes:
    """A picture of our own as JPEG of at most MOST_PICTURE bytes. Raises OSError for what is no picture."""
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as picture:
        if picture.format == "JPEG" and len(data) <= MOST_PICTURE and max(picture.size) <= LONGEST_SIDE:
            return data
        plain = picture.convert("RGB")
    side, quality = LONGEST_SIDE, 85
    while True:
        plain.thumbnail((side, side), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        plain.save(out, "JPEG", quality=quality, optimize=True)
        if out.tell() <= MOST_PICTURE or side < 200:
            return out.getvalue()
        side, quality = side * 3 // 4, max(60, quality - 10)


def _plain(text: str) -> str:
    return "".join(text.split())

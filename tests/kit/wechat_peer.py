"""The people of a scenario on WeChat: what they do goes through a real puppet service to the real adapter.

What a person does is told to the service when the scenario waits for the bot (`all_confirmed`), in the order in which it was
done. WeChat has no buttons (a tap is the typed word, quoting the message) and no edits; words that are nobody's own come as a
chat history, as there are no anonymous administrators; a picture is a message of its own, without words.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bot.clock import Clock
from bot.config import Settings
from bot.errors import NeverDelivered, RetryLater
from bot.messages import Address, Inbound, Kind, Location, Outbound, Quote, Receipt
from bot.platforms.base import Adapter
from bot.platforms.wechat import WechatPlatform
from bot.platforms.wechat.client import Told
from bot.platforms.wechat.places import _shift
from storage.writer import Writer
from tests.kit.peer import Arrival, Fault, Hang, Lost, Peer
from tests.kit.puppet import NAME, TOKEN, Puppet, Sent

if TYPE_CHECKING:
    from bot.app import App

ACCOUNT = "main"
DASHES = "- " * 15
PATIENCE = 60.0
NEVER = 10 * 365 * 86_400  # seconds


class WechatPeer(Peer):
    """One account on a service of its own."""

    buttons = False
    captions = False
    edits = False
    changes = False

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__("wechat", ACCOUNT, clock)
        self.puppet = Puppet()
        self.puppet.on_sent = self._said
        self.puppet.on_recalled = self.took_back
        self.inner: WechatPlatform | None = None
        self._people: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._chats: dict[str, str] = {}
        self._to_do: list[Inbound | dict[str, Any]] = []
        self._told: list[str] = []
        self._heard_of = 0  # events that the adapter was told of, but for what the account said itself
        self._before = 0  # events that the service had told when the adapter was made
        self._picture: dict[str, Sent] = {}

    async def open(self) -> None:
        await self.puppet.__aenter__()

    async def move_in(self, people: dict[str, str], groups: dict[str, str]) -> None:
        for person, name in people.items():
            self._people[self.user_id(person)] = person
            self._names[person] = name
            self.puppet.lay(do="contact", id=self.user_id(person), name=name)
        members = list(self._people)
        for group, name in groups.items():
            self.puppet.lay(do="room", id=self.chat_id(group), topic=name, members=[*members, self.puppet.account])
        await self.puppet.lay_all()

    async def close(self) -> None:
        await self.puppet.__aexit__()

    def environ(self) -> dict[str, str]:
        return {
            "QIANSHAO_WECHAT__ENABLED": "true",
            "QIANSHAO_WECHAT__ENDPOINT": f"127.0.0.1:{self.puppet.port}",
            "QIANSHAO_WECHAT__TOKEN": TOKEN,
            "QIANSHAO_WECHAT__TLS": "off",
            "QIANSHAO_WECHAT__INTRODUCTIONS_PER_HOUR": "0",
        }

    def adapter(self, settings: Settings, writer: Writer, clock: Clock, house: list[App]) -> Adapter:
        from bot.app.wechat import wechat_platforms

        # a scenario that lets time pass while the bot is stopped is about something else
        patient = settings.wechat.model_copy(update={"gap_told_seconds": NEVER})
        [inner] = wechat_platforms(settings.model_copy(update={"wechat": patient}), writer, clock, house)
        self.inner = inner
        inner.order_seconds = PATIENCE  # what two people say comes in their order, however slow the service is today
        self._before, self._heard_of = self.puppet.emitted, 0
        on_event = inner._on_event

        async def on_event_and_count(told: Told) -> None:
            """What the account hears of itself comes when it likes, and is not waited for."""
            before = inner.told
            await on_event(told)
            if inner.told > before and '"sent-' not in told.data:
                self._heard_of += 1

        inner._on_event = on_event_and_count  # type: ignore[method-assign]
        send, recall = inner.send, inner.recall

        async def send_and_see(to: Address, what: Outbound) -> Receipt:
            """The service tells us what it was asked to say on another way than it answers the bot.

            What is said before the connection stands would wait for a second of a clock that stands still.
            """
            async with asyncio.timeout(PATIENCE):
                while not inner.health().listening:  # noqa: ASYNC110 (there is nothing to wait for)
                    await asyncio.sleep(0.005)
            receipt = await send(to, what)
            ids = [one for one in receipt.message_id.split("+") if not one.startswith("unseen:")]
            await self.puppet.until(lambda: {one.id for one in self.puppet.sent} >= set(ids))
            return receipt

        async def recall_and_see(to: Address, message_id: str) -> bool:
            done = await recall(to, message_id)
            if done:
                await self.puppet.until(lambda: set(self.puppet.recalled) >= set(message_id.split("+")))
            return done

        inner.send, inner.recall = send_and_see, recall_and_see  # type: ignore[method-assign]
        return inner

    # --- ids ----------------------------------------------------------------------------------------------------------

    def user_id(self, person: str) -> str:
        return f"wxid_{person}"

    def chat_id(self, chat: str) -> str:
        self._chats[f"{chat}@chatroom"] = chat
        return f"{chat}@chatroom"

    # --- in -----------------------------------------------------------------------------------------------------------

    @property
    def confirmed(self) -> list[str]:
        return list(self._told)

    def inject(self, event: Inbound) -> None:
        self.heard.setdefault(event.event_id, event)
        self._to_do.append(event)

    def fail(self, *faults: Fault, chat: str | None = None) -> None:
        where = {"conversation": self.chat_id(chat)} if chat is not None else {}
        self._to_do += [{**_service_fault(fault), **where} for fault in faults]

    async def all_confirmed(self) -> None:
        inner = self.inner
        if inner is None:
            raise RuntimeError("there is no bot")
        async with asyncio.timeout(PATIENCE):
            while not inner.health().listening:  # noqa: ASYNC110 (what is said before is lost, as on WeChat)
                await asyncio.sleep(0.005)
            to_do, self._to_do = self._to_do, []
            for deed in to_do:
                if isinstance(deed, Inbound):
                    await self._happen(deed)
                    self._told.append(deed.event_id)
                else:
                    await self.puppet.fault("messageSendText", **deed)
            while True:
                if self._heard_of >= self.puppet.emitted - self._before and not inner.waiting:
                    return
                await asyncio.sleep(0.005)

    async def _happen(self, event: Inbound) -> None:
        puppet, who = self.puppet, self.user_id(event.sender.id)
        self._people[who] = event.sender.id
        if self._names.setdefault(event.sender.id, event.sender.name) != event.sender.name:
            self._names[event.sender.id] = event.sender.name
            await puppet.renamed(who, event.sender.name)
        else:
            await puppet.contact(who, event.sender.name)
        private = event.address.private
        room = "" if private else self.chat_id(event.address.chat)
        if room and not await self._is_known(room):
            await puppet.room(room, event.group_name or event.address.chat, [who])
        match event.kind:
            case Kind.JOINED:
                await puppet.joined(room, [puppet.account], who)
            case Kind.LEFT:
                await puppet.left(room, [puppet.account], who)
            case Kind.MET:
                await puppet.deed("friendship", id=event.event_id, contact=who, type=1)
            case Kind.EDIT:
                pass  # nobody can change a message
            case _:
                await self._speak(event, who, puppet.account if private else room)

    async def _is_known(self, room: str) -> bool:
        return any(deed["do"] == "room" and deed["id"] == room for deed in self.puppet.world)

    async def _speak(self, event: Inbound, who: str, where: str) -> None:
        puppet = self.puppet
        more: dict[str, Any] = {"timestamp": int(event.at.timestamp() * 1000)}
        if event.kind is Kind.RECALL:
            await puppet.say(who, where, event.message_id, sort="recalled", message_id=event.event_id, **more)
            return
        message_id = event.event_id if event.kind is Kind.TAP else event.message_id
        if puppet.knows(message_id):
            await puppet.again(message_id)
            return
        text = event.text
        if event.mentions_me:
            text = text.replace(f"@{NAME}", f"@{NAME}\u2005") if f"@{NAME}" in text else f"@{NAME}\u2005{text}"
            more["mentions"] = [puppet.account]
        if event.quote is not None:
            text = self._quoting(event, event.quote, text)
        if event.copied or not event.sender.personal:
            text, more["sort"] = f"<msg><des>{text}</des></msg>", "history"
        for number, attachment in enumerate(event.attachments):
            alone = not text and number == 0
            name = message_id if alone else f"{message_id}-{number}"
            if attachment.kind == "photo" and attachment.id in self.photos:
                await puppet.photo(who, where, self.photos[attachment.id], message_id=name, **_only_time(more))
            elif attachment.kind == "photo":
                await puppet.say(who, where, sort="image", message_id=name, **_only_time(more))
            elif attachment.id in self.photos:
                file = {"name": "IMG_0001.jpg", "data": base64.b64encode(self.photos[attachment.id]).decode()}
                await puppet.say(who, where, sort="file", message_id=name, filename=file["name"], file=file, **_only_time(more))
            else:
                await puppet.say(who, where, sort="file", message_id=name, filename="a.pdf", **_only_time(more))
        if event.location is not None:
            await puppet.say(
                who, where, sort="location", location=_place(event.location), message_id=f"{message_id}-place", **_only_time(more)
            )
        if text or not (event.attachments or event.location):
            await puppet.say(who, where, text, message_id=message_id, **more)

    def _quoting(self, event: Inbound, quote: Quote, text: str) -> str:
        said, author = quote.text, NAME if quote.mine else event.sender.name
        if not said and quote.mine:
            said = next((one.what.text for one in self.arrived if one.message_id == quote.message_id), "")
        elif not said:
            said = next((one.text for one in self.heard.values() if one.message_id == quote.message_id), "")
        return f"「{author}：{said}」\n{DASHES}\n{text}" if said else text

    # --- out ----------------------------------------------------------------------------------------------------------

    def _said(self, sent: Sent) -> None:
        if sent.kind in ("image", "file"):
            self._picture[sent.conversation] = sent  # the words that belong to it follow
            return
        picture = self._picture.pop(sent.conversation, None)
        text, mention = sent.text, None
        if sent.mentions:
            text = text.partition("\u2005")[2]
            mention = self._people.get(sent.mentions[0], sent.mentions[0])
        if sent.kind == "url":
            text = "\n".join(part for part in (sent.title, sent.description, sent.url) if part)
        private = sent.conversation not in self._chats
        chat = self._people.get(sent.conversation, sent.conversation) if private else self._chats[sent.conversation]
        what = Outbound(key=sent.id, text=text, photo="photo" if picture else None, mention=mention)
        message_id = f"{picture.id}+{sent.id}" if picture else sent.id
        self.arrived.append(Arrival(Address(self.name, self.account, chat, private), what, message_id, self.clock()))

    def took_back(self, message_id: str) -> None:
        """One of ours is gone from its chat."""
        for arrival in self.arrived:
            if message_id in arrival.message_id.split("+"):
                self.recalled.append((arrival.to, arrival.message_id))


def _only_time(more: dict[str, Any]) -> dict[str, Any]:
    return {"timestamp": more["timestamp"]}


def _place(location: Location) -> dict[str, Any]:
    """WeChat pins in China's own coordinates."""
    north, east = _shift(location.latitude, location.longitude)
    return {
        "accuracy": 15,
        "address": "",
        "latitude": location.latitude + north,
        "longitude": location.longitude + east,
        "name": location.name,
    }


def _service_fault(fault: Fault) -> dict[str, Any]:
    """What the service does for the bot to read this in it."""
    match fault:
        case RetryLater():
            return {"error": "puppet is not logged in"}
        case NeverDelivered(gone=True):
            return {"error": "bot is not in this room"}
        case NeverDelivered():
            return {"error": fault.why, "code": 3}
        case Lost(delivered=delivered):
            return {"error": "socket hang up", "lost": delivered}
        case Hang(delivered=delivered):
            return {"lost": True} if delivered else {"error": "socket hang up", "delay": 20_000}
        case _:
            raise TypeError(f"no service does this: {fault!r}")

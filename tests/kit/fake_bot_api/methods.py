"""The methods of the Bot API that the bot calls, each as the real server does it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from tests.kit.fake_bot_api.chats import BOT, Chats, plain
from tests.kit.fake_bot_api.wire import ok, refusal

CONFLICT = refusal(409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running")
_GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
_NO_GIFTS = dict.fromkeys(_GIFTS, False)


class Methods(Chats):
    """`_do_<method>` takes what was given and the uploaded files, and answers."""

    async def _do_getme(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        return ok(self.me)

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
        return ok(batch)

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
        return ok(True)

    async def _do_deletewebhook(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        self.webhook = {}
        if given.get("drop_pending_updates") == "true":
            self.updates.clear()
        return ok(True)

    async def _do_getwebhookinfo(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        return ok(
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
        return ok(message)

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
        return ok({**plain(message), "edit_date": int(self.now())})

    async def _do_deletemessage(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        which = (int(given["chat_id"]), int(given["message_id"]))
        if all((message["chat"]["id"], message["message_id"]) != which for message in self.sent):
            return refusal(400, "Bad Request: message to delete not found")
        self.deleted.append(which)
        self.on_deleted(*which)
        return ok(True)

    async def _do_answercallbackquery(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        self.answered.append(given["callback_query_id"])
        return ok(True)

    async def _do_getfile(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        file_id = given.get("file_id", "")
        if file_id not in self.files:
            return refusal(400, "Bad Request: invalid file_id")
        if len(self.files[file_id]) > 20_000_000:
            return refusal(400, "Bad Request: file is too big")
        size = len(self.files[file_id])
        return ok({"file_id": file_id, "file_unique_id": f"u{file_id}", "file_size": size, "file_path": f"photos/{file_id}.jpg"})

    async def _do_getchat(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        chat = self.chats.get(int(given["chat_id"]))
        if chat is None:
            return refusal(400, "Bad Request: chat not found")
        return ok({**self.card(chat), "accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": _NO_GIFTS})

    async def _do_getchatmember(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        number = int(given["user_id"])
        chat = self.chats.get(int(given["chat_id"]))
        user = next((one for one in (*self.people.values(), self.me) if one["id"] == number), None)
        if chat is None or user is None:
            return refusal(400, "Bad Request: chat not found" if chat is None else "Bad Request: user not found")
        if number == self.me["id"]:
            return ok(self._member(chat.members.get(number, "left")))
        return ok({"status": "member", "user": {key: user[key] for key in ("id", "is_bot", "first_name")}})

    async def _do_getchatadministrators(self, given: dict[str, str], files: dict[str, bytes]) -> Any:
        return ok([])

"""A Bot API server for tests (`tests.kit.fake_bot_api.server`)."""

from tests.kit.fake_bot_api.chats import BOT, TOKEN, Chat
from tests.kit.fake_bot_api.server import FakeBotApi
from tests.kit.fake_bot_api.wire import BLOCKED, KICKED, Answer, Call, Cut, Dropped, Fault, Hang, TooFast, refusal

__all__ = (
    "BLOCKED",
    "BOT",
    "KICKED",
    "TOKEN",
    "Answer",
    "Call",
    "Chat",
    "Cut",
    "Dropped",
    "FakeBotApi",
    "Fault",
    "Hang",
    "TooFast",
    "refusal",
)

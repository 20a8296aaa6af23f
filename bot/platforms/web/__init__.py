"""The web group chat: `WebPlatform` and what it is told from outside. docs/web-protocol.md says what a browser hears."""

from bot.platforms.web.adapter import WebPlatform
from bot.platforms.web.settings import (
    BOT_ID,
    OfficerCard,
    OfficerGate,
    RoomCard,
    RoomSeed,
    TrySeed,
    UserSeed,
    WebSettings,
    officer_id,
)
from bot.platforms.web.texts import load_texts

__all__ = [
    "BOT_ID",
    "OfficerCard",
    "OfficerGate",
    "RoomCard",
    "RoomSeed",
    "TrySeed",
    "UserSeed",
    "WebPlatform",
    "WebSettings",
    "load_texts",
    "officer_id",
]

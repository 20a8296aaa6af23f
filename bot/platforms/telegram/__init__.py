"""Telegram: `TelegramPlatform` and what it is told from outside. docs/telegram.md says how to connect it."""

from bot.platforms.telegram.adapter import TelegramPlatform
from bot.platforms.telegram.limiter import Limits
from bot.platforms.telegram.look import Found, look
from bot.platforms.telegram.moves import move_chat, move_mind
from bot.platforms.telegram.parse import Moved
from bot.platforms.telegram.settings import TelegramSettings

__all__ = ["Found", "Limits", "Moved", "TelegramPlatform", "TelegramSettings", "look", "move_chat", "move_mind"]

"""The composition root: builds the house from the settings and keeps it running. Only this room knows everybody.

`house` puts one bot together, `platforms` makes the platforms of the settings, `routes` the table of handlers, `serving` runs it.
"""

from __future__ import annotations

from bot.app.house import App
from bot.app.library import Library
from bot.app.platforms import rooms_of_roster, roster_gate, telegram_settings
from bot.app.routes import SERVICES, build_router, load_handler_file
from bot.app.serving import CONTENT, check_duties, open_database, serve, serving
from bot.app.wechat import wechat_settings

__all__ = [
    "CONTENT",
    "SERVICES",
    "App",
    "Library",
    "build_router",
    "check_duties",
    "load_handler_file",
    "open_database",
    "rooms_of_roster",
    "roster_gate",
    "serve",
    "serving",
    "telegram_settings",
    "wechat_settings",
]

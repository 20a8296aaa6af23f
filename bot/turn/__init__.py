"""Turns: a kept event or a due timer, its handler, and what the handler may name."""

from bot.turn.parameters import (
    Answered,
    Brought,
    Effects,
    LoosePhotos,
    Menu,
    NotMine,
    Photos,
    Pins,
    Rules,
    StoredPhoto,
    Verdict,
)
from bot.turn.supplies import House, Reading, Supplies
from bot.turn.turn import Turn

__all__ = (
    "Answered",
    "Brought",
    "Effects",
    "House",
    "LoosePhotos",
    "Menu",
    "NotMine",
    "Photos",
    "Pins",
    "Reading",
    "Rules",
    "StoredPhoto",
    "Supplies",
    "Turn",
    "Verdict",
)

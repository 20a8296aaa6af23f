"""The composition root: builds the house from the settings and keeps it running. Only this room knows everybody."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlmodel import Session, col, select

from bot.campaigns import Campaigns
from bot.clock import Clock
from bot.config import Settings
from bot.errors import ConfigError
from bot.gate import RosterGate
from bot.inbox import Inbox, Job, Mind, Senses
from bot.lanes import Lanes
from bot.messages import Address
from bot.metrics import Metrics
from bot.outbox import Outbox
from bot.pacing import Pacing
from bot.photos import PhotoWorker
from bot.platforms.base import Adapter
from bot.platforms.supervisor import Supervisor
from bot.platforms.web import WebPlatform, WebSettings
from bot.platforms.web.settings import is_loopback
from bot.router import Router, split_command
from bot.say import Voice
from bot.timers import TimerLoop
from bot.turn import Effects, House, Rules, Turn
from bot.understanding.answers import Answers
from bot.understanding.understanding import Understanding
from bot.worker import Worker
from cases.alarms import Alarms, open_alarm
from cases.desk import CaseDesk
from cases.roster import Roster
from cases.tips import Seal, Tips
from content.phrases import PhraseBook
from content.posts import PostLibrary
from content.taxonomy import Taxonomy
from handlers import callback, desk, emergencies, hazards, help, officers, posts, questions, tips
from storage.database import prepare
from storage.sealing import Sealer
from storage.tables import Case, CaseEntry, Group, Notice, Officer, Unit
from storage.writer import Writer

log = structlog.get_logger(__name__)

CONTENT = Path(__file__).resolve().parent.parent / "content"
HANDLERS = (emergencies, hazards, questions, tips, desk, callback, officers, help, posts)
"""Order is of no importance: two handlers for one place are refused."""


def build_router(extra: Sequence[Path] = ()) -> Router:
    """All handlers of ours and of the files named in the settings, in one checked table."""
    router = Router("all")
    for module in HANDLERS:
        router.include(module.router)
    for path in extra:
        router.include(_load_handler_file(path))
    router.check((*Turn.KNOWN, *SERVICES))
    return router


def _load_handler_file(path: Path) -> Router:
    spec = importlib.util.spec_from_file_location(f"qianshao_handlers_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ConfigError(f"bot.handlers: {path} is not a Python file; give the path of a file that has a `router`")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as problem:
        raise ConfigError(f"bot.handlers: {path} cannot be loaded: {type(problem).__name__}: {problem}") from problem
    router = getattr(module, "router", None)
    if not isinstance(router, Router):
        raise ConfigError(f"bot.handlers: {path} has no `router`; see docs/extending.md")
    return router

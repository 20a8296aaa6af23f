"""The table of all handlers, ours and those named in the settings."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from bot.campaigns import Campaigns
from bot.errors import ConfigError
from bot.router import Router
from bot.turn import Turn
from cases.activities import Activities
from cases.alarms import Alarms
from cases.blocks import Blocks
from cases.desk import CaseDesk
from cases.identities import Identities
from cases.kept import KeptAnswers
from cases.lost import LostAndFound
from cases.mediation import Mediations
from cases.pending import PendingActions
from cases.premises import Places
from cases.privacy import Privacy
from cases.proposals import Proposals
from cases.repeats import Repeats
from cases.roster import Roster
from cases.tips import Tips
from cases.totp import Totp
from cases.wishes import Wishes
from handlers import (
    additions,
    appeals,
    away,
    blocks,
    callback,
    casework,
    clocks,
    closing,
    clues,
    confirm,
    deeds,
    desk,
    dispatching,
    disputes,
    echoes,
    emergencies,
    followups,
    found,
    groups,
    hazards,
    identity,
    keeping,
    lookalikes,
    lost,
    missing,
    officers,
    openings,
    posts,
    privacy,
    proposals,
    questions,
    roles,
    scams,
    scene,
    shift,
    talk,
    tip_desk,
    tips,
    visits,
    volunteers,
    wishes,
)
from handlers import help as help_
from handlers.asking import Confirmations
from handlers.origin import Spot
from handlers.reports import Reports

NEIGHBOURS = (wishes, lost, disputes, volunteers, proposals, deeds, visits)
HANDLERS = (
    *(emergencies, scene, scams, hazards, echoes, additions, followups, openings, questions, tips, tip_desk),
    *(desk, dispatching, casework, talk, callback, closing, clocks, shift),
    *(officers, help_, privacy, posts, missing, found, appeals, clues, away, groups, identity),
    *(keeping, confirm, roles, blocks, lookalikes),
    *NEIGHBOURS,
)
SERVICES: tuple[type, ...] = (
    *(CaseDesk, Alarms, Roster, Identities, Tips, Privacy, Campaigns, Spot, Reports),
    *(KeptAnswers, Totp, PendingActions, Confirmations, Blocks, Repeats),
    *(Wishes, LostAndFound, Mediations, Activities, Proposals, Places),
)


def build_router(extra: Sequence[Path] = ()) -> Router:
    """All handlers of ours and of the files named in the settings, in one checked table."""
    router = Router("all")
    for module in HANDLERS:
        router.include(module.router)
    for path in extra:
        router.include(load_handler_file(path))
    router.check((*Turn.KNOWN, *SERVICES))
    return router


def load_handler_file(path: Path) -> Router:
    """The `router` of a handler file of one's own; ConfigError says what is wrong with it."""
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

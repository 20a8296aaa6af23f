"""Officers on their rounds: `/走访` logs a visit, `/场所` and `/检查` look after premises; what is wrong becomes a case."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session, select

from bot.messages import Inbound
from bot.permissions import Rights, Role
from bot.router import Router, Words
from bot.say import Say
from bot.turn import Photos, Rules
from bot.understanding.meaning import Intent, Meaning
from cases.desk import CaseDesk, Origin
from cases.premises import Places, Seen
from content.refusal import Refusal
from content.spelling import named, simplified
from handlers.cards import case_card
from handlers.desk import out_of_the_group
from handlers.origin import origin_of
from handlers.reports import pass_on
from storage.tables import Case, Grid, Group, Officer

router = Router("visits")

ROUND = (Role.OFFICER, Role.GRID_WORKER)
VISIT_USAGE = "地点；情况（发现问题加：；问题：…）"
ADD_USAGE = "登记 名称；地址；用途"
INSPECT_USAGE = "场所号 合格（或：问题 是什么）"
SHOWN_DAYS = timedelta(days=7)
MOST_SHOWN = 10
_PARTS = re.compile(r"[；;\n]+")
_PROBLEM = re.compile(r"^(?:发现)?问题[:：\s]*")
_READ = re.compile(r"[问問][题題][:：\s]*(.+)", re.DOTALL)  # that all is well with the rest says nothing of the problem


@router.command(
    "走访", "visit", usage=VISIT_USAGE, about="记一次走访；不写内容看最近七天的", needs=ROUND, aside=True, reads=_READ
)
def visit(
    message: Inbound,
    words: Words,
    meaning: Meaning,
    officer: Officer,
    rights: Rights,
    group: Group | None,
    photos: Photos,
    desk: CaseDesk,
    places: Places,
    rules: Rules,
    say: Say,
    session: Session,
    now: datetime,
    zone: ZoneInfo,
) -> None:
    """`/走访 港新路12号；家里都好；问题：楼道堆了纸箱`."""
    if not words:
        rows = [
            (f"{one.at.astimezone(zone):%m-%d}", one.place, one.text, one.case_id is not None)
            for one in places.visits_of(officer, now - SHOWN_DAYS)
        ]
        out_of_the_group(message, say, "visits.list", visits=rows[:MOST_SHOWN], count=len(rows))
        return
    parts = [part.strip() for part in _PARTS.split(words) if part.strip()]
    if len(parts) < 2:
        raise Refusal("refusal.usage", command="走访", usage=VISIT_USAGE)
    problem = next((_PROBLEM.sub("", part) for part in parts[1:] if _PROBLEM.match(part)), "")
    told = "；".join(part for part in parts[1:] if not _PROBLEM.match(part))
    origin = replace(origin_of(message, None), grid_id=_grid_of(group, rights))
    category, tier = _kind(meaning)
    _, case = places.visit(parts[0][:60], told[:300], problem, category, tier, origin)
    if case is None:
        out_of_the_group(message, say, "visits.logged", place=parts[0][:60])
        return
    desk.attach(case, photos.ids, "reporter", message_id=message.message_id)
    _answer(message, case, "visits.logged_case", desk, rules, say, session)


@router.command("场所", "premises", usage=ADD_USAGE, about="看场所的安全颜色；登记场所", needs=ROUND, aside=True)
def premises(
    message: Inbound, words: Words, rights: Rights, group: Group | None, places: Places, say: Say, session: Session
) -> None:
    """The worst of one's own grids first; `登记 …` adds one, a number shows one."""
    verb, _, rest = words.partition(" ")
    if named(verb) == "登记":
        parts = [part.strip() for part in _PARTS.split(rest) if part.strip()]
        if len(parts) < 2:
            raise Refusal("refusal.usage", command="场所", usage=ADD_USAGE)
        made = places.add(parts[0][:40], parts[1][:60], parts[2][:20] if len(parts) > 2 else "", _grid_of(group, rights))
        out_of_the_group(message, say, "premises.added", number=made.id, name=made.name)
        return
    if words:
        one = places.find(_number(words))
        if not rights.covers("premises.view", one.grid_id):
            raise Refusal("premises.no_such", number=one.id)
        shown = [Seen(one, places.shade(one))]
    else:
        grids = [grid.id for grid in session.exec(select(Grid)).all() if rights.covers("premises.view", grid.id)]
        shown = places.worst([grid for grid in grids if grid is not None], MOST_SHOWN)
    rights.audit("premises.view", target=words[:20], allowed=True)
    out_of_the_group(message, say, "premises.list", rows=[_row(seen, say) for seen in shown])


@router.command("检查", "inspect", usage=INSPECT_USAGE, about="记一次场所检查", needs=ROUND, aside=True, reads=_READ)
def inspect(
    message: Inbound,
    words: Words,
    meaning: Meaning,
    photos: Photos,
    desk: CaseDesk,
    places: Places,
    rules: Rules,
    say: Say,
    session: Session,
) -> None:
    """`/检查 3 合格`, or `/检查 3 问题 灭火器过期`."""
    number, _, rest = words.partition(" ")
    verdict = rest.strip()
    well, found = simplified(verdict).startswith("合格"), _PROBLEM.match(simplified(verdict))
    if not number.isdigit() or not (well or found):
        raise Refusal("refusal.usage", command="检查", usage=INSPECT_USAGE)
    problem = verdict[found.end() :] if found else ""
    if not well and len(problem) < 2:
        raise Refusal("refusal.usage", command="检查", usage=INSPECT_USAGE)
    looked = places.find(int(number))
    origin: Origin = replace(origin_of(message, None), grid_id=looked.grid_id)
    category, tier = _kind(meaning)
    _, case = places.inspect(looked, problem, category, tier, origin)
    shade = places.shade(looked)
    colour = say.word(f"premises.colour.{shade.colour}")
    if case is None:
        out_of_the_group(message, say, "premises.passed", name=looked.name, colour=colour)
        return
    desk.attach(case, photos.ids, "reporter", message_id=message.message_id)
    _answer(message, case, "premises.failed", desk, rules, say, session, name=looked.name, colour=colour)


def _answer(
    message: Inbound, case: Case, phrase: str, desk: CaseDesk, rules: Rules, say: Say, session: Session, **values: str
) -> None:
    unit = pass_on(case, desk, say, rules, session)
    card = case_card(case, desk, session)
    out_of_the_group(message, say, phrase, case=case, unit=unit, number=card["number"], category=card["category"], **values)


def _kind(meaning: Meaning) -> tuple[str, str]:
    if meaning.intent is Intent.HAZARD and meaning.category is not None:
        return meaning.category, meaning.tier or "T3"
    return "other", "T3"


def _grid_of(group: Group | None, rights: Rights) -> int | None:
    """Where an officer is on his round: the grid of the group, else the one of his own roles."""
    if group is not None and group.grid_id is not None:
        return group.grid_id
    return next((grant.scope_id for grant in rights.grants if grant.scope_kind == "grid"), None)


def _row(seen: Seen, say: Say) -> tuple[int, str, str, str, str]:
    one, shade = seen.premises, seen.shade
    why = say.word(f"premises.why.{shade.why}", count=shade.count)
    return one.id or 0, one.name, one.address, say.word(f"premises.colour.{shade.colour}"), why


def _number(words: str) -> int:
    found = re.fullmatch(r"\s*(\d{1,8})\s*[号號]?\s*", words)
    if found is None:
        raise Refusal("refusal.usage", command="场所", usage=ADD_USAGE)
    return int(found[1])

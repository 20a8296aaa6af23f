"""Pieces of what is said: a case in two lines, a place, what is wrong with a photo."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict
from zoneinfo import ZoneInfo

from sqlmodel import Session

from bot.photos import MOST_BYTES
from bot.say import Say
from bot.turn import LoosePhotos, Photos
from cases.desk import CaseDesk
from cases.dispatch import handlers_of
from storage.tables import Case, Group, Officer, Unit

LONGEST = 120
_KNOWN_TROUBLE = frozenset(
    {"photo.not_image", "photo.broken", "photo.heic", "photo.too_many_pixels", "photo.too_large", "photo.empty"}
)


class CaseCard(TypedDict):
    """The values of the phrases that show a case."""

    number: str
    category: str
    tier: str
    text: str
    place: str
    group: str
    photos: int
    state: str
    unit: str


def place_or_group(case: Case, session: Session) -> str:
    """Where it is, as well as we know."""
    if case.place:
        return case.place
    group = session.get(Group, case.group_id) if case.group_id else None
    return group.name if group else "位置未说"


def case_card(case: Case, desk: CaseDesk, session: Session) -> CaseCard:
    """The values of the phrases that show a case to an officer."""
    group = session.get(Group, case.group_id) if case.group_id else None
    return {
        "number": case.number,
        "category": desk.category(case).name,
        "tier": case.tier,
        "text": case.text[:LONGEST] + ("…" if len(case.text) > LONGEST else ""),
        "place": place_or_group(case, session),
        "group": group.name if group else "私聊",
        "photos": len(desk.photos(case)),
        "state": desk.state_name(case),
        "unit": desk.unit_name(case),
    }


def trouble_with(photos: Photos | LoosePhotos, say: Say) -> str:
    """A sentence about photos that could not be taken in; empty when there are none."""
    if not photos.lost:
        return ""
    phrase = photos.why if photos.why in _KNOWN_TROUBLE else "report.photo_lost"
    return say.word(phrase, megabytes=MOST_BYTES // 1_000_000)


def signing_unit(case: Case, officer: Officer | None, desk: CaseDesk, session: Session) -> str:
    """The unit signs, not the person."""
    if name := desk.unit_name(case):
        return name
    unit = session.get(Unit, officer.unit_id) if officer is not None and officer.unit_id else None
    return unit.name if unit else officer.title if officer is not None else ""


def tell_holder(case: Case, phrase: str, say: Say, session: Session, **values: Any) -> None:
    """Whoever has the case, else whoever could take it."""
    holder = session.get(Officer, case.officer_id) if case.officer_id else None
    officers = [holder] if holder and holder.active else handlers_of(session, case)
    say.to_officers(officers, phrase, case=case, number=case.number, place=place_or_group(case, session), **values)


def moment(at: datetime | None, zone: ZoneInfo) -> str:
    """ "11月26日10:00"; empty when there is none."""
    if at is None:
        return ""
    local = at.astimezone(zone)
    return f"{local.month}月{local.day}日{local:%H:%M}"

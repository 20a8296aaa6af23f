"""Where a message comes from, and which place it is about, as the desk wants to know it."""

from __future__ import annotations

from sqlmodel import Session

from bot.messages import Inbound
from bot.say import Say
from bot.turn import Photos, Pins, Rules
from bot.understanding.meaning import Meaning
from cases.desk import Origin
from cases.places import Atlas, Point, Where
from content.phrases import PhraseMissing
from storage.tables import Group


def origin_of(message: Inbound, group: Group | None) -> Origin:
    """The origin of a case that this message opens."""
    address = message.address
    return Origin(
        platform=address.platform,
        account=address.account,
        chat=address.chat,
        private=address.private,
        thread=address.thread,
        group_id=group.id if group else None,
        grid_id=group.grid_id if group else None,
        sender=message.sender.id,
        sender_name=message.sender.name,
        message_id=message.message_id,
    )


class Spot:
    """Finds the place that a message is about: its words, pins that came with it or before, where a photo was taken."""

    def __init__(self, atlas: Atlas, session: Session, rules: Rules, pins: Pins, photos: Photos, group: Group | None) -> None:
        self._atlas = atlas
        self._session = session
        self._rules = rules
        self._grid = group.grid_id if group else None
        points = [Point(pin.latitude, pin.longitude, pin.name) for pin in pins.pins]
        self._points = (*points, *((Point(*photos.point, by="photo"),) if photos.point is not None else ()))

    def of(self, message: Inbound, meaning: Meaning) -> Where:
        """The place of a report. Words for a place that every building has are none."""
        places = [found.text for found in meaning.places if found.text not in self._rules.vague_places]
        return self._atlas.locate(self._session, message.text, places, self._points, self._grid)


def platform_name(say: Say, platform: str) -> str:
    """What people call a platform; its own name where nobody has named it."""
    try:
        return say.word(f"identity.platform.{platform}")
    except PhraseMissing:
        return platform

"""A day in the sample district, line by line (`tour.toml`)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.kit.scenario import PRIVATE, Scenario, jpeg

TOUR = Path(__file__).with_name("tour.toml")


def lines() -> list[dict[str, Any]]:
    return tomllib.loads(TOUR.read_text(encoding="utf-8"))["line"]  # type: ignore[no-any-return]


@pytest.mark.one_cell
def test_the_tour_is_long_enough_and_people_mostly_just_talk() -> None:
    said = lines()
    assert len(said) >= 45
    assert sum("answers" not in line for line in said) >= 15


def test_the_day_goes_as_written(chat: Scenario) -> None:
    chat.hears_clocks = False  # nobody takes most of what is reported on this day; tests/scenarios/test_clocks.py is about that
    for place, line in enumerate(lines(), start=1):
        chat.wait(minutes=line.get("wait", 0))
        where = line["where"]
        heard_at = (chat.address(line["who"], where).chat, where == PRIVATE)
        earlier = [arrival for arrival in chat.platform.arrived if (arrival.to.chat, arrival.to.private) == heard_at]
        quoting = earlier[-1] if line.get("quoting") else None
        photo = jpeg(place) if line.get("photo") else None
        chat.say(line["who"], where, line.get("text", ""), photo=photo, quoting=quoting)
        try:
            for chat_name, pattern in line.get("answers", []):
                chat.expect(chat_name, pattern)
            chat.skip(*line.get("quiet", []))
            chat.silence()
        except AssertionError as problem:
            raise AssertionError(f"line {place}, {line['who']}: {line.get('text', 'a photo')}\n{problem}") from None

"""What the kit of the scenarios itself promises."""

from __future__ import annotations

import pytest

from bot.messages import Address, Outbound
from tests.kit.peer import Arrival
from tests.kit.scenario import MORNING, Scenario

GROUP = "港新1号网格"

pytestmark = pytest.mark.one_cell


def said(chat: Scenario, *keys_and_texts: tuple[str, str]) -> None:
    to = Address("web", "web", chat._groups[GROUP])
    for number, (key, text) in enumerate(keys_and_texts):
        chat.platform.arrived.append(Arrival(to, Outbound(key, text), f"m{number}", MORNING))


def test_two_units_of_work_have_no_order_and_one_has(chat: Scenario) -> None:
    said(chat, ("t:a:1:1", "时限"), ("e:web:web:7:1", "收到"), ("e:web:web:7:2", "还有"))
    chat.expect(GROUP, "收到")
    chat.expect(GROUP, "时限")
    chat.expect(GROUP, "还有")
    said(chat, ("e:web:web:8:1", "甲"), ("e:web:web:8:2", "乙"))
    with pytest.raises(AssertionError, match="甲"):
        chat.expect(GROUP, "乙")
    chat.skip(GROUP)


def test_what_was_passed_over_is_still_to_be_expected(chat: Scenario) -> None:
    said(chat, ("t:a:1:1", "时限"), ("e:web:web:7:1", "收到"))
    chat.expect(GROUP, "收到")
    with pytest.raises(AssertionError, match="时限"):
        chat.nothing_more()
    chat.skip(GROUP)
    chat.nothing_more()

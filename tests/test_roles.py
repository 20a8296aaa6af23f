"""Roles: who listens, works, sends and serves schedules, and what one process alone is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.app import check_duties
from bot.clock import SharedClock
from bot.config import load_settings
from bot.errors import ConfigError
from bot.pacing import NEVER, Pacing, PacingRule
from bot.platforms.base import Capabilities
from bot.roles import Duties, Role
from storage.paces import Booking
from tests.kit.fake_platform import FakePlatform

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ACCOUNT = ("telegram", "a")


def test_each_duty_has_its_role() -> None:
    web, telegram = FakePlatform("web"), FakePlatform("telegram")
    wechat = FakePlatform("wechat", can=Capabilities(one_connection=True))
    found = {
        role: [
            [one.name for one in (web, telegram, wechat) if Duties((role,)).listens(one)],
            [one.name for one in (web, telegram, wechat) if Duties((role,)).sends(one)],
            [name for name in ("web", "telegram") if Duties((role,)).handles(name)],
            Duties((role,)).schedules,
        ]
        for role in Role
    }
    everything = ["web", "telegram", "wechat"]
    assert found == {
        Role.ALL: [everything, everything, ["web", "telegram"], True],
        Role.INGEST: [["telegram", "wechat"], ["wechat"], [], False],
        Role.WORK: [[], ["telegram"], ["telegram"], False],
        Role.SCHEDULE: [[], [], [], True],
        Role.WEB: [["web"], ["web"], ["web"], False],
    }


def test_one_process_alone_cannot_be_one_of_several(tmp_path: Path) -> None:
    alone = load_settings(None, {"QIANSHAO_BOT__DATA_DIR": str(tmp_path)})
    check_duties(alone, Duties())
    with pytest.raises(ConfigError, match="several nodes need one PostgreSQL"):
        check_duties(alone, Duties((Role.WORK,)))
    shared = load_settings(None, {"QIANSHAO_STORAGE__URL": "postgresql://a:b@c/d"})
    check_duties(shared, Duties((Role.WORK, Role.SCHEDULE)))


def test_nobody_speaks_without_a_booked_slot_and_a_missed_one_is_lost() -> None:
    pacing = Pacing(default=PacingRule(per_account_per_second=10), booking=True)
    assert pacing.account_ready_at(ACCOUNT, NOW) == NEVER
    (wanted,) = pacing.wanted({ACCOUNT: 3}, NOW)
    assert wanted == Booking("account:telegram:a", 3, timedelta(seconds=0.1))
    pacing.book([wanted], {wanted.scope: NOW})
    assert pacing.wanted({ACCOUNT: 3}, NOW) == []
    assert pacing.account_ready_at(ACCOUNT, NOW) == NOW
    pacing.take(ACCOUNT, "g", NOW)
    assert pacing.account_ready_at(ACCOUNT, NOW) == NOW + timedelta(seconds=0.1)
    late = NOW + timedelta(seconds=0.25)
    assert pacing.account_ready_at(ACCOUNT, late) == late, "less than a slot late is not too late"
    assert pacing.account_ready_at(ACCOUNT, late + timedelta(seconds=1)) == NEVER


def test_the_databases_clock_is_believed_as_far_as_its_answer_was_quick() -> None:
    clock = SharedClock()
    clock.tell(NOW, 100.0, 100.0)
    clock.tell(NOW + timedelta(seconds=5), 100.0, 110.0)
    assert clock._told == (NOW, 100.0), "an answer that took ten seconds says nothing better"
    clock.tell(NOW + timedelta(seconds=5), 101.0, 101.0)
    assert clock._told == (NOW + timedelta(seconds=5), 101.0)
    clock.close()

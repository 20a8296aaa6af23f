"""Several accounts, and what groups and admins are told: the whole bot on two services."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

import bot.platforms.owners
from bot.app.wechat import be_careful, tell_gap
from bot.campaigns import PostRules
from bot.messages import Kind
from bot.platforms.wechat import Caution, Gap, WechatPlatform
from storage.tables import Group, Notice, WechatGap
from tests.kit.puppet import TOKEN, Puppet, listening, quick
from tests.platforms.telegram.conftest import Keeper
from tests.platforms.wechat.conftest import ROOM, Line, until
from tests.platforms.wechat.test_house import bot_on

pytestmark = [pytest.mark.timeout(120), pytest.mark.filterwarnings("ignore::storage.database.OldLibrary")]


async def test_of_two_accounts_in_one_group_one_speaks_and_listens(line: Line) -> None:
    both = ("main", "second")
    feeds = [Keeper(), Keeper()]
    async with Puppet() as other:
        for puppet in (line.puppet, other):
            await puppet.room("both@chatroom", "两个号都在", ["张阿姨"])
        await other.room("only@chatroom", "只有一个号", ["李叔"])
        made = [
            WechatPlatform(quick(puppet.port, account=name), writer=line.writer, data_dir=line.folder, siblings=both)
            for puppet, name in ((line.puppet, "main"), (other, "second"))
        ]
        async with listening(made[0], feeds[0]), listening(made[1], feeds[1]):
            await line.puppet.say("张阿姨", "both@chatroom", "先到的号听见")
            await feeds[0].until(lambda: "先到的号听见" in feeds[0].texts)
            await other.say("张阿姨", "both@chatroom", "先到的号听见")
            await other.say("李叔", "only@chatroom", "这里只有第二个号")
            await feeds[1].until(lambda: "这里只有第二个号" in feeds[1].texts)
            await until(lambda: made[1].waiting == 0)
            assert "先到的号听见" not in feeds[1].texts
            assert {event.address.chat for event in feeds[1].taken} == {"only@chatroom"}
            assert [event.kind for event in feeds[1].taken] == [Kind.JOINED, Kind.MESSAGE]


@pytest.mark.parametrize("claimed", [True, False], ids=["", "control"])
async def test_a_group_that_nobody_has_spoken_in_is_answered_by_one_of_them(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, claimed: bool
) -> None:
    """Both have been in it for long and hear the same report at the same time; the control has everybody answer in a group that
    is nobody's."""
    if not claimed:
        monkeypatch.setattr(bot.platforms.owners, "claim_chat", lambda _session, _platform, _chat, account, _accounts: account)
    async with Puppet() as other:
        await other.room(ROOM, "港新1号网格", ["张阿姨"])
        more = [{"account": "second", "endpoint": f"127.0.0.1:{other.port}", "token": TOKEN, "tls": "off"}]
        async with bot_on(line.puppet, tmp_path, QIANSHAO_WECHAT__ACCOUNTS=json.dumps(more)) as app:
            await until(lambda: all(health.listening for health in app.health().values()))
            for puppet in (line.puppet, other):
                await puppet.say("张阿姨", ROOM, "3号楼2单元楼道有人给电动车充电")

            def said() -> list[str]:
                return [one.text for puppet in (line.puppet, other) for one in puppet.sent]

            await until(lambda: any("收到，编号" in text for text in said()))
            await until(lambda: all(adapter.waiting == 0 for adapter in app.adapters.values()))  # type: ignore[attr-defined]
            await app.settle()
            assert [text.startswith("大家好，我是前哨") for text in said()].count(True) == (1 if claimed else 2)
            assert len([text for text in said() if not text.startswith("大家好")]) == 1 or not claimed


def notices(session: Session) -> list[tuple[str, str, str, str, int]]:
    rows = session.exec(select(Notice).where(Notice.platform == "wechat").order_by(col(Notice.id))).all()
    return [(row.account, row.chat, row.text, row.state, row.lane) for row in rows]


async def test_a_campaign_goes_out_through_the_account_of_each_group(line: Line, tmp_path: Path) -> None:
    async with Puppet() as other:
        await other.room("g2@chatroom", "港新2号网格", ["李叔"])
        more = [{"account": "second", "endpoint": f"127.0.0.1:{other.port}", "token": TOKEN, "tls": "off"}]
        by_day = {"QIANSHAO_POSTS__QUIET_FROM": "00:00", "QIANSHAO_POSTS__QUIET_TO": "00:00"}
        async with bot_on(line.puppet, tmp_path, QIANSHAO_WECHAT__ACCOUNTS=json.dumps(more), **by_day) as app:
            await until(lambda: all(health.listening for health in app.health().values()))
            assert set(app.health()) == {"wechat", "wechat:second"}
            await line.puppet.say("张阿姨", ROOM, "你好")
            await other.say("李叔", "g2@chatroom", "你好")
            await line.puppet.until(lambda: len(line.puppet.sent) == 1)  # each introduces itself with its own account
            await other.until(lambda: len(other.sent) == 1)

            def groups(session: Session) -> set[tuple[str, str]]:
                return {(row.account, row.chat) for row in session.exec(select(Group).where(Group.platform == "wechat")).all()}

            assert await app.writer.read(groups) == {("main", ROOM), ("second", "g2@chatroom")}

            # a gap of one account is told to its own groups alone, once, behind everything else
            now = app.clock()
            row = WechatGap(account="second", from_at=now - timedelta(minutes=5), to_at=now)

            def keep(session: Session) -> int:
                session.add(row)
                session.flush()
                return row.id or 0

            number = await app.writer.run(keep)
            gap = Gap(number, "second", now - timedelta(minutes=5), now)
            await tell_gap(app, app.services.post_rules, gap)
            await tell_gap(app, app.services.post_rules, gap)
            await other.until(lambda: len(other.sent) == 2)
            assert "我掉线了" in other.sent[1].text
            told = [entry for entry in await app.writer.read(notices) if "我掉线了" in entry[2]]
            assert [(account, chat, lane) for account, chat, _, _, lane in told] == [("second", "g2@chatroom", 3)]
            assert len(line.puppet.sent) == 1
            page = await app.metrics_text()
            assert 'qianshao_wechat_gaps{account="second"} 1.0' in page
            assert 'qianshao_wechat_gap_seconds{account="second"} 300.0' in page


async def test_at_night_a_gap_is_told_in_the_morning_and_late_it_is_told_no_more(line: Line, tmp_path: Path) -> None:
    async with bot_on(line.puppet, tmp_path) as app:
        await line.puppet.say("张阿姨", ROOM, "你好")
        await line.puppet.until(lambda: len(line.puppet.sent) == 1)
        now = app.clock()
        at_night = PostRules(
            app.settings.bot.zone,
            quiet_from=(now - timedelta(hours=1)).astimezone(app.settings.bot.zone).time(),
            quiet_to=(now + timedelta(hours=1)).astimezone(app.settings.bot.zone).time(),
        )
        await app.writer.run(lambda session: session.add(WechatGap(id=77, account="main", from_at=now, to_at=now)))
        await tell_gap(app, at_night, Gap(77, "main", now - timedelta(hours=3), now))
        await app.settle()

        def waiting(session: Session) -> Notice:
            return session.exec(select(Notice).where(col(Notice.key).startswith("away:main:77:"))).one()

        notice = await app.writer.read(waiting)
        assert notice.state == "pending"
        assert notice.due_at is not None
        assert timedelta(minutes=55) < notice.due_at - now <= timedelta(minutes=61)
        assert len(line.puppet.sent) == 1

        # a minute of silence is told to nobody, a little more is
        def told(session: Session) -> dict[int, bool]:
            return {row.id or 0: row.told for row in session.exec(select(WechatGap)).all()}

        adapter = app.adapters["wechat", "main"]
        for number, seconds in ((78, 60.0), (79, 60.5)):
            began = now - timedelta(seconds=seconds)
            row = WechatGap(id=number, account="main", from_at=began, to_at=now)
            await app.writer.run(lambda session, row=row: session.add(row))  # type: ignore[misc]
            await adapter._on_gap(Gap(number, "main", began, now))  # type: ignore[attr-defined]
        assert await app.writer.read(told) == {77: True, 78: False, 79: True}


async def test_a_warning_of_wechat_holds_back_all_but_alarms_in_the_whole_house(line: Line, tmp_path: Path) -> None:
    async with bot_on(line.puppet, tmp_path) as app:
        await line.puppet.say("张阿姨", ROOM, "你好")
        await line.puppet.until(lambda: len(line.puppet.sent) == 1)
        held = datetime.now(UTC) + timedelta(minutes=30)
        await be_careful(app, "main", Caution(held, held + timedelta(days=1)), 1)
        await line.puppet.say("张阿姨", ROOM, "3号楼2单元楼道有人给电动车充电")
        await line.puppet.say("李叔", ROOM, "着火了，5号楼着火了")
        await line.puppet.until(lambda: len(line.puppet.sent) >= 2)
        await app.settle()
        assert "119" in line.puppet.sent[1].text
        pending = [entry for entry in await app.writer.read(notices) if entry[3] == "pending"]
        assert any("收到，编号" in entry[2] for entry in pending)  # it waits, and is not lost

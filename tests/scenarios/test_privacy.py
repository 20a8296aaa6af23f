"""The rights of people over what is kept: looking, being forgotten, and what ends by itself."""

from __future__ import annotations

import hashlib
import os
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from bot.app.house import App
from bot.messages import Kind
from cases.retention import Ended
from storage import plain_photos
from storage.lots import Part, insert_groups
from storage.media import opened
from storage.tables import (
    Alarm,
    Attachment,
    Campaign,
    CampaignPart,
    Case,
    CaseEntry,
    Deed,
    Dialog,
    Group,
    Notice,
    Proposal,
    ProposalVoice,
    ShredKey,
    Visit,
)
from tests.kit.scenario import PRIVATE, Scenario, jpeg

GROUP = "港新1号网格"
DAY = timedelta(days=1)
REPORT = "3号楼2单元楼道有人给电动车充电，我电话13812345678"


def report(chat: Scenario, text: str = REPORT) -> str:
    chat.say("张阿姨", GROUP, text, photo=jpeg())
    chat.skip(GROUP)
    chat.skip_officers()
    return str(chat.rows(Case.number)[-1])


def test_what_the_bot_writes_is_for_its_owner_alone(chat: Scenario) -> None:
    before = os.umask(0)
    try:
        report(chat)
    finally:
        os.umask(before)
    files = [path for path in chat.folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".photo" for path in files)
    assert [path for path in files if path.stat().st_mode & 0o077] == []
    (photo,) = chat.folder.rglob("*.photo")
    photo.chmod(0o644)  # as an older version wrote it
    os.utime(photo, (0, 0))
    chat.run(tidy(chat.app))
    assert photo.stat().st_mode & 0o777 == 0o600


def finish(chat: Scenario, number: str) -> None:
    chat.say("王建国", PRIVATE, f"/接单 {number}")
    chat.say("王建国", PRIVATE, f"/办结 {number} 已经劝离并清走电线")
    chat.say("张阿姨", GROUP, "解决了", mention=True)
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()
    assert chat.rows(Case.state)[-1] == "closed_confirmed"


def hear_out(chat: Scenario) -> None:
    """After four weeks the reporter is asked whether it came back: not this test's matter, whenever the timer gets its turn."""
    chat.settle()
    chat.skip(GROUP, "张阿姨")
    chat.skip_officers()


def keys(chat: Scenario) -> list[str]:
    return chat.app.writer.read_now(lambda session: list(session.exec(select(ShredKey.name)).all()))


async def tidy(app: App) -> dict[str, int]:
    outcome = await app.tidy.round()
    return {one.name: one.count for one in outcome.ended if one.count}  # type: ignore[attr-defined]


def test_a_photo_that_cannot_be_removed_keeps_no_other(chat: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    report(chat)
    report(chat, "5号楼楼道的灯坏了")
    first, _ = sorted(chat.folder.rglob("*.photo"))
    finish(chat, chat.rows(Case.number)[-1])
    finish(chat, chat.rows(Case.number)[0])
    remove = Path.unlink

    def stuck(path: Path, missing_ok: bool = False) -> None:
        if path == first:
            raise PermissionError(path)
        remove(path, missing_ok=missing_ok)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "unlink", stuck)
        chat.clock.advance(timedelta(days=735))
        chat.run(tidy(chat.app))
        assert list(chat.folder.rglob("*.photo")) == [first]
    chat.clock.advance(timedelta(days=7))
    chat.run(tidy(chat.app))
    assert list(chat.folder.rglob("*.photo")) == [], "it is tried again"
    hear_out(chat)


def test_first_words_say_what_is_kept_and_how_to_look_and_leave(chat: Scenario) -> None:
    chat.happens(Kind.MET, "新邻居", PRIVATE)
    chat.expect("新邻居", "您好，我是前哨*办结两年后删掉*/我的数据*/忘记我*")
    chat._groups["新群"] = "新群"
    chat.happens(Kind.JOINED, "群主", "新群", group_name="新群")
    chat.expect("新群", "大家好*/我的数据 或 /忘记我*")
    chat.skip_officers()


def test_looking_at_what_is_kept(chat: Scenario) -> None:
    number = report(chat)
    chat.say("张阿姨", GROUP, "/我的数据")
    chat.expect(GROUP, "为了安全，“/我的数据”请在和我的私聊里发。")
    chat.say("张阿姨", PRIVATE, "/我的数据")
    said = chat.expect("张阿姨", f"您反映过的事：\n{number}（隐患，*照片1张。\n*办结两年后*/忘记我")
    assert "138****5678" in said.what.text
    chat.say("刘洋", PRIVATE, "/我的数据")
    chat.expect("刘洋", "没有存您反映过的事。\n*")


def test_what_is_kept_beside_cases_is_shown_and_goes(chat: Scenario) -> None:
    chat.say("周小琴", GROUP, "/活动 发布 清理倒下的树；明天上午9点；小区东门；2小时；限3人")
    chat.say("张阿姨", GROUP, "/报名 1")
    chat.say("张阿姨", PRIVATE, "/志愿 记 快递员")
    chat.say("张阿姨", GROUP, "/提议 车棚里装个集中充电柜，找13912345678问")
    chat.say("王建国", GROUP, "/议事 1 讨论")
    chat.say("张阿姨", GROUP, "/表态 1 要装在通风的地方")
    chat.say("王建国", GROUP, "/议事 1 表决")
    chat.say("张阿姨", GROUP, "/表态 1 赞成")
    chat.say("张阿姨", GROUP, "/补充 2611-9999 没有这件事")
    chat.skip(GROUP, "张阿姨", "周小琴")
    chat.skip_officers()
    chat.say("张阿姨", PRIVATE, "/我的数据")
    said = chat.expect("张阿姨", "没有存您反映过的事。\n还存了：\n*").what.text
    for line in (
        "2026年11月23日您报名了“清理倒下的树”，存了您的账号和名字。",
        "2026年11月23日您同意记志愿工时：0小时（快递员）。不想记了发 /志愿 退出。",
        "2026年11月23日您提的议题1号：车棚里装个集中充电柜，找139****5678问",
        "2026年11月23日您对议题1号说的：要装在通风的地方",
        "2026年11月23日您对议题1号投的票：赞成",
        "我私下发给您的消息：",
    ):
        assert f"\n{line}" in said
    chat.say("张阿姨", PRIVATE, "/忘记我")
    chat.say("张阿姨", PRIVATE, "忘记")
    chat.skip("张阿姨")
    chat.say("张阿姨", PRIVATE, "/我的数据")
    said = chat.expect("张阿姨", "没有存您反映过的事。\n还存了：\n*").what.text
    assert [line for line in said.splitlines() if line.startswith("2026年")] == []
    chat.say("王建国", GROUP, "/议事 1 决定 下月装")
    assert "赞成1票" in chat.expect(GROUP, "【议定了】1号*").what.text  # the vote counts on without its voter
    chat.skip_officers()


def test_whoever_is_blocked_sees_it_and_can_still_be_forgotten(chat: Scenario) -> None:
    number = report(chat)
    chat.say("王建国", PRIVATE, f"/拉黑 {number} 7天 连着三天骂人，劝过不听")
    chat.skip_officers()
    chat.skip("张阿姨")
    chat.say("张阿姨", PRIVATE, "/我的数据")
    said = chat.expect("张阿姨", "您反映过的事：*").what.text
    assert "\n到2026年11月30日为止，您发来的事先不办（急事除外）。理由：" in said
    chat.say("张阿姨", PRIVATE, "/忘记我")
    chat.expect("张阿姨", "删掉以后*")
    chat.say("张阿姨", PRIVATE, "忘记")
    chat.expect("张阿姨", "已经删掉了。*")
    assert chat.rows(Case.reporter) == [None]


@pytest.mark.every_cell
def test_forgetting_takes_the_person_and_leaves_the_case(chat: Scenario) -> None:
    number = report(chat)
    chat.say("张阿姨", PRIVATE, "/忘记我")
    chat.expect("张阿姨", "删掉以后：\n*1件事会留下来接着办*收不回来的：*")
    chat.say("张阿姨", PRIVATE, "算了")
    chat.expect("张阿姨", "好的，什么都没删。")
    assert chat.rows(Case.reporter) == [chat.user_id("张阿姨")]
    chat.say("张阿姨", PRIVATE, "/忘记我")
    chat.skip("张阿姨")
    chat.say("张阿姨", PRIVATE, "忘记")
    chat.expect("张阿姨", "已经删掉了。您反映的1件事还会接着办。*")
    ((reporter, name, message, text),) = chat.rows(Case.reporter, Case.reporter_name, Case.message_id, Case.text)
    assert (reporter, name, message) == (None, "", "")
    assert "138****5678" in text
    assert not any(row for row in chat.rows(CaseEntry.message_id))
    assert chat.rows(Dialog.id) == []
    left = chat.app.writer.read_now(
        lambda s: s.exec(select(Notice).where(Notice.private, Notice.chat == chat.user_id("张阿姨"))).all()
    )
    assert [row.text[:5] for row in left] == ["已经删掉了"]
    # the case goes on: an officer can end it, and nobody is called by name
    chat.say("王建国", PRIVATE, f"/接单 {number}")
    chat.say("王建国", PRIVATE, f"/办结 {number} 已经劝离并清走电线")
    chat.skip_officers()
    chat.skip(GROUP)
    assert chat.rows(Case.state) == ["verifying"]
    chat.say("张阿姨", PRIVATE, "/我的数据")
    chat.expect("张阿姨", "没有存您反映过的事。\n*")


def test_an_emergency_that_somebody_reported_is_theirs_too(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "3号楼着火了")
    chat.skip(GROUP)
    chat.skip_officers()
    chat.say("张阿姨", PRIVATE, "/我的数据")
    chat.expect("张阿姨", "没有存您反映过的事。\n您报过的急事：1次*")
    chat.say("张阿姨", PRIVATE, "/忘记我")
    chat.say("张阿姨", PRIVATE, "是的")
    chat.skip("张阿姨")
    assert chat.rows(Alarm.sender) == [""]


def test_what_is_reported_lies_sealed_and_ends_with_its_key(chat: Scenario) -> None:
    report(chat)
    assert chat.rows(Case.text) == [REPORT]  # whoever may read it reads it
    assert chat.traces("13812345678", "楼道有人", "张阿姨给") == []
    (photo,) = chat.rows(Attachment.path)
    raw = (chat.folder / photo).read_bytes()
    assert b"JFIF" not in raw
    assert opened(raw)[6:10] == b"JFIF"
    assert len(keys(chat)) == 2


def test_after_two_years_the_words_the_photo_and_the_person_go_and_the_numbers_stay(chat: Scenario) -> None:
    finish(chat, report(chat))
    (photo,) = chat.rows(Attachment.path)
    chat.clock.advance(729 * DAY)
    assert "cases" not in chat.run(tidy(chat.app))
    chat.clock.advance(2 * DAY)
    assert chat.run(tidy(chat.app))["cases"] == 1
    ((text, place, reporter, state, kind),) = chat.rows(Case.text, Case.place, Case.reporter, Case.state, Case.kind)
    assert (text, place, reporter, state, kind) == ("", "", None, "closed_confirmed", "hazard")
    assert not any(chat.rows(CaseEntry.text))
    assert keys(chat) == []
    assert not (chat.folder / photo).exists()
    assert chat.run(tidy(chat.app)) == {}
    hear_out(chat)


def test_what_a_campaign_has_yet_to_say_about_a_case_goes_with_it(chat: Scenario) -> None:
    """A notice that is held must not go out without its words when an officer goes on; and no more are made."""
    finish(chat, report(chat))
    (case,) = chat.rows(Case.id)
    (group, *_) = chat.rows(Group.id)
    now = chat.clock()

    def lay(session: Session) -> None:
        for number in (1, 2):
            session.add(Campaign(id=number, kind="alert", origin="x", state="halted", created_at=now, case_id=case, text="走失"))
        session.flush()
        insert_groups(session.connection(), 1, [Part("alert", text="走失")], {group: 0})
        said = {"group_id": group, "campaign_id": 2, "case_id": case, "text": "走失", "state": "held", "created_at": now}
        session.add(Notice(key="post:2:1", lane=3, platform="web", account="web", chat="x", **said))
        going = said | {"state": "pending", "owner": "other/1", "attempt": 1, "lease_until": now + 800 * DAY}
        session.add(Notice(key="post:2:2", lane=3, platform="web", account="of another node", chat="y", **going))

    chat.app.writer.run_now(lay)
    chat.clock.advance(731 * DAY)
    assert chat.run(tidy(chat.app))["cases"] == 1
    assert chat.rows(Campaign.state)[0] == "stopped"
    assert chat.rows(Campaign.text) == [None, None]
    assert chat.rows(CampaignPart.text) == [""]
    ours = select(Notice.state, Notice.text).where(Notice.campaign_id == 2)
    found = chat.app.writer.read_now(lambda session: session.exec(ours.order_by(col(Notice.id))).all())
    assert found == [("cancelled", ""), ("pending", "走失")], "what another node is just sending keeps its words"
    hear_out(chat)


def test_a_dry_look_says_what_a_run_does(chat: Scenario) -> None:
    finish(chat, report(chat))
    chat.clock.advance(731 * DAY)

    def look(session: object) -> tuple[Ended, ...]:
        return chat.app.services.retention(session, chat.clock()).look()  # type: ignore[arg-type]

    before = {one.name: one.count for one in chat.app.writer.read_now(look) if one.count}
    assert before == chat.app.writer.read_now(lambda s: {one.name: one.count for one in look(s) if one.count})
    assert chat.run(tidy(chat.app)) == before
    hear_out(chat)


def test_a_tip_ends_after_ninety_days_down_to_its_key(chat: Scenario) -> None:
    chat.say("林小雨", PRIVATE, "有人在3号楼租房开赌局，天天半夜散场")
    chat.skip("林小雨", "李敏")
    chat.clock.advance(92 * DAY)
    assert chat.run(tidy(chat.app))["tips"] == 1
    assert keys(chat) == []


def test_words_of_visits_deeds_and_proposals_lie_sealed_and_end(chat: Scenario) -> None:
    chat.say("王建国", PRIVATE, "/走访 港新路桓蘅饭店；老板璟沅琬腿脚不便")
    chat.say("张阿姨", GROUP, "/好人好事 三楼翀骁彧；下雨天帮老人抬轮椅上楼")
    chat.say("张阿姨", GROUP, "/提议 请珩钰霁来教大家用灭火器，好不好")
    chat.say("王建国", GROUP, "/议事 1 讨论")
    chat.say("唐工", GROUP, "/表态 1 彧昶翮家的车也要挪一挪才行")
    chat.skip(GROUP, "张阿姨", "唐工")
    chat.skip_officers()
    assert "璟沅琬" in chat.rows(Visit.text)[0]  # whoever may read it reads it
    assert chat.rows(Deed.who)[0]
    said = ("璟沅琬", "翀骁彧", "珩钰霁", "彧昶翮")

    def tables(words: tuple[str, ...]) -> list[str]:
        """What lies open in the tables of their own; what the bot said of it in the group is the outbox's matter."""
        raw = "SELECT place, text FROM visit UNION SELECT who, what FROM deed UNION SELECT text, '' FROM proposal"
        rows = chat.app.writer.read_now(
            lambda s: s.connection().exec_driver_sql(f"{raw} UNION SELECT text, '' FROM proposal_voice").all()
        )
        return [word for word in words if any(word in str(row) for row in rows)]

    assert tables(said) == []
    chat.clock.advance(731 * DAY)
    ended = chat.run(tidy(chat.app))
    assert (ended["visits"], ended["good deeds"], ended["comments on proposals"]) == (1, 1, 1)
    assert (chat.rows(Visit.text), chat.rows(Deed.what), chat.rows(ProposalVoice.text)) == ([""], [""], [""])
    assert [name.partition(":")[0] for name in keys(chat)] == ["proposal"]
    assert "灭火器" in chat.rows(Proposal.text)[0]
    assert "visits" not in chat.run(tidy(chat.app))
    hear_out(chat)


def lay_open(chat: Scenario) -> list[bytes]:
    """Photos as they lay before they were sealed: named by the hash of the picture, one file for all who sent the same."""

    def work(session: Session) -> list[bytes]:
        pictures = []
        for row in session.exec(select(Attachment)).all():
            picture = opened((chat.folder / row.path).read_bytes())
            pictures.append(picture)
            name = hashlib.sha256(picture).hexdigest()
            (chat.folder / row.path).unlink()
            session.delete(session.get(ShredKey, f"photo:{Path(row.path).stem}"))
            row.path = f"media/{name[:2]}/{name}.jpg"
            (chat.folder / row.path).parent.mkdir(exist_ok=True)
            (chat.folder / row.path).write_bytes(picture)
            session.add(row)
        return pictures

    return chat.app.writer.run_now(work)


def open_files(chat: Scenario) -> list[str]:
    return [path.name for path in (chat.folder / "media").rglob("*") if path.is_file() and path.read_bytes()[:2] == b"\xff\xd8"]


@pytest.mark.one_cell
def test_photos_from_before_sealing_are_sealed(chat: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    report(chat)
    report(chat, "8号楼门口的井盖坏了，缺了一块")  # with the same photo
    pictures = lay_open(chat)
    assert len(open_files(chat)) == 1
    assert chat.app.writer.read_now(plain_photos.count) == 2
    with monkeypatch.context() as broken:  # power goes between the file and its row
        broken.setattr(plain_photos, "put_key", _fail)
        with pytest.raises(RuntimeError):
            chat.run(chat.app.tidy.seal_photos())
    assert chat.app.writer.read_now(plain_photos.count) == 2
    assert chat.run(chat.app.tidy.seal_photos()) == 2
    assert open_files(chat) == []
    paths = chat.rows(Attachment.path)
    assert len(set(paths)) == 2, "each has a file and a key of its own, and can be ended for itself"
    assert [opened((chat.folder / path).read_bytes()) for path in paths] == pictures
    assert chat.app.writer.read_now(plain_photos.count) == 0
    assert chat.run(chat.app.tidy.seal_photos()) == 0


def _fail(*_: object) -> None:
    raise RuntimeError("planted")

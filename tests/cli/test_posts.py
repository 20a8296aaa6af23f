"""Campaigns from the terminal: planned, sent, stopped, corrected, exported; and every slip on the way."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pyotp
import pytest
from sqlmodel import Session, select

from bot.cli.confirming import NoWaker
from cases.pending import PendingActions, PendingRules
from cases.totp import Totp
from storage.sealing import Sealer
from storage.tables import Officer
from tests.cli.terminal import MONDAY_TEN, ROOT, Shell, bind, in_database, told


def test_posts_are_previewed_sent_and_stopped(district: Shell) -> None:
    preview = district("post", "preview", "反诈", "--to", "综合")
    assert "【反诈妙招】" in preview.out
    assert preview.out.endswith("groups that would get it: 1\n")
    sent = district("post", "send", "反诈", "--to", "综合", "--to", "餐饮")
    assert sent.code == 0
    assert sent.out.startswith("campaign 1 (sending): antifraud/")
    assert "sending" in district("post", "status").out
    assert district("post", "stop").out == "campaign 1 is stopped: 2 groups will not get it\n"
    assert "cancelled 2" in district("post", "status", "1").out
    district("group", "label", "g1", "--posts", "off")
    nobody = district("post", "send", "反诈", "--to", "综合")
    assert (nobody.code, nobody.out.splitlines()[-1]) == (1, "groups that get it: 0; left out: posts off 1")
    assert "没有带“综和”的群" in district("post", "send", "反诈", "--to", "综和").err


def test_a_mistake_in_the_labels_is_shown_as_it_was_written(district: Shell) -> None:
    assert "标签没写完" in district("post", "preview", "反诈", "--to", "综合 与").err
    both = district("post", "plan", "反诈", "--to", "综合 非 餐饮", "--to", "行业", "--dry-run").out
    assert both.splitlines()[1] == "groups: 2 of 2, members: 0 (2 groups of unknown size)"


def test_without_any_group_the_next_step_is_told(shell: Shell) -> None:
    for words in (("preview", "反诈"), ("plan", "反诈", "--all", "--dry-run"), ("send", "反诈", "--to", "综合")):
        done = shell("post", *words)
        assert (done.code, "there is no group yet; qianshao group add" in done.err) == (1, True)


def test_a_plan_is_shown_and_kept_for_its_time(district: Shell) -> None:
    district("group", "label", "g1", "--members", "300")
    shown = district(
        "post", "plan", "反诈", "--to", "综合 或 餐饮", "--at", "明天9:00", "--over", "2小时", "--dry-run"
    ).out.splitlines()
    assert shown[0] == "to: class:综合 or industry:餐饮"
    assert shown[1] == "groups: 2 of 2, members: 300 (1 groups of unknown size)"
    assert shown[3].startswith("account web:web: 2 groups")
    assert shown[4].endswith(" 11:00:00 (Asia/Shanghai)")
    assert "(none)" in district("post", "status").out, "a dry run leaves nothing"
    kept = district("post", "plan", "反诈", "--to", "综合", "--at", "明天9:00")
    assert "campaign 1 (planned): antifraud/" in kept.out
    second = district("post", "plan", "警方", "--to", "综合").out
    assert "it waits for a second person: /批准 2 in the chat" in second
    assert district("post", "stop", "1").out == "campaign 1 is stopped: nothing of it has been sent\n"
    assert "cannot read" in district("post", "plan", "反诈", "--all", "--at", "日出时").err
    assert "没有“qq”这个账号" in district("post", "plan", "反诈", "--all", "--account", "qq").err


def test_a_campaign_is_exported_corrected_and_continued(district: Shell, tmp_path: Path) -> None:
    district("post", "send", "反诈", "--all")
    exported = district("post", "export", "1").out
    assert exported.startswith('\ufeff"群",')
    assert exported.count('"待发"') == 2
    written = district("post", "export", "1", "--output", str(tmp_path / "x.csv")).out.splitlines()
    assert written[0] == f"2 groups written to {tmp_path / 'x.csv'}"
    assert (tmp_path / "x.csv").read_text(encoding="utf-8").startswith("\ufeff")
    assert (tmp_path / "x.csv").stat().st_mode & 0o777 == 0o600
    assert "还没有群收到过" in district("post", "correct", "1", "电话是12348").err
    assert "has not halted" in district("post", "continue", "1").err
    assert "there is no campaign 9" in district("post", "export", "9").err


def test_slips_about_campaigns_end_with_the_next_step(district: Shell, tmp_path: Path) -> None:
    for words, says in (
        (("stop", "7"), "there is no campaign 7; qianshao post status shows the last ten"),
        (("stop",), "no campaign is under way; qianshao post status shows the last ten"),
        (("plan", "反诈", "--all", "--at", "今晚23:30"), "2个群正是安静时段"),
        (("plan", "反诈", "--all", "--at", "昨天9:00"), "不是一个时间"),
        (("plan", "反诈", "--all", "--over", "0分钟"), "至少写1分钟"),
    ):
        done = district("post", *words)
        assert (done.code, says in done.err) == (1, True), done
    assert "(none)" in district("post", "status").out
    assert "to: every group" in district("post", "plan", "反诈", "--all", "--dry-run").out
    district("post", "send", "反诈", "--to", "综合")
    for words, says in (
        (("correct", "1", "短"), "say what is right, in 4 characters at least"),
        (("continue", "1"), "campaign 1 has not halted; qianshao post status 1"),
        (
            ("export", "1", "--output", str(tmp_path / "nowhere/x.csv")),
            "nowhere/x.csv cannot be written; name a file in a folder",
        ),
        (("export", "1", "--output", str(tmp_path)), "cannot be written"),
    ):
        done = district("post", *words)
        assert (done.code, says in done.err, "Traceback" in done.err) == (1, True, False), done


def test_an_export_takes_a_one_time_password_and_waits(district: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    district("post", "send", "反诈", "--all")
    for badge, name, role in (("A1", "李敏", "approver"), ("S1", "刘卫东", "supervisor")):
        district("officer", "add", badge, name, "--title", "民警", "--role", role)
    key = district("officer", "totp", "S1").out.partition("type the key: ")[2].split()[0]
    app, now = pyotp.TOTP(key), [MONDAY_TEN]
    monkeypatch.setattr("bot.cli.shell.clock", lambda: now[0])
    monkeypatch.setattr("typer.prompt", lambda *_, **__: app.at(now[0]) if not wrong else "000000")
    wrong: list[int] = []

    def prove(session: Session) -> None:
        officer = session.exec(select(Officer).where(Officer.badge == "S1")).one()
        totp = Totp(session, Sealer(tmp_path / "data" / "keys" / "totp.key"), now[0], "前哨")
        assert totp.prove(officer, app.at(now[0]))

    assert district("post", "export", "1").out.startswith('\ufeff"群",'), "nobody has a one-time password yet"
    in_database(tmp_path, prove)
    bind(tmp_path, "A1", "S1")
    told(tmp_path)
    now[0] += timedelta(minutes=1)
    refused = district("post", "export", "1")
    assert (refused.code, "add --by BADGE" in refused.err, refused.out) == (1, True, "")
    assert district("post", "export", "1", "--by", "3201").code == 1, "whoever may not approve posts may not export"
    wrong.append(1)
    assert "that code is wrong" in district("post", "export", "1", "--by", "S1").err
    wrong.clear()
    asked = district("post", "export", "1", "--by", "S1")
    assert asked.out.startswith("number 1: it can be cancelled in the chat until 10:11 (/取消 1);")
    assert dict(told(tmp_path)) == {
        "account-A1": "民警刘卫东（工号S1）确认了一项重要操作：导出推送1的送达记录。10:11执行；觉得不对，请马上发：/取消 1",
        "account-S1": "您在服务器上确认了：导出推送1的送达记录。10:11以后才能取，在那之前要停下就发：/取消 1",
    }
    early = district("post", "export", "1", "--confirmed", "1")
    assert (early.code, "waits until 10:11" in early.err, early.out) == (1, True, "")
    district("post", "send", "反诈", "--all")
    now[0] += timedelta(minutes=11)
    assert "is about something else" in district("post", "export", "2", "--confirmed", "1").err
    assert district("post", "export", "1", "--confirmed", "1").out.startswith('\ufeff"群",')
    assert ("account-A1", "有人在服务器上取走了一份导出：导出推送1的送达记录。如果没有安排过，请马上找管理员。") in told(tmp_path)
    again = district("post", "export", "1", "--confirmed", "1")
    assert (again.code, "number 1 is over (done)" in again.err) == (1, True)
    now[0] += timedelta(minutes=1)
    district("post", "export", "1", "--by", "S1")
    in_database(tmp_path, lambda session: _cancel(session, now[0]))
    now[0] += timedelta(minutes=11)
    assert "number 2 is over (cancelled)" in district("post", "export", "1", "--confirmed", "2").err
    assert "post.export" in district("audit", "list").out


def _cancel(session: Session, now: datetime) -> None:
    officer = session.exec(select(Officer).where(Officer.badge == "A1")).one()
    pending = PendingActions(session, now, PendingRules(), NoWaker())
    pending.cancel(pending.get(2), officer)


def test_the_calendar_names_the_coming_themes(shell: Shell) -> None:
    found = shell("post", "calendar", "365").out
    for theme in ("constitution-day", "spring-festival", "flood-season", "university-enrolment", "119-day", "anti-fraud-month"):
        assert theme in found


def test_posts_and_schedules_are_listed(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = shell("post", "list", "普法").out.splitlines()
    assert all(line.startswith(("post ", "law/")) for line in listed)
    assert len(listed) > 6
    coming = shell("--config", str(ROOT / "config.toml"), "schedule", "next", "2").out.splitlines()
    assert coming[1:] == ["2026-11-24 Tue 19:30  law        law", "2026-11-25 Wed 10:00  antifraud  antifraud"]
    table = shell("--config", str(ROOT / "config.toml"), "schedule", "list").out
    assert "2026-11-25 10:00" in table
    assert shell("schedule", "next", "--past").out.endswith("(none)\n")

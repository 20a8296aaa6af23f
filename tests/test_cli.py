"""The command line: what it prints, what it leaves in the database, and that nobody ever reads a traceback."""

from __future__ import annotations

import io
import json
import logging
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pyotp
import pytest
import structlog
import time_machine
from sqlalchemy import delete
from sqlmodel import Session, col, select

from bot.app import open_database
from bot.cli import main
from bot.cli.confirming import NoWaker
from bot.cli.shell import CONTENT
from bot.timers import MOST_TRIES
from cases.pending import PendingActions, PendingRules
from cases.roster import Roster
from cases.totp import Totp
from storage.sealing import Sealer
from storage.tables import Notice, Officer, Timer

ROOT = Path(__file__).parent.parent
MONDAY_TEN = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Done:
    """What a call did: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


Shell = Callable[..., Done]
Answer = TypeVar("Answer")


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    """Calls `qianshao` in a folder of its own, at ten on a Monday."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QIANSHAO_WEB__PORT", "0")
    handlers, level, captured = logging.getLogger().handlers[:], logging.getLogger().level, logging.raiseExceptions

    def run(*arguments: str, stdin: str | bytes = "") -> Done:
        raw = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8"))
        monkeypatch.setattr(sys, "argv", ["qianshao", *arguments])
        code = 0
        with time_machine.travel(MONDAY_TEN, tick=True):
            try:
                main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(bool(end.code))
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return Done(code, said.out, said.err)

    yield run
    logging.getLogger().handlers[:], logging.raiseExceptions = handlers, captured
    logging.getLogger().setLevel(level)
    logging.captureWarnings(False)
    logging.getLogger("aiohttp.access").disabled = False
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the data folder of the district lies once it was made."""
    return tmp_path_factory.mktemp("district") / "data"


@pytest.fixture
def district(shell: Shell, made: Path) -> Shell:
    """A unit, a grid, two groups and two officers: made by the commands themselves once, and copied after that."""
    if made.exists():
        shutil.copytree(made, "data")
        return shell
    for words in (
        ("unit", "add", "station", "港新派出所", "--kind", "police"),
        ("grid", "add", "GX01", "港新1号网格", "--unit", "station"),
        ("grid", "add", "GX0101", "火锅街", "--inside", "GX01"),
        ("group", "add", "g1", "港新1号群", "--grid", "GX01", "--label", "class:综合"),
        ("group", "add", "g2", "商户群", "--grid", "火锅街", "--label", "class:行业", "--label", "industry:餐饮"),
        ("officer", "add", "3201", "王建国", "--title", "社区民警", "--role", "officer grid:GX01", "--unit", "港新派出所"),
    ):
        done = shell(*words)
        assert done.code == 0, done.err
    shutil.copytree("data", made)
    return shell


def test_help_is_english_with_a_chinese_line(shell: Shell) -> None:
    done = shell("--help")
    assert "邻里群里的前哨" in done.out
    for command in ("run", "check", "classify", "ask", "post", "officer", "group", "schedule", "backup"):
        assert f"\n  {command}" in done.out
    assert "启动前哨" in shell("run", "--help").out


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--config", "nowhere.toml", "check"), 1, "error: nowhere.toml: there is no such file"),
        (("officer", "code", "9"), 1, "error: there is no officer '9'; qianshao officer list shows them"),
        (("group", "assign", "nothing", "GX01"), 1, "error: there is no group 'nothing'; qianshao group list shows them"),
        (("group", "invite", "nothing"), 1, "error: there is no group 'nothing'"),
        (("post", "preview", "什么"), 1, "error: 没找到“什么”。写栏目名"),
        (("post", "send", "反诈"), 1, "error: say to whom: --to LABEL (repeatable), or --all"),
        (("post", "send", "反诈", "--all"), 1, "error: 没有群符合“全部”"),
        (("post", "stop"), 1, "error: no campaign is under way"),
        (("post", "status", "7"), 1, "error: there is no campaign 7"),
        (("post", "list", "胡说"), 1, "error: '胡说' is no category"),
        (("officer", "role", "3201"), 1, "error: say which roles from now on"),
        (("ask", "--knowledge", "nowhere.jsonl"), 1, "error: nowhere.jsonl: cannot be read"),
        (("backup", "copies"), 1, "error: data/qianshao.sqlite3: there is no database to back up"),
        (("nonsense",), 2, "No such command 'nonsense'"),
        (("ask", "--top", "0"), 2, "Invalid value for '--top'"),
    ],
)
def test_a_persons_mistake_gets_a_sentence_with_the_next_step(shell: Shell, words: tuple[str, ...], code: int, says: str) -> None:
    done = shell(*words)
    assert (done.code, says in done.err) == (code, True), done.err


def test_a_mistake_in_the_settings_is_told_by_every_command(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[web]\nprot = 1\n")
    for words in (("run",), ("check",), ("officer", "list"), ("schedule", "list")):
        done = shell(*words)
        assert (done.code, done.err) == (1, "error: config.toml:2: unknown key web.prot; did you mean port?\n")


def test_a_database_that_does_not_open_is_told(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").write_text("a file, not a folder")
    done = shell("officer", "list")
    assert done.code == 1
    assert "cannot be opened" in done.err
    (tmp_path / "broken.sqlite3").write_bytes(b"this is no database" * 100)
    monkeypatch.setenv("QIANSHAO_STORAGE__URL", f"sqlite:///{tmp_path}/broken.sqlite3")
    done = shell("officer", "list")
    assert done.code == 1
    assert "damaged" in done.err


def test_the_roster(district: Shell, tmp_path: Path) -> None:
    listed = district("officer", "list").out
    assert "3201" in listed
    assert "officer grid:GX01" in listed
    again = district("officer", "add", "3201", "x", "--title", "y", "--role", "admin")
    assert "badge 3201 is on the roster already" in again.err
    wrong = district("officer", "add", "3299", "x", "--title", "y", "--role", "chief")
    assert "'chief' is no role; there are grid_worker, officer" in wrong.err
    nowhere = district("officer", "add", "3299", "x", "--title", "y", "--role", "officer grid:ZZ")
    assert "there is no grid 'ZZ'" in nowhere.err
    assert "3299" not in district("officer", "list").out, "nothing half done"
    assert district("officer", "role", "3201", "editor", "supervisor").out == "3201: editor; supervisor\n"
    code = district("officer", "code", "3201").out
    assert "one-time code" in code
    assert district("officer", "role", "3201", "--leave").out == "3201: (left)\n"
    assert "has left" in district("officer", "code", "3201").err
    assert district("officer", "role", "3201", "--return").out == "3201: editor; supervisor\n"


def test_the_code_works_once_in_the_roster(district: Shell, tmp_path: Path) -> None:
    said = district("officer", "code", "3201").out
    code = said.split("one-time code ")[1][:8]
    with sqlite3.connect(tmp_path / "data/qianshao.sqlite3") as database:
        hashes = [row[0] for row in database.execute("SELECT code_hash FROM bindcode")]
    database.close()
    assert len(hashes) == 1, "the earlier code stopped working"
    assert code not in hashes[0]


def test_a_key_for_one_time_passwords_is_shown_once_and_lies_sealed(district: Shell, tmp_path: Path) -> None:
    shown = district("officer", "totp", "3201")
    key = shown.out.partition("type the key: ")[2].split()[0]
    assert len(key) == 32
    assert f"otpauth://totp/%E5%89%8D%E5%93%A8:3201?secret={key}" in shown.out
    assert "▀" in shown.out or "█" in shown.out, "a QR code"
    assert not [path for path in (tmp_path / "data").rglob("*") if path.is_file() and key.encode() in path.read_bytes()]
    assert "the key is gone" in district("officer", "totp", "3201", "--drop").out
    assert "there was none" in district("officer", "totp", "3201", "--drop").out
    assert "totp.enrol" in district("audit", "list").out


def bind(tmp_path: Path, *badges: str) -> None:
    """These officers have bound an account of the web chat, named like the badge."""

    def work(session: Session) -> None:
        for badge in badges:
            officer = session.exec(select(Officer).where(Officer.badge == badge)).one()
            Roster(session, MONDAY_TEN).bind(officer, "web", f"account-{badge}")

    _in_database(tmp_path, work)


def told(tmp_path: Path) -> list[tuple[str, str]]:
    """What waits to be said to accounts in private; afterwards nothing does."""

    def work(session: Session) -> list[tuple[str, str]]:
        rows = session.exec(select(Notice).where(col(Notice.private)).order_by(col(Notice.id))).all()
        said = [(row.chat, row.text) for row in rows]
        session.execute(delete(Notice).where(col(Notice.private)))
        return said

    return _in_database(tmp_path, work)


def _in_database(tmp_path: Path, work: Callable[[Session], Answer]) -> Answer:
    writer = open_database(f"sqlite:///{tmp_path / 'data/qianshao.sqlite3'}")
    try:
        return writer.run_now(work)
    finally:
        writer.close()


def test_what_is_done_to_the_roster_is_told_to_whoever_it_concerns(district: Shell, tmp_path: Path) -> None:
    for badge, name, role in (("M1", "郑凯", "admin"), ("S1", "刘卫东", "supervisor")):
        district("officer", "add", badge, name, "--title", "民警", "--role", role)
    bind(tmp_path, "3201", "M1", "S1")
    everybody = ["account-3201", "account-M1", "account-S1"]
    for words, says in (
        (
            ("role", "3201", "editor", "supervisor"),
            "改了社区民警王建国（工号3201）的角色，现在是：推送编辑（全辖区）、值班领导（全辖区）。",
        ),
        (("code", "3201"), "给社区民警王建国（工号3201）发了新的绑定码，"),
        (("totp", "3201"), "给社区民警王建国（工号3201）换新的动态码密钥，"),
        (("totp", "3201", "--drop"), "停用了社区民警王建国（工号3201）的动态码，"),
        (("role", "3201", "--leave"), "把社区民警王建国（工号3201）移出了名册，"),
    ):
        told(tmp_path)
        district("officer", *words)
        said = told(tmp_path)
        assert sorted(chat for chat, _ in said) == everybody, words
        assert {text.startswith(f"有人在服务器上{says}") for _, text in said} == {True}, said
    district("officer", "role", "3201", "--return")
    assert [chat for chat, _ in told(tmp_path)] == ["account-M1", "account-S1"], "the account is bound anew first"


def test_who_is_on_duty(district: Shell, tmp_path: Path) -> None:
    def running() -> list[tuple[int, int | None]]:
        with sqlite3.connect(tmp_path / "data/qianshao.sqlite3") as database:
            found = database.execute("SELECT officer_id, grid_id FROM duty WHERE ends_at IS NULL ORDER BY id").fetchall()
        database.close()
        return found

    assert district("officer", "duty", "3201", "--grid", "GX01").out == "3201: on duty for 港新1号网格\n"
    assert district("officer", "duty", "3201").out == "3201: on duty for the whole district\n"
    district("officer", "duty", "3201")
    assert running() == [(1, 1), (1, None)], "said twice is once"
    assert "there is no grid 'ZZ'" in district("officer", "duty", "3201", "--grid", "ZZ").err
    assert district("officer", "duty", "3201", "--end").out == "3201: off duty\n"
    assert running() == []
    district("officer", "role", "3201", "--leave")
    assert "has left" in district("officer", "duty", "3201").err


def test_a_shift_has_a_beginning_and_an_end(district: Shell, tmp_path: Path) -> None:
    shift = ("officer", "duty", "3201", "--grid", "GX01", "--from", "2026-11-23 18:00", "--until", "2026-11-24 08:30")
    assert district(*shift).out == "3201: on duty for 港新1号网格, 2026-11-23 18:00 to 2026-11-24 08:30\n"
    with sqlite3.connect(tmp_path / "data/qianshao.sqlite3") as database:
        begins, ends = database.execute("SELECT starts_at, ends_at FROM duty").fetchone()
    database.close()
    assert (begins[:16], ends[:16]) == ("2026-11-23 10:00", "2026-11-24 00:30")  # UTC
    assert "ends before it begins" in district("officer", "duty", "3201", "--until", "2026-11-20 08:00").err
    assert "is no time" in district("officer", "duty", "3201", "--from", "tonight").err
    district("officer", "duty", "3201", "--end")
    with sqlite3.connect(tmp_path / "data/qianshao.sqlite3") as database:
        assert database.execute("SELECT count(*) FROM duty").fetchone() == (0,), "a shift to come goes, too"
    database.close()


def test_the_routing_table(district: Shell) -> None:
    for code, name, kind in (("wy", "港新物业", "property"), ("xf", "港新消防站", "fire"), ("wy2", "火锅街物业", "property")):
        district("unit", "add", code, name, "--kind", kind)
    assert district("route", "test", "ebike.charging").out == "leads    港新物业 (0 at work)\n"  # by the taxonomy
    assert district("route", "set", "ebike.*", "xf", "wy").out == "ebike.* everywhere: 港新消防站, with 港新物业\n"
    assert district("route", "set", "ebike.charging", "wy2", "--grid", "GX0101").out == "ebike.charging in 火锅街: 火锅街物业\n"
    assert district("route", "test", "ebike.charging", "--grid", "GX01").out.split() == [
        "leads", "港新消防站", "(0", "at", "work)", "assists", "港新物业", "(0", "at", "work)"
    ]  # fmt: skip
    assert "火锅街物业" in district("route", "test", "ebike.charging", "--grid", "火锅街").out
    assert [line.split()[0] for line in district("route", "list").out.splitlines()[1:]] == ["ebike.*", "ebike.charging"]
    assert "there is no category 'ebkie'" in district("route", "set", "ebkie", "wy").err
    assert "named twice" in district("route", "set", "noise", "wy", "港新物业").err
    assert "there is no unit 'zz'" in district("route", "set", "noise", "zz").err
    assert district("route", "remove", "ebike.*").out == "ebike.*: removed\n"
    assert "there is no row for ebike.* everywhere" in district("route", "remove", "ebike.*").err
    assert district("route", "test", "tree").out == "tree: nobody; a dispatcher is asked. qianshao route set tree UNIT\n"


def test_groups(district: Shell) -> None:
    assert district("group", "label", "g1", "board:小区", "--posts", "off").out == "港新1号群: class:综合 board:小区; no posts\n"
    assert district("group", "label", "港新1号群", "board:", "--posts", "on", "--weekly", "2").out == "港新1号群: class:综合\n"
    assert "a class is one of" in district("group", "label", "g1", "class:其他").err
    assert "write class:综合, board:… or industry:…" in district("group", "label", "g1", "person:x").err
    assert district("group", "assign", "g1", "none").out == "港新1号群: no grid\n"
    assert district("group", "assign", "g1", "GX0101").out == "港新1号群: 火锅街\n"
    assert "there is a group g1 already" in district("group", "add", "g1", "x").err
    listed = district("group", "list").out
    assert "GX0101  class:综合" in listed
    assert "2 a week" in listed


def test_an_invitation_is_a_link_and_can_be_ended(district: Shell) -> None:
    assert district("group", "invite", "g1").out.startswith("http://127.0.0.1:")
    assert district("group", "invite", "g1", "--revoke").out == "1 invitations ended\n"


def test_posts_are_previewed_sent_and_stopped(district: Shell) -> None:
    preview = district("post", "preview", "反诈", "--to", "综合")
    assert "【反诈妙招】" in preview.out
    assert preview.out.endswith("groups that would get it: 1\n")
    sent = district("post", "send", "反诈", "--to", "综合", "--to", "餐饮")
    assert sent.code == 0
    assert sent.out.startswith("campaign 1 (sending): antifraud/")
    assert "sending" in district("post", "status").out
    assert district("post", "stop").out == "campaign 1: 2 groups will not get it\n"
    assert "cancelled 2" in district("post", "status", "1").out
    district("group", "label", "g1", "--posts", "off")
    nobody = district("post", "send", "反诈", "--to", "综合")
    assert (nobody.code, nobody.out.splitlines()[-1]) == (1, "groups that get it: 0; left out: posts off 1")
    assert "没有带“综和”的群" in district("post", "send", "反诈", "--to", "综和").err


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
    assert district("post", "stop", "1").out == "campaign 1: 0 groups will not get it\n"
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
    assert "还没有群收到过" in district("post", "correct", "1", "电话是12348").err
    assert "has not halted" in district("post", "continue", "1").err
    assert "没有9号推送" in district("post", "export", "9").err


def test_slips_about_campaigns_end_with_the_next_step(district: Shell, tmp_path: Path) -> None:
    for words, says in (
        (("stop", "7"), "there is no campaign 7; qianshao post status shows the last ten"),
        (("stop",), "no campaign is under way; qianshao post status shows the last ten"),
        (("plan", "反诈", "--all", "--at", "今晚23:30"), "一个群也到不了。原因：现在是安静时段"),
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
    _in_database(tmp_path, prove)
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
    _in_database(tmp_path, lambda session: _cancel(session, now[0]))
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


def test_classify_speaks_the_documented_lines(shell: Shell) -> None:
    rows = [{"id": "a", "text": "港新路火锅店把液化气罐放在棚子里，太危险了"}, {"id": 2, "text": "大家早上好"}]
    done = shell("classify", stdin="\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n\n")
    first, second = map(json.loads, done.out.splitlines())
    assert list(first) == ["id", "intent", "confidence", "tier", "category", "scam", "places"]
    assert list(first["scam"]) == ["is_scam", "score", "type"]
    assert (first["id"], first["intent"]) == ("a", "hazard")
    assert all(rows[0]["text"][place["start"] : place["end"]] == place["text"] for place in first["places"])  # type: ignore[index]
    assert (second["id"], second["intent"]) == (2, "chat")


def test_pasted_bait_is_a_matter_of_fraud(shell: Shell) -> None:
    bait = "刷单兼职，每天十分钟，先垫付三百，返利四百，加微信进群做任务，佣金日结"
    done = shell("classify", stdin=json.dumps({"id": 1, "text": bait}, ensure_ascii=False))
    row = json.loads(done.out)
    assert (row["intent"], row["scam"]["is_scam"]) == ("scam_report", True)


def test_half_an_emoji_is_read_like_any_character(shell: Shell) -> None:
    done = shell("classify", stdin='{"id": "cut \\ud83d", "text": "\\ud83d着火了，快来人"}')
    assert json.loads(done.out)["tier"] == "T0"


@pytest.mark.parametrize(
    ("stdin", "says"),
    [
        ('{"id":1,"text":"a"}\nnot json', "standard input, line 2: this is not JSON"),
        ('{"id":1}', 'standard input, line 1: an object with "id" and "text" is needed'),
        ('{"id":1,"text":5}', "line 1"),
        ("[1]", "line 1"),
        (b'{"id":1,"text":"a"}\n\xff\xfe', "is not UTF-8"),
    ],
)
def test_a_wrong_line_is_named(shell: Shell, stdin: str | bytes, says: str) -> None:
    done = shell("classify", stdin=stdin)
    assert (done.code, says in done.err) == (1, True), done.err


def test_ask_searches_ours_or_a_pool(shell: Shell, tmp_path: Path) -> None:
    ours = json.loads(shell("ask", "--top", "2", stdin='{"id":"q","question":"孩子刚出生怎么上户口"}').out)
    assert list(ours) == ["id", "hits"]
    assert ours["hits"][0]["id"] == "household/newborn-registration"
    assert len(ours["hits"]) == 2
    pool = [{"id": 1, "text": "上户口要带出生证"}, {"id": "b", "text": "电动车不能进楼充电"}, {"id": "c", "text": "噪声扰民找谁"}]
    (tmp_path / "pool.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in pool), encoding="utf-8")
    done = shell("ask", "--knowledge", "pool.jsonl", stdin='{"id":1,"question":"怎么上户口"}\n{"id":2,"question":"zzz"}\n')
    first, second = map(json.loads, done.out.splitlines())
    assert first["hits"][0]["id"] == "1"
    assert second == {"id": "2", "hits": []}
    (tmp_path / "pool.jsonl").write_text('{"id": 1}', encoding="utf-8")
    assert "pool, line 1: an object with" in shell("ask", "--knowledge", "pool.jsonl", stdin="").err


def test_check_tells_what_is_well(shell: Shell) -> None:
    done = shell("--config", str(ROOT / "config.toml"), "check")
    assert done.code == 0, done.out
    assert [line.split()[:2] for line in done.out.splitlines()] == [
        ["ok", "settings:"], ["ok", "content:"], ["ok", "working"], ["ok", "handlers:"], ["ok", "database:"],
        ["ok", "timers:"], ["ok", "gazetteer:"], ["ok", "pictures:"], ["ok", "web"],
    ]  # fmt: skip
    assert not Path("data").exists(), "checking makes nothing"


def test_check_names_everything_that_is_wrong(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = tmp_path / "content"
    for name in ("posts/law", "phrases", "answers", "demo"):
        (content / name).mkdir(parents=True)
    (content / "posts/law/bad.md").write_text("+++\ntitle = 5\n+++\nx")
    (content / "phrases/bad.toml").write_text('x = "{{"')
    (content / "taxonomy.toml").write_text("")
    monkeypatch.setattr("bot.cli.house.CONTENT", content)
    (tmp_path / "mine.py").write_text("router = 5\n")
    monkeypatch.setenv("QIANSHAO_BOT__HANDLERS", '["mine.py"]')
    (tmp_path / "data").mkdir()
    (tmp_path / "data/qianshao.sqlite3").write_bytes(b"nonsense" * 1000)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("QIANSHAO_WEB__PORT", str(taken.getsockname()[1]))
        done = shell("check")
    assert done.code == 1
    for says in (
        "law/bad.md:2: title should be a valid string",
        "phrases/bad.toml:1:",
        "taxonomy.toml",
        "demo/district.toml:1: cannot be read",
        "mine.py has no `router`",
        "database: ",
        "cannot be listened on",
    ):
        assert says in done.out, f"{says!r} is not in\n{done.out}"


def test_check_tells_of_what_goes_on_failing(district: Shell, tmp_path: Path) -> None:
    def fail(session: Session) -> None:
        session.add(Timer(kind="callback.ask", key="1", due_at=MONDAY_TEN, tries=MOST_TRIES))
        session.add(Timer(kind="desk.clock", key="1", due_at=MONDAY_TEN, tries=MOST_TRIES - 1))

    _in_database(tmp_path, fail)
    done = district("check")
    assert done.code == 1
    assert "problem  timers: 1 x callback.ask failed 3 times or more and is tried on" in done.out
    assert "desk.clock" not in done.out


def test_check_knows_what_must_not_be_served(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QIANSHAO_WEB__HOST", "0.0.0.0")
    assert "web.public_url is missing" in shell("check").out
    monkeypatch.setenv("QIANSHAO_BOT__DEMO", "true")
    done = shell("check")
    assert done.code == 1
    assert "the demonstration lets anybody be anybody and runs only on 127.0.0.1" in done.out
    monkeypatch.setenv("QIANSHAO_WEB__ENABLED", "false")
    assert "web is off" in shell("check").out


def test_run_refuses_a_taken_port_before_anything_starts(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("QIANSHAO_WEB__PORT", str(port))
        done = shell("run")
    assert done.code == 1
    assert f"127.0.0.1:{port} cannot be listened on" in done.err
    assert "QIANSHAO_WEB__PORT=" in done.err
    assert not Path("data").exists()


def test_a_backup_is_a_sound_copy_of_a_database_in_use(district: Shell, tmp_path: Path) -> None:
    (tmp_path / "data/media").mkdir(exist_ok=True)
    (tmp_path / "data/media/photo.jpg").write_bytes(b"x")
    (tmp_path / "data/keys").mkdir(exist_ok=True)
    (tmp_path / "data/keys/tips.key").write_bytes(b"k")
    with sqlite3.connect(tmp_path / "data/qianshao.sqlite3") as busy:
        busy.execute("BEGIN IMMEDIATE")
        done = district("backup", "copies")
    busy.close()
    assert done.code == 0, done.err
    (copy,) = (tmp_path / "copies").iterdir()
    files = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    assert "media/photo.jpg" in files
    assert not any("key" in name or "web" in name for name in files), files
    with sqlite3.connect(copy / "qianshao.db") as database:
        assert database.execute("SELECT count(*) FROM chat_group").fetchone() == (2,)
    database.close()


def test_a_backup_comes_back(district: Shell, tmp_path: Path) -> None:
    assert district("backup", "copies").code == 0
    (copy,) = (tmp_path / "copies").iterdir()
    for file in (tmp_path / "data").glob("qianshao.sqlite3*"):
        file.unlink()
    done = district("restore", str(copy))
    assert done.code == 0, done.err
    assert "港新1号群" in district("group", "list").out
    assert "nowhere" in district("restore", "nowhere").err


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-P", "-m", "bot", "post", "list", "law"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "law/deposit-20" in done.stdout


def test_output_into_a_closed_pipe_ends_quietly() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -P -m bot post list | head -1"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_our_content_lies_where_the_commands_look() -> None:
    assert (CONTENT / "taxonomy.toml").is_file()


def test_one_message_is_explained(shell: Shell) -> None:
    done = shell("classify", "--why", "3号楼2单元楼道有人给电动车充电")
    assert done.code == 0
    assert "hazard" in done.out
    assert "places: 3号楼2单元楼道" in done.out
    assert "because: rule ebike.charging" in done.out


def test_laws_are_imported_as_a_whole_or_not_at_all(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "laws"
    folder.mkdir()
    (folder / "a.md").write_text("# 某某法\n自2020年1月1日起施行\n第一条 好。\n第二条 也好。\n", encoding="utf-8")
    done = shell("content", "import-laws", str(folder))
    assert (done.code, "2 articles of 1 laws in force" in done.out) == (0, True), done.out
    (folder / "b.md").write_text("# 别的法\n第一条 没有日期。\n", encoding="utf-8")
    done = shell("content", "import-laws", str(folder))
    assert done.code != 0
    assert "b.md:1: no day from which the law holds" in done.out + done.err
    assert "nothing was imported" in done.out + done.err
    assert shell("content", "kept").code == 0
    assert "there is no kept answer 7" in (missing := shell("content", "drop", "7")).out + missing.err


def test_boundaries_are_drawn_as_a_whole_or_not_at_all(shell: Shell, tmp_path: Path) -> None:
    assert shell("grid", "add", "G1", "一号").code == 0
    file = tmp_path / "grids.geojson"
    square = {"type": "Polygon", "coordinates": [[[124, 30], [124.1, 30], [124.1, 30.1], [124, 30]]]}
    features = [{"type": "Feature", "properties": {"code": code}, "geometry": square} for code in ("G1", "G9")]
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    done = shell("grid", "boundary", str(file))
    assert done.code != 0
    assert "G9" in done.out + done.err
    assert shell("grid", "list").out.count("drawn") == 0
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features[:1]}), encoding="utf-8")
    assert shell("grid", "boundary", str(file)).code == 0
    assert shell("grid", "list").out.count("drawn") == 1
    nameless = {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": square}]}
    file.write_text(json.dumps(nameless), encoding="utf-8")
    done = shell("grid", "boundary", str(file))
    assert "feature 1 has no property 'code'" in done.out + done.err

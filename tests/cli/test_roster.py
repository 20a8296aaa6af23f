"""Officers from the terminal: who they are, how they bind and confirm, who is on duty, and who hears of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.cli.terminal import Shell, bind, told


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

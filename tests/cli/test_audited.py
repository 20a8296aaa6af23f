"""Whatever the terminal changes is written down: every command that changes something leaves its line in the audit."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from typer.main import get_command

from bot.cli import app
from tests.cli.terminal import Shell

SQUARE = '{"type": "Polygon", "coordinates": [[[121.0, 31.0], [121.1, 31.0], [121.1, 31.1], [121.0, 31.0]]]}'
LAW = "# 试验法\n\n自2021年1月1日起施行\n\n第一条 这是试验。\n"
# the command, and the action and target of its line
CHANGES = (
    ("unit add fire 港新消防站 --kind fire", "unit.add", "fire kind fire"),
    ("grid add GX02 港新2号网格 --inside GX01 --unit fire", "grid.add", "GX02 inside GX01 unit fire"),
    ("grid boundary square.json --grid GX02", "grid.boundary", "GX02"),
    ("route set ebike.* fire station --grid GX02", "route.set", "ebike.* in GX02: fire station"),
    ("route remove ebike.* --grid GX02", "route.remove", "ebike.* in GX02"),
    ("route set * station", "route.set", "* everywhere: station"),
    ("group add g3 港新3号群 --label class:综合", "group.add", "g3 class:综合"),
    ("group assign g3 GX02", "group.assign", "group 3 to GX02"),
    ("group label g3 board:商圈 --weekly 2 --posts off", "group.label", "group 3 class:综合 board:商圈 weekly 2 posts off"),
    ("group invite g3", "group.invite", "group 3"),
    ("group invite g3 --revoke", "group.invitations_end", "group 3"),
    ("officer add 3202 李敏 --title 网格员 --role grid_worker", "roster.add", "3202 grid_worker"),
    ("officer code 3202", "roster.code", "3202"),
    ("officer totp 3202", "totp.enrol", "3202"),
    ("officer role 3202 dispatcher", "roster.role", "3202 dispatcher"),
    ("officer duty 3202 --grid GX02", "roster.duty", "3202 on duty for 港新2号网格"),
    ("officer duty 3202 --end", "roster.duty", "3202 off duty"),
    ("content import-laws laws", "laws.import", "1 articles"),
    ("erase", "retention.erase", "0 ended, 0 sealed"),
    ("audit list", "audit.list", ""),
)
# the rest reads, or writes down what it does in tests of its own: posts (test_posts.py), tips, kept answers, a restore
OTHERS = frozenset(
    [
        *("run", "check", "backup", "restore", "classify", "ask", "train", "audit verify", "audit anchor"),
        *("post list", "post preview", "post plan", "post send", "post stop", "post continue", "post correct", "post status"),
        *("post export", "post calendar", "schedule list", "schedule next", "officer list", "group list", "grid list"),
        *("unit list", "route list", "route test", "tip passphrase", "tip list", "tip read", "content kept", "content drop"),
    ]
)


def audited(folder: Path) -> list[tuple[str, str, str]]:
    database = sqlite3.connect(folder / "data" / "qianshao.sqlite3")
    rows = database.execute("SELECT platform, action, target FROM audit ORDER BY line").fetchall()
    database.close()
    return rows


def test_every_change_from_the_terminal_leaves_its_line(district: Shell, tmp_path: Path) -> None:
    (tmp_path / "square.json").write_text(SQUARE, encoding="utf-8")
    (tmp_path / "laws").mkdir()
    (tmp_path / "laws" / "test.md").write_text(LAW, encoding="utf-8")
    before = len(audited(tmp_path))
    for line, *_ in CHANGES:
        done = district(*line.split())
        assert done.code == 0, (line, done.err)
    assert audited(tmp_path)[before:] == [("shell", action, target) for _, action, target in CHANGES]
    assert district("audit", "verify").code == 0


def test_a_change_that_is_refused_leaves_none(district: Shell, tmp_path: Path) -> None:
    before = audited(tmp_path)
    assert district("unit", "add", "station", "又一个", "--kind", "police").code == 1
    assert district("route", "remove", "ebike.*").code == 1
    assert audited(tmp_path) == before


def test_a_restore_is_written_into_what_it_brought_back(district: Shell, tmp_path: Path) -> None:
    assert district("backup", "copies").code == 0
    (copy,) = (tmp_path / "copies").iterdir()
    assert district("restore", str(copy)).code == 0
    assert audited(tmp_path)[-1][:2] == ("shell", "backup.restore")


def test_no_command_is_forgotten_here() -> None:
    def names(command: object, before: str = "") -> set[str]:
        inner = getattr(command, "commands", None)
        if inner is None:
            return {before.strip()}
        return set().union(*(names(one, f"{before} {name}") for name, one in inner.items()))

    tried = {name for name in names(get_command(app)) if any(line.startswith(name) for line, *_ in CHANGES)}
    assert names(get_command(app)) == tried | OTHERS

"""What the terminal only reads, on PostgreSQL, whose reading connections refuse every lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.terminal import Shell
from tests.storage.conftest import postgres_server, postgres_template, postgres_url  # noqa: F401

pytestmark = pytest.mark.postgres


def test_every_command_that_reads(
    shell: Shell,
    postgres_url: str,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QIANSHAO_STORAGE__URL", postgres_url)
    monkeypatch.setenv("QIANSHAO_BOT__DATA_DIR", str(tmp_path / "data"))
    for words in (
        ("unit", "add", "station", "港新派出所", "--kind", "police"),
        ("grid", "add", "GX01", "港新1号网格", "--unit", "station"),
        ("group", "add", "g1", "港新1号群", "--grid", "GX01", "--label", "class:综合"),
        (
            "officer",
            "add",
            "3201",
            "王建国",
            "--title",
            "社区民警",
            "--role",
            "officer grid:GX01",
            "--role",
            "admin",
            "--role",
            "editor",
            "--unit",
            "station",
        ),
        ("post", "send", "反诈", "--to", "综合"),
        ("unit", "list"),
        ("grid", "list"),
        ("officer", "list"),
        ("group", "list"),
        ("group", "invite", "g1"),
        ("route", "list"),
        ("content", "kept"),
        ("post", "plan", "健康", "--all", "--dry-run"),
        ("post", "preview", "健康"),
        ("post", "status"),
        ("post", "status", "1"),
        ("post", "export", "1", "-o", str(tmp_path / "1.csv")),
        ("post", "stop", "1"),
        ("schedule", "next", "--past"),
        ("audit", "list"),
        ("audit", "verify"),
        ("audit", "anchor"),
        ("officer", "duty", "3201", "--grid", "GX01"),
        ("route", "test", "fire.active"),
        ("erase", "--dry-run"),
    ):
        done = shell(*words)
        assert done.code == 0, (words, done.err)
    assert "港新1号群" in (tmp_path / "1.csv").read_text(encoding="utf-8")

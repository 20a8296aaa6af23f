"""Settings: a mistake names the file and the line, or the variable, and the mend; the environment can set every key."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from datetime import date, time
from pathlib import Path

import pytest
from pydantic import BaseModel

from bot.cli.reference import settings_table
from bot.config import Settings, environment_key, load_settings
from bot.days import parse_days
from bot.errors import ConfigError
from content.toml import KeyPath, parse_toml

ROOT = Path(__file__).parent.parent


def refused(tmp_path: Path, text: str = "", **environ: str) -> str:
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_settings(file, environ)
    return str(caught.value).replace(str(tmp_path) + "/", "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[web]\nprot = 1", "config.toml:2: unknown key web.prot; did you mean port?"),
        ("[wep]\nport = 1", "config.toml:1: unknown key wep; did you mean web?"),
        ("[bot]\n\nzzz = 1", "config.toml:3: unknown key bot.zzz; known here: data_dir, demo"),
        ('[web]\nport = "many"', "config.toml:2: web.port should be a valid integer"),
        ("[web]\nport = 70000", "config.toml:2: web.port should be less than or equal to 65535 (it is 70000)"),
        ("[web]\nenabled = 7", "config.toml:2: web.enabled should be a valid boolean"),
        ("[bot]\nname = 7", "config.toml:2: bot.name should be a valid string (it is 7)"),
        ("[bot]\nlog_level = 'loud'", "config.toml:2: bot.log_level should be 'debug', 'info', 'warning' or 'error'"),
        ("[bot]\ntimezone = 'Mars'", "config.toml:2: bot.timezone: 'Mars' is no time zone; write one like \"Asia/Shanghai\""),
        ("[bot]\ntimezone = '../x'", "config.toml:2: bot.timezone: '../x' is no time zone"),
        ("[storage]\nurl = 'mysql://x/y'", 'config.toml:2: storage.url: write "sqlite:///'),
        ("[posts]\nquiet_from = '25:00'", "config.toml:2: posts.quiet_from should be in a valid time format"),
        ("[bot]\ndemo = 'maybe'", 'config.toml:2: bot.demo: write true, false or "auto"'),
        ("[bot]\ndata_dir = 3", 'config.toml:2: bot.data_dir: a path is written in quotes, "folder/file"'),
        ("[posts]\nquiet_from = 5", 'config.toml:2: posts.quiet_from: a time of day is written "10:00"'),
        ("[web]\nport =", "config.toml:2: this is not TOML"),
        ("[web]\nport = 1\nport = 2", "config.toml:3: this is not TOML"),
        ("[pacing.web]\nchat_reserve = 500", "config.toml:1: pacing.web: chat_reserve must be below per_chat_per_minute"),
        ("web = 5", "config.toml:1: web should be a valid dictionary"),
    ],
)
def test_a_mistake_names_its_line_and_the_mend(tmp_path: Path, text: str, says: str) -> None:
    assert refused(tmp_path, text).startswith(says)


SCHEDULE = """
[[schedules]]
name = "a"
category = "law"
days = "mon"
time = "10:00"
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('category = "law"', 'category = "lwa"', "config.toml:10: schedules.category: 'lwa' is no category of posts"),
        ('days = "mon"', 'days = "monday"', "config.toml:11: schedules.days: days are written"),
        ('days = "mon"', "dais = 'mon'", "config.toml:8: the key schedules.days is missing; add it"),
        ('time = "10:00"', "time = 10", 'config.toml:12: schedules.time: a time of day is written "10:00"'),
        ('time = "10:00"', 'time = "10:00"\nlabels = ["x"]', "config.toml:13: schedules.labels: label 'x' must be one of"),
        ('time = "10:00"', 'time = "10:00"\non_late = "x"', "config.toml:13: schedules.on_late should be 'send' or 'skip'"),
        ('name = "b"', 'name = "a"', "config.toml:1: this table: two schedules are named 'a'"),
        ('name = "b"', 'name = "A b"', "config.toml:9: schedules.name"),
    ],
)
def test_a_schedule_is_told_apart_from_the_one_above(tmp_path: Path, old: str, new: str, says: str) -> None:
    second = SCHEDULE.replace('"a"', '"b"').replace(old, new)
    assert says in refused(tmp_path, SCHEDULE + second)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    said = refused(tmp_path, "[web]\nport = -1\n[bot]\nname = 3\nnmae = 4", QIANSHAO_WEB__KEEP_DAYS="x")
    assert [line.split(": ")[0] for line in said.splitlines()] == [
        "QIANSHAO_WEB__KEEP_DAYS",
        "config.toml:2",
        "config.toml:4",
        "config.toml:5",
    ]


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("QIANSHAO_WEB__PROT", "1", "QIANSHAO_WEB__PROT: unknown key web.prot; did you mean port?"),
        ("QIANSHAO_WEB__PORT", "x", "QIANSHAO_WEB__PORT: web.port should be a valid integer"),
        ("QIANSHAO_WEB_PORT", "1", "QIANSHAO_WEB_PORT: unknown; two underscores part section and key: QIANSHAO_WEB__PORT"),
        ("QIANSHAO_WEP__PORT", "1", "QIANSHAO_WEP__PORT: unknown section; did you mean QIANSHAO_WEB__…?"),
        ("QIANSHAO_BOT__HANDLERS", "a.py", "QIANSHAO_BOT__HANDLERS: lists and tables are written as JSON here"),
        ("QIANSHAO_BOT__DEMO", "perhaps", "QIANSHAO_BOT__DEMO: bot.demo: write true, false or"),
        ("QIANSHAO_SCHEDULES", '[{"name":"a"}]', "QIANSHAO_SCHEDULES: the key schedules.category is missing"),
    ],
)
def test_a_variable_is_named(tmp_path: Path, key: str, value: str, says: str) -> None:
    assert refused(tmp_path, "[web]\nport = 5", **{key: value}).startswith(says)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: there is no such file; copy config\.toml there"):
        load_settings(tmp_path / "nowhere.toml", {})
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(tmp_path, {})
    (tmp_path / "gbk.toml").write_bytes("# 设置".encode("gbk"))
    with pytest.raises(ConfigError, match="save it as UTF-8"):
        load_settings(tmp_path / "gbk.toml", {})


def test_without_a_file_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(None, {"HOME": "/x", "QIANSHAO_FAILPOINT": "x"})
    assert settings == Settings()
    assert settings.database_url == "sqlite:///data/qianshao.sqlite3"
    assert (settings.bot.demo, settings.web.port, settings.posts.quiet_from) == (None, 8311, time(21, 30))
    assert str(settings.bot.zone) == "Asia/Shanghai"
    assert settings.pacing.rules["web"].chat_reserve == 20


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[web]\nport = 5\nhost = '::1'\n" + SCHEDULE, encoding="utf-8")
    assert load_settings(file, {}).schedules[0].due_days == parse_days("mon")
    settings = load_settings(file, {"QIANSHAO_WEB__PORT": "6", "QIANSHAO_SCHEDULES": "[]", "QIANSHAO_BOT__DEMO": "auto"})
    assert (settings.web.port, settings.web.host, settings.schedules, settings.bot.demo) == (6, "::1", (), None)


def leaves(model: type[BaseModel], path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from leaves(inner, (*path, name))
        elif name != "schedules":
            yield (*path, name), field.description or ""


OTHER_VALUES = {
    "data_dir": "/srv/q", "demo": "false", "timezone": "Europe/Paris", "log_level": "error", "handlers": '["a.py"]',
    "read_pictures": "false", "gazetteer": "places.toml", "enabled": "false", "host": "::1", "daily_cap": "3",
    "url": "postgresql://u:p@h/d", "quiet_from": "20:00", "quiet_to": "09:00", "work_from": "09:00", "work_to": "18:00",
    "cards": "false", "auto_dispatch": "false", "review_share": "0.5",
    "behind_proxy": "true",
    "public_url": "https://x.example", "overall_per_second": "3.5", "telegram.enabled": "true",
    "server_held_keys": "false", "web_form": "false",
    "pacing.telegram.chat_reserve": "7",
    "wechat.enabled": "true", "tls": "off", "accounts": '[{"account": "b"}]', "file_hosts": '["files.example.cn"]',
    "accept_friends": "false", "accept_invitations": "false", "pacing.wechat.chat_reserve": "3", "between_chats_from": "2",
    "minute_reserve": "3", "per_account_per_day": "900", "telegram.accounts": '[{"token": "1:b"}]',
}  # fmt: skip


@pytest.mark.parametrize("path", [path for path, _ in leaves(Settings)], ids=lambda path: ".".join(path))
def test_every_key_can_be_set_by_the_environment(path: KeyPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    other = OTHER_VALUES.get(".".join(map(str, path))) or OTHER_VALUES.get(str(path[-1]), "31")
    settings = load_settings(None, {environment_key(path): other})
    assert settings != Settings(), f"{environment_key(path)} changed nothing"


def test_the_configuration_that_we_ship_holds_every_key_with_its_default() -> None:
    """config.toml names each key once, with the default and with the model's own words as comment."""
    text = (ROOT / "config.toml").read_text(encoding="utf-8")
    shipped = load_settings(ROOT / "config.toml", {})
    assert shipped.model_copy(update={"schedules": ()}) == Settings()
    written = parse_toml(text)
    for path, description in leaves(Settings):
        table: object = written
        for part in path:
            assert isinstance(table, dict)
            assert part in table, f"config.toml lacks {'.'.join(map(str, path))}"
            table = table[part]
        comment = re.search(rf"^{path[-1]} = .*#\s*{re.escape(description)}", text, re.MULTILINE)
        assert comment, f"the comment of {path[-1]} in config.toml differs from bot/config: {description}"


def test_the_documentation_holds_every_key() -> None:
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    made = text.partition("python -m bot.cli.reference -->\n\n")[2]
    assert made == settings_table(), "run python -m bot.cli.reference and put its output into docs/configuration.md"


def test_the_schedules_that_we_ship() -> None:
    schedules = {schedule.name: schedule for schedule in load_settings(ROOT / "config.toml", {}).schedules}
    assert schedules["antifraud"].time == time(10)
    assert [day for day in range(23, 30) if date(2026, 11, day) in schedules["antifraud"].due_days] == [23, 25, 27]
    assert (str(schedules["law"].due_days), schedules["law"].time) == ("周二", time(19, 30))


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().web.port = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("*", 30),
        ("mon,WED , fri", 13),
        ("sat-mon", 14),
        ("mon-fri", 21),
        ("1,15,31", 2),
        ("周一", 0),
        ("0", 0),
        ("", 0),
        ("mon-xyz", 0),
    ],
)
def test_days(text: str, count: int) -> None:
    november = [date(2026, 11, day) for day in range(1, 31)]
    if not count:
        with pytest.raises(ValueError, match="days are written"):
            parse_days(text)
    else:
        assert sum(day in parse_days(text) for day in november) == count


def test_infinity_survives() -> None:
    assert math.isinf(Settings().pacing.overall_per_second)
    json.dumps(Settings().model_dump(mode="json", exclude={"pacing"}))

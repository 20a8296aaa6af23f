"""Reading the settings: `config.toml`, each key of which the environment can set as QIANSHAO_<SECTION>__<KEY>.

Unknown keys and wrong values are refused with the file, the line (or the environment key) and the mend, all at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from bot.config.platforms import PacingTable, TelegramSection, WebSettings, WechatSection
from bot.config.sections import (
    AlarmSettings,
    BotSettings,
    ConfirmationSettings,
    DeskSettings,
    PostSettings,
    RetentionSettings,
    ScheduleSettings,
    StorageSettings,
    TipSettings,
)
from bot.errors import ConfigError
from content.toml import Mistake, TomlMistakes, explain, known_keys, parse_toml

PREFIX = "QIANSHAO_"
DEFAULT_FILE = Path("config.toml")
OUTSIDE = frozenset({"QIANSHAO_FAILPOINT"})  # read elsewhere, before there are settings


class Settings(BaseSettings):
    """All of it."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__")

    bot: BotSettings = BotSettings()
    storage: StorageSettings = StorageSettings()
    web: WebSettings = WebSettings()
    telegram: TelegramSection = TelegramSection()
    wechat: WechatSection = WechatSection()
    posts: PostSettings = PostSettings()
    schedules: tuple[ScheduleSettings, ...] = ()
    confirmations: ConfirmationSettings = ConfirmationSettings()
    alarms: AlarmSettings = AlarmSettings()
    tips: TipSettings = TipSettings()
    desk: DeskSettings = DeskSettings()
    retention: RetentionSettings = RetentionSettings()
    pacing: PacingTable = PacingTable()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load_settings` hands over: it reads the environment itself, so that a mistake can be told by its key."""
        return (init_settings,)

    @model_validator(mode="after")
    def _one_name_each(self) -> Settings:
        names = [schedule.name for schedule in self.schedules]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two schedules are named {name!r}; give each its own name")
        return self

    @property
    def database_url(self) -> str:
        """The database, whether it was named or not."""
        return self.storage.url or f"sqlite:///{self.bot.data_dir / 'qianshao.sqlite3'}"


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Settings from a file and the environment, which wins. Raises ConfigError that names everything to mend.

    Without a path `config.toml` in the current folder is read if there is one.
    """
    text, shown = _read(path)
    try:
        table = parse_toml(text)
    except TomlMistakes as error:
        raise ConfigError("\n".join(f"{shown}:{mistake.line}: {mistake.problem}" for mistake in error.mistakes)) from error
    merged = _merge(table, _from_environment(environ))
    try:
        return Settings(**merged)  # type: ignore[arg-type]
    except ValidationError as error:
        mistakes = explain(error, Settings, text)
        raise ConfigError("\n".join(_told(mistake, shown, environ) for mistake in mistakes)) from error


def environment_key(path: tuple[str | int, ...]) -> str:
    """QIANSHAO_WEB__PORT for ("web", "port")."""
    return PREFIX + "__".join(str(part) for part in path).upper()


def _read(path: Path | None) -> tuple[str, str]:
    if path is None and not DEFAULT_FILE.exists():
        return "", str(DEFAULT_FILE)
    file = path or DEFAULT_FILE
    try:
        return file.read_text(encoding="utf-8-sig"), str(file)
    except FileNotFoundError:
        raise ConfigError(f"{file}: there is no such file; copy config.toml there, or leave --config out") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: is not UTF-8 ({error.reason}); save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    ours = {key: value for key, value in environ.items() if key.startswith(PREFIX) and key not in OUTSIDE}
    sections = known_keys(Settings, ())
    problems = [_unknown_variable(key, sections) for key in sorted(ours) if _section_of(key) not in sections]
    if problems:
        raise ConfigError("\n".join(problems))
    source = EnvSettingsSource(Settings)
    source.env_vars = {key.lower(): value for key, value in ours.items()}
    try:
        return dict(source())
    except SettingsError:
        wrong = ", ".join(key for key in sorted(ours) if ours[key][:1] in ("[", "{")) or ", ".join(sorted(ours))
        raise ConfigError(f'{wrong}: lists and tables are written as JSON here, e.g. ["a", "b"]') from None


def _section_of(key: str) -> str:
    return key.removeprefix(PREFIX).lower().partition("__")[0]


def _unknown_variable(key: str, sections: tuple[str, ...]) -> str:
    for section in sections:
        if _section_of(key).startswith(f"{section}_"):
            rest = key.removeprefix(PREFIX)[len(section) + 1 :]
            return f"{key}: unknown; two underscores part section and key: {PREFIX}{section.upper()}__{rest}"
    near = difflib.get_close_matches(_section_of(key), sections, n=1)
    mend = f"did you mean {PREFIX}{near[0].upper()}__…?" if near else f"sections are {', '.join(sections)}"
    return f"{key}: unknown section; {mend}"


def _merge(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    merged = dict(below)
    for key, value in above.items():
        lower = merged.get(key)
        merged[key] = _merge(lower, value) if isinstance(lower, dict) and isinstance(value, dict) else value
    return merged


def _told(mistake: Mistake, shown: str, environ: Mapping[str, str]) -> str:
    given = {key.upper() for key in environ}
    for length in range(len(mistake.path), 0, -1):
        if (key := environment_key(mistake.path[:length])) in given:
            return f"{key}: {mistake.problem}"
    return f"{shown}:{mistake.line}: {mistake.problem}"

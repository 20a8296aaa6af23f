"""The settings: `config.toml` and the environment, typed. The descriptions in here are those of docs/configuration.md."""

from bot.config.sections import BotSettings, ScheduleSettings
from bot.config.settings import DEFAULT_FILE, Settings, environment_key, load_settings

__all__ = ("DEFAULT_FILE", "BotSettings", "ScheduleSettings", "Settings", "environment_key", "load_settings")

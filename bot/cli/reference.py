"""The table of every setting, for docs/configuration.md; a test keeps the two alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bot.config import ScheduleSettings, Settings, environment_key
from content.toml import KeyPath


def settings_table() -> str:
    """Markdown: one table for each section, then the keys of a schedule."""
    parts = []
    for path, section in _sections(Settings, ()):
        rows = [
            f"| `{name}` | {_shown(field)} | `{environment_key((*path, name))}` | {_cell(field.description or '')} |"
            for name, field in section.model_fields.items()
            if _section_of(field) is None
        ]
        parts.append(
            f"### `[{'.'.join(map(str, path))}]`\n\n| key | default | variable | meaning |\n|---|---|---|---|\n" + "\n".join(rows)
        )
    rows = [
        f"| `{name}` | {_shown(field)} | {_cell(field.description or '')} |"
        for name, field in ScheduleSettings.model_fields.items()
    ]
    parts.append("### `[[schedules]]`\n\n| key | default | meaning |\n|---|---|---|\n" + "\n".join(rows))
    return "\n\n".join(parts) + "\n"


def _sections(model: type[BaseModel], path: KeyPath) -> Iterator[tuple[KeyPath, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        section = _section_of(field)
        if section is not None:
            yield (*path, name), section
            yield from _sections(section, (*path, name))


def _section_of(field: FieldInfo) -> type[BaseModel] | None:
    inner = field.annotation
    return inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None


def _shown(field: FieldInfo) -> str:
    value: Any = field.default
    if value is PydanticUndefined:
        return "must be given"
    if value is None:  # a switch that decides by itself, or a path that nobody has named
        return '`"auto"`' if "auto" in (field.description or "") else '`""`'
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"`{value}`"
    if isinstance(value, tuple):
        return f"`{list(value)}`"
    return f'`"{value:%H:%M}"`' if hasattr(value, "hour") else f'`"{value}"`'


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    typer.echo(settings_table(), nl=False)

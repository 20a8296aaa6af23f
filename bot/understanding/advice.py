"""Which words of advice fit a cry: most dangers have words of their own, and some scenes within a danger need others.

The scenes are data, `content/lexicon/advice.toml`. A scene may also name the danger that it really is: who drank a cleaner is
poisoned, although the cleaner's name sounded like gas.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.errors import ConfigError
from bot.understanding.lexicon import WordFile
from bot.understanding.meaning import Danger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Scene:
    """What a cry that was heard as one of these dangers shows besides, and which words it needs: a key below `emergency`."""

    phrase: str
    heard: frozenset[Danger]
    danger: Danger | None
    pattern: re.Pattern[str]

    def is_shown(self, danger: Danger, text: str) -> bool:
        """Whether a cry that was heard as this danger shows the scene."""
        return danger in self.heard and self.pattern.search(text) is not None


class Advice:
    """All scenes, in the order in which they are tried."""

    def __init__(self, scenes: tuple[Scene, ...]) -> None:
        self._scenes = scenes

    @staticmethod
    def load(folder: Path) -> Advice:
        """Read `advice.toml` from the lexicon folder; `ConfigError` names the scene that is wrong."""
        file = WordFile(folder / "advice.toml")
        return Advice(tuple(_scenes(file, folder)))

    def danger(self, heard: Danger, text: str) -> Danger:
        """The danger that a cry really tells of, which was heard as this one."""
        scene = self._shown(heard, _BLANKS.sub("", text))
        return scene.danger if scene is not None and scene.danger is not None else heard

    def phrase(self, danger: Danger, text: str) -> str:
        """The key of the phrase that says what to do first."""
        scene = self._shown(danger, _BLANKS.sub("", text))
        return f"emergency.{scene.phrase if scene is not None else danger.value}"

    def phrases(self) -> frozenset[str]:
        """The key of every phrase that may be said; the phrases must hold them all."""
        return frozenset(f"emergency.{name}" for name in (*Danger, *(scene.phrase for scene in self._scenes)))

    def _shown(self, danger: Danger, text: str) -> Scene | None:
        return next((scene for scene in self._scenes if scene.is_shown(danger, text)), None)


def _scenes(file: WordFile, folder: Path) -> Iterator[Scene]:
    for name, table in file.table("scene").items():
        if not isinstance(table, dict):
            raise ConfigError(f"{file.path}: [scene.{name}] must be a table")
        heard, becomes = file.texts(table, "heard"), file.text(table, "danger", "")
        unknown = [word for word in (*heard, becomes) if word and word not in frozenset(Danger)]
        if unknown or not heard:
            raise ConfigError(f"{file.path}: [scene.{name}] names no danger or unknown ones: {', '.join(unknown)}")
        danger = Danger(becomes) if becomes else None
        if danger is not None and danger not in heard:
            raise ConfigError(f"{file.path}: [scene.{name}] must be heard as {becomes} too, or its words are lost")
        patterns = list(file.texts(table, "patterns"))
        for listed in file.texts(table, "files"):
            path = folder / listed
            try:
                lines = path.read_text(encoding="utf-8").splitlines()
            except OSError as error:
                raise ConfigError(f"{path}: {error}") from error
            patterns += [line for line in lines if line and not line.startswith("#")]
        pattern = file.compile(patterns)
        if pattern is None:
            raise ConfigError(f"{file.path}: [scene.{name}] has no patterns")
        yield Scene(file.text(table, "phrase"), frozenset(map(Danger, heard)), danger, pattern)

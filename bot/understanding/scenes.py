"""Scenes of danger: families of words that together, in any order and near each other, mean tier T0.

"不要打了…砸东西的声音", "硬往面包车里拽一个女娃": who writes in fear keeps to no order of words, so no pattern over an order
hears all of them. A family is a plain list of words (`content/lexicon/scenes.toml`), a scene names the families that must all be
there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.errors import ConfigError
from bot.understanding.lexicon import WordFile
from bot.understanding.meaning import Danger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Scene:
    """Families that mean one danger when all are there within `span` characters; `needs` has their bits.

    None of `without` may stand among them: "孩子的钥匙不见了" misses no child.
    """

    name: str
    danger: Danger
    needs: int
    families: tuple[re.Pattern[str], ...]
    without: re.Pattern[str] | None
    span: int


class Scenes:
    """All scenes, and the words of their families for the automaton."""

    def __init__(self, words: Mapping[str, int], scenes: tuple[Scene, ...]) -> None:
        self.words = words
        self.scenes = scenes

    @staticmethod
    def load(folder: Path) -> Scenes:
        """Read `scenes.toml`. A family may take in another by "@name"; a scene is "family family ... -family"."""
        file = WordFile(folder / "scenes.toml")
        table = file.table("family")
        families = {name: _members(file, table, name, ()) for name in table}
        bits = {name: bit for bit, name in enumerate(families)}
        words: dict[str, int] = {}
        for name, members in families.items():
            for word in members:
                words[word] = words.get(word, 0) | 1 << bits[name]
        patterns = {
            name: re.compile("|".join(map(re.escape, sorted(set(found), key=len, reverse=True))))
            for name, found in families.items()
        }
        scenes = []
        for danger, entry in file.table("scene").items():
            if danger not in set(Danger) or not isinstance(entry, dict):
                raise ConfigError(f"{file.path}: [scene.{danger}] is no danger")
            span = entry.get("span", 30)
            if not isinstance(span, int):
                raise ConfigError(f"{file.path}: [scene.{danger}] span must be a number of characters")
            for line in file.texts(entry, "together"):
                names = [name for name in line.split() if not name.startswith("-")]
                banned = [name[1:] for name in line.split() if name.startswith("-")]
                unknown = [name for name in (*names, *banned) if name not in bits]
                if unknown or len(names) < 2:
                    raise ConfigError(f"{file.path}: [scene.{danger}] {line!r} needs two families that are there")
                needs = sum(1 << bits[name] for name in set(names))
                without = re.compile("|".join(patterns[name].pattern for name in banned)) if banned else None
                scenes.append(Scene(line, Danger(danger), needs, tuple(patterns[name] for name in names), without, span))
        return Scenes(words, tuple(scenes))

    def staged(self, families: int) -> dict[Danger, tuple[Scene, ...]]:
        """The scenes whose families all stand in a text, by danger; `families` are the bits of the words that it holds."""
        found: dict[Danger, tuple[Scene, ...]] = {}
        for scene in self.scenes:
            if scene.needs & families == scene.needs:
                found[scene.danger] = (*found.get(scene.danger, ()), scene)
        return found

    def places(self, scene: Scene, text: str) -> Iterator[tuple[int, int]]:
        """Where in a text the scene's families stand near each other: start and end of each such stretch."""
        first, *others = scene.families
        for head in first.finditer(text):
            start, end = head.span()
            taken = [(start, end)]
            for family in others:
                near = [
                    match.span()
                    for match in family.finditer(text, max(0, end - scene.span), start + scene.span)
                    if all(match.end() <= low or match.start() >= high for low, high in taken)
                ]
                if not near:
                    break
                taken.append(min(near, key=lambda span: max(end, span[1]) - min(start, span[0])))
                start, end = min(start, taken[-1][0]), max(end, taken[-1][1])
            else:
                if scene.without is None or scene.without.search(text, start, end) is None:
                    yield start, end


def _members(file: WordFile, table: Mapping[str, object], name: str, above: tuple[str, ...]) -> list[str]:
    if name not in table or name in above:
        raise ConfigError(f"{file.path}: the family {name!r} is missing, or holds itself")
    found: list[str] = []
    for word in file.text(table, name).split():
        found += _members(file, table, word[1:], (*above, name)) if word.startswith("@") else [word]
    return found

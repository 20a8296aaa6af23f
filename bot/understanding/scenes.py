"""Scenes of danger: families of words that together, in any order and near each other, mean tier T0.

"不要打了…砸东西的声音", "硬往面包车里拽一个女娃": who writes in fear keeps to no order of words, so no pattern over an order
hears all of them. A family is a plain list of words (`content/lexicon/scenes.toml`), a scene names the families that must all be
there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.errors import ConfigError
from bot.understanding.lexicon import WordFile, Wording, any_of
from bot.understanding.meaning import Danger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

CLAUSES = "，,、。！？!?；; \n"


@dataclass(frozen=True, slots=True)
class Scene:
    """Families that mean one danger when all are there within `span` characters; `head` has the bit of the first, `needs` of all.

    None of `without` may stand in the clauses of the first two: "孩子的钥匙不见了" misses no child.
    """

    name: str
    danger: Danger
    head: int
    needs: int
    families: tuple[Wording, ...]
    without: Wording | None
    span: int


class Scenes:
    """All scenes, and the words of their families for the automaton."""

    def __init__(self, families: Mapping[str, Sequence[str]], words: Mapping[str, int], scenes: tuple[Scene, ...]) -> None:
        self.families = families
        self.words = words
        self.scenes = scenes
        # most messages hold a few families and no scene: only scenes whose first family is there are looked at
        self._by_head: dict[int, tuple[Scene, ...]] = {}
        for scene in scenes:
            self._by_head[scene.head] = (*self._by_head.get(scene.head, ()), scene)
        self._all_heads = sum(self._by_head)

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
        wordings = {name: Wording(any_of(found)) for name, found in families.items()}
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
                without = Wording("|".join(wordings[name].source for name in banned)) if banned else None
                together = tuple(wordings[name] for name in names)
                scenes.append(Scene(line, Danger(danger), 1 << bits[names[0]], needs, together, without, span))
        return Scenes(families, words, tuple(scenes))

    def staged(self, families: int) -> dict[Danger, tuple[Scene, ...]]:
        """The scenes whose families all stand in a text, by danger; `families` has the bits of those that do (-1: all)."""
        found: dict[Danger, tuple[Scene, ...]] = {}
        left = families & self._all_heads
        while left:
            head = left & -left
            left ^= head
            for scene in self._by_head[head]:
                if scene.needs & families == scene.needs:
                    found[scene.danger] = (*found.get(scene.danger, ()), scene)
        return found

    def wordings(self) -> Iterator[Wording]:
        """Every pattern of words."""
        for scene in self.scenes:
            yield from scene.families
            if scene.without is not None:
                yield scene.without

    def places(self, scene: Scene, text: str, whole: str) -> Iterator[tuple[int, int]]:
        """Where in a text the scene's families stand near each other: start and end of each such stretch.

        `whole` is the text before false friends were blanked out: what must not stand there is looked for in it.
        """
        first, *others = [family.pattern() for family in scene.families]
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
                banned = scene.without.pattern() if scene.without is not None else None
                if banned is None or not any(banned.search(clause(whole, *span)) for span in taken[:2]):
                    yield start, end


def clause(text: str, start: int, end: int) -> str:
    """The clause of a text in which the characters start to end stand."""
    first = max(text.rfind(mark, 0, start) for mark in CLAUSES) + 1
    last = min((at for mark in CLAUSES if (at := text.find(mark, end)) >= 0), default=len(text))
    return text[first:last]


def _members(file: WordFile, table: Mapping[str, object], name: str, above: tuple[str, ...]) -> list[str]:
    if name not in table or name in above:
        raise ConfigError(f"{file.path}: the family {name!r} is missing, or holds itself")
    found: list[str] = []
    for word in file.text(table, name).split():
        found += _members(file, table, word[1:], (*above, name)) if word.startswith("@") else [word]
    return found

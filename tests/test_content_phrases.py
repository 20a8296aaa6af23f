"""The phrase book: values are data, gaps are errors, every phrase of ours renders."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from jinja2 import nodes

from content.phrases import PhraseBook, PhraseMissing, Ready, make_environment, plain

ROOT = Path(__file__).parent.parent
OURS = ROOT / "content/phrases"


@pytest.fixture
def book(tmp_path: Path) -> PhraseBook:
    (tmp_path / "talk.toml").write_text(
        'hello = "{{ name }}您好"\ntwice = "{{ a }}{{ b }}"\n[deep]\nkey = """\n{% if many %}很多\n{% endif %}到了\n"""\n',
        encoding="utf-8",
    )
    return PhraseBook.load(tmp_path)


def test_a_phrase_is_said(book: PhraseBook) -> None:
    assert book.say("talk.hello", name="张阿姨") == "张阿姨您好"
    assert book.say("talk.deep.key", many=False) == "到了"
    assert book.keys() == {"talk.hello", "talk.twice", "talk.deep.key"}
    assert book.variables("talk.twice") == {"a", "b"}
    assert "talk.hello" in book


def test_what_a_person_wrote_is_never_a_template(book: PhraseBook) -> None:
    assert book.say("talk.hello", name="{{ 7 * 7 }}{% raw %}") == "{{ 7 * 7 }}{% raw %}您好"


def test_invisible_characters_of_a_name_go(book: PhraseBook) -> None:
    assert book.say("talk.hello", name="\x1b[31m张\u202e三\x00") == "[31m张三您好"


def test_a_missing_value_or_key_is_an_error(book: PhraseBook) -> None:
    with pytest.raises(PhraseMissing, match=r"talk\.hello.*name"):
        book.say("talk.hello")
    with pytest.raises(PhraseMissing, match=r"no phrase 'talk\.bye'"):
        book.say("talk.bye")


def test_each_platform_escapes_values_and_nothing_else(book: PhraseBook) -> None:
    loud = book.escaped(lambda text: text.replace("*", "\\*"))
    assert loud.say("talk.hello", name="a*b") == "a\\*b您好"
    assert loud.say("talk.twice", a=Ready("*"), b="*") == "*\\*"
    assert book.say("talk.hello", name="a*b") == "a*b您好"


def test_a_broken_phrase_is_named_and_the_rest_works(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('good = "好"\nbad = "{{ x"\nnumber = 5\n', encoding="utf-8")
    (tmp_path / "b.toml").write_text("not toml", encoding="utf-8")
    (tmp_path / "c.toml").write_text('fine = "行"\n', encoding="utf-8")
    book = PhraseBook.load(tmp_path)
    assert book.keys() == {"a.good", "c.fine"}
    assert [(broken.path.name, broken.line) for broken in book.broken] == [("a.toml", 2), ("a.toml", 3), ("b.toml", 1)]


class Sample(str):
    """Stands for any value: a text, a number, an object with every attribute, a list of one row of the width that is wanted."""

    widths: Mapping[str, int]

    def __new__(cls, name: str, widths: Mapping[str, int]) -> Sample:
        made = super().__new__(cls, f"〈{name}〉")
        made.widths = widths
        return made

    def __getattr__(self, name: str) -> Sample:
        if name.startswith("__"):
            raise AttributeError(name)
        return Sample(name, self.widths)

    def __float__(self) -> float:
        return 1.5

    def __index__(self) -> int:
        return 1

    def __lt__(self, other: object) -> bool:
        return other > 1 if isinstance(other, int) else super().__lt__(str(other))

    def __gt__(self, other: object) -> bool:
        return other < 1 if isinstance(other, int) else super().__gt__(str(other))

    def __iter__(self) -> Iterator[object]:  # type: ignore[override]
        width = self.widths.get(str(self).strip("〈〉"), 0)
        yield tuple(Sample(str(n), self.widths) for n in range(width)) if width else Sample("0", self.widths)


def widths_of(source: str) -> dict[str, int]:
    """How many values a row has, for everything that the template goes through row by row; 0: it is not taken apart."""
    found = {}
    for loop in make_environment(plain).parse(source).find_all(nodes.For):
        name = loop.iter.attr if isinstance(loop.iter, nodes.Getattr) else getattr(loop.iter, "name", "")
        found[name] = len(loop.target.items) if isinstance(loop.target, nodes.Tuple) else 0
    return found


def test_every_phrase_of_ours_renders() -> None:
    book = PhraseBook.load(OURS)
    assert not book.broken, [str(broken) for broken in book.broken]
    for key in sorted(book.keys()):
        widths = widths_of(book._phrases[key].source)
        said = book.say(key, **{name: Sample(name, widths) for name in book.variables(key)})
        assert said.strip(), key
        assert said == plain(said), f"{key} holds invisible characters"


ROOMS = ("bot", "handlers", "cases", "console")
# what says a phrase: the methods of `Say` and of the phrase book, and the refusals
SAYING = {
    *("reply", "privately", "to_reporter", "to_reporter_alone", "to_officers", "to_group", "to_alarm_place", "at", "say"),
    *("Refusal", "RefusedInput", "NotAllowed"),
}
# keywords of `Say` and of refusals that are no values of the phrase; the number is given as a matter of course
NOT_VALUES = {
    "number",
    "case",
    "choices",
    "quote",
    "reply_to",
    "photo",
    "mention",
    "lane",
    "key",
    "secret",
    "group",
    "action",
    "target",
}


@dataclass(frozen=True, slots=True)
class Use:
    """One place in the code that says a phrase, or one of several, with these values."""

    where: str
    keys: tuple[str, ...]
    values: frozenset[str]
    more: bool  # further values come from a mapping


def uses(book: PhraseBook) -> Iterator[Use]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call) or getattr(node.func, "attr", getattr(node.func, "id", "")) not in SAYING:
                    continue
                keys = tuple(key for argument in node.args[:2] for key in named(argument, book))
                if keys:
                    values = frozenset(keyword.arg for keyword in node.keywords if keyword.arg)
                    more = any(keyword.arg is None for keyword in node.keywords)
                    yield Use(f"{path.relative_to(ROOT)}:{node.lineno}", keys, values, more)


def named(node: ast.expr, book: PhraseBook) -> list[str]:
    """Phrase keys written in an argument, also in both arms of a condition. Known by the name of a phrase file before the dot."""
    if isinstance(node, ast.IfExp):
        return named(node.body, book) + named(node.orelse, book)
    files = {path.stem for path in book.folder.glob("*.toml")}
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[a-z_]+(\.[a-z0-9_]+)+", node.value):
        return [node.value] if node.value.partition(".")[0] in files else []
    return []


def problems_of(use: Use, book: PhraseBook) -> list[str]:
    missing = [f"{use.where}: there is no phrase {key}" for key in use.keys if key not in book]
    if missing:
        return missing
    wanted = {key: book.variables(key) for key in use.keys}
    lacking = [f"{use.where}: {key} needs {sorted(names - use.values)}" for key, names in wanted.items() if names - use.values]
    unused = use.values - NOT_VALUES - frozenset[str]().union(*wanted.values())
    found = [] if use.more else lacking
    return [*found, f"{use.where}: {', '.join(use.keys)} never uses {sorted(unused)}"] if unused else found


def test_every_phrase_that_the_code_names_exists_and_gets_its_values() -> None:
    book = PhraseBook.load(OURS)
    found = list(uses(book))
    assert len(found) > 50
    assert [problem for use in found for problem in problems_of(use, book)] == []


def test_planted_mistakes_are_found(book: PhraseBook) -> None:
    def problems(keys: tuple[str, ...], *values: str) -> list[str]:
        return problems_of(Use("x.py:1", keys, frozenset(values), False), book)

    assert problems(("talk.hello",), "name", "quote") == []
    assert problems(("talk.hallo",), "name") == ["x.py:1: there is no phrase talk.hallo"]
    assert problems(("talk.hello",)) == ["x.py:1: talk.hello needs ['name']"]
    assert problems(("talk.hello",), "name", "nmae") == ["x.py:1: talk.hello never uses ['nmae']"]

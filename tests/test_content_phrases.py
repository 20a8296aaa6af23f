"""The phrase book: values are data, gaps are errors, every phrase of ours renders."""

from __future__ import annotations

from pathlib import Path

import pytest

from content.phrases import PhraseBook, PhraseMissing, Ready, plain

OURS = Path(__file__).parent.parent / "content/phrases"


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


def test_every_phrase_of_ours_renders() -> None:
    book = PhraseBook.load(OURS)
    assert not book.broken, [str(broken) for broken in book.broken]
    for key in sorted(book.keys()):
        said = book.say(key, **{name: f"〈{name}〉" for name in book.variables(key)})
        assert said.strip(), key
        assert said == plain(said), f"{key} holds invisible characters"

"""An answer is about the thing, and for the people, that the question names."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from bot.errors import ConfigError
from bot.understanding.answers import Answers
from bot.understanding.subjects import Subjects

CONTENT = Path(__file__).parents[2] / "content"
TODAY = date(2026, 11, 25)


@pytest.fixture(scope="module")
def answers() -> Answers:
    return Answers.load(CONTENT, TODAY)


def first(answers: Answers, question: str) -> str:
    return answers.search(question)[0].answer.slug


def test_what_is_about_another_thing_stands_behind(answers: Answers) -> None:
    assert first(answers, "驾照过期了怎么办").startswith("traffic/")
    assert first(answers, "请问居住证在哪里办") == "residence_permit/documents"
    for hit in answers.search("驾照过期了怎么办")[1:]:
        assert hit.answer.slug.startswith("traffic/") or hit.confidence < 0.2


def test_an_answer_for_some_people_is_for_them_alone(answers: Answers) -> None:
    assert first(answers, "哪儿能办居住证呢") != "residence_permit/hmt-permit"
    assert first(answers, "我老公是台湾人，哪儿能办居住证呢") == "residence_permit/hmt-permit"


def test_without_the_list_the_likest_words_win() -> None:
    from content.answers import AnswerLibrary

    plain = Answers(AnswerLibrary.load(CONTENT / "answers").served(TODAY))
    assert first(plain, "驾照过期了怎么办").startswith("entry_exit/")


def test_a_line_in_no_section_is_named(tmp_path: Path) -> None:
    (tmp_path / "subjects.txt").write_text("# 说明\n护照\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=":2:"):
        Subjects.load(tmp_path / "subjects.txt")

"""An answer is about the thing that the question names."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from bot.understanding.answers import Answers
from bot.understanding.subjects import Subjects
from content.answers import AnswerLibrary

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


def test_no_question_of_the_library_misses_its_own_answer(answers: Answers) -> None:
    subjects = Subjects.load(CONTENT / "lexicon" / "subjects.txt")
    lost = [
        question
        for answer in AnswerLibrary.load(CONTENT / "answers").served(TODAY)
        for question in answer.questions
        if Subjects.misses(subjects.named(question), subjects.of("\n".join((answer.title, *answer.questions, answer.body))))
    ]
    assert lost == []
    assert [question for question in ("没居住证能上学吗", "驾照丢了") if not subjects.named(question)] == []


def test_a_thing_is_a_whole_word() -> None:
    subjects = Subjects.load(CONTENT / "lexicon" / "subjects.txt")
    assert [text for text in ("谁来维护照明设备", "开个身份证明", "晚上户外唱歌") if subjects.named(text)] == []
    assert subjects.named("驾驶执照丢了") == subjects.named("驾照丢了") != 0


def test_without_the_list_the_likest_words_win() -> None:
    plain = Answers(AnswerLibrary.load(CONTENT / "answers").served(TODAY))
    assert first(plain, "驾照过期了怎么办").startswith("entry_exit/")

"""Which answer a question gets, how sure the search is, and when it stays silent."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from bot.understanding.answers import Answers
from tests.understanding.chatter import chatter

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 23)


@pytest.fixture(scope="module")
def answers() -> Answers:
    return Answers.load(ROOT / "content", TODAY)


def held_out() -> list[dict[str, str | None]]:
    text = (ROOT / "tests" / "data" / "questions_heldout.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("question", "slug"),
    [
        ("居住证多久能拿到", "residence_permit/how-long"),
        ("新生儿怎么上户口", "household/newborn-registration"),
        ("老板拖欠工资怎么办", "labour/unpaid-wages"),
        ("房东不退押金怎么办", "disputes/rent-deposit"),
        ("去香港澳门要办什么证", "entry_exit/hk-macao-permit"),
    ],
)
def test_a_known_question_is_answered_first_and_surely(answers: Answers, question: str, slug: str) -> None:
    first, *rest = answers.search(question)
    assert first.answer.slug == slug
    assert first.sure
    assert not any(hit.sure or hit.certain for hit in rest)
    assert first.confidence > 0.7
    assert first.answer.source
    assert first.answer.checked_on <= TODAY < first.answer.expires_on


def test_every_known_question_finds_its_answer_among_the_first_three(answers: Answers) -> None:
    from content.answers import AnswerLibrary

    missed = [
        (answer.slug, question)
        for answer in AnswerLibrary.load(ROOT / "content" / "answers").served(TODAY)
        for question in answer.questions
        if answer.slug not in [hit.answer.slug for hit in answers.search(question, 3)]
    ]
    assert len(missed) <= 20, missed


def test_held_out_questions(answers: Answers) -> None:
    told = right = sure = sure_right = 0
    for row in held_out():
        hits = answers.search(row["question"] or "", 1)
        fits = bool(hits) and hits[0].answer.slug == row["expect"]
        told += row["expect"] is not None
        right += fits
        if hits and hits[0].sure:
            sure += 1
            sure_right += fits
        assert not (hits and hits[0].certain and not fits), row
    assert right / told >= 0.75
    assert sure_right / sure >= 0.93
    assert sure_right / told >= 0.55


def test_small_talk_is_never_answered_unasked(answers: Answers) -> None:
    spoke = [text for text in chatter(2_500) if (hits := answers.search(text, 1)) and hits[0].certain]
    assert spoke == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "。。。",
        "😂😂😂",
        "在吗",
        "哈哈哈哈",
        "早上好",
        "群主是哪位",
        "几点吃饭",
        "上海居住证积分一百二十分怎么算",
        "abc 123",
        "?" * 20_000,
        "啊" * 20_000,
    ],
)
def test_what_no_answer_fits_is_not_answered(answers: Answers, text: str) -> None:
    assert not any(hit.sure for hit in answers.search(text))


@pytest.mark.parametrize("text", ["着火了怎么办", "闻到煤气味怎么办", "有人落水怎么办"])
def test_emergencies_are_left_to_the_fixed_texts(answers: Answers, text: str) -> None:
    first = answers.search(text)[0]
    assert first.answer.class_ == "emergency"
    assert not first.certain


def test_a_hit_list_is_as_long_as_asked_for_and_in_order(answers: Answers) -> None:
    for top in (1, 3, 7):
        hits = answers.search("电动车楼道充电", top)
        assert len(hits) == top
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert all(0 <= hit.confidence <= 1 for hit in hits)


def test_a_question_that_an_entry_names_itself_finds_that_entry(answers: Answers) -> None:
    assert answers.search("居住证怎么办")[0].answer.slug == "residence_permit/documents"

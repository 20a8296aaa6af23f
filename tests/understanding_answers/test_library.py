"""The answer files: what is served, and how a broken one is named."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from bot.understanding.answers import Answers
from content.answers import CLASSES, AnswerLibrary

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 23)
GOOD = """+++
title = "丢了的伞怎么找"
class = "lost_property"
questions = ["丢了的伞怎么找", "伞不见了", "伞落下了", "雨伞丢了", "伞忘在哪了"]
keywords = ["雨伞"]
source = "本站"
checked_on = 2026-11-01
expires_on = 2027-11-01
status = "ready"
+++
到服务台问问，伞都放在那里。没有的话在群里说一声。
"""


def write(content: Path, name: str, text: str) -> None:
    file = content / "answers" / "lost_property" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_every_file_of_ours_is_well_and_every_class_has_answers() -> None:
    library = AnswerLibrary.load(ROOT / "content" / "answers")
    assert not library.broken
    assert {answer.class_ for answer in library.served(TODAY)} == set(CLASSES)
    assert len(library.served(TODAY)) >= 60


def test_drafts_and_expired_and_unchecked_answers_are_never_served(tmp_path: Path) -> None:
    write(tmp_path, "good.md", GOOD)
    write(tmp_path, "draft.md", GOOD.replace('"ready"', '"draft"'))
    write(tmp_path, "old.md", GOOD.replace("expires_on = 2027-11-01", "expires_on = 2026-11-23"))
    write(tmp_path, "future.md", GOOD.replace("checked_on = 2026-11-01", "checked_on = 2026-12-01"))
    answers = Answers.load(tmp_path, TODAY)
    assert len(answers) == 1
    assert [hit.answer.slug for hit in answers.search("雨伞丢了怎么找", 9)] == ["lost_property/good"]
    assert len(Answers.load(tmp_path, date(2026, 12, 1))) == 2  # by then "future" is checked
    assert len(Answers.load(tmp_path, date(2027, 11, 1))) == 0


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('title = "丢了的伞怎么找"', "titel = 1", 2, "titel"),
        ('class = "lost_property"', 'class = "umbrellas"', 3, "umbrellas"),
        ('class = "lost_property"', 'class = "animals"', 3, "folder"),
        ('"伞不见了", "伞落下了", ', "", 4, "questions"),
        ("expires_on = 2027-11-01", "expires_on = 2026-10-01", 8, "expires_on"),
    ],
)
def test_a_broken_file_is_named_with_its_line_and_the_rest_works(
    tmp_path: Path, old: str, new: str, line: int, says: str
) -> None:
    write(tmp_path, "good.md", GOOD)
    write(tmp_path, "bad.md", GOOD.replace(old, new))
    answers = Answers.load(tmp_path, TODAY)
    (broken,) = answers.broken
    assert broken.path.name == "bad.md"
    assert broken.line == line
    assert says in broken.problem
    assert answers.search("雨伞丢了")[0].answer.slug == "lost_property/good"


def test_a_library_without_answers_says_nothing(tmp_path: Path) -> None:
    answers = Answers.load(tmp_path, TODAY)
    assert len(answers) == 0
    assert answers.search("怎么办护照") == []

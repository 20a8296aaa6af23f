"""The answer library: `content/answers/<class>/<slug>.md`, the format of docs/content.md.

An answer is given only when it is ready, checked and not expired: law and advice carry a source and a date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from content.files import BrokenFile, Page, Strict, read_folder

CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "household": "户籍",
        "residence_permit": "居住证",
        "entry_exit": "出入境",
        "traffic": "交通与电动车",
        "fire_safety": "消防",
        "antifraud": "反诈",
        "disputes": "纠纷与调解",
        "labour": "劳动",
        "consumer": "消费",
        "lost_property": "失物",
        "minors_elders": "未成年人与老人",
        "animals": "养犬与动物",
        "community": "社区服务",
        "emergency": "紧急求助",
    }
)
FEWEST_QUESTIONS = 5

Texts = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)]


class AnswerHead(Strict):
    """The head of an answer file, as docs/content.md describes it."""

    title: str = Field(min_length=1)
    class_: str = Field(alias="class")
    questions: Texts
    keywords: Texts = ()
    source: str = Field(min_length=1)
    checked_on: date
    expires_on: date
    status: Literal["ready", "draft"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `slug` is "class/file", its name everywhere; `questions` are ways in which residents ask for it."""

    slug: str
    class_: str
    title: str
    questions: tuple[str, ...]
    keywords: tuple[str, ...]
    source: str
    checked_on: date
    expires_on: date
    status: str
    body: str
    path: Path
    grid: int | None = None  # an officer's answer is given in this grid only; None: everywhere

    def why_not(self, today: date) -> str | None:
        """Why it is not given on this day ("draft", "expired", "not checked yet"), or None when it may be."""
        if self.status == "draft":
            return "draft"
        if today >= self.expires_on:
            return "expired"
        return "not checked yet" if today < self.checked_on else None


@dataclass(frozen=True, slots=True)
class AnswerLibrary:
    """Every answer by its slug, and the files that could not be used."""

    answers: Mapping[str, Answer]
    broken: tuple[BrokenFile, ...]

    @staticmethod
    def load(folder: Path) -> AnswerLibrary:
        """Read `folder/<class>/*.md`. A broken file is listed in `broken` with its line; the rest works."""
        answers: dict[str, Answer] = {}
        broken: list[BrokenFile] = []
        for page in read_folder(folder, AnswerHead):
            made = page if isinstance(page, BrokenFile) else _answer_of(page)
            if isinstance(made, BrokenFile):
                broken.append(made)
            else:
                answers[made.slug] = made
        return AnswerLibrary(MappingProxyType(answers), tuple(broken))

    def served(self, today: date) -> tuple[Answer, ...]:
        """The answers that may be given on this day, in order of their slugs."""
        return tuple(answer for answer in self.answers.values() if answer.why_not(today) is None)


def _answer_of(page: Page[AnswerHead]) -> Answer | BrokenFile:
    """The page as an answer, or what is wrong with it beyond the form of its head."""
    head = page.head
    folder = page.path.parent.name
    if head.class_ not in CLASSES:
        return page.broken(f"class {head.class_!r} is none of {', '.join(CLASSES)}", "class")
    if head.class_ != folder:
        return page.broken(f"class is {head.class_!r} but the folder is {folder!r}", "class")
    if len(head.questions) < FEWEST_QUESTIONS:
        return page.broken(f"questions: {len(head.questions)} given, at least {FEWEST_QUESTIONS} are needed", "questions")
    if head.expires_on <= head.checked_on:
        return page.broken("expires_on must be later than checked_on", "expires_on")
    if not page.body:
        return page.broken("the body is empty: it is the answer itself")
    return Answer(
        slug=f"{folder}/{page.path.stem}",
        class_=head.class_,
        title=head.title,
        questions=head.questions,
        keywords=head.keywords,
        source=head.source,
        checked_on=head.checked_on,
        expires_on=head.expires_on,
        status=head.status,
        body=page.body,
        path=page.path,
    )

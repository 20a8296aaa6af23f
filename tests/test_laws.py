"""Laws by article from Markdown: what is read, what is refused, which version holds."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from bot.understanding.laws import Laws
from content.files import BrokenFile
from content.laws import Article, article_number, load_laws, read_law, read_laws, save_laws

LAW = """# 中华人民共和国某某法

2022年9月2日通过
自2022年12月1日起施行
<!-- INFO END -->

## 第一章 总则

第一条　为了试验，
制定本法。

**第二条** 依照第一条
第三条规定的行为，也是行为。

### 第三条之一
另有规定的除外。

## 附则
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_law_is_read_by_article(tmp_path: Path) -> None:
    found = read_law(write(tmp_path, "a.md", LAW))
    assert not isinstance(found, BrokenFile)
    assert [(article.number, article.text) for article in found] == [
        ("第一条", "为了试验，\n制定本法。"),
        ("第二条", "依照第一条\n第三条规定的行为，也是行为。"),  # what begins like an article and goes on is none
        ("第三条之一", "另有规定的除外。"),
    ]
    assert {(article.law, article.valid_from, article.valid_to) for article in found} == {("某某法", date(2022, 12, 1), None)}
    assert found[0].name == "《某某法》第一条"


def test_of_two_versions_each_holds_in_its_time(tmp_path: Path) -> None:
    write(tmp_path, "old/a.md", "+++\nlaw = '某条例'\nvalid_from = 2019-01-01\n+++\n第一条 旧\n")
    write(tmp_path, "new/a.md", "+++\nlaw = '某条例'\nvalid_from = 2024-05-01\nsource = '公报'\n+++\n第一条 新\n")
    write(tmp_path, "README.md", "没有条文的文件不算错。\n")
    articles, broken = read_laws(tmp_path)
    assert broken == ()
    save_laws(tmp_path / "data", articles)
    for day, text in ((date(2024, 4, 30), "旧"), (date(2024, 5, 1), "新")):
        assert [article.text for article in load_laws(tmp_path / "data", day)] == [text]
    assert load_laws(tmp_path / "data", date(2018, 1, 1)) == ()
    assert load_laws(tmp_path / "nowhere", date(2024, 1, 1)) == ()


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("第一条 没有名字\n", 1, "no name of the law"),
        ("# 某法\n第一条 没有日期\n", 1, "no day from which"),
        ("+++\nlaw = '某法'\nvalid_form = 2020-01-01\n+++\n第一条 x\n", 3, "valid_form"),
        ("+++\nlaw = '某法'\n第一条 x\n", 3, "not closed"),
        ("+++\nlaw = '某法'\nvalid_from = 2020-01-01\nvalid_to = 2019-01-01\n+++\n第一条 x\n", 1, "later than"),
    ],
)
def test_a_mistake_names_its_line(tmp_path: Path, text: str, line: int, problem: str) -> None:
    found = read_law(write(tmp_path, "a.md", text))
    assert isinstance(found, BrokenFile)
    assert (found.line, problem in found.problem) == (line, True)


@pytest.mark.parametrize(
    ("written", "number"), [("第一千二百五十四条", 1254), ("第十条", 10), ("1254", 1254), ("第一百零二条", 102), ("什么", None)]
)
def test_numbers_of_articles(written: str, number: int | None) -> None:
    assert article_number(written) == number


@pytest.mark.parametrize(
    ("question", "number"),
    [
        ("某某法第2条怎么说", "第二条"),
        ("《中华人民共和国某某法》第三条之一", "第三条之一"),
        ("某某法第99条怎么说", None),
        ("我有三条鱼", None),
    ],
)
def test_an_article_is_named_only_when_it_is(tmp_path: Path, question: str, number: str | None) -> None:
    found = read_law(write(tmp_path, "a.md", LAW))
    assert not isinstance(found, BrokenFile)
    named = [hit.article.number for hit in Laws(found).search(question) if hit.named]
    assert named == ([number] if number else [])


def test_the_likeliest_article_comes_first() -> None:
    texts = ("高空抛物", "饲养动物", "相邻关系")
    laws = Laws([Article("某法", f"第{n}条", text, date(2020, 1, 1)) for n, text in enumerate(texts)])
    assert laws.search("楼上高空抛物怎么办", 2)[0].article.text == "高空抛物"

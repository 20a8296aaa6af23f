"""The post library: what is wrong with a file, what may be sent, and what a group reads."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from content.labels import label_problem, matches
from content.posts import CATEGORIES, Audience, PostLibrary, category_of

OURS = Path(__file__).parent.parent / "content/posts"
TODAY = date(2026, 11, 23)
GOOD = """+++
title = "别点"
category = "antifraud"
labels = ["class:综合"]
source = "《反电信网络诈骗法》第三十条"
checked_on = 2026-11-23
expires_on = 2027-11-23
status = "ready"
variants = ["{{ group }}好。", "看看这条。"]
+++
找{{ officer }}，{{ grid }}，{{ station }}。
"""


def library(folder: Path, text: str = GOOD, name: str = "antifraud/a.md") -> PostLibrary:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return PostLibrary.load(folder)


def audience(key: str) -> Audience:
    return Audience(key, "港新1号群", "港新1号网格", "王警官", "港新派出所")


def test_a_post_reads_well(tmp_path: Path) -> None:
    post = library(tmp_path).posts["antifraud/a"]
    texts = Counter(post.render(audience(f"web:{n}")) for n in range(200))
    assert set(texts) == {
        "港新1号群好。\n找王警官，港新1号网格，港新派出所。",
        "看看这条。\n找王警官，港新1号网格，港新派出所。",
    }
    assert min(texts.values()) > 60
    assert post.render(audience("web:1")) == post.render(audience("web:1"))


def test_a_group_name_is_never_a_template(tmp_path: Path) -> None:
    post = library(tmp_path).posts["antifraud/a"]
    said = post.render(Audience("k", "{{ station }}", "{% x %}", "{{", "所"))
    assert "找{{，{% x %}，所。" in said


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('category = "antifraud"', 'category = "spam"', 3, "not one of"),
        ('category = "antifraud"', 'category = "law"', 3, "lies in antifraud/"),
        ('labels = ["class:综合"]', 'labels = ["class:好人"]', 4, "a class is one of"),
        ('labels = ["class:综合"]', 'labels = ["person:张三"]', 4, "must be one of"),
        ("expires_on = 2027-11-23", "expires_on = 2026-11-23", 7, "later than checked_on"),
        ('variants = ["{{ group }}好。", "看看这条。"]', 'variants = ["一条"]', 9, "at least two opening lines"),
        ('status = "ready"', 'status = "sent"', 8, "should be 'ready' or 'draft'"),
        ("{{ officer }}", "{{ resident }}", 11, "unknown value {{ resident }}"),
        ("{{ officer }}", "{{ officer ", 11, "template:"),
        ("找{{ officer }}，{{ grid }}，{{ station }}。\n", "", 10, "the body is empty"),
    ],
)
def test_a_wrong_post_names_the_line_and_the_mend(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    assert old in GOOD
    library(tmp_path, GOOD, "antifraud/b.md")
    found = library(tmp_path, GOOD.replace(old, new))
    assert set(found.posts) == {"antifraud/b"}, "the rest keeps working"
    assert [broken.line for broken in found.broken] == [line]
    assert says in found.broken[0].problem


SITES = """
[[hosts]]
host = "www.12315.cn"
name = "全国12315平台"
source = "市场监管总局"
checked_on = 2026-11-26
"""


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ("http://www.12315.cn/", "https"),
        ("https://www.12315.cn.top/", "official hosts"),
        ("https://12315.cn/", "official hosts"),
        ("https://www.12315.cn@evil.example/", "user name"),
        ("https://www.12315.cn:8443/", "port"),
        ("https://www.12315.cn/ x", "https"),
        ("https://www.１2315.cn/", "https"),
        ("https://t.cn/abc", "official hosts"),
        ("javascript:alert(1)", "https"),
        ("https://[::", "no address"),
    ],
)
def test_a_link_goes_to_an_official_site_by_https_or_the_post_is_broken(tmp_path: Path, link: str, says: str) -> None:
    (tmp_path / "links.toml").write_text(SITES, encoding="utf-8")
    good = GOOD.replace('status = "ready"', 'status = "ready"\nlink = "https://www.12315.cn/a"')
    found = library(tmp_path / "posts", good)
    assert found.posts["antifraud/a"].link_name == "全国12315平台"
    bad = library(tmp_path / "posts", good.replace("https://www.12315.cn/a", link))
    assert "antifraud/a" not in bad.posts
    assert [broken.line for broken in bad.broken] == [9]
    assert says in bad.broken[0].problem


def test_no_address_hides_in_the_text_and_none_is_official_without_the_file(tmp_path: Path) -> None:
    found = library(tmp_path / "posts", GOOD.replace("看看这条。", "看 www.example.cn"))
    assert "put it into link" in found.broken[0].problem
    alone = library(tmp_path / "more", GOOD.replace('status = "ready"', 'status = "ready"\nlink = "https://www.12315.cn/"'))
    assert "known: none" in alone.broken[0].problem
    (tmp_path / "links.toml").write_text(SITES.replace("www.12315.cn", "WWW 12315"), encoding="utf-8")
    assert any(broken.path.name == "links.toml" for broken in library(tmp_path / "posts").broken)


def test_drafts_and_expired_posts_are_never_to_be_sent(tmp_path: Path) -> None:
    post = library(tmp_path).posts["antifraud/a"]
    assert post.why_not(date(2026, 11, 22)) == "not checked yet"
    assert post.why_not(TODAY) is None
    assert post.why_not(date(2027, 11, 22)) is None
    assert post.why_not(date(2027, 11, 23)) == "expired"
    draft = library(tmp_path, GOOD.replace('"ready"', '"draft"'))
    assert draft.posts["antifraud/a"].why_not(TODAY) == "draft"
    assert list(draft.in_category("antifraud", TODAY)) == []


def test_posts_are_found_by_slug_name_or_title(tmp_path: Path) -> None:
    found = library(tmp_path)
    assert {found.find(name) for name in ("antifraud/a", "a", "别点")} == {found.posts["antifraud/a"]}
    assert found.find("别的") is None
    twice = library(tmp_path, GOOD.replace('"antifraud"', '"law"'), "law/a.md")
    assert twice.find("a") is None, "two posts have this name"


def test_categories_have_chinese_names() -> None:
    assert {category_of(name) for name in ("反诈", "反诈妙招", "antifraud")} == {"antifraud"}
    assert category_of("寻人") == "lost_and_missing"
    assert category_of("诈") is None
    assert category_of("新") is None


def test_labels_match_when_any_fits() -> None:
    assert matches([], {"class:综合"})
    assert matches(["class:行业", "grid:GX01"], {"class:综合", "grid:GX01"})
    assert not matches(["class:行业"], {"class:综合"})
    assert label_problem("board:夜市") is None
    assert label_problem("board: 夜市") is not None


def test_our_library_is_whole() -> None:
    ours = PostLibrary.load(OURS)
    assert not ours.broken, [str(broken) for broken in ours.broken]
    for category in CATEGORIES:
        ready = [post for post in ours.posts.values() if post.category == category and not post.draft]
        assert len(ready) >= 15, category
    for post in ours.posts.values():
        for n in range(20):
            said = post.render(audience(f"web:{n}"))
            assert "{{" not in said
            assert post.draft or "【" not in said, f"{post.slug} has a gap that nobody has filled in"

"""The post library: `content/posts/<category>/<slug>.md`, the format of docs/content.md.

A post is sent only when it is ready, checked and not expired. Every group gets one of its opening lines, chosen by a stable hash
of group and post, so that a thousand groups do not receive one identical text and the same group always sees the same one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from jinja2 import Template, TemplateSyntaxError, meta
from pydantic import Field

from content.files import BrokenFile, Page, Strict, read_folder
from content.labels import label_problem
from content.links import FILE, Links
from content.phrases import make_environment, plain

CATEGORIES: Mapping[str, str] = MappingProxyType(
    {
        "news": "新闻播报",
        "prevention": "防范提示",
        "antifraud": "反诈妙招",
        "police_notice": "警方通报",
        "local_spirit": "本地新风",
        "qa": "答疑解惑",
        "law": "普法宣传",
        "health": "健康贴士",
        "lost_and_missing": "寻人寻物",
    }
)
CARD_STYLE = 1  # raise it when cards look different, so that they are drawn again
FACTS = frozenset({"group", "grid", "officer", "station"})
Texts = Annotated[tuple[str, ...], Field(strict=False)]

_ENVIRONMENT = make_environment(plain)


class PostHead(Strict):
    """The head of a post file, as docs/content.md describes it."""

    title: str = Field(min_length=1)
    category: str
    labels: Texts = ()
    source: str = Field(min_length=1)
    checked_on: date
    expires_on: date
    status: Literal["ready", "draft"]
    variants: Texts = ()
    card: bool = False
    link: str = ""


@dataclass(frozen=True, slots=True)
class Audience:
    """What a post may say about the group it goes to. `key` is the group's own, unchanging name for the choice of a variant."""

    key: str
    group: str
    grid: str
    officer: str
    station: str


@dataclass(frozen=True, slots=True)
class Post:
    """One post. `slug` is "category/file", its name everywhere."""

    slug: str
    title: str
    category: str
    labels: tuple[str, ...]
    source: str
    checked_on: date
    expires_on: date
    draft: bool
    variants: tuple[str, ...]
    body: str
    path: Path
    card: bool = False  # a picture of it goes along
    link: str = ""  # an official site (`content.links`), and whose it is
    link_name: str = ""

    @property
    def card_path(self) -> str | None:
        """Where its picture lies below the data directory; the name changes with what the picture shows. None: it has none."""
        if not self.card:
            return None
        shown = f"{CARD_STYLE}\n{self.category}\n{self.title}\n{self.body}\n{self.source}\n{self.checked_on}"
        return f"cards/{hashlib.sha256(shown.encode()).hexdigest()[:32]}.jpg"

    def why_not(self, today: date) -> str | None:
        """Why it is not sent on this day ("draft", "expired", "not checked yet"), or None when it may be."""
        if self.draft:
            return "draft"
        if today >= self.expires_on:
            return "expired"
        return "not checked yet" if today < self.checked_on else None

    def opening(self, key: str) -> str:
        """The opening line for the group with this key."""
        if not self.variants:
            return ""
        digest = hashlib.sha256(f"{self.slug}\n{key}".encode()).digest()
        return self.variants[int.from_bytes(digest[:8]) % len(self.variants)]

    def speaks_of(self, words: Iterable[str]) -> bool:
        """Whether all of these words stand in its title or text."""
        return all(word in self.title or word in self.body for word in words)

    def render(self, audience: Audience) -> str:
        """The text for one group: opening line and body with the group's names filled in."""
        return _fill("\n".join(part for part in (self.opening(audience.key), self.body) if part), audience)

    def render_body(self, audience: Audience) -> str:
        """The body alone, with the names filled in."""
        return _fill(self.body, audience)


@dataclass(frozen=True, slots=True)
class PostLibrary:
    """Every post by its slug, and the files that could not be used."""

    posts: Mapping[str, Post]
    broken: tuple[BrokenFile, ...]

    @staticmethod
    def load(folder: Path) -> PostLibrary:
        """Read `folder/<category>/*.md`, and beside the folder the official sites that they may link to."""
        links = Links.load(folder.parent / FILE)
        posts: dict[str, Post] = {}
        broken: list[BrokenFile] = list(links.broken)
        for page in read_folder(folder, PostHead):
            made = page if isinstance(page, BrokenFile) else _post_of(page, links)
            if isinstance(made, BrokenFile):
                broken.append(made)
            else:
                posts[made.slug] = made
        return PostLibrary(MappingProxyType(posts), tuple(broken))

    def find(self, name: str) -> Post | None:
        """The post with this slug, or with this file name or title when only one has it."""
        if name in self.posts:
            return self.posts[name]
        found = [post for post in self.posts.values() if name in (post.slug.partition("/")[2], post.title)]
        return found[0] if len(found) == 1 else None

    def alike(self, words: str, most: int) -> list[Post]:
        """What somebody may mean who does not know the title: it has the words, or the post tells of them, or it shares most."""
        bare = words.strip("《》“”\"' ")
        having = [post for post in self.posts.values() if len(bare) > 1 and bare in post.title and not post.draft]
        if having:
            return having[:most]
        pieces = {bare[at : at + 2] for at in range(0, len(bare) - 1, 2)}
        about = [post for post in self.posts.values() if len(pieces) > 1 and not post.draft and post.speaks_of(pieces)]
        if about:
            return about[:most]
        pairs = {bare[at : at + 2] for at in range(len(bare) - 1)}
        shared = {slug: sum(pair in post.title for pair in pairs) for slug, post in self.posts.items() if not post.draft}
        return [self.posts[slug] for slug in sorted(shared, key=lambda slug: -shared[slug]) if shared[slug] > 1][:most]

    def in_category(self, category: str, today: date) -> Iterator[Post]:
        """The posts of a category that may be sent on this day, in order of their slugs."""
        return (post for post in self.posts.values() if post.category == category and post.why_not(today) is None)


def category_of(name: str) -> str | None:
    """The folder of a category that somebody named in Chinese or by its folder ("反诈妙招", "反诈", "antifraud")."""
    if name in CATEGORIES:
        return name
    found = [folder for folder, chinese in CATEGORIES.items() if len(name) >= 2 and name in chinese]
    return found[0] if len(found) == 1 else None


def _fill(template: str, audience: Audience) -> str:
    return _render(template, tuple((name, getattr(audience, name)) for name in _names(template)))


@lru_cache(maxsize=256)
def _render(template: str, values: tuple[tuple[str, str], ...]) -> str:
    """What is the same for many groups, because it names none of them, is rendered once."""
    return _compile(template).render(dict(values))


@lru_cache(maxsize=1024)
def _names(template: str) -> tuple[str, ...]:
    """Which of a group's names the template mentions."""
    mentioned = meta.find_undeclared_variables(_ENVIRONMENT.parse(template))
    return tuple(name for name in ("group", "grid", "officer", "station") if name in mentioned)


@lru_cache(maxsize=1024)
def _compile(template: str) -> Template:
    """Compiling costs a thousand times what rendering does, and a campaign renders one post for thousands of groups."""
    return _ENVIRONMENT.from_string(template)


def _post_of(page: Page[PostHead], links: Links) -> Post | BrokenFile:
    head, folder = page.head, page.path.parent.name
    if head.category not in CATEGORIES:
        return page.broken(f"category {head.category!r} is not one of {', '.join(CATEGORIES)}", "category")
    if head.category != folder:
        return page.broken(f"category is {head.category!r} but the file lies in {folder}/", "category")
    if head.expires_on <= head.checked_on:
        return page.broken("expires_on must be later than checked_on", "expires_on")
    for label in head.labels:
        if problem := label_problem(label):
            return page.broken(problem, "labels")
    draft = head.status == "draft"
    if not draft and len(head.variants) < 2:
        return page.broken("a ready post needs at least two opening lines in variants", "variants")
    if head.link and (problem := links.problem(head.link)):
        return page.broken(problem, "link")
    if not page.body:
        return page.broken("the body is empty")
    if re.search(r"https?://|www\.", "\n".join((*head.variants, page.body))):
        return page.broken("an address in the text: put it into link, where its host is checked")
    if problem := _template_problem("\n".join(head.variants)):
        return page.broken(problem, "variants")
    if problem := _template_problem(page.body):
        return page.broken(problem)
    return Post(
        f"{folder}/{page.path.stem}",
        head.title,
        head.category,
        head.labels,
        head.source,
        head.checked_on,
        head.expires_on,
        draft,
        head.variants,
        page.body,
        page.path,
        head.card,
        head.link,
        links.name_of(head.link),
    )


def _template_problem(text: str) -> str | None:
    try:
        unknown = meta.find_undeclared_variables(_ENVIRONMENT.parse(text)) - FACTS
    except TemplateSyntaxError as error:
        return f"template: {error.message}"
    if not unknown:
        return None
    return f"unknown value {{{{ {', '.join(sorted(unknown))} }}}}; known: {', '.join(sorted(FACTS))}"

"""The pictures of posts: drawn once, whole, and with every word inside the frame."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from PIL import Image, ImageFont

from bot.campaigns.cards import Carded, Cards
from bot.messages import Address, Outbound
from content import cards
from content.cards import BODY, MARGIN, WIDTH, draw_card
from content.posts import Audience, Post, PostLibrary
from storage.sealing import Sealer
from tests.kit.fake_platform import FakePlatform
from tests.posting import PHRASES, ROOT

NEIGHBOURS = Audience("", "各位邻居", "咱们片区", "社区民警", "港新派出所")
TO = Address("web", "main", "g1")


@pytest.fixture(scope="module")
def posts() -> PostLibrary:
    return PostLibrary.load(ROOT / "content/posts")


def with_cards(posts: PostLibrary) -> list[Post]:
    return [post for post in posts.posts.values() if post.card]


def test_every_category_has_a_picture_that_is_read_on_a_phone(posts: PostLibrary) -> None:
    assert {post.category for post in with_cards(posts)} == {post.category for post in posts.posts.values()}
    for post in with_cards(posts):
        assert post.why_not(post.checked_on) is None
        image = Image.open(io.BytesIO(draw_card(post, NEIGHBOURS)))
        assert image.width == WIDTH
        assert WIDTH * 0.8 <= image.height <= WIDTH * 2.2, f"{post.slug} is too long for one screen"
        assert len(image.getcolors(maxcolors=10_000_000) or ()) > 50, "there is something on it"


def test_no_line_runs_out_of_the_frame() -> None:
    font = ImageFont.truetype(cards.sans_path(), BODY)
    text = "定金最多是总价的两成，多出来的部分不算定金；WWW.12348.GOV.CN/" + "very-long-address" * 8 + "，" + "写清楚，" * 9
    lines = list(cards._wrapped(text, BODY))
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert max(font.getlength(line) for line in lines) <= WIDTH - MARGIN, "punctuation may hang into the margin, no further"
    assert not any(line[0] in "，；。" for line in lines)


async def test_many_sends_at_once_draw_it_once(posts: PostLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    write_card = cards.write_card

    def count(post: Post, audience: Audience, path: Path) -> None:
        drawn.append(post.slug)
        write_card(post, audience, path)

    monkeypatch.setattr(cards, "write_card", count)
    post = with_cards(posts)[0]
    platform = FakePlatform()
    carded = Carded(platform, Sealer(tmp_path / "key"), Cards(posts, PHRASES, "", tmp_path))
    await asyncio.gather(*(carded.send(TO, Outbound(f"k{n}", "x", photo=post.card_path)) for n in range(5)))
    assert drawn == [post.slug]
    assert (tmp_path / (post.card_path or "")).is_file()
    assert [arrival.what.photo for arrival in platform.arrived] == [post.card_path] * 5
    again = Carded(platform, Sealer(tmp_path / "key"), Cards(posts, PHRASES, "", tmp_path))
    await again.send(TO, Outbound("k9", "x", photo=post.card_path))
    assert drawn == [post.slug], "nor after a restart"


async def test_a_picture_that_cannot_be_had_keeps_no_words_back(posts: PostLibrary, tmp_path: Path) -> None:
    platform = FakePlatform()
    carded = Carded(platform, Sealer(tmp_path / "key"), Cards(posts, PHRASES, "", tmp_path))
    await carded.send(TO, Outbound("k1", "words", photo="cards/of-a-post-that-was-changed.jpg"))
    (tmp_path / "cards").write_text("a file where the folder should be")
    await carded.send(TO, Outbound("k2", "words", photo=with_cards(posts)[0].card_path))
    await carded.send(TO, Outbound("k3", "words", photo="media/ab/case.jpg"))
    assert [(arrival.what.text, arrival.what.photo) for arrival in platform.arrived] == [
        ("words", None),
        ("words", None),
        ("words", "media/ab/case.jpg"),
    ]


def test_the_name_of_a_picture_changes_with_what_it_shows(posts: PostLibrary) -> None:
    names = {post.card_path for post in with_cards(posts)}
    assert len(names) == len(with_cards(posts))
    assert all(name and name.startswith("cards/") for name in names)

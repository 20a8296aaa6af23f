"""Which groups an expression means, in the words that editors type on a phone."""

from __future__ import annotations

import random

import pytest

from content.expressions import EVERY, And, Label, Not, Or, Whom, any_of, labels_in, parse_whom, spell
from content.refusal import Refusal

KNOWN = {
    "综合": "class:综合",
    "特殊": "class:特殊",
    "餐饮": "industry:餐饮",
    "农贸": "industry:农贸",
    "GX01": "grid:GX01",
    "港新1号网格": "grid:GX01",
    "web": "platform:web",
    "与民同乐": "board:与民同乐",
}
GROUPS = {
    "a": {"class:综合", "grid:GX01", "platform:web"},
    "b": {"class:综合", "platform:telegram"},
    "c": {"industry:餐饮", "grid:GX01", "platform:web"},
    "d": {"industry:农贸", "class:特殊", "platform:web"},
}


def label_of(word: str) -> str | None:
    return KNOWN.get(word) or (word if word in KNOWN.values() else None)


def meant(text: str) -> str:
    whom = parse_whom(text, label_of)
    return "".join(sorted(name for name, labels in GROUPS.items() if whom.means(labels)))


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("", "abcd"),
        ("全部", "abcd"),
        ("综合", "ab"),
        ("综合 餐饮", "abc"),
        ("综合、餐饮，农贸", "abcd"),
        ("综合 与 港新1号网格", "a"),
        ("综合与港新1号网格", "a"),
        ("综合 且 GX01", "a"),
        ("class:综合 and grid:GX01", "a"),
        ("综合 & GX01", "a"),
        ("非 特殊", "abc"),
        ("非特殊", "abc"),
        ("全部 非 特殊", "abc"),
        ("综合 非 港新1号网格", "b"),
        ("（餐饮 或 农贸） 非 特殊", "c"),
        ("(餐饮 or 农贸) and not 特殊", "c"),
        ("餐饮 或 综合 与 港新1号网格", "ac"),
        ("农贸 与 非 （综合 或 餐饮）", "d"),
        ("非 非 综合", "ab"),
        ("ｗｅｂ 与 综合", "a"),
        ("与民同乐 或 农贸", "d"),
    ],
)
def test_words_mean_groups(text: str, groups: str) -> None:
    assert meant(text) == groups


@pytest.mark.parametrize("text", ["综和", "综合 与 火星", "class:综和"])
def test_an_unknown_label_is_named(text: str) -> None:
    with pytest.raises(Refusal, match=r"posts\.unknown_label") as caught:
        parse_whom(text, label_of)
    assert caught.value.values["word"] in text


@pytest.mark.parametrize(
    "text", ["与", "综合 与", "（综合", "综合）", "非", "()", "综合 或 与 餐饮", "非 " * 40 + "综合", "综合 " * 200]
)
def test_what_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match=r"posts\.expression"):
        parse_whom(text, label_of)


def test_in_chinese_it_reads_as_it_is_meant() -> None:
    names = {label: word for word, label in KNOWN.items() if word != "GX01"}
    whom = parse_whom("(餐饮 或 农贸) 非 特殊", label_of)
    assert spell(whom, names.__getitem__) == "（餐饮或农贸）且非特殊"
    assert spell(parse_whom("非 (餐饮 或 农贸)", label_of), names.__getitem__) == "非（餐饮或农贸）"
    assert spell(EVERY, names.__getitem__) == ""


def test_the_kept_spelling_reads_back_to_the_same_groups() -> None:
    """Any expression, spelled and read again, means the same for any set of labels."""
    rng, labels = random.Random(7), sorted(set(KNOWN.values()))

    def grow(depth: int) -> Whom:
        kind = rng.randrange(4) if depth else 0
        if kind == 0:
            return Label(rng.choice(labels))
        if kind == 1:
            return Not(grow(depth - 1))
        parts = tuple(grow(depth - 1) for _ in range(rng.randint(2, 3)))
        return And(parts) if kind == 2 else Or(parts)

    for _ in range(300):
        whom = grow(3)
        if len(str(whom)) > 400:
            continue
        again = parse_whom(str(whom), label_of)
        for _ in range(20):
            some = {label for label in labels if rng.random() < 0.5}
            assert again.means(some) == whom.means(some), str(whom)


def test_a_list_of_labels_means_any_of_them() -> None:
    assert any_of([]) == EVERY
    assert any_of(["class:综合"]) == Label("class:综合")
    assert labels_in(any_of(["class:综合", "grid:GX01"])) == ("class:综合", "grid:GX01")

"""Questions to pools of any kind."""

from __future__ import annotations

import io
import json

import pytest

from bot.understanding.ask import AskError, Pool, ask
from bot.understanding.segment import pairs, terms, words

REPLIES = [
    (
        "r1",
        "您好，您反映的关于幸福路早市占道经营的问题已收悉。经核查，城管中队已对占道摊贩进行劝离，并安排人员定点值守。感谢您的监督。"
        * 2,
    ),
    ("r2", "您好，您反映的关于阳光花园小区暖气不热的问题已收悉。经核查，供热公司已更换换热站水泵，目前室温达到十八度以上。" * 2),
    ("r3", "您好，您反映的关于一〇二路公交车间隔过长的问题已收悉。经核查，公交集团将增加两台车辆。感谢您的理解与支持。" * 2),
]


def test_a_topic_finds_its_reply() -> None:
    pool = Pool(REPLIES)
    assert not pool.legal
    assert len(pool) == 3
    assert [hit.id for hit in pool.search("早市摊贩占道", 1)] == ["r1"]
    assert [hit.id for hit in pool.search("阳光花园暖气不热", 1)] == ["r2"]
    assert [hit.id for hit in pool.search("公交等得太久，102路间隔长", 1)] == ["r3"]


def test_articles_are_recognised_whatever_their_ids_and_searched_by_what_is_meant() -> None:
    articles = [
        ("x-1", "从业人员应当依法纳税。"),
        ("x-2", "民法典第七百一十二条 出租人应当履行租赁物的维修义务，但是当事人另有约定的除外。"),
        ("x-3", "承租人应当妥善保管租赁物，因保管不善造成租赁物毁损、灭失的，应当承担赔偿责任。"),
        ("x-4", "遗失物自发布招领公告之日起一年内无人认领的，归国家所有。"),
    ]
    pool = Pool(articles)
    assert pool.legal
    assert pool.search("出租屋水管坏了房东不管，谁来修", 1)[0].id == "x-2"
    assert pool.search("捡到的遗失物没人认领归谁", 1)[0].id == "x-4"
    assert len(pool.search("租客", 9)) == 4


@pytest.mark.parametrize("question", ["", "。", "zzz", "龘", "问" * 20_000])
def test_odd_questions_get_no_more_than_an_empty_list(question: str) -> None:
    assert len(Pool(REPLIES).search(question)) <= 3


def test_an_empty_pool_and_a_top_of_nothing() -> None:
    assert Pool([]).search("什么") == []
    assert Pool(REPLIES).search("暖气", 0) == []


def test_lines_in_lines_out_in_order() -> None:
    pool = io.StringIO("".join(json.dumps({"id": name, "text": text}) + "\n" for name, text in REPLIES))
    questions = io.StringIO('{"id": "a", "question": "暖气"}\n\n{"id": "b", "question": "公交"}\n')
    out = io.StringIO()
    assert ask(pool, questions, out, 2) == 2
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [row["id"] for row in rows] == ["a", "b"]
    assert [row["hits"][0]["id"] for row in rows] == ["r2", "r3"]
    assert set(rows[0]["hits"][0]) == {"id", "score"}


@pytest.mark.parametrize("line", ["{", "[]", '{"id": "a"}', '{"text": "b"}', '{"id": 1, "text": 2}'])
def test_a_bad_line_is_named(line: str) -> None:
    with pytest.raises(AskError, match="pool, line 2"):
        ask(io.StringIO('{"id": "a", "text": "b"}\n' + line), io.StringIO(), io.StringIO())


def test_words_and_pairs_never_meet() -> None:
    assert "".join(words("邻居家狗老叫怎么办？")) == "邻居家狗老叫怎么办？"
    assert pairs("办证，要钱") == ["_办证", "_要钱"]
    assert {"12345", "热线", "_热线"} <= set(terms("12345热线！"))

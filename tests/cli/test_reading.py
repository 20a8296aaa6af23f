"""JSON lines in, JSON lines out: what texts mean, and which answers fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.terminal import Shell


def test_classify_speaks_the_documented_lines(shell: Shell) -> None:
    rows = [{"id": "a", "text": "港新路火锅店把液化气罐放在棚子里，太危险了"}, {"id": 2, "text": "大家早上好"}]
    done = shell("classify", stdin="\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n\n")
    first, second = map(json.loads, done.out.splitlines())
    assert list(first) == ["id", "intent", "confidence", "tier", "category", "scam", "places"]
    assert list(first["scam"]) == ["is_scam", "score", "type"]
    assert (first["id"], first["intent"]) == ("a", "hazard")
    assert all(rows[0]["text"][place["start"] : place["end"]] == place["text"] for place in first["places"])  # type: ignore[index]
    assert (second["id"], second["intent"]) == (2, "chat")


def test_pasted_bait_is_a_matter_of_fraud(shell: Shell) -> None:
    bait = "刷单兼职，每天十分钟，先垫付三百，返利四百，加微信进群做任务，佣金日结"
    done = shell("classify", stdin=json.dumps({"id": 1, "text": bait}, ensure_ascii=False))
    row = json.loads(done.out)
    assert (row["intent"], row["scam"]["is_scam"]) == ("scam_report", True)


def test_half_an_emoji_is_read_like_any_character(shell: Shell) -> None:
    done = shell("classify", stdin='{"id": "cut \\ud83d", "text": "\\ud83d着火了，快来人"}')
    assert json.loads(done.out)["tier"] == "T0"


@pytest.mark.parametrize(
    ("stdin", "says"),
    [
        ('{"id":1,"text":"a"}\nnot json', "standard input, line 2: this is not JSON"),
        ('{"id":1}', 'standard input, line 1: an object with "id" and "text" is needed'),
        ('{"id":1,"text":5}', "line 1"),
        ("[1]", "line 1"),
        (b'{"id":1,"text":"a"}\n\xff\xfe', "is not UTF-8"),
    ],
)
def test_a_wrong_line_is_named(shell: Shell, stdin: str | bytes, says: str) -> None:
    done = shell("classify", stdin=stdin)
    assert (done.code, says in done.err) == (1, True), done.err


def test_ask_searches_ours_or_a_pool(shell: Shell, tmp_path: Path) -> None:
    ours = json.loads(shell("ask", "--top", "2", stdin='{"id":"q","question":"孩子刚出生怎么上户口"}').out)
    assert list(ours) == ["id", "hits"]
    assert ours["hits"][0]["id"] == "household/newborn-registration"
    assert len(ours["hits"]) == 2
    pool = [{"id": 1, "text": "上户口要带出生证"}, {"id": "b", "text": "电动车不能进楼充电"}, {"id": "c", "text": "噪声扰民找谁"}]
    (tmp_path / "pool.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in pool), encoding="utf-8")
    done = shell("ask", "--knowledge", "pool.jsonl", stdin='{"id":1,"question":"怎么上户口"}\n{"id":2,"question":"zzz"}\n')
    first, second = map(json.loads, done.out.splitlines())
    assert first["hits"][0]["id"] == "1"
    assert second == {"id": "2", "hits": []}
    (tmp_path / "pool.jsonl").write_text('{"id": 1}', encoding="utf-8")
    assert "pool, line 1: an object with" in shell("ask", "--knowledge", "pool.jsonl", stdin="").err


def test_one_message_is_explained(shell: Shell) -> None:
    done = shell("classify", "--why", "3号楼2单元楼道有人给电动车充电")
    assert done.code == 0
    assert "hazard" in done.out
    assert "places: 3号楼2单元楼道" in done.out
    assert "because: rule ebike.charging" in done.out

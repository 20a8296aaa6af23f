"""What the bot makes of texts, for evaluation and for other programs: JSON lines in, JSON lines out, in order."""

from __future__ import annotations

import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, TextIO

import typer

from bot.cli.shell import CONTENT, Stop, clock

MOST_TOP = 1000

Search = Callable[[str, int], list[tuple[str, float]]]
"""(question, how many) -> (id, score), best first."""


def register(app: typer.Typer) -> None:
    """Put the commands into the application."""
    app.command()(classify)
    app.command()(ask)


def classify() -> None:
    """Read {"id","text"} lines from stdin, write what each means. 判断每句话的意思。"""
    from bot.understanding.understanding import Understanding

    understanding = Understanding.load(CONTENT)
    for row in _rows(_standard_input(), "standard input", ("id", "text")):
        meaning = understanding.read(row["text"])
        _write(
            {
                "id": row["id"],
                "intent": meaning.intent.value,
                "confidence": round(meaning.confidence, 4),
                "tier": meaning.tier,
                "category": meaning.category,
                "scam": {"is_scam": meaning.scam.is_scam, "score": round(meaning.scam.score, 4), "type": meaning.scam.type},
                "places": [{"text": place.text, "start": place.start, "end": place.end} for place in meaning.places],
            }
        )


def ask(
    knowledge: Annotated[Path | None, typer.Option(help="JSON lines {id,text} to search instead of our answers.")] = None,
    top: Annotated[int, typer.Option(min=1, max=MOST_TOP, help="How many hits for a question.")] = 5,
) -> None:
    """Read {"id","question"} lines from stdin, write the best hits of each. 给每个问题找答案。"""
    search = _search_ours() if knowledge is None else _search_pool(knowledge)
    for row in _rows(_standard_input(), "standard input", ("id", "question")):
        hits = search(row["question"], top)
        _write({"id": row["id"], "hits": [{"id": name, "score": round(score, 4)} for name, score in hits]})


def _search_ours() -> Search:
    from bot.understanding.answers import Answers

    answers = Answers.load(CONTENT, clock().date())
    return lambda question, top: [(hit.answer.slug, hit.confidence) for hit in answers.search(question, top)]


def _search_pool(file: Path) -> Search:
    from bot.understanding.retrieval import Index, tokens

    try:
        with file.open(encoding="utf-8") as lines:
            pool = list(_rows(lines, str(file), ("id", "text")))
    except OSError as problem:
        raise Stop(f"{file}: cannot be read: {problem.strerror}; name a file of JSON lines with id and text") from problem
    except UnicodeDecodeError as problem:
        raise Stop(f"{file}: is not UTF-8; save it as UTF-8") from problem
    index = Index(("text",))
    index.fill((tokens(row["text"]),) for row in pool)

    def search(question: str, top: int) -> list[tuple[str, float]]:
        weights = {("text", token): float(count) for token, count in Counter(tokens(question)).items()}
        return [(pool[match.number]["id"], match.score) for match in index.search(weights, top)]

    return search


def _standard_input() -> TextIO:
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="strict")
    return sys.stdin


def _rows(lines: Iterable[str], name: str, keys: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """The objects of a JSON-lines text; Stop names the line of the first that is none. Ids come back as they were."""
    wanted = " and ".join(f'"{key}"' for key in keys)
    number = 0
    try:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            row = json.loads(line)
            if not isinstance(row, dict) or any(key not in row for key in keys) or not isinstance(row[keys[1]], str):
                raise Stop(f"{name}, line {number}: an object with {wanted} is needed, {keys[1]!r} being a text")
            yield row
    except json.JSONDecodeError as problem:
        raise Stop(f"{name}, line {number}: this is not JSON: {problem.msg} (column {problem.colno})") from problem
    except UnicodeDecodeError as problem:
        raise Stop(f"{name}, line {number + 1}: is not UTF-8") from problem


def _write(row: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")

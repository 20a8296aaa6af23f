"""What the bot makes of texts, for evaluation and for other programs: JSON lines in, JSON lines out, in order."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, TextIO

import typer

from bot.cli.shell import CONTENT, Stop, clock

MOST_TOP = 1000


def register(app: typer.Typer) -> None:
    """Put the commands into the application."""
    app.command()(classify)
    app.command()(ask)
    app.command()(train)


def classify(
    why: Annotated[str | None, typer.Option(help="Explain this one message instead of reading lines.", metavar="TEXT")] = None,
) -> None:
    """Read {"id","text"} lines from stdin, write what each means. 判断每句话的意思。"""
    from bot.understanding.understanding import Understanding

    understanding = Understanding.load(CONTENT)
    if why is not None:
        meaning = understanding.read(_whole(why))
        typer.echo(f"{meaning.matter.value} {meaning.confidence:.2f}  {meaning.category or '-'}  {meaning.tier or '-'}")
        typer.echo("places: " + ("、".join(place.text for place in meaning.places) or "-"))
        typer.echo(f"scam: {'yes' if meaning.scam.is_scam else 'no'} {meaning.scam.score:.2f} {meaning.scam.type or ''}".rstrip())
        for reason in meaning.reasons:
            typer.echo(f"because: {reason}")
        return
    for row in _rows(_standard_input(), "standard input", ("id", "text")):
        meaning = understanding.read(row["text"])
        _write(
            {
                "id": row["id"],
                "intent": meaning.matter.value,
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
    if knowledge is not None:
        _ask_pool(knowledge, top)
        return
    from bot.understanding.answers import Answers

    answers = Answers.load(CONTENT, clock().date())
    for row in _rows(_standard_input(), "standard input", ("id", "question")):
        hits = answers.search(row["question"], top)
        found = [{"id": hit.answer.slug, "score": round(hit.confidence, 4)} for hit in hits]
        _write({"id": row["id"], "hits": found})


def train(
    open_data: Annotated[Path | None, typer.Option(help="Folder with scam_detection.jsonl, used as well.")] = None,
) -> None:
    """Learn the weights anew from content/training. 用训练例句重新学一遍。"""
    from bot.understanding.train import train as learn
    from bot.understanding.understanding import Understanding

    os.umask(0o022)  # part of the program, which another user may run
    try:
        report = learn(CONTENT, Understanding.load(CONTENT, weights=False), open_data)
    except ImportError as problem:
        raise Stop("training needs scikit-learn; install it: .venv/bin/pip install scikit-learn") from problem
    for name, examples in report.examples.items():
        typer.echo(f"{name}: {examples} examples, accuracy {report.accuracy[name]:.3f} on the part kept apart")
    typer.echo(f"content/model/understanding.npz: {report.size:,} bytes. A running bot reads it at its next start.")


def _ask_pool(file: Path, top: int) -> None:
    from bot.understanding.ask import AskError
    from bot.understanding.ask import ask as ask_pool

    try:
        with file.open(encoding="utf-8") as pool:
            ask_pool(pool, _standard_input(), sys.stdout, top)
    except AskError as problem:
        raise Stop(str(problem)) from problem
    except UnicodeDecodeError as problem:
        raise Stop(f"{file} or standard input is not UTF-8; save it as UTF-8") from problem
    except OSError as problem:
        if isinstance(problem, BrokenPipeError):
            raise
        raise Stop(f"{file}: cannot be read: {problem.strerror}; name a file of JSON lines with id and text") from problem


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
            yield row | {keys[1]: _whole(row[keys[1]])}
    except json.JSONDecodeError as problem:
        raise Stop(f"{name}, line {number}: this is not JSON: {problem.msg} (column {problem.colno})") from problem
    except UnicodeDecodeError as problem:
        raise Stop(f"{name}, line {number + 1}: is not UTF-8") from problem


def _whole(text: str) -> str:
    """Half a surrogate pair, as when an emoji was cut in two, becomes a question mark; every other character keeps its place."""
    return text.encode("utf-8", "replace").decode()


def _write(row: dict[str, object]) -> None:
    sys.stdout.write(_whole(json.dumps(row, ensure_ascii=False)) + "\n")

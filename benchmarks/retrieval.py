"""Speed, memory and hits of the search, as a table.

    python -m benchmarks.retrieval [--documents 200000] [--articles ARTICLES.jsonl --questions QUESTIONS.jsonl]

Documents of the speed part are made of words drawn from jieba's dictionary (22 characters in the mean); a
question is a piece of one of them with everyday words behind it. With articles and questions (see
`lay_legal.py`) plain BM25 and lay words are compared on them; the learnt part is left out here, because it
knows these questions: its honest figures come from `lay_legal.py`.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import random
import time
from collections import Counter
from pathlib import Path

import jieba
import numpy as np

from bot.understanding import segment
from bot.understanding.ask import Pool
from bot.understanding.legal import Lexicon
from bot.understanding.retrieval import Index
from content.answers import AnswerLibrary
from content.posts import PostLibrary

CONTENT = Path(__file__).parents[1] / "content"


def resident() -> float:
    """Resident memory of this process in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4 / 1024


def documents(count: int) -> list[tuple[str, str]]:
    dice = random.Random(7)
    rows = (line.split() for line in Path(jieba.__file__).with_name("dict.txt").read_text(encoding="utf-8").splitlines())
    words = [(row[0], int(row[1]) ** 0.75) for row in rows if 2 <= len(row[0]) <= 4 and int(row[1]) > 50]
    names, sums = [word for word, _ in words], list(itertools.accumulate(weight for _, weight in words))
    return [(f"d{n}", "".join(dice.choices(names, cum_weights=sums, k=9))) for n in range(count)]


def speed(count: int) -> None:
    rows = documents(count)
    dice = random.Random(8)
    asked = [(name, text[3:13] + "怎么办") for name, text in dice.sample(rows, 1000)]
    segment.warm()
    gc.collect()
    before, start = resident(), time.perf_counter()
    pool = Pool(rows)
    built, took, found = time.perf_counter() - start, [], 0
    for name, question in asked:
        start = time.perf_counter()
        hits = pool.search(question, 5)
        took.append(time.perf_counter() - start)
        found += name in [hit.id for hit in hits]
    p50, p99 = (np.quantile(took, q) * 1e3 for q in (0.5, 0.99))
    print(f"| {count:,} documents | build {built:.1f} s | p50 {p50:.2f} ms | p99 {p99:.2f} ms | +{resident() - before:.0f} MB | "
          f"recall@5 {found / len(asked):.3f} |")  # fmt: skip


def statutes(articles: Path, questions: Path) -> None:
    texts, asked = ([json.loads(line) for line in path.open(encoding="utf-8")] for path in (articles, questions))
    index = Index(("text",))
    index.fill([segment.terms(row["text"])] for row in texts)
    lexicon = Lexicon.load()
    for name, pair, meant in (("words", 0.0, 0.0), ("words and pairs", 0.5, 0.0), ("and lay words", 0.5, 0.3)):
        hits = []
        for row in asked:
            said = {t: 1.0 if t[0] != "_" else pair for t in segment.terms(row["question"])}
            weights = Counter({("text", t): w for t, w in said.items() if w})
            if meant:
                weights.update({("text", t): meant * (1.0 if t[0] != "_" else pair) for t in lexicon.expand(row["question"])})
            found = [texts[match.number]["id"] in row["gold_ids"] for match in index.search(weights, 5)]
            hits.append((any(found[:1]), any(found)))
        one, five = np.mean(hits, axis=0)
        print(f"| articles of law: {name} | hit@1 {one:.3f} | hit@5 {five:.3f} |")


def replies(questions: Path | None) -> None:
    """Titles and questions to the texts that answer them: our answers and posts, and lawyers' answers where they are given.

    A stand-in for citizens' topics and official replies, of which there are none here. The documents carry no title. Our own
    ways of asking were written together with the everyday lexicon: for a new pool posts and lawyers say more.
    """
    texts: list[str] = []
    asked: list[tuple[str, str, int]] = []
    for answer in AnswerLibrary.load(CONTENT / "answers").answers.values():
        asked += [("answers by title", answer.title, len(texts))]
        asked += [("answers by a known question", question, len(texts)) for question in answer.questions[:6]]
        texts.append(answer.body)
    for post in PostLibrary.load(CONTENT / "posts").posts.values():
        asked.append(("posts by title", post.title, len(texts)))
        texts.append(post.body)
    for row in map(json.loads, questions.open(encoding="utf-8") if questions else ()):
        asked.append(("lawyers' answers", row["question"], len(texts)))
        texts.append(row["answer"])
    plain = Index(("words",))
    plain.fill([[t for t in segment.terms(text) if t[0] != "_"]] for text in texts)
    pool = Pool([(str(n), text) for n, text in enumerate(texts)])

    def words(question: str) -> list[int]:
        said = {("words", t): 1.0 for t in segment.terms(question) if t[0] != "_"}
        return [match.number for match in plain.search(said, 5)]

    for name, search in (("BM25 on words", words), ("as searched", lambda q: [int(hit.id) for hit in pool.search(q, 5)])):
        found: dict[str, list[tuple[bool, bool]]] = {}
        for kind, question, right in asked:
            hits = search(question)
            found.setdefault(kind, []).append((hits[:1] == [right], right in hits))
        for kind, rows in found.items():
            one, five = np.mean(rows, axis=0)
            print(f"| {kind} ({len(rows)} of {len(texts)}): {name} | hit@1 {one:.3f} | hit@5 {five:.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--articles", type=Path)
    parser.add_argument("--questions", type=Path)
    arguments = parser.parse_args()
    if arguments.documents:
        speed(arguments.documents)
    replies(arguments.questions)
    if arguments.articles and arguments.questions:
        statutes(arguments.articles, arguments.questions)


if __name__ == "__main__":
    main()

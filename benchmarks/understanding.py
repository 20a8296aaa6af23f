"""How well messages are understood: confusion tables, error lists and times, on texts apart from rules and training.

    python -m benchmarks.understanding [--open DIR] [--errors] [--apart] [--times]

`--open` is a folder with the open data of the maintainers (not part of the project); `--apart` trains the scam head without them
first, so that whole sources are kept apart (minutes).
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections import Counter
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bot.understanding import train
from bot.understanding.meaning import Intent
from bot.understanding.model import Head, Model, characters
from bot.understanding.places import Places
from bot.understanding.text import Normaliser
from bot.understanding.understanding import Understanding
from tests.understanding.chatter import chatter
from tests.understanding.marked import marked, overlap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
# a group's messages, a thousand of them: half small talk, the rest reports, questions, cries, bait and what is like it
MIX = {
    "chat": 500, "hazard": 120, "question": 70, "dispute": 60, "emergency": 60, "scam_bait": 40, "feedback": 30, "lost_found": 30,
    "missing": 30, "scam_honest": 20, "scam_report": 20, "tip": 10, "wish": 10,
}  # fmt: skip
PLACES = tuple(f"heldout_places{which}" for which in ("", "_second", "_third", "_fourth", "_fifth"))
SHORT = 60  # characters


def pairs(name: str) -> list[tuple[str, str]]:
    """The rows "label|text" of a corpus."""
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    return [(line.split("|", 1)[0], line.split("|", 1)[1]) for line in lines if "|" in line and not line.startswith("#")]


def intents(understanding: Understanding, name: str, errors: bool) -> None:
    """Confusion table, macro F1, and speaking or silence, on one corpus."""
    labels = [intent.value for intent in Intent]
    table: Counter[tuple[str, str]] = Counter()
    spoken: Counter[tuple[bool, bool]] = Counter()
    for label, text in pairs(name):
        meaning, hint = understanding.read(text), understanding.glance(text)
        table[label, meaning.intent.value] += 1
        spoken[label != "chat", bool(hint.danger or hint.report or hint.tip or hint.question or hint.bait)] += 1
        if errors and meaning.intent != label:
            print(f"  {label} -> {meaning.intent} {meaning.confidence:.2f} {text} {meaning.reasons}")
    print(f"\n{name}: rows are true, columns are read")
    print(" " * 12 + " ".join(f"{label[:7]:>7}" for label in labels))
    scores = []
    for label in labels:
        print(f"{label:12}" + " ".join(f"{table[label, other] or '.':>7}" for other in labels))
        true, read = sum(table[label, o] for o in labels), sum(table[o, label] for o in labels)
        if true:
            scores.append(2 * table[label, label] / max(1, true + read))
    hit = spoken[True, True]
    print(f"macro F1 {statistics.mean(scores):.3f}")
    precision, recall = hit / max(1, hit + spoken[False, True]), hit / max(1, hit + spoken[True, False])
    print(f"speaks: precision {precision:.3f}, recall {recall:.3f}")


def emergencies(understanding: Understanding, errors: bool) -> None:
    """Recall on our corpus of cries, false alarms on false friends and on ordinary messages."""
    rows = pairs("emergencies.txt")
    found = [(kinds.split("/"), understanding.glance(text).danger) for kinds, text in rows]
    heard = sum(danger is not None for _, danger in found)
    kind = sum(danger is not None and danger.value in kinds for kinds, danger in found)
    friends = [line for line in (DATA / "false_friends.txt").read_text(encoding="utf-8").splitlines() if line[:1] not in "#"]
    alarmed = sum(understanding.glance(text).danger is not None for text in friends)
    texts = list(chatter(10_000))
    hints = [understanding.glance(text) for text in texts]
    flags = sum(bool(hint.danger or hint.report or hint.tip or hint.safe or hint.bait) for hint in hints)
    print(f"\ncries for help: {heard}/{len(rows)} heard, {kind} with the right kind")
    for path in (
        *sorted((DATA / "rounds").glob("*.txt")),
        *sorted((DATA / "oblique").glob("*.txt")),
        DATA / "heldout_alarms.txt",
    ):
        told = pairs(str(path.relative_to(DATA)))
        cries = [text for kind, text in told if kind != "none"]
        quiet = [text for kind, text in told if kind == "none"]
        missed = [text for text in cries if understanding.glance(text).danger is None]
        woken = [text for text in quiet if understanding.glance(text).danger is not None]
        heard_of, false_of = f"{len(cries) - len(missed)}/{len(cries)}", f"{len(woken)}/{len(quiet)}"
        print(f"round {path.relative_to(DATA)}: {heard_of} heard, {false_of} false alarms")
        if errors:
            for text in (*missed, *woken):
                print(f"  {text}")
    print(f"false friends: {alarmed}/{len(friends)} alarms; ordinary messages: {flags}/{len(texts)} flags other than question")


def opened(path: Path) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    """The texts of one file of the open data with their spans."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield row["text"], [(span[0], span[1]) for span in row["spans"]]


def places(folder: Path | None) -> None:
    """Overlap with the places marked in texts of ours, and with the spans of the open data where they are."""
    lexicon = ROOT / "content" / "lexicon"
    finder, normaliser = Places.load(lexicon), Normaliser.load(lexicon)
    total: Counter[str] = Counter()
    sets = {name: list(marked(DATA / f"{name}.txt")) for name in PLACES}
    if folder is not None:
        sets |= {name: list(opened(folder / f"{name}.jsonl")) for name in ("place_lawbench", "place_weibo_ner")}
    for name in ("place_weibo_ner",) if folder is not None else ():  # the errors of the even half were read, of the odd one never
        for half in (0, 1):
            rows = [row for row in sets[name] if sha256(row[0].encode()).digest()[0] % 2 == half]
            sets[f"{name}, {('even', 'odd')[half]} half"] = rows
    for name, rows in sets.items():
        gold = hit = found = right = 0
        for text, true in rows:
            ours = [(place.start, place.end) for place in finder.find(normaliser.plain(text))]
            met, fitting = overlap(true, ours)
            gold, hit, found, right = gold + len(true), hit + met, found + len(ours), right + fitting
        print(f"{name}: recall {hit / gold:.3f} of {gold}, precision {right / found:.3f} of {found}")
        if name in ("place_lawbench", "place_weibo_ner"):
            total.update(gold=gold, hit=hit, found=found, right=right)
    if total:
        print(f"both: recall {total['hit'] / total['gold']:.3f}, precision {total['right'] / total['found']:.3f}")


def verdicts(understanding: Understanding, name: str, errors: bool) -> None:
    """Bait and honest messages of our own that were kept apart from training, by kind."""
    counts: Counter[tuple[str, bool]] = Counter()
    hit = told = bait = 0
    unasked: Counter[bool] = Counter()
    for kind, text in pairs(name):
        scam = understanding.read(text).scam
        true = kind in understanding.taxonomy.scams
        unasked[true] += understanding.glance(text).bait
        counts[kind, scam.is_scam] += 1
        hit, told, bait = hit + (true and scam.is_scam), told + scam.is_scam, bait + true
        if errors and true != scam.is_scam:
            print(f"  {kind} {scam.score:.2f} {text}")
    print(f"\n{name}: F1 {2 * hit / (told + bait):.3f}, precision {hit / told:.3f}, recall {hit / bait:.3f}")
    print(f"  named in a group unasked: {unasked[True]} of {bait} baits, {unasked[False]} of the others")
    for kind in dict.fromkeys(kind for kind, _ in counts):
        print(f"  {kind}: {counts[kind, True]} of {counts[kind, True] + counts[kind, False]} taken for bait")


def scams(understanding: Understanding, folder: Path) -> None:
    """Bait, service calls and chat of the open data, by source; and what real chat would set off."""
    counts: Counter[tuple[str, bool]] = Counter()
    flags: Counter[str] = Counter()
    for line in (folder / "scam_detection.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        counts[row["src"], understanding.read(row["text"]).scam.is_scam] += 1
        if row["src"] == "lccc":
            hint = understanding.glance(row["text"])
            flags.update(name for name in ("danger", "report", "tip", "question", "safe") if getattr(hint, name))
    for source in sorted({source for source, _ in counts}):
        print(f"scam verdict on {source}: {counts[source, True]} of {counts[source, True] + counts[source, False]}")
    print(f"flags on real chat: {dict(flags)}")


def apart(understanding: Understanding) -> Understanding:
    """The same understanding with a scam head that has seen our own examples only."""
    own = train.verdicts(train.scams(ROOT / "content", None))
    arrays, _ = train.fit("scam", own, partial(understanding.features, "scam"))
    model = Model.load(ROOT / "content" / "model" / "understanding.npz")
    if model is None:
        raise SystemExit("no weights: run `qianshao train`")
    head = Head(
        tuple(str(label) for label in arrays["labels"]),
        arrays["weights"],
        arrays["rarity"].astype(np.float32),
        arrays["scale"],
        arrays["bias"],
        float(arrays["temperature"]),
    )
    return understanding.with_model(Model({**model.heads, "scam": head}))


def mix() -> list[str]:
    """A thousand short messages as a group writes them, half of them small talk; always the same ones."""
    return [line for line in (DATA / "mix.txt").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def near() -> list[str]:
    """As many short messages of today's examples: what they have of small talk is mostly near some danger."""
    chance, found = random.Random(11), []
    for name, number in MIX.items():
        rows = (ROOT / "content" / "training" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        found += chance.sample([text for row in rows if len(text := json.loads(row)["text"]) <= SHORT], number)
    chance.shuffle(found)
    return found


def times(understanding: Understanding) -> None:
    """Microseconds for a glance and a reading, and for the features alone."""
    mixed, hard = mix(), near()
    texts = list(chatter(3_000))
    reports = [text for label, text in pairs("development.txt") if label != "chat"]
    glanced = [(text, understanding.glance(text)) for text in reports]
    for text in texts[:200]:
        understanding.read(text)
    acts: tuple[tuple[str, list[Callable[[], object]]], ...] = (
        ("glance at small talk", [partial(understanding.glance, text) for text in texts]),
        ("glance at a report", [partial(understanding.glance, text) for text in reports]),
        ("reading of small talk", [partial(understanding.read, text) for text in texts]),
        ("reading of a report", [partial(understanding.read, text) for text in reports]),
        ("reading after the glance", [partial(understanding.read, text, hint=hint) for text, hint in glanced]),
        ("reading of the mix", [partial(understanding.read, text) for text in mixed]),
        ("glance and reading of the mix", [partial(both, understanding, text) for text in mixed]),
        ("glance and reading of what is near danger", [partial(both, understanding, text) for text in hard]),
        ("features", [partial(characters, text) for text in reports]),
    )
    for name, rows in acts:
        taken = []
        for act in rows:
            start = time.thread_time()  # processor time: others work on this machine too
            act()
            taken.append((time.thread_time() - start) * 1e6)
        taken.sort()
        print(f"{name}: p50 {taken[len(taken) // 2]:.1f} us, p99 {taken[int(len(taken) * 0.99)]:.1f} us")


def both(understanding: Understanding, text: str) -> None:
    """All that is done for a message that is kept."""
    understanding.read(text, hint=understanding.glance(text))


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--open", type=Path)
    parser.add_argument("--errors", action="store_true")
    parser.add_argument("--apart", action="store_true")
    parser.add_argument("--times", action="store_true", help="nothing but the times")
    options = parser.parse_args()
    start, spent = time.perf_counter(), time.process_time()
    understanding = Understanding.load(ROOT / "content")
    print(f"load {time.perf_counter() - start:.2f} s, {time.process_time() - spent:.2f} s of the processor")
    spent = time.process_time()
    understanding.warm()
    print(f"what a thread makes ready beside the first messages: {time.process_time() - spent:.2f} s of the processor")
    if options.times:
        times(understanding)
        return
    for name in ("intents", "second", "fresh", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"):
        intents(understanding, f"heldout_{name}.txt", options.errors)
    for name in ("heldout.txt", "development.txt"):
        intents(understanding, name, options.errors)
    emergencies(understanding, options.errors)
    for name in ("scams", "baits", "lures", "voices", "doors", "stalls", "yards"):
        verdicts(understanding, f"heldout_{name}.txt", options.errors)
    places(options.open)
    if options.open is not None:
        scams(apart(understanding) if options.apart else understanding, options.open)
    times(understanding)


if __name__ == "__main__":
    main()

"""Laws by article, as they are imported from Markdown and kept below the data folder.

    # 中华人民共和国反电信网络诈骗法
    2022年9月2日第十三届全国人民代表大会常务委员会第三十六次会议通过 自2022年12月1日起施行
    ## 第一章 总则
    第一条　为了预防、遏制和惩治电信网络诈骗活动……

A head in TOML between two lines `+++` may say it better: `law`, `valid_from`, `valid_to` (from that day on it no longer holds)
and `source`. Without one the name is the first heading, and the law holds from the day before "起施行", else from the last date
before the first article.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

from pydantic import TypeAdapter

from content.files import FENCE, BrokenFile, Strict, read_text
from content.toml import TomlMistakes, read_toml

FILE = "laws.jsonl"
LONG_NAME = "中华人民共和国"
_NUMBER = "[零〇一二三四五六七八九十百千两\\d]+"
_ARTICLE = re.compile(
    rf"^\s*(?:#+\s*|[-*]\s+)?(?:\*\*)?(第{_NUMBER}条(?:之[一二三四五六七八九十]+)?)(?=[\s\u3000：:*]|$)(?:\*\*)?[\s\u3000：:]*(.*)$"
)
_HEADING = re.compile(r"^\s*#{1,6}\s+(.*?)\s*#*$")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_DAY = re.compile(r"(\d{4})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*日")
_IN_FORCE = re.compile(r"(\d{4})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*日\s*(?:起\s*)?施行")
_DIGITS = {char: digit for digit, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000}


class LawHead(Strict):
    """The head of a law file; every key may be left out."""

    law: str = ""
    valid_from: date | None = None
    valid_to: date | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Article:
    """One article: the law's short name, "第一千零四条", its text, from when it holds and from when no longer."""

    law: str
    number: str
    text: str
    valid_from: date
    valid_to: date | None = None
    source: str = ""

    def holds(self, day: date) -> bool:
        """Whether it is in force on that day."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)

    @property
    def name(self) -> str:
        """As it is cited: 《民法典》第一千零四条."""
        return f"《{self.law}》{self.number}"


_ARTICLE_ROW = TypeAdapter(Article)


def read_law(path: Path) -> tuple[Article, ...] | BrokenFile:
    """The articles of one file; empty when it has none (a table of contents, a licence)."""
    text = read_text(path)
    if isinstance(text, BrokenFile):
        return text
    head, start = LawHead(), 0
    lines = text.splitlines()
    if lines and lines[0].strip() == FENCE:
        end = next((n for n in range(1, len(lines)) if lines[n].strip() == FENCE), None)
        if end is None:
            return BrokenFile(path, len(lines), f"the head is not closed by a line {FENCE}")
        try:
            head = read_toml("\n".join(lines[1:end]), LawHead)
        except TomlMistakes as error:
            return BrokenFile(path, error.mistakes[0].line + 1, "; ".join(mistake.problem for mistake in error.mistakes))
        start = end + 1
    body = _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), "\n".join(lines[start:])).splitlines()
    first = next((n for n, line in enumerate(body) if _ARTICLE.match(line)), None)
    if first is None:
        return ()
    before = "\n".join(body[:first])
    title = next((found[1] for line in body[:first] if (found := _HEADING.match(line))), "")
    law = (head.law or title).strip().removeprefix(LONG_NAME)
    if not law:
        return BrokenFile(path, start + 1, "no name of the law: write it as the first heading (# …) or as law in the head")
    since = head.valid_from or _in_force(before)
    if since is None:
        return BrokenFile(
            path, start + 1, "no day from which the law holds: write “自2021年1月1日起施行”, or valid_from in the head"
        )
    if head.valid_to is not None and head.valid_to <= since:
        return BrokenFile(path, 1, "valid_to must be later than valid_from")
    return tuple(Article(law, number, words, since, head.valid_to, head.source) for number, words in _articles(body[first:]))


def _articles(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    number, words = "", list[str]()
    for line in lines:
        found = _ARTICLE.match(line)
        if found is None and not _HEADING.match(line):
            words.append(line.strip())
            continue
        if number and (text := "\n".join(filter(None, words))):
            yield number, text
        number, words = (found[1], [found[2].strip()]) if found is not None else ("", [])
    if number and (text := "\n".join(filter(None, words))):
        yield number, text


def _in_force(before: str) -> date | None:
    found = _IN_FORCE.findall(before) or _DAY.findall(before)
    days = []
    for year, month, day in found:
        try:
            days.append(date(int(year), int(month), int(day)))
        except ValueError:
            continue  # 2月30日 in a file is no day
    return max(days, default=None)


def read_laws(folder: Path) -> tuple[tuple[Article, ...], tuple[BrokenFile, ...]]:
    """All laws below a folder. Of several versions of a law each holds until the next one begins."""
    articles: list[Article] = []
    broken: list[BrokenFile] = []
    for path in sorted(folder.rglob("*.md")):
        found = read_law(path)
        if isinstance(found, BrokenFile):
            broken.append(found)
        else:
            articles += found
    starts: dict[str, set[date]] = {}
    for article in articles:
        starts.setdefault(article.law, set()).add(article.valid_from)
    ended = []
    for article in articles:
        later = min((day for day in starts[article.law] if day > article.valid_from), default=None)
        ended.append(replace(article, valid_to=article.valid_to or later))
    return tuple(ended), tuple(broken)


def save_laws(data: Path, articles: Iterable[Article]) -> None:
    """Put the collection below the data folder, in the place of the one before, as a whole."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = data / f"{FILE}.part"
    with part.open("w", encoding="utf-8") as file:
        part.chmod(0o600)
        for article in articles:
            file.write(json.dumps(asdict(article), ensure_ascii=False, default=str) + "\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(data / FILE)


def load_laws(data: Path, day: date) -> tuple[Article, ...]:
    """The imported articles that are in force on that day; none when nothing was imported."""
    path = data / FILE
    if not path.exists():
        return ()
    rows = (_ARTICLE_ROW.validate_json(line) for line in path.read_text(encoding="utf-8").splitlines() if line)
    return tuple(article for article in rows if article.holds(day))


def article_number(text: str) -> int | None:
    """1254 of "第一千二百五十四条" and of "1254"; None when it is no number."""
    plain = text.removeprefix("第").partition("条")[0]
    if plain.isdigit():
        return int(plain)
    total, digit = 0, 0
    for char in plain:
        if char in _DIGITS:
            digit = _DIGITS[char]
        elif char in _UNITS:
            total += (digit or 1) * _UNITS[char]
            digit = 0
        else:
            return None
    return total + digit

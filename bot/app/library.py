"""All content of the bot, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from bot.errors import ConfigError
from bot.judge import Doubts
from bot.understanding.answers import Answers
from bot.understanding.understanding import Understanding
from content.calendar import Calendar
from content.desk import DeskRules
from content.officials import Officials
from content.phrases import PhraseBook
from content.posts import PostLibrary
from content.taxonomy import Taxonomy
from content.things import Things
from content.words import load_words
from content.workdays import YearDays, load_years

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Library:
    """All content, read once."""

    phrases: PhraseBook
    taxonomy: Taxonomy
    understanding: Understanding
    answers: Answers
    posts: PostLibrary
    calendar: Calendar
    vague_places: frozenset[str]
    things: Things
    scam_now: frozenset[str]
    doubts: Doubts
    desk: DeskRules
    workdays: Mapping[int, YearDays]
    officials: Officials

    @staticmethod
    def load(content: Path, now: datetime) -> Library:
        """Read it; broken files are named in the log and left out.

        Without the words for a cry nothing starts: `ConfigError` names them.
        """
        posts, lexicon = PostLibrary.load(content / "posts"), content / "lexicon"
        library = Library(
            PhraseBook.load(content / "phrases"),
            Taxonomy.load(content / "taxonomy.toml"),
            Understanding.load(content),
            Answers.load(content, now.date()),
            posts,
            Calendar.load(content / "calendar.toml", posts.posts),
            load_words(lexicon / "vague_places.txt")
            | load_words(lexicon / "regions.txt")
            | load_words(lexicon / "namesakes.txt"),
            Things.load(lexicon / "things.txt"),
            load_words(lexicon / "scam_now.txt"),
            Doubts.load(content),
            DeskRules.load(content / "desk.toml"),
            load_years(content / "workdays"),
            Officials.load(lexicon),
        )
        missing = sorted(key for key in library.understanding.advised if key not in library.phrases)
        if missing:
            raise ConfigError(f"{lexicon / 'advice.toml'}: there is no phrase {', '.join(missing)}")
        for broken in (*library.phrases.broken, *library.answers.broken, *posts.broken, *library.calendar.broken):
            log.warning("broken_content", file=str(broken.path), line=broken.line, problem=broken.problem)
        return library

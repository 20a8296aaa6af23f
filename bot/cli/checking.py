"""Looking the bot over without starting it: what is wrong, and how to mend it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from bot.cli.shell import CONTENT, clock, config_file, settings
from bot.config import DEFAULT_FILE, Settings
from bot.errors import ConfigError

if TYPE_CHECKING:
    from bot.platforms.wechat import Known


def check() -> None:
    """Look over settings, content, handlers, database and port without starting. 只检查，不启动。"""
    chosen = settings()  # a mistake in the settings ends it here: everything else hangs on them
    typer.echo(f"ok       settings: {config_file() or (DEFAULT_FILE if DEFAULT_FILE.exists() else 'defaults')}")
    problems = 0
    telegram: list[str] = []  # what each account said of itself when it was asked for problems
    looks: tuple[tuple[str, Callable[[Settings], Iterator[str]], Callable[[Settings], str]], ...] = (
        ("content", lambda _: _content_problems(), lambda _: _content_counts()),
        ("working days", _workday_problems, _working_days),
        ("handlers", _handler_problems, lambda s: f"{len(s.bot.handlers)} of your own"),
        ("database", _database_problems, _database_name),
        ("keys", _key_problems, _keys_place),
        ("timers", _timer_problems, lambda _: "none that goes on failing"),
        ("gazetteer", _gazetteer_problems, _gazetteer_places),
        ("pictures", lambda _: iter(()), _pictures),
        ("web port", _port_problems, lambda s: f"{s.web.host}:{s.web.port}" if s.web.enabled else "web is off"),
    )
    if chosen.telegram.enabled:
        looks += (("telegram", lambda s: _telegram_problems(s, telegram), lambda _: _accounts("telegram", telegram)),)
    wechat: list[str] = []
    if chosen.wechat.enabled:
        looks += (("wechat", lambda s: _wechat_problems(s, wechat), lambda _: _accounts("wechat", wechat)),)
    for name, look, say in looks:
        found = list(look(chosen))
        problems += len(found)
        if not found:
            typer.echo(f"ok       {name}: {say(chosen)}")
        for problem in found:
            typer.echo(f"problem  {name}: {problem}")
        if found and name in ("telegram", "wechat") and (said := say(chosen)):
            typer.echo(f"seen     {name}: {said}")
    if problems:
        raise typer.Exit(1)


def _sqlite_file(chosen: Settings) -> Path | None:
    url = make_url(chosen.database_url)
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def _has_database(chosen: Settings) -> bool:
    """Whether there is a database that can be asked."""
    file = _sqlite_file(chosen)
    return file is None or os.access(file, os.R_OK)


def _content_problems() -> Iterator[str]:
    from bot.demo import load_district
    from bot.understanding.answers import Answers
    from bot.understanding.understanding import Understanding
    from content.calendar import Calendar
    from content.desk import DeskError, DeskRules
    from content.phrases import PhraseBook
    from content.posts import PostLibrary
    from content.taxonomy import Taxonomy, TaxonomyError

    posts = PostLibrary.load(CONTENT / "posts")
    broken = (
        *posts.broken,
        *Calendar.load(CONTENT / "calendar.toml", posts.posts).broken,
        *PhraseBook.load(CONTENT / "phrases").broken,
        *Answers.load(CONTENT, clock().date()).broken,
    )
    yield from (str(each) for each in broken)
    try:
        taxonomy = Taxonomy.load(CONTENT / "taxonomy.toml")
        rules = DeskRules.load(CONTENT / "desk.toml")
        for code in sorted(rules.callback.recurring - set(taxonomy.categories)):
            yield f"{CONTENT / 'desk.toml'}: recurring names {code!r}, which is no category of taxonomy.toml"
    except (TaxonomyError, DeskError, OSError) as problem:
        yield str(problem)
    try:
        Understanding.load(CONTENT, weights=False)
    except TaxonomyError:
        pass  # told above
    except (ConfigError, OSError) as problem:
        yield str(problem)
    try:
        load_district(CONTENT / "demo" / "district.toml")
    except ConfigError as problem:
        yield from str(problem).splitlines()


def _content_counts() -> str:
    from bot.understanding.answers import Answers
    from content.phrases import PhraseBook
    from content.posts import PostLibrary

    today = datetime.now(UTC).date()
    posts = PostLibrary.load(CONTENT / "posts").posts.values()
    ready = sum(post.why_not(today) is None for post in posts)
    answers = len(Answers.load(CONTENT, today))
    return (
        f"{len(posts)} posts ({ready} to be sent), {answers} answers, {len(PhraseBook.load(CONTENT / 'phrases').keys())} phrases"
    )


def _workday_problems(_: Settings) -> Iterator[str]:
    from content.workdays import WorkdaysError, load_years

    try:
        load_years(CONTENT / "workdays")
    except (WorkdaysError, OSError) as problem:
        yield from str(problem).splitlines()


def _working_days(chosen: Settings) -> str:
    """Until when holidays are known. That they end is no problem yet, but has to be known: after that only weekends are off."""
    from cases.workdays import WorkCalendar
    from content.workdays import load_years

    calendar = WorkCalendar(chosen.bot.zone, chosen.desk.work_from, chosen.desk.work_to, load_years(CONTENT / "workdays"))
    year = calendar.ends.year + 1
    left = (calendar.ends - datetime.now(chosen.bot.zone).date()).days
    return (
        f"holidays known until {calendar.ends}, {left} days from now; from {year} on only weekends are off until"
        f" content/workdays/{year}.toml is written (docs/desk.md) or a newer chinesecalendar is installed"
    )


def _gazetteer_problems(chosen: Settings) -> Iterator[str]:
    from content.gazetteer import Gazetteer

    if chosen.bot.gazetteer is not None:
        yield from (str(broken) for broken in Gazetteer.load(chosen.bot.gazetteer).broken)


def _gazetteer_places(chosen: Settings) -> str:
    from content.gazetteer import Gazetteer

    if chosen.bot.gazetteer is None:
        return "none (bot.gazetteer): places are known by the group's grid and by boundaries"
    return f"{len(Gazetteer.load(chosen.bot.gazetteer).places)} places in {chosen.bot.gazetteer}"


def _pictures(chosen: Settings) -> str:
    """Whether screenshots are read. Not to read them is no problem: the bot says so to whoever sends one."""
    from bot.understanding.pictures import missing, versions

    if not chosen.bot.read_pictures:
        return "screenshots are not read (bot.read_pictures = false)"
    if packages := missing():
        return f"screenshots are not read: {', '.join(packages)} not installed; .venv/bin/pip install '.[pictures]'"
    return f"screenshots and QR codes are read ({versions()})"


def _handler_problems(chosen: Settings) -> Iterator[str]:
    from bot.app import build_router

    try:
        build_router(chosen.bot.handlers)
    except (ConfigError, TypeError, ValueError) as problem:
        yield str(problem)


def _database_problems(chosen: Settings) -> Iterator[str]:
    from storage.writer import check_integrity, open_engine

    file = _sqlite_file(chosen)
    if file is not None and not os.path.exists(file):
        above = next(folder for folder in (file.parent.absolute(), *file.absolute().parents) if os.path.exists(folder))
        if not (above.is_dir() and os.access(above, os.W_OK | os.X_OK)):
            yield f"{file} cannot be made: {above} cannot be written; change bot.data_dir or storage.url"
        return
    if file is not None and not (os.access(file, os.R_OK | os.W_OK) and os.access(file.parent, os.W_OK | os.X_OK)):
        yield f"{file} cannot be written: it and its folder have to belong to the user who runs the bot"
        return
    engine = open_engine(chosen.database_url)
    try:
        if damage := check_integrity(engine):
            yield f"{file} is damaged: {damage}; restore the newest backup"
        with engine.connect():
            pass
    except SQLAlchemyError as problem:
        yield f"{_database_name(chosen)} does not open: {str(getattr(problem, 'orig', problem)).strip()}; check storage.url"
    finally:
        engine.dispose()


def _key_problems(chosen: Settings) -> Iterator[str]:
    """Key files that cannot be read, or are not those with which the database was written."""
    from sqlmodel import Session

    from bot.app.keys import file_problems, key_problems
    from storage.writer import open_engine

    folder, file = chosen.bot.data_dir / "keys", _sqlite_file(chosen)
    problems = list(file_problems(folder))
    yield from problems
    if problems or file is None or not os.access(file, os.R_OK):
        return
    engine = open_engine(chosen.database_url)
    try:
        with Session(engine) as session:
            yield from key_problems(session, folder)
    except SQLAlchemyError:
        return  # told as a problem of the database, or it is a new one
    finally:
        engine.dispose()


def _keys_place(chosen: Settings) -> str:
    folder = chosen.bot.data_dir / "keys"
    return f"{folder}" if any(folder.glob("*.key")) else f"{folder} (are made at the first start)"


def _timer_problems(chosen: Settings) -> Iterator[str]:
    """What was due and goes on failing; nothing while there is no database, or one that does not open."""
    from sqlmodel import Session

    from bot.timers import MOST_TRIES, failing
    from storage.writer import open_engine

    if not _has_database(chosen):
        return
    engine = open_engine(chosen.database_url)
    try:
        with Session(engine) as session:
            found = failing(session)
    except SQLAlchemyError:
        return  # told as a problem of the database
    finally:
        engine.dispose()
    for kind, number in sorted(found.items()):
        yield f"{number} x {kind} failed {MOST_TRIES} times or more and is tried on, hourly at least: see timer_failed in the log"


def _database_name(chosen: Settings) -> str:
    name = make_url(chosen.database_url).render_as_string(hide_password=True)
    return name if _has_database(chosen) else f"{name} (is made at the first start)"


def _accounts(name: str, said: list[str]) -> str:
    """What the accounts of a platform said of themselves, one a line; of one that cannot be reached there is nothing to say."""
    return f"\n         {name}: ".join(one for one in said if one)


def _telegram_problems(chosen: Settings, said: list[str]) -> Iterator[str]:
    from bot.app import telegram_settings
    from bot.platforms.telegram import look

    for each in telegram_settings(chosen):
        found = asyncio.run(look(each, _telegram_groups(chosen, each.account)))
        said.append(found.summary)
        yield from found.problems


def _telegram_groups(chosen: Settings, account: str) -> list[tuple[str, str]]:
    """Chat id and name of the groups that the bot knows; none while there is no database."""
    from sqlmodel import Session, col, select

    from storage.tables import Group
    from storage.writer import open_engine

    if not _has_database(chosen):
        return []
    engine = open_engine(chosen.database_url)
    try:
        with Session(engine) as session:
            here = (Group.platform == "telegram", Group.account == account, col(Group.active))
            return [(chat, name) for chat, name in session.exec(select(Group.chat, Group.name).where(*here)).all()]
    except SQLAlchemyError:
        return []  # told as a problem of the database
    finally:
        engine.dispose()


def _wechat_problems(chosen: Settings, said: list[str]) -> Iterator[str]:
    from bot.app import wechat_settings
    from bot.platforms.wechat import look

    for each in wechat_settings(chosen):
        found = asyncio.run(look(each, _wechat_known(chosen, each.account)))
        said.append(found.summary)
        yield from found.problems


def _wechat_known(chosen: Settings, account: str) -> Known:
    """The account's groups and the last day's gaps; nothing while there is no database."""
    from sqlmodel import Session, col, select

    from bot.platforms.wechat import Known
    from bot.platforms.wechat.book import gaps_since
    from storage.tables import Group
    from storage.writer import open_engine

    if not _has_database(chosen):
        return Known()
    engine = open_engine(chosen.database_url)
    try:
        with Session(engine) as session:
            here = select(Group.chat, Group.name).where(Group.platform == "wechat", Group.account == account, col(Group.active))
            groups = tuple((chat, name) for chat, name in session.exec(here).all())
            return Known(groups, tuple(gaps_since(session, account, clock() - timedelta(days=1))))
    except SQLAlchemyError:
        return Known()  # told as a problem of the database
    finally:
        engine.dispose()


def _port_problems(chosen: Settings) -> Iterator[str]:
    from bot.platforms.web import WebSettings

    web = chosen.web
    if not web.enabled:
        return
    try:
        WebSettings(
            web.host, web.port, demo=chosen.bot.demo is True, public_url=web.public_url, behind_proxy=web.behind_proxy
        ).check()
    except ConfigError as refused:
        yield str(refused)
    if problem := port_problem(chosen):
        yield problem


def port_problem(chosen: Settings) -> str | None:
    """Why the web chat could not listen, or None."""
    if not chosen.web.enabled:
        return None
    host, port = chosen.web.host.strip("[]"), chosen.web.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as problem:
        said = getattr(problem, "strerror", None) or str(problem)
        return (
            f"{host}:{port} cannot be listened on ({said}). Perhaps the bot runs already; else choose another port: "
            f"web.port in config.toml or QIANSHAO_WEB__PORT={port + 1 if port < 65535 else 8311}"
        )
    return None

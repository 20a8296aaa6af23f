"""The bot of the settings with its real platforms, from start to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.engine import make_url
from sqlmodel import Session, select

from bot.app.alone import alone_on
from bot.app.house import App
from bot.app.keys import file_problems, give_up_keys, key_problems, remember_keys
from bot.app.library import Library
from bot.app.platforms import rooms_of_roster, telegram_platforms, web_platform
from bot.app.tips import FormTips
from bot.app.wechat import wechat_platforms
from bot.clock import Clock, SharedClock
from bot.config import Settings
from bot.demo import District, load_district, seed
from bot.errors import ConfigError
from bot.photos import PhotoWorker
from bot.platforms.base import Adapter
from bot.platforms.web.settings import WebSettings
from bot.roles import WEB, Duties, Role
from bot.understanding.pictures import PictureReader, missing
from bot.understanding.retrieval import give_back
from content.gazetteer import Gazetteer
from storage.database import OldLibrary, prepare
from storage.tables import Counter, Officer
from storage.writer import Writer

if TYPE_CHECKING:
    from bot.platforms.telegram import TelegramPlatform
    from bot.platforms.wechat import WechatPlatform

log = structlog.get_logger(__name__)

CONTENT = Path(__file__).resolve().parents[2] / "content"


@contextlib.asynccontextmanager
async def serving(
    settings: Settings,
    clock: Clock | None = None,
    content: Path = CONTENT,
    *,
    duties: Duties | None = None,
    node: str = "",
    library: Library | None = None,
    new_keys: bool = False,
) -> AsyncIterator[App]:
    """The bot of the settings with its real platforms: database migrated, sample district laid when it is a demonstration.

    `duties` and `node` are for several nodes on one PostgreSQL; `library` is the content for a caller who has read it already;
    `new_keys` goes on without keys that are lost. Raises ConfigError for roles that this database cannot carry, a data folder
    that cannot be used, and a second bot on one SQLite database.
    """
    duties = duties or Duties()
    check_duties(settings, duties)
    clock = clock or (Clock() if is_sqlite(settings) else SharedClock())
    with_web = settings.web.enabled and duties.connects(WEB)
    async with contextlib.AsyncExitStack() as closing:
        closing.callback(clock.close)
        await asyncio.to_thread(_open_folder, settings, closing)
        writer = await asyncio.to_thread(open_database, settings.database_url)
        closing.push_async_callback(asyncio.to_thread, writer.close)
        await _look_at_keys(settings, writer, new_keys=new_keys)
        photos = PhotoWorker()
        closing.push_async_callback(photos.close)
        reader = PictureReader() if settings.bot.read_pictures and not missing() else None
        if reader is not None:
            closing.push_async_callback(reader.close)
        district = await _demo_district(settings, writer, clock, content)
        house: list[App] = []
        door = FormTips(writer, settings, clock, house) if settings.tips.web_form else None
        web = web_platform(settings, writer, photos, clock, house, demo=district is not None, tips=door)
        closing.push_async_callback(web.close)
        if district is not None and with_web:
            await web.seed(district.web_rooms(), district.web_users(), district.web_tries())
        elif with_web:
            await web.seed(*await writer.read(rooms_of_roster))
        if library is None:
            library = await asyncio.to_thread(Library.load, content, clock())
        adapters: list[Adapter] = [web] if with_web else []
        for other in _connected(settings, writer, clock, house, duties):
            closing.push_async_callback(other.close)
            adapters.append(other)
        gazetteer = await asyncio.to_thread(_gazetteer, settings, content, demo=district is not None)
        app = App(
            settings,
            writer,
            library,
            adapters,
            photos,
            clock,
            reader=reader,
            duties=duties,
            node=node,
            gazetteer=gazetteer,
            demo=district is not None,
        )
        app.web = web
        house.append(app)
        async with app.running():
            if with_web:
                await web.started()
            log.info("running", url=web.url if with_web else "", demo=district is not None, roles=duties.names)
            yield app


def _connected(
    settings: Settings, writer: Writer, clock: Clock, house: list[App], duties: Duties
) -> Iterator[TelegramPlatform | WechatPlatform]:
    """The platforms of others to which this process connects."""
    if settings.telegram.enabled and duties.connects("telegram"):
        yield from telegram_platforms(settings, writer, clock, house)
    if settings.wechat.enabled:
        yield from wechat_platforms(settings, writer, clock, house)


def _open_folder(settings: Settings, closing: contextlib.AsyncExitStack) -> None:
    """The data folder is there, its keys can be read, and no other bot is on its database."""
    folder = settings.bot.data_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (database := _sqlite_file(settings)) is not None:
            closing.enter_context(alone_on(database))
    except OSError as problem:
        raise ConfigError(
            f"{problem.filename or folder}: cannot be used ({problem.strerror}); bot.data_dir has to be a folder that belongs to "
            "the user who runs the bot"
        ) from problem
    if problems := list(file_problems(folder / "keys")):
        raise ConfigError("\n".join(problems))


async def _look_at_keys(settings: Settings, writer: Writer, *, new_keys: bool) -> None:
    if writer.shared:
        return  # bot.app.nodes compares them among nodes
    folder = settings.bot.data_dir / "keys"
    if new_keys:
        await writer.run(lambda session: give_up_keys(session, folder))
    elif problems := await writer.read(lambda session: list(key_problems(session, folder))):
        raise ConfigError("\n".join(problems))
    else:
        await writer.run(lambda session: remember_keys(session, folder))


async def serve(
    settings: Settings,
    tell: Callable[[str], None],
    *,
    duties: Duties | None = None,
    node: str = "",
    new_keys: bool = False,
) -> None:
    """Run until SIGTERM or SIGINT; `tell` gets the page's address for the person at the terminal once it is up ("": no page)."""
    duties = duties or Duties()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(settings, duties=duties, node=node, new_keys=new_keys) as app:
        if app.web is not None and settings.web.enabled and duties.connects(WEB):
            tell(app.web.url)
        else:
            tell("")
        # what was made for the start stays: a collection that walks through it again and again costs a fifth of every report
        gc.freeze()
        give_back()
        await stop.wait()
        log.info("stopping")


def is_sqlite(settings: Settings) -> bool:
    """Whether the database is a file of this process alone."""
    return settings.database_url.startswith("sqlite")


def _sqlite_file(settings: Settings) -> Path | None:
    """The database's file, when it is one."""
    name = make_url(settings.database_url).database if is_sqlite(settings) else None
    return Path(name) if name and name != ":memory:" else None


def check_duties(settings: Settings, duties: Duties) -> None:
    """Raises ConfigError when a single process is asked to be one of several."""
    if is_sqlite(settings) and duties.roles != {Role.ALL}:
        raise ConfigError(
            f"--role {' '.join(duties.names)}: several nodes need one PostgreSQL; set storage.url to postgresql://…, "
            "or leave --role out to run everything in one process"
        )


def open_database(url: str) -> Writer:
    """`storage.database.prepare`, with its warnings in the log where an operator looks."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", OldLibrary)
        writer = prepare(url)
    for warning in caught:
        log.warning("storage", advice=str(warning.message))
    return writer


def _gazetteer(settings: Settings, content: Path, *, demo: bool) -> Gazetteer:
    """The district's known places: those of the settings, or of the sample district. A broken file is named in the log."""
    path = settings.bot.gazetteer or (content / "demo" / "gazetteer.toml" if demo else None)
    found = Gazetteer.load(path) if path is not None else Gazetteer()
    for broken in found.broken:
        log.warning("broken_content", file=str(broken.path), line=broken.line, problem=broken.problem)
    return found


async def _demo_district(settings: Settings, writer: Writer, clock: Clock, content: Path) -> District | None:
    """The sample district when this is a demonstration: asked for, or nobody is on the roster and the page is local."""
    has_roster = await writer.read(lambda session: session.exec(select(Officer.id).limit(1)).first() is not None)
    marked = await writer.read(lambda session: session.get(Counter, "demo") is not None)
    wanted = settings.bot.demo
    if wanted is None:
        web = settings.web
        local = WebSettings(web.host, web.port, public_url=web.public_url, behind_proxy=web.behind_proxy).local
        if marked and web.enabled and not local:
            raise ConfigError(
                f"{settings.bot.data_dir} holds the sample district, in which anybody may be anybody, and this page is for "
                "others as well; give the real district a folder of its own: bot.data_dir in config.toml"
            )
        wanted = web.enabled and local and (not has_roster or marked)
    if not wanted:
        return None
    if has_roster and not marked:
        raise ConfigError("bot.demo = true, but there is a roster already; set bot.demo = false or use another bot.data_dir")
    district = load_district(content / "demo" / "district.toml")

    def lay(session: Session) -> None:
        if seed(session, district, clock()):
            session.add(Counter(name="demo", value=1))

    await writer.run(lay)
    return district

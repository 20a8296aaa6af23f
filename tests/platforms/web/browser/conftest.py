"""A real Chromium against a real chat server, everything in one event loop."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, ViewportSize, async_playwright, expect

from bot.photos import PhotoWorker
from tests.platforms.web.browser.district import GRID, District

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESK = ViewportSize(width=1440, height=900)
PHONE = ViewportSize(width=390, height=844)
PATIENCE_MS = 45_000
expect.set_options(timeout=PATIENCE_MS)

Enter = Callable[..., Awaitable[Page]]


def _chromium() -> str | None:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    return None


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = _chromium()
    if path is None:
        reason = "Chromium is missing: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def photos() -> AsyncIterator[PhotoWorker]:
    """One for all tests: starting it takes longer than most of them."""
    worker = PhotoWorker(patience_seconds=60)
    yield worker
    await worker.close()


@pytest_asyncio.fixture(loop_scope="session")
async def district(request: pytest.FixtureRequest, photos: PhotoWorker) -> AsyncIterator[District]:
    """The demonstration; `@pytest.mark.parametrize("district", ["normal"], indirect=True)` for the other mode."""
    demo = getattr(request, "param", "demo") == "demo"
    async with District(demo=demo, photos=photos).open() as running:
        yield running


class Console:
    """What pages complain about. Every test fails on a complaint that it did not expect."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.expected: list[str] = []

    def watch(self, page: Page) -> None:
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def unexpected(self) -> list[str]:
        return [text for text in self.complaints if not any(part in text for part in self.expected)]


@pytest.fixture
def console() -> Console:
    return Console()


@pytest_asyncio.fixture(loop_scope="session")
async def page_of(browser: Browser, console: Console, district: District) -> AsyncIterator[Enter]:
    """Opens an empty page in a browser of its own: `await page_of(phone=True)`. Pages close before the district does."""
    contexts = []

    async def new(*, phone: bool = False, dark: bool = False, large: bool = False, still: bool = True) -> Page:
        context = await browser.new_context(
            viewport=PHONE if phone else DESK,
            has_touch=phone,
            is_mobile=phone,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if still else "no-preference",
            locale="zh-CN",
            timezone_id="Asia/Shanghai",
        )
        context.set_default_timeout(PATIENCE_MS)
        if large:
            await context.add_init_script("localStorage.setItem('qianshao.large', '1')")
        contexts.append(context)
        page = await context.new_page()
        console.watch(page)
        return page

    yield new
    for context in contexts:
        await context.close()
    assert console.unexpected() == []


@pytest_asyncio.fixture(loop_scope="session")
async def enter(page_of: Enter, district: District) -> Enter:
    """Opens the chat as somebody: `await enter("r-zhang", room=GRID, phone=False)`."""

    async def go(user: str, *, room: str = GRID, **how: bool) -> Page:
        page = await page_of(**how)
        await page.goto(f"{district.url}/?as={user}#/room/{room}")
        await page.locator("#chat-open").wait_for()
        await page.locator("#connection").wait_for(state="hidden")
        return page

    return go


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A photo as a phone takes it."""
    from PIL import Image

    path = tmp_path / "火锅店.jpg"
    Image.linear_gradient("L").resize((800, 600)).convert("RGB").save(path)
    return path

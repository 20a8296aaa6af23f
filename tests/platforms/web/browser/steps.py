"""What people do in a page, and waiting for what happens elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from playwright.async_api import Locator, Page


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something on the server's side."""
    async with asyncio.timeout(45):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def write(page: Page, text: str) -> None:
    """Say it by the keyboard."""
    await page.get_by_label("消息", exact=True).fill(text)
    await page.keyboard.press("Enter")


async def menu(page: Page, text: str, item: str) -> None:
    """Choose from the menu of the message that contains `text`."""
    await page.locator(".row").filter(has_text=text).get_by_label("更多操作").click()
    await page.get_by_role("menuitem", name=item, exact=True).click()


def bubble(page: Page, text: str) -> Locator:
    """The message that contains `text`."""
    return page.locator(".bubble .text").filter(has_text=text)

"""The whole story in a real browser, against the whole bot: report, take, resolve, confirm; and a post on schedule."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from sqlmodel import Session, select

from bot.app import App, serving
from bot.config import load_settings
from storage.tables import CampaignPart, Case
from tests.kit.clock import ShiftedClock
from tests.kit.scenario import library
from tests.platforms.web.browser.conftest import DESK, PATIENCE_MS, PHONE
from tests.platforms.web.browser.steps import bubble, write

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SUNDAY = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)  # eight in the evening in Shanghai; a post is due on Monday at ten


class House:
    """The running bot and people at their screens."""

    def __init__(self, app: App, clock: ShiftedClock, browser: Browser) -> None:
        self.app = app
        self.clock = clock
        self.complaints: list[str] = []
        self._browser = browser

    async def enter(self, person: str, room: str, *, phone: bool = False) -> Page:
        """Somebody opens the page in a tab of their own."""
        assert self.app.web is not None
        context = await self._browser.new_context(viewport=PHONE if phone else DESK, locale="zh-CN", timezone_id="Asia/Shanghai")
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        page.on("console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await page.goto(f"{self.app.web.url}/?as={person}#/room/{room}")
        await page.locator("#chat-open").wait_for()
        await page.locator("#connection").wait_for(state="hidden")
        return page


@pytest_asyncio.fixture(loop_scope="session")
async def house(tmp_path: Path, browser: Browser) -> AsyncIterator[House]:
    clock = ShiftedClock(SUNDAY)
    environ = {"QIANSHAO_BOT__DATA_DIR": str(tmp_path), "QIANSHAO_WEB__PORT": "0"}
    async with serving(load_settings(Path("config.toml"), environ), clock, library=library()) as app:
        house = House(app, clock, browser)
        yield house
        for context in browser.contexts:
            await context.close()
        assert house.complaints == []


async def test_from_the_first_word_to_the_confirmed_case(house: House, picture: Path) -> None:
    zhang = await house.enter("zhang", "gx01", phone=True)
    ma = await house.enter("officer-P201", "private-officer-P201")

    await zhang.locator("input[type=file]").first.set_input_files(picture)
    await zhang.get_by_label("消息", exact=True).fill("3号楼2单元楼道有人给电动车充电")
    await zhang.get_by_role("button", name="发送").click()
    await expect(bubble(zhang, "收到，编号2611-0001")).to_be_visible()

    await expect(bubble(ma, "【派单】2611-0001")).to_contain_text("1张照片")
    await write(ma, "/接单 2611-0001")
    await expect(bubble(ma, "2611-0001归您了")).to_be_visible()
    # every step goes to the reporter's private chat; the group hears of the report and of its end
    await expect(zhang.locator(".theirs .text")).to_have_count(1)
    await write(ma, "/办结 2611-0001 电动车已推到充电棚，楼道的线已拆")
    await expect(bubble(zhang, "您看解决了吗")).to_be_visible()

    await zhang.get_by_role("button", name="解决了", exact=True).click()
    await expect(bubble(zhang, "已解决，反映的邻居确认过了")).to_be_visible()
    state = await house.app.writer.read(_states)
    assert state == [("2611-0001", "closed_confirmed")]


async def test_an_anti_fraud_post_arrives_when_its_time_has_come(house: House) -> None:
    zhang = await house.enter("zhang", "gx01")
    await expect(zhang.locator(".theirs")).to_have_count(0)
    house.clock.advance(timedelta(hours=14))  # ten o'clock on Monday
    await expect(zhang.locator(".theirs .text")).to_have_count(1)
    sent = await house.app.writer.read(_posts)
    assert sent
    assert all(post.startswith("antifraud/") for post in sent)


def _states(session: Session) -> list[tuple[str, str]]:
    return [(case.number, case.state) for case in session.exec(select(Case)).all()]


def _posts(session: Session) -> list[str]:
    return [part.post for part in session.exec(select(CampaignPart)).all() if not part.skipped]

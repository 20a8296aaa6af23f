"""For everybody: names for screen readers, the keyboard alone, small screens, large letters, both colour schemes."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from bot.messages import Choice
from tests.platforms.web.browser.conftest import Enter
from tests.platforms.web.browser.district import GRID, District
from tests.platforms.web.browser.steps import write

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CHECKS = Path(__file__).with_name("checks.js").read_text("utf-8")


async def complaints(page: Page, *checks: str) -> list[str]:
    """What is wrong with the page as it stands."""
    return list(await page.evaluate(f"() => {{ {CHECKS}; return [{', '.join(f'...{check}()' for check in checks)}]; }}"))


async def fill(district: District, picture: Path | None = None) -> None:
    """A room with one of everything."""
    first = await district.say("r-li", "2 号楼电梯又停了，" + "长" * 200)
    await district.say("r-zhou", "https://example.invalid/" + "a" * 300, reply_to=first)
    await district.say("officer-1001", "我来看看 @张阿姨")
    gone = await district.say("r-wu", "发错了")
    await district.recall("r-wu", gone)
    await district.say("r-zhang", "谢谢", reply_to=first)
    await district.bot_says("现在解决了吗？", choices=(Choice("解决了", "解决了"), Choice("没有解决，还要再来看看", "没有解决")))
    await district.say("r-li", "那边怎么样", "grid-2")


async def visit_everything(page: Page, picture: Path, *checks: str) -> None:
    """Run the checks in every state of the chat."""
    assert await complaints(page, *checks) == []
    field = page.get_by_label("消息", exact=True)
    await page.locator("#file").set_input_files([picture, picture])
    await expect(page.locator(".tray-item.done")).to_have_count(2)
    await page.locator(".row").first.get_by_label("更多操作").click()
    assert await complaints(page, *checks) == []
    await page.get_by_role("menuitem", name="引用").click()
    assert await complaints(page, *checks) == []
    await field.press_sequentially("@")
    await expect(page.get_by_role("listbox")).to_be_visible()
    assert await complaints(page, *checks) == []
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="发送").click()
    await expect(page.locator(".photo")).to_have_count(2)
    assert await complaints(page, *checks) == []
    await page.locator(".photo").first.click()
    assert await complaints(page, *checks) == []
    await page.get_by_label("关闭照片").click()
    await page.get_by_role("button", name="群成员").click()
    assert await complaints(page, *checks) == []
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="换个身份").click()
    assert await complaints(page, *checks) == []
    await page.keyboard.press("Escape")
    await expect(page.locator("#personas")).to_be_hidden()


async def test_everything_has_a_name_and_its_place(enter: Enter, district: District, picture: Path) -> None:
    await fill(district)
    page = await enter("r-zhang")
    await visit_everything(page, picture, "names", "structure", "overflow")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_contrast(enter: Enter, district: District, picture: Path, dark: bool) -> None:
    await fill(district)
    page = await enter("r-zhang", dark=dark)
    await visit_everything(page, picture, "contrast")


@pytest.mark.parametrize("large", [False, True], ids=["normal", "large"])
async def test_a_phone_shows_everything_without_scrolling_sideways(
    enter: Enter, district: District, picture: Path, large: bool
) -> None:
    await fill(district)
    page = await enter("r-zhang", phone=True, large=large)
    await visit_everything(page, picture, "overflow", "targets")
    await page.get_by_role("button", name="试一试").tap()
    assert await complaints(page, "overflow", "targets", "names", "contrast") == []
    await page.keyboard.press("Escape")
    await page.get_by_label("返回群聊列表").tap()
    await expect(page.locator("#chat")).to_be_hidden()
    assert await complaints(page, "overflow", "targets", "names", "contrast") == []


@pytest.mark.parametrize("district", ["normal"], indirect=True)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", ["/signin", "/join?invite=x", "/static/privacy.html"])
async def test_the_pages_before_the_chat(page_of: Enter, district: District, path: str, dark: bool) -> None:
    page = await page_of(phone=True, dark=dark, large=True)
    await page.goto(district.url + path)
    assert await complaints(page, "names", "structure", "targets", "contrast", "overflow") == []


async def test_the_chat_by_keyboard_alone(enter: Enter, district: District) -> None:
    await fill(district)
    page = await enter("r-zhang")
    await expect(page.get_by_label("消息", exact=True)).to_be_focused()
    await page.keyboard.press("Shift+Tab")
    await expect(page.locator("#at-button")).to_be_focused()
    await page.locator(f"[data-room={GRID}]").focus()
    await page.keyboard.press("ArrowDown")
    await expect(page.locator("[data-room]:focus")).to_have_count(1)
    await page.keyboard.press("Home")
    await page.keyboard.press("Enter")
    await expect(page.locator("#room-title")).to_have_text("前哨")
    await expect(page.get_by_label("消息", exact=True)).to_be_focused()
    await page.keyboard.type("你好")
    await page.keyboard.press("Enter")
    await expect(page.locator(".mine .text")).to_have_text("你好")


async def test_one_tab_stop_in_the_list_of_messages(enter: Enter, district: District) -> None:
    for number in range(20):
        await district.say("r-li", f"第 {number} 句")
    page = await enter("r-zhang")
    await expect(page.locator(".row")).to_have_count(20)
    await expect(page.locator(".row[tabindex='0']")).to_have_count(1)
    await page.locator(".row").last.focus()
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Tab")
    await expect(page.locator(".row").nth(18).get_by_label("更多操作")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.locator("#log :focus")).to_have_count(0)


async def test_new_messages_are_announced_and_old_ones_are_not(enter: Enter, district: District) -> None:
    await district.say("r-li", "旧话")
    page = await enter("r-zhang")
    log = page.get_by_role("log", name="港新1号网格的消息")
    await expect(log).to_have_attribute("aria-live", "polite")
    await expect(page.get_by_role("article", name="李建国，今天")).to_have_count(1)
    # our own words were read while they were typed: the row stays the same when the server confirms them
    await write(page, "新话")
    row = page.get_by_role("article", name="我，今天")
    await row.evaluate("row => { row.dataset.same = row.querySelector('.bubble').dataset.same = 'yes'; }")
    await expect(row.locator(".tail.more")).to_be_visible()
    await expect(row.locator(".bubble[data-same=yes]")).to_be_visible()


async def test_large_letters_are_kept(enter: Enter) -> None:
    page = await enter("r-zhang")
    size = "getComputedStyle(document.documentElement).fontSize"
    normal = float((await page.evaluate(size)).removesuffix("px"))
    await page.get_by_role("button", name="大字").click()
    await page.reload()
    await expect(page.get_by_role("button", name="大字")).to_have_attribute("aria-pressed", "true")
    assert float((await page.evaluate(size)).removesuffix("px")) > normal * 1.2


async def test_the_readers_own_font_size_counts(enter: Enter, district: District) -> None:
    await fill(district)
    page = await enter("r-zhang", phone=True)
    session = await page.context.new_cdp_session(page)
    await session.send("Page.setFontSizes", {"fontSizes": {"standard": 22, "fixed": 18}})
    assert await page.evaluate("getComputedStyle(document.documentElement).fontSize") == "22px"
    assert await complaints(page, "overflow") == []


async def test_the_way_past_the_list_leaves_the_room_open(enter: Enter) -> None:
    page = await enter("r-zhang", room="grid-2")
    await page.get_by_role("link", name="跳到输入框").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("消息", exact=True)).to_be_focused()
    await expect(page.locator("#room-title")).to_have_text("港新2号网格")

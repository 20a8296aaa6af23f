"""Getting in: the demonstration, invitations, officers, and out again."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.platforms.web.browser.conftest import Console, Enter
from tests.platforms.web.browser.district import GRID, ONE_TIME_CODE, District
from tests.platforms.web.browser.steps import write

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

normal = pytest.mark.parametrize("district", ["normal"], indirect=True)


async def test_choosing_who_one_is(page_of: Enter, district: District) -> None:
    page = await page_of()
    await page.goto(district.url)
    await expect(page.locator("#demo-banner")).to_contain_text("这是演示：人和小区都是虚构的，随便试")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog", name="您想扮演谁？")).to_be_visible()
    await page.get_by_role("button", name="李建国", exact=True).click()
    await expect(page.locator("#me")).to_contain_text("李建国")
    await write(page, "我是老李")
    async with page.context.expect_page() as opening:
        await page.get_by_role("button", name="换个身份").click()
        await page.get_by_role("link", name="在新标签页里扮演陈卫国").click()
    other = await opening.value
    await expect(other.locator("#me")).to_contain_text("陈卫国")
    await expect(other.locator("#me .badge-police")).to_have_text("社区民警")
    await other.locator(f"[data-room={GRID}]").click()
    await expect(other.locator(".theirs .name")).to_have_text("李建国")
    await page.reload()
    await expect(page.locator("#me")).to_contain_text("李建国")
    assert "as=" not in other.url


async def test_the_guided_list_fills_and_never_sends(page_of: Enter, district: District) -> None:
    page = await page_of()
    await page.goto(f"{district.url}/?as=r-zhang#/room/grid-2")
    side = page.get_by_role("complementary", name="试一试")
    field = page.get_by_label("消息", exact=True)
    await side.get_by_role("button", name="反映一处隐患").click()
    await expect(page.locator("#room-title")).to_have_text("港新1号网格")
    await expect(field).to_have_value("港新路火锅店把液化气罐放在棚子里，太危险了")
    await side.get_by_role("button", name="看看待办").click()
    await expect(page.locator("#me")).to_contain_text("陈卫国")
    await expect(page.locator("#room-title")).to_have_text("港新派出所工作群")
    await expect(field).to_have_value("/待办")
    await expect(side.locator(".try-step.done")).to_have_count(2)
    assert district.bot.heard == []


async def test_the_guided_list_on_a_phone(page_of: Enter, district: District) -> None:
    page = await page_of(phone=True)
    await page.goto(f"{district.url}/?as=r-zhang")
    await page.get_by_role("button", name="试一试").tap()
    await page.get_by_role("dialog", name="试一试").get_by_role("button", name="悄悄说一件事").tap()
    await expect(page.locator("#me")).to_contain_text("赵小敏")
    await expect(page.locator("#room-title")).to_have_text("前哨")
    await expect(page.get_by_label("消息", exact=True)).to_have_value("我想反映一件不方便在群里说的事")
    await page.get_by_label("返回群聊列表").tap()
    await expect(page.locator("#chat")).to_be_hidden()
    await page.locator(f"[data-room={GRID}]").tap()
    await expect(page.locator("#room-title")).to_have_text("港新1号网格")
    await page.go_back()
    await expect(page.locator("#chat")).to_be_hidden()


async def test_finding_a_group(enter: Enter) -> None:
    page = await enter("r-zhang")
    await page.get_by_label("找群").fill("餐饮")
    await expect(page.locator(".room")).to_have_count(1)
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator("#room-title")).to_have_text("港新路商户群")
    await page.get_by_label("找群").fill("没有这样的")
    await expect(page.locator("#no-rooms")).to_have_text("没有找到这个群。")


@normal
async def test_a_resident_joins_by_an_invitation(page_of: Enter, district: District, console: Console) -> None:
    console.expected = ["400 (Bad Request)"]
    link = await district.platform.invite(GRID)
    page = await page_of(phone=True)
    await page.goto(link)
    await page.get_by_label("您的称呼").fill("  ")
    await page.get_by_role("button", name="同意并进群").tap()
    await expect(page.get_by_role("alert")).to_have_text("请先写一个称呼。")
    await page.get_by_label("您的称呼").fill("前哨")
    await page.get_by_role("button", name="同意并进群").tap()
    await expect(page.get_by_role("alert")).to_have_text("这个名字不能用，请换一个。")
    await page.get_by_label("您的称呼").fill("新来的小王")
    await page.get_by_role("button", name="同意并进群").tap()
    await expect(page.locator("#room-title")).to_have_text("港新1号网格")
    await expect(page.locator("#demo-banner")).to_be_hidden()
    await page.get_by_label("消息", exact=True).fill("大家好")
    await page.get_by_role("button", name="发送").tap()
    await expect(page.locator(".mine .more")).to_be_visible()
    assert await page.evaluate("sessionStorage.getItem('qianshao.token')") is None
    await page.reload()
    await expect(page.locator(".mine .text")).to_have_text("大家好")
    await page.get_by_label("返回群聊列表").tap()
    await page.locator("#me").tap()
    await page.get_by_role("menuitem", name="退出登录").tap()
    await expect(page.get_by_role("heading", name="工作人员登录")).to_be_visible()
    assert await page.evaluate("sessionStorage.length") == 0
    await page.goto(district.url)
    await expect(page.get_by_role("heading", name="工作人员登录")).to_be_visible()


@normal
async def test_a_bad_invitation_is_said_so(page_of: Enter, district: District, console: Console) -> None:
    console.expected = ["400 (Bad Request)"]
    page = await page_of()
    await page.goto(f"{district.url}/join")
    await expect(page.get_by_role("alert")).to_contain_text("这个邀请链接不完整")
    await page.goto(f"{district.url}/join?invite=nonsense")
    await page.get_by_label("您的称呼").fill("小王")
    await page.get_by_role("button", name="同意并进群").click()
    await expect(page.get_by_role("alert")).to_contain_text("这个邀请链接已经失效了")


@normal
async def test_an_officer_signs_in(page_of: Enter, district: District, console: Console) -> None:
    console.expected = ["401 (Unauthorized)"]
    page = await page_of()
    await page.goto(district.url)
    await page.get_by_role("button", name="第一次登录").click()
    await page.get_by_label("工号").fill("1001")
    await page.get_by_label("一次性绑定码").fill(ONE_TIME_CODE)
    await page.get_by_label("新密码").fill("short")
    await page.get_by_label("再输一遍密码").fill("short")
    await page.get_by_role("button", name="设置密码并登录").click()
    await expect(page.get_by_role("alert")).to_have_text("密码太短了，至少要 10 个字符。")
    await page.get_by_label("新密码").fill("long enough 1")
    await page.get_by_label("再输一遍密码").fill("long enough 2")
    await page.get_by_role("button", name="设置密码并登录").click()
    await expect(page.get_by_role("alert")).to_have_text("两次输入的密码不一样，请再输一遍。")
    await page.get_by_label("再输一遍密码").fill("long enough 1")
    await page.get_by_role("button", name="设置密码并登录").click()
    await expect(page.locator("#me")).to_contain_text("陈卫国")
    await page.locator("#me").click()
    await page.get_by_role("menuitem", name="退出登录").click()
    await page.get_by_label("工号").fill("1001")
    await page.get_by_role("textbox", name="密码", exact=True).fill("wrong password")
    await page.get_by_role("button", name="登录", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("工号或密码不对")
    await page.get_by_role("textbox", name="密码", exact=True).fill("long enough 1")
    await page.get_by_role("button", name="登录", exact=True).click()
    await expect(page.locator("#me")).to_contain_text("陈卫国")

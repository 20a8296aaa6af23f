"""Lines that break, pages that reload, servers that do not answer: nothing is lost and nothing appears twice."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from tests.platforms.web.browser.conftest import Console, Enter
from tests.platforms.web.browser.district import GRID, District
from tests.platforms.web.browser.steps import until, write

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


class Line:
    """Between a page and the server, with a switch for each direction."""

    def __init__(self) -> None:
        self.up = True  # what the page sends gets through
        self.down = True  # what the server sends gets through
        self.refuse = False  # new connections end at once
        self.sent: list[str] = []
        self._open: list[WebSocketRoute] = []

    async def watch(self, page: Page) -> None:
        await page.route_web_socket("**/ws", self._opened)

    async def _opened(self, near: WebSocketRoute) -> None:
        if self.refuse:
            await near.close()
            return
        far = near.connect_to_server()
        self._open.append(near)

        def onward(frame: str | bytes) -> None:
            self.sent.append(str(frame))
            if self.up:
                far.send(frame)

        near.on_message(onward)
        far.on_message(lambda frame: near.send(frame) if self.down else None)

    def answer(self, frame: dict[str, object]) -> None:
        """Say something to the page in the server's place."""
        self._open[-1].send(json.dumps(frame))

    async def cut(self) -> None:
        for near in self._open:
            await near.close()
        self._open.clear()


@pytest.fixture
def line() -> Line:
    return Line()


async def go(page_of: Enter, line: Line, district: District, user: str = "r-zhang") -> Page:
    page = await page_of()
    await line.watch(page)
    await page.goto(f"{district.url}/?as={user}#/room/{GRID}")
    await page.locator("#connection").wait_for(state="hidden")
    return page


async def test_what_was_said_while_the_line_was_cut_arrives_once(enter: Enter, district: District) -> None:
    page = await enter("r-zhang")
    first = await district.say("r-li", "断线前")
    await expect(page.locator(".row")).to_have_count(1)
    before = district.platform._house.server.hub.of("r-zhang")  # type: ignore[union-attr]
    district.drop_lines("r-zhang")
    for number in range(3):
        await district.say("r-li", f"断线中 {number}")
    await district.recall("r-li", first)
    await write(page, "我也说一句")
    await expect(page.locator(".theirs .text")).to_have_text(["断线中 0", "断线中 1", "断线中 2"])
    await expect(page.locator(".mine .text")).to_have_text(["我也说一句"])
    await expect(page.locator(".note")).to_contain_text("李建国 撤回了一条消息")
    await until(lambda: district.platform._house.server.hub.of("r-zhang") != before)  # type: ignore[union-attr]
    await expect(page.locator(".tail.sending")).to_have_count(0)
    assert [event.text for event in district.bot.heard] == ["我也说一句"]


async def test_a_lost_answer_does_not_double_a_message(page_of: Enter, line: Line, district: District) -> None:
    page = await go(page_of, line, district)
    line.down = False
    await write(page, "只说一遍")
    await until(lambda: bool(district.bot.heard))
    await expect(page.locator(".tail.sending")).to_have_count(1)
    line.down = True
    await line.cut()
    await expect(page.locator(".tail.sending")).to_have_count(0)
    await expect(page.locator(".mine .text")).to_have_text(["只说一遍"])
    assert len(district.bot.heard) == 1
    said = [frame for frame in line.sent if '"say"' in frame]
    assert len(said) == 2
    assert said[0] == said[1]


async def test_what_did_not_get_out_survives_a_reload(page_of: Enter, line: Line, district: District) -> None:
    page = await go(page_of, line, district)
    line.up = False
    await write(page, "还没有出门")
    await expect(page.locator(".tail.sending")).to_have_count(1)
    line.up = True
    await page.reload()
    await expect(page.locator(".mine .text")).to_have_text(["还没有出门"])
    await expect(page.locator(".tail.sending")).to_have_count(0)
    assert [event.text for event in district.bot.heard] == ["还没有出门"]
    await page.reload()
    await expect(page.locator(".mine .text")).to_have_text(["还没有出门"])


async def test_the_state_of_the_line_is_said_in_words(page_of: Enter, line: Line, district: District) -> None:
    page = await go(page_of, line, district)
    words = page.locator("#connection")
    line.refuse = True
    await line.cut()
    await expect(words).to_have_text("已断开，正在重连")
    await expect(words).to_have_text("网络不通，消息会在恢复后发出", timeout=20_000)
    await write(page, "等恢复了再发")
    await expect(page.locator(".tail.sending")).to_have_count(1)
    line.refuse = False
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect(words).to_be_hidden()
    await expect(page.locator(".tail.sending")).to_have_count(0)
    assert [event.text for event in district.bot.heard] == ["等恢复了再发"]


async def test_a_line_that_died_without_a_word_is_noticed(page_of: Enter, line: Line, district: District) -> None:
    page = await page_of()
    await page.clock.install()
    await line.watch(page)
    await page.goto(f"{district.url}/?as=r-zhang#/room/{GRID}")
    await page.locator("#connection").wait_for(state="hidden")
    line.up = line.down = False
    await page.clock.run_for(20_000)
    assert any('"ping"' in frame for frame in line.sent)
    await page.clock.run_for(10_000)
    await expect(page.locator("#connection")).to_have_text("已断开，正在重连")
    line.up = line.down = True
    await page.clock.run_for(15_000)
    await page.locator("#connection").wait_for(state="hidden")


async def test_what_the_bot_did_not_take_can_be_sent_again(enter: Enter, district: District) -> None:
    page = await enter("r-zhang")
    district.bot.deaf = True
    await write(page, "听得到吗")
    await expect(page.locator(".why")).to_have_text("这条消息还没有送到，请稍后点一下重发。")
    district.bot.deaf = False
    await page.locator(".retry").click()
    await page.get_by_role("menuitem", name="重试").click()
    await expect(page.locator(".why")).to_have_count(0)
    await expect(page.locator(".mine .text")).to_have_text(["听得到吗"])
    await expect(page.locator(".mine .more")).to_be_visible()
    assert [event.text for event in district.bot.heard] == ["听得到吗"]


async def test_a_refused_message_can_be_taken_back_into_the_composer(page_of: Enter, line: Line, district: District) -> None:
    page = await go(page_of, line, district)
    line.up = False
    await write(page, "不说了")
    # the room turns into one where only officers speak before the message gets out
    await until(lambda: any('"say"' in frame for frame in line.sent))
    said = next(frame for frame in line.sent if '"say"' in frame)
    line.answer({"t": "refused", "cid": json.loads(said)["cid"], "code": "read_only", "text": "这个群只有工作人员能发言。"})
    await expect(page.locator(".why")).to_have_text("这个群只有工作人员能发言。")
    await page.locator(".retry").click()
    await page.get_by_role("menuitem", name="取回修改").click()
    await expect(page.get_by_label("消息", exact=True)).to_have_value("不说了")
    await expect(page.locator(".row")).to_have_count(0)


async def test_what_was_sent_too_fast_goes_out_by_itself(page_of: Enter, line: Line, district: District) -> None:
    page = await go(page_of, line, district)
    line.up = False
    await write(page, "快一点")
    await until(lambda: any('"say"' in frame for frame in line.sent))
    said = next(frame for frame in line.sent if '"say"' in frame)
    line.up = True
    line.answer({"t": "refused", "cid": json.loads(said)["cid"], "code": "slow_down", "text": "发得太快了，稍等一下会自动再发。"})
    await until(lambda: bool(district.bot.heard))
    await expect(page.locator(".tail.sending")).to_have_count(0)
    await expect(page.locator(".mine .text")).to_have_text(["快一点"])


async def test_a_room_that_one_was_taken_out_of_goes_away(enter: Enter, district: District) -> None:
    page = await enter("r-zhang")
    await district.platform.remove(GRID, "r-zhang")
    await page.locator("[data-room=grid-1]").wait_for(state="detached")
    await expect(page.locator("#room-title")).not_to_have_text("港新1号网格")


async def test_signing_out_elsewhere_leads_to_the_beginning(enter: Enter, district: District) -> None:
    page = await enter("r-zhang")
    token = await page.evaluate("sessionStorage.getItem('qianshao.token')")
    await district.sign_out(token)
    await expect(page.locator("#personas")).to_be_visible()


@pytest.mark.slow
async def test_a_room_with_two_thousand_messages(enter: Enter, district: District) -> None:
    await district.say_many("r-li", [f"第 {number} 条" for number in range(2000)])
    page = await enter("r-zhang")
    rows = page.locator(".row")
    await expect(rows.last).to_contain_text("第 1999 条")
    for at in range(1900, 1400, -50):
        await page.locator("#log").evaluate("log => { log.scrollTop = 0; }")
        await expect(rows.filter(has_text=f"第 {at} 条")).to_have_count(1)
    assert await rows.count() <= 250
    # and down again, one screen after the other
    for at in range(1700, 2000, 50):
        await page.locator("#log").evaluate("log => { log.scrollTop = log.scrollHeight; }")
        await expect(rows.filter(has_text=f"第 {at} 条")).to_have_count(1)
    await page.locator("#log").evaluate("log => { log.scrollTop = 0; }")
    await page.locator("#jump").click()
    await expect(rows.last).to_be_in_viewport()
    await expect(rows.last).to_contain_text("第 1999 条")
    assert await rows.count() <= 250


async def test_scrolling_back_keeps_the_place(enter: Enter, district: District) -> None:
    await district.say_many("r-li", [f"第 {number} 条" for number in range(300)])
    page = await enter("r-zhang")
    rows = page.locator(".row")
    await expect(rows.last).to_contain_text("第 299 条")
    # what stands at the top of the screen stays there while fifty earlier messages come in above it
    moved = await page.evaluate(
        """async () => {
          const log = document.getElementById('log');
          log.scrollTop = 100;
          const row = [...log.children].find((one) => one.offsetTop + one.offsetHeight > log.scrollTop);
          const before = row.getBoundingClientRect().top;
          const count = log.children.length;
          await new Promise((done) => {
            new MutationObserver(() => log.children.length > count && done()).observe(log, { childList: true });
          });
          await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
          return Math.abs(row.getBoundingClientRect().top - before);
        }"""
    )
    assert moved <= 1
    await district.say("r-li", "来了一条新的")
    await expect(page.locator("#jump")).to_have_text("1 条新消息")
    await expect(page.locator("[data-room=grid-1] .unread")).to_contain_text("1 条未读")
    await page.locator("#jump").click()
    await expect(rows.last).to_contain_text("来了一条新的")
    await expect(page.locator("#jump")).to_be_hidden()
    await expect(page.locator("[data-room=grid-1] .unread")).to_have_count(0)


async def test_a_server_that_is_away_at_the_start_is_said_so(page_of: Enter, district: District, console: Console) -> None:
    console.expected = ["net::ERR_FAILED"]
    page = await page_of()
    await page.route("**/api/session", lambda route: route.abort())
    await page.goto(district.url)
    await expect(page.locator("#nothing-text")).to_have_text("网络不通，请检查网络后再试。")
    await page.unroute("**/api/session")
    await page.get_by_role("button", name="重试").click()
    await expect(page.locator("#personas")).to_be_visible()

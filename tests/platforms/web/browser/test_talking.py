"""Saying things: from the composer of one person to the screen of another."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import expect

from bot.messages import Choice, Location
from tests.platforms.web.browser.conftest import Console, Enter
from tests.platforms.web.browser.district import GRID, NOTICES, District
from tests.platforms.web.browser.steps import bubble, menu, until, write

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_message_reaches_the_neighbour_once(enter: Enter, district: District) -> None:
    zhang = await enter("r-zhang")
    li = await enter("r-li")
    await write(zhang, "早上好！\n今天降温")
    await expect(li.locator(".theirs .text")).to_have_text("早上好！\n今天降温", use_inner_text=True)
    await expect(li.locator(".theirs .name")).to_have_text("张阿姨")
    await expect(zhang.locator(".mine .text")).to_have_count(1)
    await expect(zhang.locator(".tail.sending")).to_have_count(0)
    await write(li, "张阿姨早")
    await expect(zhang.locator(".theirs .text")).to_have_text("张阿姨早")
    assert [event.text for event in district.bot.heard] == ["早上好！\n今天降温", "张阿姨早"]


async def test_enter_sends_and_shift_enter_breaks_the_line(enter: Enter) -> None:
    page = await enter("r-zhang")
    await page.get_by_label("消息", exact=True).press_sequentially("第一行")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("第二行")
    await expect(page.locator(".mine")).to_have_count(0)
    await page.keyboard.press("Enter")
    await expect(page.locator(".mine .text")).to_have_text("第一行\n第二行", use_inner_text=True)
    await expect(page.get_by_label("消息", exact=True)).to_have_value("")


async def test_on_a_phone_enter_breaks_the_line_and_the_button_sends(enter: Enter) -> None:
    page = await enter("r-zhang", phone=True)
    await page.get_by_label("消息", exact=True).fill("一")
    await page.keyboard.press("Enter")
    await page.keyboard.type("二")
    await page.get_by_role("button", name="发送").tap()
    await expect(page.locator(".mine .text")).to_have_text("一\n二", use_inner_text=True)


async def test_nothing_is_cut_from_a_text_that_is_too_long(enter: Enter) -> None:
    page = await enter("r-zhang")
    await page.get_by_label("消息", exact=True).fill("长" * 5001)
    await expect(page.locator("#composer-note")).to_contain_text("已写 5001 字，最多 5000 字")
    await expect(page.get_by_role("button", name="发送")).to_be_disabled()
    await page.get_by_label("消息", exact=True).fill("长" * 5000)
    await page.keyboard.press("Enter")
    await expect(page.locator(".mine .text")).to_have_text("长" * 5000)


async def test_photos_are_shown_before_and_after_sending(enter: Enter, picture: Path) -> None:
    zhang = await enter("r-zhang")
    li = await enter("r-li")
    async with zhang.expect_file_chooser() as chooser:
        await zhang.get_by_label("发照片").click()
    await (await chooser.value).set_files([picture, picture])
    await expect(zhang.locator(".tray-item.done")).to_have_count(2)
    await zhang.get_by_label("删除第 2 张照片").click()
    await expect(zhang.locator(".tray-item")).to_have_count(1)
    await write(zhang, "液化气罐放在棚子里")
    await expect(zhang.locator(".tray-item")).to_have_count(0)
    thumb = li.locator(".photo img")
    await expect(thumb).to_have_js_property("complete", True)
    await expect(thumb).to_have_attribute("src", re.compile("^blob:"))
    await li.get_by_label("打开照片").click()
    await expect(li.locator("#viewer")).to_be_visible()
    await expect(li.locator("#viewer-caption")).to_contain_text("张阿姨")
    await li.keyboard.press("Escape")
    await expect(li.locator("#viewer")).to_be_hidden()
    await expect(li.locator(".theirs").filter(has_text="已登记")).to_contain_text("张阿姨：液化气罐放在棚子里")


async def test_the_viewer_goes_through_the_photos_of_the_room(enter: Enter, picture: Path) -> None:
    page = await enter("r-zhang")
    await page.locator("#file").set_input_files([picture, picture])
    await expect(page.locator(".tray-item.done")).to_have_count(2)
    await page.get_by_role("button", name="发送").click()
    await page.get_by_label("打开第 1 张照片").click()
    caption = page.locator("#viewer-caption")
    await expect(caption).to_contain_text("1/2")
    await expect(page.get_by_label("上一张")).to_be_disabled()
    await page.keyboard.press("ArrowRight")
    await expect(caption).to_contain_text("2/2")
    await page.get_by_label("上一张").click()
    await expect(caption).to_contain_text("1/2")
    await page.get_by_label("关闭照片").click()
    await expect(page.locator("#viewer")).to_be_hidden()


async def test_what_is_not_a_photo_is_refused_with_a_sentence(enter: Enter, tmp_path: Path, console: Console) -> None:
    console.expected = ["400 (Bad Request)"]
    page = await enter("r-zhang")
    text = tmp_path / "台账.txt"
    text.write_text("不是照片")
    await page.locator("#file").set_input_files(text)
    await expect(page.locator("#notice")).to_have_text("“台账.txt”不是照片，没有加上。")
    fake = tmp_path / "假的.jpg"
    fake.write_bytes(b"MZ" * 100)
    await page.locator("#file").set_input_files(fake)
    await expect(page.locator("#notice")).to_contain_text("这个文件不是照片")
    await expect(page.locator(".tray-item")).to_have_count(0)  # it can never be sent, so it does not stand in the way
    await write(page, "照片发不了，先打字")
    await expect(bubble(page, "照片发不了，先打字")).to_be_visible()


async def test_a_photo_too_large_for_the_server_is_drawn_smaller_here(enter: Enter, tmp_path: Path, console: Console) -> None:
    from PIL import Image

    console.expected = ["400 (Bad Request)"]
    page = await enter("r-zhang")
    huge = tmp_path / "大图.png"
    Image.new("1", (8000, 6000)).save(huge)
    await page.locator("#file").set_input_files(huge)
    await expect(page.locator(".tray-item.done")).to_have_count(1)
    await write(page, "3号楼消防通道堵了")
    await expect(page.locator(".mine .photo img")).to_have_attribute("src", re.compile("^blob:"))


async def test_a_place_is_found_shown_and_sent(enter: Enter, district: District) -> None:
    page = await enter("r-zhang", phone=True)
    await page.context.set_geolocation({"latitude": 31.2304, "longitude": 121.4737})
    await page.context.grant_permissions(["geolocation"])
    await page.get_by_label("发位置", exact=True).tap()
    await expect(page.locator("#pin-text")).to_have_text("您现在的位置会一起发出，这里的人都看得到。")
    await page.get_by_label("不发位置了").tap()
    await expect(page.get_by_role("button", name="发送")).to_be_disabled()
    await page.get_by_label("发位置", exact=True).tap()
    await page.get_by_label("消息", exact=True).fill("井盖没了")
    await page.get_by_role("button", name="发送").tap()
    await expect(page.get_by_role("link", name="一个位置")).to_have_attribute("href", "geo:31.23040,121.47370")
    await expect(page.locator("#pin")).to_be_hidden()
    await until(lambda: bool(district.bot.heard))
    assert district.bot.heard[-1].location == Location(31.2304, 121.4737)


async def test_without_leave_to_look_for_the_place_one_is_told_to_write_it(enter: Enter) -> None:
    page = await enter("r-zhang")
    await page.context.clear_permissions()
    await page.get_by_label("发位置", exact=True).click()
    await expect(page.locator("#notice")).to_contain_text("请打字说在哪里，比如“3号楼2单元门口”。")
    await expect(page.locator("#pin")).to_be_hidden()


async def test_at_most_nine_photos(enter: Enter, picture: Path) -> None:
    page = await enter("r-zhang")
    await page.locator("#file").set_input_files([picture] * 10)
    await expect(page.locator("#notice")).to_contain_text("一次最多发 9 张照片")
    await expect(page.locator(".tray-item.done")).to_have_count(9)
    await page.get_by_role("button", name="发送").click()
    await expect(page.locator(".photos .photo")).to_have_count(9)


async def test_mention_by_keyboard(enter: Enter, district: District) -> None:
    page = await enter("r-zhang")
    field = page.get_by_label("消息", exact=True)
    await field.press_sequentially("请 @")
    options = page.get_by_role("option")
    await expect(options.first).to_contain_text("前哨")
    await expect(options.first).to_have_attribute("aria-selected", "true")
    await page.keyboard.type("林")
    await expect(options).to_have_count(1)
    await page.keyboard.press("Enter")
    await expect(field).to_have_value("请 @林小雨 ")
    await page.keyboard.type("看看，还有 @")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("listbox")).to_be_hidden()
    await page.keyboard.press("Backspace")
    await page.keyboard.press("Enter")
    await expect(page.locator(".mine .mention")).to_have_text("@林小雨")


async def test_calling_the_bot_and_pressing_a_button(enter: Enter, district: District) -> None:
    zhang = await enter("r-zhang", phone=True)
    await zhang.get_by_label("提到某人").tap()
    await zhang.get_by_role("option").first.tap()
    await zhang.keyboard.type("在吗")
    await zhang.get_by_role("button", name="发送").tap()
    await until(lambda: len(district.bot.heard) == 1)
    assert district.bot.heard[0].mentions_me
    li = await enter("r-li")
    await expect(bubble(li, "现在解决了吗")).to_be_visible()
    await expect(li.locator(".choice")).to_have_count(0)
    await zhang.get_by_role("button", name="没有解决").tap()
    await expect(zhang.locator(".choice")).to_have_count(0)
    await expect(bubble(zhang, "收到：没有解决")).to_be_visible()
    await zhang.reload()
    await expect(bubble(zhang, "收到：没有解决")).to_be_visible()
    await expect(zhang.locator(".choice")).to_have_count(0)


async def test_a_button_that_is_gone_says_so(enter: Enter, district: District) -> None:
    page = await enter("r-zhang")
    asked = await district.bot_says("解决了吗？", choices=(Choice("解决了", "解决了"),))
    await page.get_by_role("button", name="解决了", exact=True).wait_for()
    await district.take_choices(asked)
    await page.get_by_role("button", name="解决了", exact=True).click()
    await expect(page.locator("#notice")).to_contain_text("这个按钮已经失效了")
    await expect(page.locator(".choice")).to_have_count(0)


async def test_quoting(enter: Enter, district: District) -> None:
    await district.say("r-li", "2 号楼电梯又停了")
    zhang = await enter("r-zhang")
    await menu(zhang, "电梯又停了", "引用")
    await expect(zhang.locator("#replying")).to_contain_text("引用 李建国：2 号楼电梯又停了")
    await write(zhang, "我也碰到了")
    await expect(zhang.locator("#replying")).to_be_hidden()
    await expect(zhang.locator(".mine .quote")).to_have_text("李建国：2 号楼电梯又停了")
    li = await enter("r-li")
    await expect(li.locator(".theirs .quote")).to_have_text("李建国：2 号楼电梯又停了")
    await li.locator(".theirs .quote").click()
    await expect(li.locator(".row:focus")).to_contain_text("2 号楼电梯又停了")


async def test_quoting_by_keyboard_alone(enter: Enter, district: District) -> None:
    await district.say("r-li", "第一句")
    await district.say("r-li", "第二句")
    page = await enter("r-zhang")
    await expect(page.locator(".row")).to_have_count(2)
    await page.locator(".row").last.focus()
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("menuitem", name="引用")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator(".row").first).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(page.locator("#replying")).to_contain_text("第一句")
    await expect(page.get_by_label("消息", exact=True)).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#replying")).to_be_hidden()


async def test_a_long_press_opens_the_menu(enter: Enter, district: District) -> None:
    await district.say("r-li", "按住我")
    page = await enter("r-zhang", phone=True)
    await page.locator(".bubble").dispatch_event("contextmenu", {"clientX": 100, "clientY": 300})
    await expect(page.get_by_role("menu")).to_be_visible()
    await page.get_by_role("menuitem", name="@李建国").tap()
    await expect(page.get_by_label("消息", exact=True)).to_have_value("@李建国 ")


async def test_recall(enter: Enter, district: District) -> None:
    zhang = await enter("r-zhang")
    li = await enter("r-li")
    await write(zhang, "发错群了")
    await expect(bubble(li, "发错群了")).to_be_visible()
    await menu(zhang, "发错群了", "撤回")
    await expect(li.locator(".note")).to_have_text("张阿姨 撤回了一条消息")
    await expect(li.get_by_text("发错群了")).to_have_count(0)
    await expect(zhang.locator(".note")).to_contain_text("您 撤回了一条消息")
    await zhang.get_by_role("button", name="重新编辑").click()
    await expect(zhang.get_by_label("消息", exact=True)).to_have_value("发错群了")


async def test_what_is_recalled_is_gone_from_quotes_too(enter: Enter, district: District) -> None:
    zhang, li = await enter("r-zhang"), await enter("r-li")
    await write(zhang, "说错了的话")
    await menu(li, "说错了的话", "引用")
    await write(li, "怎么说")
    await expect(zhang.locator(".theirs").filter(has_text="怎么说")).to_contain_text("说错了的话")
    await zhang.locator(".mine .more").click()
    await zhang.get_by_role("menuitem", name="撤回", exact=True).click()
    await expect(li.locator("#log")).to_contain_text("原消息已撤回")
    await expect(li.locator("#log")).not_to_contain_text("说错了的话")
    await expect(zhang.locator(".theirs").filter(has_text="怎么说")).to_contain_text("原消息已撤回")


async def test_recall_is_offered_for_two_minutes_and_for_own_messages_only(enter: Enter, district: District) -> None:
    district.ahead = -timedelta(seconds=130)
    await district.say("r-zhang", "早就说过")
    district.ahead = timedelta()
    await district.say("r-li", "别人的话")
    page = await enter("r-zhang")
    for text in ("早就说过", "别人的话"):
        await page.locator(".row").filter(has_text=text).get_by_label("更多操作").click()
        await expect(page.get_by_role("menuitem", name="引用")).to_be_visible()
        await expect(page.get_by_role("menuitem", name="撤回")).to_have_count(0)
        await page.keyboard.press("Escape")


async def test_unread_counts_and_the_line_above_what_is_new(enter: Enter, district: District) -> None:
    page = await enter("r-zhang", room="grid-2")
    await district.say("r-li", "一")
    await district.say("r-li", "二")
    room = page.locator("[data-room=grid-1]")
    await expect(room.locator(".unread")).to_contain_text("2 条未读")
    await expect(room.locator(".room-last")).to_have_text("李建国：二")
    await expect(page).to_have_title("(2) 前哨 · 邻里群聊")
    await room.click()
    await expect(page.locator(".row").first.locator(".fresh")).to_have_text("以下是新消息")
    await expect(room.locator(".unread")).to_have_count(0)
    await page.reload()
    await expect(page.locator(".row")).to_have_count(2)
    await expect(page.locator(".unread")).to_have_count(0)


async def test_a_draft_stays_with_its_room(enter: Enter) -> None:
    page = await enter("r-zhang")
    await page.get_by_label("消息", exact=True).fill("写到一半")
    await page.locator("[data-room=grid-2]").click()
    await expect(page.get_by_label("消息", exact=True)).to_have_value("")
    await page.locator(f"[data-room={GRID}]").click()
    await expect(page.get_by_label("消息", exact=True)).to_have_value("写到一半")


async def test_where_one_may_only_read_there_is_no_composer(enter: Enter) -> None:
    page = await enter("r-zhang", room=NOTICES)
    await expect(page.locator("#composer")).to_be_hidden()
    await expect(page.locator("#cannot-post")).to_be_visible()


async def test_a_command_is_completed(enter: Enter) -> None:
    page = await enter("officer-1001", room="work")
    await page.get_by_label("消息", exact=True).press_sequentially("/受")
    await expect(page.get_by_role("option")).to_have_count(1)
    await page.keyboard.press("Tab")
    await expect(page.get_by_label("消息", exact=True)).to_have_value("/受理 ")


async def test_a_command_that_is_written_out_is_sent_by_one_enter(enter: Enter, district: District) -> None:
    page = await enter("officer-1001", room="work")
    await page.get_by_label("消息", exact=True).press_sequentially("/值班")
    await expect(page.get_by_role("option")).to_have_count(1)
    await page.keyboard.press("Enter")
    await until(lambda: [event.text for event in district.bot.heard] == ["/值班"])


async def test_markup_in_names_and_texts_is_text(enter: Enter, district: District) -> None:
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    newcomer = await district.newcomer("<b onclick=alert(3)>坏人</b>")
    await district.say(newcomer, evil)
    page = await enter("r-zhang")
    await expect(page.locator(".theirs .text")).to_have_text(evil)
    await expect(page.locator(".theirs .name")).to_have_text("<b onclick=alert(3)>坏人</b>")
    await menu(page, "onerror", "引用")
    await write(page, evil)
    await expect(page.locator(".mine .text")).to_have_text(evil)
    await page.get_by_role("button", name="群成员").click()
    await expect(page.locator(".member-name").filter(has_text="坏人")).to_have_text("<b onclick=alert(3)>坏人</b>")
    await page.get_by_role("dialog").get_by_label("关闭").click()
    await page.get_by_label("消息", exact=True).press_sequentially("@")
    await expect(page.get_by_role("option").filter(has_text="坏人")).to_be_visible()
    assert await page.locator("#log img, #log script, #log b[onclick], #rooms img, #rooms b").count() == 0


@pytest.mark.parametrize("way", ["paste", "drop"])
async def test_pictures_are_pasted_and_dropped(enter: Enter, picture: Path, way: str) -> None:
    page = await enter("r-zhang")
    await page.evaluate(
        """async ([way, bytes]) => {
          const carried = new DataTransfer();
          carried.items.add(new File([new Uint8Array(bytes)], "截图.jpg", { type: "image/jpeg" }));
          const how = { bubbles: true, cancelable: true, clipboardData: carried, dataTransfer: carried };
          const event = way === "paste" ? new ClipboardEvent("paste", how) : new DragEvent("drop", how);
          document.getElementById(way === "paste" ? "text" : "log").dispatchEvent(event);
        }""",
        [way, list(picture.read_bytes())],
    )
    await expect(page.locator(".tray-item.done")).to_have_count(1)
    await page.get_by_role("button", name="发送").click()
    await expect(page.locator(".mine .photo")).to_have_count(1)


async def test_swiping_through_photos(enter: Enter, picture: Path) -> None:
    page = await enter("r-zhang", phone=True)
    await page.locator("#file").set_input_files([picture, picture])
    await expect(page.locator(".tray-item.done")).to_have_count(2)
    await page.get_by_role("button", name="发送").tap()
    await page.get_by_label("打开第 1 张照片").tap()
    await expect(page.locator("#viewer-caption")).to_contain_text("1/2")
    session = await page.context.new_cdp_session(page)
    for kind, x in (("touchStart", 320), ("touchMove", 240), ("touchMove", 120), ("touchEnd", None)):
        points = [] if x is None else [{"x": x, "y": 400}]
        await session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    await expect(page.locator("#viewer-caption")).to_contain_text("2/2")


async def test_a_photo_that_is_gone_is_said_so(enter: Enter, picture: Path, console: Console) -> None:
    console.expected = ["404 (Not Found)"]
    page = await enter("r-zhang")
    await page.route(
        "**/api/photos/*size=*", lambda route: route.fulfill(status=404, json={"error": {"code": "gone", "text": "没了。"}})
    )
    await page.locator("#file").set_input_files(picture)
    await expect(page.locator(".tray-item.done")).to_have_count(1)
    await page.get_by_role("button", name="发送").click()
    await expect(page.locator(".mine .more")).to_be_visible()
    await page.reload()
    await expect(page.locator(".photo.broken")).to_be_visible()
    await expect(page.get_by_role("button", name="打开照片")).to_be_visible()


async def test_only_the_bots_addresses_can_be_opened(enter: Enter, district: District) -> None:
    zhang = await enter("r-zhang")
    li = await enter("r-li")
    await district.bot_says("【普法】要什么写清楚\n国家法律法规数据库：\nhttps://flk.npc.gov.cn/\n（说完了）")
    link = li.get_by_role("link", name="https://flk.npc.gov.cn/")
    await expect(link).to_have_attribute("href", "https://flk.npc.gov.cn/")
    await expect(link).to_have_attribute("rel", "noopener noreferrer")
    await expect(li.locator(".theirs.bot .text")).to_have_text(
        "【普法】要什么写清楚\n国家法律法规数据库：\nhttps://flk.npc.gov.cn/\n（说完了）", use_inner_text=True
    )
    await write(zhang, "领补贴点这里 https://flk.npc.gov.cn.example/")
    await expect(bubble(li, "领补贴点这里")).to_be_visible()
    await expect(li.locator(".text a")).to_have_count(1)

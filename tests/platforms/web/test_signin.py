"""Outside the demonstration: an invitation for residents, badge and password for officers, and patience for guessers."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from bot.messages import Address, Outbound
from bot.platforms.web import WebSettings
from bot.platforms.web.people import clean_name
from bot.platforms.web.settings import RoomSeed
from tests.platforms.web.conftest import OTHER_ROOM, ROOM, Browser, Chat, running

PASSWORD = "correct horse battery"
FIRST = {"badge": "0371", "code": "K7QM-2XPD", "password": PASSWORD}


async def visitor(town: Chat) -> Browser:
    browser = town.browser()
    await browser.look()
    return browser


async def invitation(town: Chat, room: str = ROOM) -> str:
    return (await town.platform.invite(room)).partition("invite=")[2]


async def test_a_resident_joins_by_invitation_and_stays(town: Chat) -> None:
    browser = await visitor(town)
    status, answer = await browser.post("/api/join", {"invite": await invitation(town), "name": " 王\u202e大\x00爷 "})
    assert status == 200
    assert answer["me"]["name"] == "王大爷"
    assert answer["me"]["role"] == "resident"
    assert [member["name"] for member in answer["room"]["members"]] == ["前哨", "李警官", "王大爷"]
    # the cookie alone carries on, also after a restart and in the WebSocket
    assert browser.token is None
    await town.restart()
    assert (await browser.look())["me"] == answer["me"]
    tab = await browser.tab()
    assert {room["id"] for room in tab.passed[0]["rooms"]} == {ROOM, f"private-{answer['me']['id']}"}
    assert (await tab.say("大家好"))["t"] == "ack"
    assert (await tab.say("在吗", room=f"private-{answer['me']['id']}"))["t"] == "ack"


async def test_somebody_who_is_in_joins_a_second_room_as_the_same_person(town: Chat) -> None:
    browser = await visitor(town)
    _, first = await browser.post("/api/join", {"invite": await invitation(town), "name": "王大爷"})
    tab = await browser.tab()
    _, second = await browser.post("/api/join", {"invite": await invitation(town, OTHER_ROOM), "name": "别人"})
    assert second["me"] == first["me"]
    assert (await tab.get("room"))["room"]["name"] == "港新2号网格"
    assert len(await town.platform.rooms()) == 2


async def test_newcomers_do_not_see_what_was_said_before(town: Chat) -> None:
    host, guest = await visitor(town), await visitor(town)
    invite = await invitation(town)
    await host.post("/api/join", {"invite": invite, "name": "老住户"})
    early = await (await host.tab()).say("我家门牌是三零二")
    await guest.post("/api/join", {"invite": invite, "name": "新邻居"})
    tab = await guest.tab(since={ROOM: 0})
    assert await tab.page() == []
    room = next(room for room in tab.passed[0]["rooms"] if room["id"] == ROOM)
    assert (room["last"], room["unread"]) == (None, 0)
    await (await host.tab()).say("欢迎", reply_to=early["id"])
    assert (await tab.get("message"))["message"]["text"] == "欢迎"
    assert tab.passed[1:] == []


async def test_invitations_run_out_can_be_revoked_and_cannot_be_guessed(town: Chat) -> None:
    browser = await visitor(town)
    for invite in ("", "x", "0" * 5000):
        status, answer = await browser.post("/api/join", {"invite": invite, "name": "某人"})
        assert (status, answer["error"]["code"]) == (400, "bad_invite")
    kept, revoked = await invitation(town), await invitation(town, OTHER_ROOM)
    assert await town.platform.revoke_invites(OTHER_ROOM) == 1
    assert (await browser.post("/api/join", {"invite": revoked, "name": "某人"}))[0] == 400
    town.clock.move(days=7, seconds=1)
    assert (await browser.post("/api/join", {"invite": kept, "name": "某人"}))[0] == 400
    stored = (town.folder / "web.sqlite3").read_bytes() + (town.folder / "web.sqlite3-wal").read_bytes()
    assert kept.encode() not in stored


async def test_names_that_deceive_are_refused(town: Chat) -> None:
    browser = await visitor(town)
    invite = await invitation(town)
    for name, code in (
        ("", "name_empty"),
        ("\u200b\u202e", "name_empty"),
        ("前哨", "name_taken"),
        ("李 警官", "name_taken"),
        ("李\u200b警官", "name_taken"),
    ):
        status, answer = await browser.post("/api/join", {"invite": invite, "name": name})
        assert (status, answer["error"]["code"]) == (400, code), name


def test_names_are_cleaned() -> None:
    assert clean_name("  张\t三\n\u202e\x1b[31m ") == "张 三 [31m"
    assert clean_name("ｚｈａｎｇ\ufeff") == "zhang"
    assert clean_name("很" * 50) == "很" * 20
    assert clean_name("\ud800Z̷̢͎a") == "Za"
    assert clean_name("张阿姨👵") == "张阿姨👵"


async def test_an_officer_comes_in_with_a_code_and_then_with_the_password(town: Chat) -> None:
    browser = await visitor(town)
    status, answer = await browser.post("/api/firstsignin", {**FIRST, "password": "short"})
    assert (status, answer["error"]["text"]) == (400, "密码至少要 10 位。")
    status, answer = await browser.post("/api/firstsignin", FIRST)
    assert status == 200
    assert answer["me"] == {"id": "officer-0371", "name": "李警官", "role": "officer", "title": "社区民警"}
    assert (await browser.look())["me"]["title"] == "社区民警"
    again = await visitor(town)
    assert (await again.post("/api/firstsignin", FIRST))[1]["error"]["code"] == "bad_code"
    status, answer = await again.post("/api/signin", {"badge": "0371", "password": PASSWORD})
    assert (status, answer["me"]["id"]) == (200, "officer-0371")
    tab = await again.tab()
    assert [room["id"] for room in tab.passed[0]["rooms"]] == [ROOM, "private-officer-0371"]
    stored = (town.folder / "web.sqlite3").read_bytes() + (town.folder / "web.sqlite3-wal").read_bytes()
    assert PASSWORD.encode() not in stored
    assert answer["token"].encode() not in stored


async def test_a_new_code_ends_older_sign_ins(town: Chat) -> None:
    old = await visitor(town)
    await old.post("/api/firstsignin", FIRST)
    town.roster.codes["0371"] = "NEW"
    fresh = await visitor(town)
    assert (await fresh.post("/api/firstsignin", {**FIRST, "code": "NEW"}))[0] == 200
    assert (await old.look())["me"] is None
    assert (await fresh.look())["me"] is not None


async def test_a_code_is_good_for_its_own_badge_only(town: Chat) -> None:
    browser = await visitor(town)
    status, answer = await browser.post("/api/firstsignin", {**FIRST, "badge": "0372"})
    assert (status, answer["error"]["code"]) == (401, "bad_code")


async def test_after_five_tries_one_waits_and_is_never_locked_out(town: Chat) -> None:
    browser = await visitor(town)
    await browser.post("/api/firstsignin", FIRST)
    stranger = await visitor(town)
    wrong = {"badge": "0371", "password": "wrong password"}
    for _ in range(5):
        status, answer = await stranger.post("/api/signin", wrong)
        assert (status, answer["error"]["code"]) == (401, "wrong")
        town.clock.move(seconds=2)
    status, answer = await stranger.post("/api/signin", {**wrong, "password": PASSWORD})
    assert (status, answer["error"]["text"]) == (429, "试的次数有点多，请等 50 秒再试。")
    town.clock.move(seconds=50)
    assert (await stranger.post("/api/signin", {**wrong, "password": PASSWORD}))[0] == 200


async def test_unknown_badges_are_told_nothing_else(town: Chat) -> None:
    browser = await visitor(town)
    for badge in ("9999", "0372", "", "张三", "x" * 300):
        status, answer = await browser.post("/api/signin", {"badge": badge, "password": PASSWORD})
        assert (status, answer["error"]["code"]) == (401, "wrong"), badge


async def test_strangers_who_try_a_badge_do_not_keep_its_officer_out(town: Chat) -> None:
    await town.restart(behind_proxy=True)
    home, stranger = await visitor(town), await visitor(town)

    async def sign_in(browser: Browser, password: str, address: str, badge: str = "0371") -> int:
        headers = browser.headers(**{"X-Forwarded-For": f"1.2.3.4, {address}"})
        body = {"badge": badge, "password": password}
        async with browser.session.post(f"{browser.url}/api/signin", json=body, headers=headers) as answer:
            return answer.status

    await home.post("/api/firstsignin", FIRST)
    assert await sign_in(home, PASSWORD, "10.0.0.1") == 200
    # many addresses, one badge: the badge waits, the officer's own place does not
    statuses = [await sign_in(stranger, f"guess number {n}", f"66.0.0.{n}") for n in range(7)]
    assert statuses == [401] * 5 + [429] * 2
    assert await sign_in(home, PASSWORD, "10.0.0.1") == 200
    # one address, many badges: the address waits
    for n in range(5):
        await sign_in(stranger, "guess number", "77.0.0.1", f"05{n}")
    assert await sign_in(stranger, PASSWORD, "77.0.0.1") == 429


async def test_who_leaves_the_roster_is_out(town: Chat) -> None:
    browser = await visitor(town)
    await browser.post("/api/firstsignin", FIRST)
    tab = await browser.tab()
    assert (await tab.say("我在"))["t"] == "ack"
    card = town.roster.cards.pop("0371")
    town.clock.move(seconds=16)
    await tab.send("say", cid="c", room=ROOM, text="还在吗")
    assert (await tab.get("bye"))["code"] == "signed_out"
    assert (await browser.look())["me"] is None
    assert (await browser.post("/api/signin", {"badge": "0371", "password": PASSWORD}))[0] == 401
    town.roster.cards["0371"] = card
    assert (await browser.look())["me"] is None
    assert (await browser.post("/api/signin", {"badge": "0371", "password": PASSWORD}))[0] == 200


async def test_signing_out_ends_the_page_and_the_token(town: Chat) -> None:
    browser = await visitor(town)
    _, answer = await browser.post("/api/firstsignin", FIRST)
    tab = await browser.tab()
    assert (await browser.post("/api/signout", {}))[0] == 200
    bye = await tab.get("bye")
    assert (bye["code"], bye["text"]) == ("signed_out", "您已退出登录。")
    browser.token = answer["token"]
    assert (await browser.look())["me"] is None


async def test_sessions_run_out(town: Chat) -> None:
    officer, resident = await visitor(town), await visitor(town)
    await officer.post("/api/firstsignin", FIRST)
    await resident.post("/api/join", {"invite": await invitation(town), "name": "王大爷"})
    town.clock.move(hours=12, seconds=1)
    assert (await officer.look())["me"] is None
    assert (await resident.look())["me"] is not None
    town.clock.move(days=30)
    assert (await resident.look())["me"] is None
    await town.platform.retain()
    assert (await resident.look())["me"] is None


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(town: Chat) -> None:
    browser = await visitor(town)
    async with browser.session.post(f"{browser.url}/api/firstsignin", json=FIRST, headers=browser.headers()) as answer:
        cookie = answer.cookies["qianshao-session"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
    assert isinstance(browser.session, aiohttp.ClientSession)


async def test_who_is_taken_out_of_a_room_no_longer_sees_it(town: Chat) -> None:
    browser = await visitor(town)
    _, answer = await browser.post("/api/join", {"invite": await invitation(town), "name": "捣乱的"})
    tab = await browser.tab()
    await town.platform.remove(ROOM, answer["me"]["id"])
    await tab.get("bye")
    tab = await browser.tab()
    assert [room["kind"] for room in tab.passed[0]["rooms"]] == ["private"]
    assert (await tab.say("我又来了"))["code"] == "no_room"


async def test_a_group_made_while_the_chat_runs_is_there_for_its_officers_and_for_the_bot(tmp_path: Path) -> None:
    """`qianshao group add` writes into the chat's file from a process of its own."""

    async def officer_rooms(badge: str) -> list[str]:
        return [ROOM, "new"] if badge == "0371" else []

    async with running(WebSettings(port=0), tmp_path, officer_rooms=officer_rooms) as town:
        await made_by_a_command(town, RoomSeed("new", "新群"))
        browser = await visitor(town)
        assert (await browser.post("/api/firstsignin", FIRST))[0] == 200
        tab = await browser.tab()
        assert {room["name"] for room in tab.passed[0]["rooms"]} == {"港新1号网格", "新群", "前哨"}
        await made_by_a_command(town, RoomSeed("other", "别的群"))
        receipt = await town.platform.send(Address("web", "web", "other"), Outbound("k", "大家好"))
        assert receipt.message_id


async def made_by_a_command(town: Chat, room: RoomSeed) -> None:
    command = town.build()
    await command.seed([room], [])
    await command.close()

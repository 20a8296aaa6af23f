"""The door: foreign pages, foreign hosts, what a stranger gets to see, and that the demonstration stays on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from bot.app import build_router
from bot.errors import ConfigError
from bot.messages import Outbound
from bot.platforms.base import Health
from bot.platforms.web import WebPlatform, WebSettings
from bot.platforms.web.texts import Texts, load_texts
from tests.platforms.web.conftest import GROUP, ROOM, Chat, Roster, running

STATIC = Path(__file__).parents[3] / "bot/platforms/web/static"
CHANGES_IN_DEMO = ("/api/persona", "/api/signout", "/api/photos")
CHANGES_IN_TOWN = ("/api/join", "/api/signin", "/api/firstsignin", "/api/signout", "/api/photos")


async def test_every_change_needs_our_origin_and_our_secret(chat: Chat, town: Chat) -> None:
    for place, paths in ((chat, CHANGES_IN_DEMO), (town, CHANGES_IN_TOWN)):
        browser = place.browser()
        csrf = (await browser.look())["csrf"]
        port = browser.url.rpartition(":")[2]
        origins = (None, "null", "http://evil.example", "http://127.0.0.1:1", f"https://127.0.0.1:{port}", browser.url)
        for path, origin, secret in product(paths, origins, (None, "", "0" * 64, csrf)):
            headers = {"Origin": origin, "X-Csrf": secret}
            sent = {name: value for name, value in headers.items() if value is not None}
            async with browser.session.post(browser.url + path, json={}, headers=sent) as answer:
                code = (await answer.json()).get("error", {}).get("code")
                if origin != browser.url:
                    assert (answer.status, code) == (403, "origin"), (path, origin)
                elif secret != csrf:
                    assert (answer.status, code) == (403, "csrf"), (path, secret)
                else:
                    assert answer.status != 403, path


async def test_a_secret_fits_only_the_browser_it_was_given_to(chat: Chat) -> None:
    mine, yours = chat.browser(), chat.browser()
    await mine.look()
    mine.csrf = (await yours.look())["csrf"]
    status, answer = await mine.post("/api/persona", {"user": "zhang"})
    assert (status, answer["error"]["code"]) == (403, "csrf")
    bare = chat.browser()
    bare.csrf = yours.csrf
    assert (await bare.post("/api/persona", {"user": "zhang"}))[0] == 403


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "http://127.0.0.1:1"])
async def test_a_websocket_from_a_foreign_page_is_not_opened(chat: Chat, origin: str | None) -> None:
    browser = chat.browser()
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await browser.session.ws_connect(f"{browser.url}/ws", headers={"Origin": origin} if origin else {})
    assert refused.value.status == 403


async def test_a_foreign_name_that_points_here_gets_nothing(chat: Chat) -> None:
    browser = chat.browser()
    for path, status in (("/", 403), ("/api/session", 403), ("/healthz", 200)):
        async with browser.session.get(browser.url + path, headers={"Host": "evil.example:8311"}) as answer:
            assert answer.status == status, path


async def test_headers_leave_a_foreign_script_nothing(chat: Chat) -> None:
    browser = chat.browser()
    for path in ("/", "/api/session", "/api/nothing", "/static/nothing", "/healthz"):
        async with browser.session.get(browser.url + path) as answer:
            headers = answer.headers
            policy = headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "script-src 'self';" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["Cache-Control"] == ("no-store" if path.startswith("/api/") else "no-cache")


async def test_pages_and_files_and_nothing_above_them(chat: Chat) -> None:
    browser = chat.browser()
    for path in ("/", "/join?invite=x", "/signin", "/static/app.js"):
        assert (await browser.get(path))[0] == 200, path
    for path in ("/static/../adapter.py", "/static/%2e%2e/adapter.py", "/static/..%2fadapter.py", "/static/", "/nothing"):
        assert (await browser.get(path))[0] == 404, path
    async with browser.session.post(f"{browser.url}/api/nothing", headers=browser.headers()) as answer:
        assert answer.status in (403, 404)


async def test_persona_switching_does_not_exist_outside_the_demonstration(town: Chat) -> None:
    browser = town.browser()
    session = await browser.look()
    assert session == {"mode": "normal", "me": None, "csrf": browser.csrf}
    status, answer = await browser.post("/api/persona", {"user": "officer-0371"})
    assert (status, answer["error"]["code"]) == (404, "not_found")


async def test_sample_people_of_a_demonstration_are_nobody_afterwards(chat: Chat) -> None:
    browser = await chat.persona("li")
    assert (await browser.look())["me"]["name"] == "李警官"
    await chat.restart(demo=False)
    assert (await browser.look())["me"] is None
    tab = await browser.connect()
    await tab.send("hello", token=browser.token, since={})
    assert (await tab.next())["code"] == "signed_out"


async def test_in_the_demonstration_every_tab_is_somebody_of_its_own(chat: Chat) -> None:
    browser = await chat.persona("zhang")
    session = await browser.look()
    assert session["mode"] == "demo"
    assert [person["name"] for person in session["personas"]] == ["张阿姨", "老王", "李警官"]
    assert session["try"] == [{"title": "报一个隐患", "text": "楼道里停着电动车充电", "persona": "zhang", "room": ROOM}]
    first, browser.token = browser.token, None
    await browser.become("wang")
    assert (await browser.look())["me"]["name"] == "老王"
    browser.token = first
    assert (await browser.look())["me"]["name"] == "张阿姨"
    browser.token = None
    assert (await browser.look())["me"] is None
    assert (await browser.post("/api/persona", {"user": "nobody"}))[0] == 400
    assert (await browser.post("/api/signin", {"badge": "0371", "password": "x"}))[0] == 404


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (WebSettings(host="0.0.0.0", demo=True, public_url="https://chat.example.cn"), "web.host"),
        (WebSettings(host="192.168.1.9", demo=True), "web.host"),
        (WebSettings(demo=True, public_url="https://chat.example.cn"), "web.public_url"),
        (WebSettings(demo=True, behind_proxy=True), "web.behind_proxy"),
        (WebSettings(host="0.0.0.0"), "web.public_url"),
        (WebSettings(public_url="chat.example.cn"), "web.public_url"),
    ],
)
async def test_settings_that_would_open_too_much_are_refused(settings: WebSettings, names: str) -> None:
    with pytest.raises(ConfigError, match=names):
        WebPlatform(settings, rooms_file=None, gate=Roster())


async def test_a_missing_sentence_is_found_at_start() -> None:
    texts = load_texts()
    del texts["signin.wait"]
    with pytest.raises(ConfigError, match=r"signin\.wait"):
        Texts(texts)


def test_every_sentence_is_used() -> None:
    from bot.platforms.web.texts import KEYS

    assert load_texts().keys() == KEYS


async def test_cookies_are_bound_to_tls_when_there_is_some(tmp_path: Path) -> None:
    async with running(WebSettings(port=0, public_url="https://chat.example.cn"), tmp_path) as place:
        url = f"http://127.0.0.1:{place.platform._house.server.port}"  # type: ignore[union-attr]
        async with aiohttp.ClientSession() as session, session.get(f"{url}/api/session") as answer:
            cookie = answer.cookies["__Host-qianshao-visit"]
            assert (cookie["secure"], cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, True, "Strict", "/")
            assert cookie["domain"] == ""
            assert "Strict-Transport-Security" in answer.headers
        assert (await place.platform.invite(ROOM)).startswith("https://chat.example.cn/join?invite=")


async def test_health_and_metrics(tmp_path: Path) -> None:
    states = {"web": Health(listening=True), "telegram": Health(listening=True)}

    async def metrics() -> str:
        return "qianshao_up 1\n"

    options = {"on_health": lambda: states, "on_metrics": metrics}
    async with running(WebSettings(port=0, behind_proxy=True), tmp_path, **options) as place:
        browser = place.browser()
        status, body = await browser.get("/healthz")
        assert (status, b'"ok": true' in body) == (200, True)
        states["telegram"] = Health(listening=False, last_error="token 123:abc refused")
        status, body = await browser.get("/healthz")
        assert (status, b"123:abc" in body) == (503, False)
        assert await browser.get("/metrics") == (200, b"qianshao_up 1\n")
        async with browser.session.get(f"{browser.url}/metrics", headers={"X-Forwarded-For": "127.0.0.1, 8.8.8.8"}) as answer:
            assert answer.status == 404


async def test_requests_that_are_no_json_get_a_sentence(town: Chat) -> None:
    browser = town.browser()
    await browser.look()
    for body in (b"", b"[]", b"{", b"\xff\xfe", b'{"badge": 7}', b"[" * 9000, b"x" * 100_000):
        async with browser.session.post(f"{browser.url}/api/signin", data=body, headers=browser.headers()) as answer:
            assert answer.status == 400, body[:20]
            assert (await answer.json())["error"]["text"] == "没看懂这个请求，请刷新页面再试。"


@pytest.fixture
def logged() -> Iterator[list[dict[str, object]]]:
    with capture_logs() as entries:
        yield entries  # type: ignore[misc]


async def test_no_word_name_or_token_gets_into_a_log_line(chat: Chat, logged: list[dict[str, object]]) -> None:
    browser = await chat.persona("zhang")
    tab = await browser.tab()

    async def broken(_: object) -> None:
        raise ValueError("楼道里有煤气味")

    chat.bot.before = broken
    await tab.say("楼道里有煤气味")
    chat.bot.before = None
    await tab.socket.send_str("楼道里有煤气味")
    assert (await tab.get("refused"))["code"] == "bad"
    await browser.upload(b"no picture")
    await chat.platform.send(GROUP, Outbound("k", "收到"))
    assert logged
    for entry in logged:
        line = str(entry)
        for secret in ("煤气", "张阿姨", "收到", browser.token or "?", browser.csrf):
            assert secret not in line


def test_the_page_completes_the_commands_that_exist_and_no_others() -> None:
    listed = re.findall(r'name: "/(\S+)", .*officer: (true|false)', (STATIC / "commands.js").read_text(encoding="utf-8"))
    known = {command.name: bool(command.needs) or command.name == "绑定" for command in build_router().commands.values()}
    assert {name: officer == "true" for name, officer in listed} == known

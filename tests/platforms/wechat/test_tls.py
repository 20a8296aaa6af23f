"""Who is on the other side, proved before a word leaves us: TLS with an authority or a pin; plain text on this machine alone."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from bot.errors import ConfigError
from bot.platforms.wechat import Known, WechatSettings, look
from bot.platforms.wechat.channel import PuppetChannel
from bot.platforms.wechat.client import CallFailed, NotUs
from bot.platforms.wechat.client import Puppet as Client
from bot.platforms.wechat.settings import is_loopback
from tests.kit.certificates import make
from tests.kit.puppet import TOKEN, Puppet, quick
from tests.platforms.wechat.conftest import ROOM, Line

pytestmark = [pytest.mark.timeout(120), pytest.mark.filterwarnings("ignore::storage.database.OldLibrary")]


def fingerprint(pem: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


async def asked(settings: WechatSettings) -> str:
    """The service's version, or why there is none."""
    client = Client(settings, asyncio.Semaphore(1))
    try:
        return await client.version()
    except CallFailed as problem:
        return str(problem)
    finally:
        client.close()


async def test_the_whole_way_over_tls(line: Line, tmp_path: Path) -> None:
    made = make()
    (tmp_path / "ca.pem").write_text(made.authority)
    del line.puppet.world[:]
    async with Puppet(tls=(made.certificate, made.key)) as puppet:
        line.puppet = puppet
        await puppet.room(ROOM, "港新1号网格", ["张阿姨"])
        async with line.platform(tls=True, ca_file=tmp_path / "ca.pem", tls_name="gateway") as platform:
            await puppet.say("张阿姨", ROOM, "加密的路上说的")
            await line.feed.until(lambda: "加密的路上说的" in line.heard())
            assert platform.health().listening
        async with line.platform(tls=True, pin=fingerprint(made.certificate)):
            await puppet.say("张阿姨", ROOM, "按指纹认出来的")
            await line.feed.until(lambda: "按指纹认出来的" in line.heard())


async def test_whoever_cannot_prove_itself_hears_nothing_from_us(line: Line, tmp_path: Path) -> None:
    made, other = make(), make()
    (tmp_path / "ca.pem").write_text(made.authority)
    (tmp_path / "other.pem").write_text(other.authority)
    async with Puppet(tls=(made.certificate, made.key)) as puppet:
        secure = quick(puppet.port, tls=True)
        good = replace(secure, ca_file=tmp_path / "ca.pem", tls_name="gateway")
        assert await asked(good) == "1.19.4<1.20.2>"
        assert "certificate" in await asked(secure)  # the system's authorities do not know it
        assert "certificate" in await asked(replace(good, ca_file=tmp_path / "other.pem"))
        assert "hostname" in (await asked(replace(good, tls_name="bank"))).lower()
        assert "not the one of wechat.pin" in await asked(replace(secure, pin=fingerprint(other.certificate)))
        assert "not the one of wechat.pin" in await asked(replace(good, pin=fingerprint(other.certificate)))
        assert await asked(replace(good, pin=fingerprint(made.certificate))) == "1.19.4<1.20.2>"
        calls, _ = await puppet.calls()
        assert calls == {}
        plain = await asked(quick(puppet.port, call_seconds=1.0, connect_seconds=1.0))
        assert "1.19.4" not in plain


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost:1", "[::1]:1", "127.8.8.8:1"])
def test_plain_text_stays_on_this_machine(host: str) -> None:
    settings = WechatSettings(host, TOKEN, tls=False)
    settings.check()
    assert is_loopback(settings.host)


@pytest.mark.parametrize(
    "host", ["10.0.0.1:1", "gateway.example.cn:1", "localhost.example.cn:1", "0.0.0.0:1", "[::]:1", "127.0.0.1.cn:1"]
)
def test_plain_text_to_another_machine_is_refused(host: str) -> None:
    settings = WechatSettings(host, TOKEN, tls=False)
    with pytest.raises(ConfigError, match=r"wechat\.tls: without TLS anybody"):
        settings.check()
    with pytest.raises(ValueError, match="plain text only on loopback"):
        PuppetChannel(settings)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"endpoint": ""}, "wechat.endpoint: is missing"),
        ({"endpoint": "127.0.0.1"}, "wechat.endpoint: write host and port"),
        ({"endpoint": "http://127.0.0.1:1"}, "wechat.endpoint: write host and port"),
        ({"endpoint": "127.0.0.1:99999"}, "wechat.endpoint: write host and port"),
        ({"token": ""}, "wechat.token: is missing"),
        ({"token": "two words"}, "wechat.token: has blanks"),
        ({"account": "../x"}, "wechat.account: use letters"),
        ({"pin": "abc"}, "wechat.pin: is no SHA-256 fingerprint"),
        ({"ca_file": Path("/nowhere.pem")}, "wechat.ca_file: /nowhere.pem is no file"),
        ({"file_hosts": ("http://x",)}, "wechat.file_hosts: 'http://x' is no host name"),
    ],
)
def test_settings_that_cannot_work(changed: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        replace(quick(1), **changed).check()  # type: ignore[arg-type]
    assert str(refused.value).startswith(says)
    assert TOKEN not in str(refused.value)


def test_a_fingerprint_as_openssl_prints_it() -> None:
    printed = "sha256 Fingerprint=" + ":".join(["AB"] * 32)
    settings = replace(quick(1), pin=printed)
    settings.check()
    assert settings.fingerprint == "ab" * 32


async def test_the_token_stands_in_no_log_and_no_message(line: Line, capfd: pytest.CaptureFixture[str]) -> None:
    """A canary: everything that goes wrong with it in hand, and not one trace of it."""
    assert TOKEN not in repr(quick(1))
    wrong = "canary-" + TOKEN
    client = Client(quick(line.puppet.port, token=wrong), asyncio.Semaphore(1))
    with pytest.raises(NotUs) as refused:
        await client.version()
    client.close()
    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    async with line.platform() as platform:
        await line.puppet.deed("hangup")
        await line.puppet.fault("messageSendText", error=f"token {TOKEN}")
        structlog.get_logger("bot").error("x", problem=platform.health().last_error)
    out, err = capfd.readouterr()
    assert TOKEN not in out + err


async def test_check_says_who_we_are_what_we_see_and_what_we_cannot(line: Line) -> None:
    await line.puppet.room("g2@chatroom", "港新2号网格", ["李叔"])
    known = Known(((ROOM, "港新1号网格"), ("gone@chatroom", "老群")))
    found = await look(quick(line.puppet.port), known)
    assert "前哨" in found.summary
    assert "2 groups seen, 2 known" in found.summary
    assert "no program buttons" in found.summary
    [problem] = found.problems
    assert "老群" in problem
    assert "save them to the contacts" in problem


async def test_check_beside_a_running_bot_disturbs_nobody(line: Line) -> None:
    async with line.platform() as platform:
        found = await look(quick(line.puppet.port), Known())
        assert "in use by a running bot" in found.summary
        await line.puppet.say("张阿姨", ROOM, "还听得见吗")
        await line.feed.until(lambda: "还听得见吗" in line.heard())
        assert platform.health().listening


async def test_check_says_how_to_mend_what_is_wrong(line: Line) -> None:
    port = line.puppet.port
    wrong = await look(quick(port, token="nobody"), Known())
    assert wrong.problems[0].startswith("wechat.token: the service does not know")
    nobody = await look(quick(1), Known())
    assert "start the puppet service, or correct wechat.endpoint" in nobody.problems[0]
    tls = await look(quick(port, tls=True, pin="ab" * 32), Known())
    assert "perhaps it speaks no TLS" in tls.problems[0]
    bad = await look(quick(port, account="?"), Known())
    assert bad.problems[0].startswith("wechat.account")
    await line.puppet.deed("logout")
    out = await look(quick(port), Known())
    assert "scan the code" in out.problems[0]

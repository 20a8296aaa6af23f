"""What `qianshao check` finds out about the connection to WeChat without starting anything."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from wechaty_grpc.wechaty.puppet import EventType

from bot.errors import ConfigError
from bot.platforms.wechat import parse
from bot.platforms.wechat.adapter import NOT_LOGGED_IN
from bot.platforms.wechat.book import Gap
from bot.platforms.wechat.client import CallFailed, Lost, NotUs, Puppet, Refused
from bot.platforms.wechat.parse import Malformed
from bot.platforms.wechat.settings import WechatSettings

MOST_NAMED = 10  # groups that are called by name
PATIENCE = 8.0

CANNOT = (
    "WeChat gives no program buttons, edits or quotes; people type the answer, and whoever is answered is called by name. "
    "Messages can be taken back for two minutes. What is said while the connection is down is gone"
)


@dataclass(frozen=True, slots=True)
class Known:
    """What the database knows of an account: its groups (chat id, name), and the gaps of the last day."""

    groups: tuple[tuple[str, str], ...] = ()
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """`problems` each name their mend; `summary` says who the bot is, which groups it sees, and what it cannot do."""

    problems: tuple[str, ...]
    summary: str = ""


async def look(settings: WechatSettings, known: Known) -> Found:
    """Ask who we are and in which groups. Never raises. The event stream is opened only while no bot of ours holds it."""
    try:
        settings.check()
    except ConfigError as problem:
        return Found((str(problem),))
    try:
        puppet = Puppet(settings, asyncio.Semaphore(4))
    except OSError as problem:
        return Found((f"wechat.ca_file: {settings.ca_file} cannot be used ({type(problem).__name__}); give a PEM certificate",))
    try:
        version = await puppet.version()
        rooms = await puppet.rooms()
        contact = await _who(puppet)
        name = (await puppet.contact(contact)).name if contact not in ("", BUSY) else ""
    except NotUs as problem:
        return Found((f"wechat.token: {problem}",))
    except CallFailed as problem:
        return Found((_unreachable(settings, problem),))
    finally:
        puppet.close()
    problems = [] if contact else [NOT_LOGGED_IN]
    problems += _missing(rooms, known)
    who = "in use by a running bot, on" if contact == BUSY else f"{name or contact or 'nobody'} by"
    away = "".join(
        f"; away {gap.from_at:%m-%d %H:%M:%S} to {gap.to_at:%H:%M:%S} UTC ({gap.seconds:.0f} s, {gap.why})" for gap in known.gaps
    )
    named = [one for chat, one in known.groups if chat in rooms][:MOST_NAMED]
    seen = f"{len(rooms)} groups seen, {len(known.groups)} known" + (f" ({', '.join(named)} ...)" if named else "")
    return Found(tuple(problems), f"{settings.account}: {who} puppet {version}, {seen}{away}. {CANNOT}")


BUSY = "*"


async def _who(puppet: Puppet) -> str:
    """The account's id, BUSY while a bot holds the event stream, empty when nobody is logged in."""
    try:
        async with asyncio.timeout(PATIENCE):
            events = puppet.events(lambda: None)
            try:
                async for told in events:
                    if told.sort == EventType.EVENT_TYPE_LOGIN:
                        return parse.text_of(parse.read_json(told.data), "contactId")
                    if told.sort == EventType.EVENT_TYPE_SCAN:
                        return ""
            finally:
                await events.aclose()
    except Refused:
        return BUSY
    except (TimeoutError, Malformed, Lost):
        return ""
    return ""


def _missing(rooms: Sequence[str], known: Known) -> list[str]:
    """Groups that we post to and the service does not list."""
    gone = [name for chat, name in known.groups if chat not in set(rooms)]
    if not gone:
        return []
    shown = ", ".join(gone[:MOST_NAMED]) + (" ..." if len(gone) > MOST_NAMED else "")
    return [
        f"{len(gone)} groups are known and not listed by the service: {shown}; save them to the contacts on the account's phone, "
        "or, if the account was removed, have it added again"
    ]


def _unreachable(settings: WechatSettings, problem: CallFailed) -> str:
    """Why there is no talking to the service, with what to try."""
    said = str(problem)
    if "wechat.pin" in said:
        mend = (
            "before you change the pin look at the certificate on the gateway's own machine (openssl x509 -in cert.pem -noout "
            "-fingerprint -sha256): somebody may stand in between"
        )
    elif "CERTIFICATE" in said.upper() or "certificate" in said or "hostname" in said.lower():
        mend = "set wechat.ca_file to the authority's certificate, wechat.tls_name to the name in it, or wechat.pin to its print"
    elif isinstance(problem, Lost) or "SSL" in said:
        mend = (
            'perhaps it speaks no TLS (start it with TLS; on this machine alone wechat.tls = "off" does)'
            if settings.tls
            else 'perhaps it speaks TLS: set wechat.tls = "on", or have it speak none on this machine '
            "(WECHATY_PUPPET_SERVICE_NO_TLS_INSECURE_SERVER=true)"
        )
    else:
        mend = "start the puppet service, or correct wechat.endpoint"
    return f"{settings.endpoint}: {said}; {mend}"

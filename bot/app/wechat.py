"""The WeChat accounts of the settings, and what the house does when one of them was away or was warned."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlmodel import Session, col, select

from bot.app.house import App
from bot.campaigns import PostRules
from bot.clock import Clock
from bot.config import Settings
from bot.messages import Address
from bot.notices import Lane, NewNotice, enqueue_all
from bot.permissions import Role
from bot.timers import Timers
from cases.roster import Roster
from storage.tables import Group, WechatGap
from storage.writer import Writer

if TYPE_CHECKING:
    from bot.platforms.wechat import Caution, Gap, WechatPlatform, WechatSettings

WORTH_TELLING = timedelta(hours=6)


def wechat_settings(settings: Settings) -> tuple[WechatSettings, ...]:
    """The accounts as the platform takes them; `check` of each tells what cannot work."""
    from bot.platforms.wechat import WechatSettings

    wechat = settings.wechat
    return tuple(
        WechatSettings(
            endpoint=each.endpoint,
            token=each.token,
            account=each.account,
            tls=each.tls == "on",
            ca_file=Path(each.ca_file) if each.ca_file else None,
            pin=each.pin,
            tls_name=each.tls_name,
            file_hosts=wechat.file_hosts,
            accept_friends=wechat.accept_friends,
            accept_invitations=wechat.accept_invitations,
            introductions_per_hour=wechat.introductions_per_hour,
        )
        for each in wechat.all_accounts
    )


def wechat_platforms(settings: Settings, writer: Writer, clock: Clock, house: list[App]) -> list[WechatPlatform]:
    """One adapter for each account. Raises ConfigError with the mend for settings that cannot work."""
    # its libraries take a fifth of a second to import, which a start without WeChat does not have to wait
    from bot.platforms.wechat import Severity, WechatPlatform

    given = wechat_settings(settings)
    rules = PostRules.of(settings)
    severity = Severity(hold_seconds=60.0 * settings.wechat.hold_minutes, slow_seconds=3600.0 * settings.wechat.slow_hours)
    made = []
    for each in given:
        account = each.account

        async def on_gap(gap: Gap) -> None:
            if house and gap.seconds > settings.wechat.gap_told_seconds:
                await tell_gap(house[0], rules, gap)

        async def on_caution(caution: Caution, warnings: int, account: str = account) -> None:
            if house:
                await be_careful(house[0], account, caution, warnings)

        made.append(
            WechatPlatform(
                each,
                writer=writer,
                data_dir=settings.bot.data_dir,
                clock=clock,
                siblings=tuple(one.account for one in given),
                severity=severity,
                on_gap=on_gap,
                on_caution=on_caution,
                quiet=rules.is_quiet,
            )
        )
    return made


async def tell_gap(app: App, rules: PostRules, gap: Gap) -> None:
    """Tell the account's groups once that nothing was heard, by day, behind everything else; and the admins."""
    now = app.clock()
    since, until = _time(gap.from_at, now, rules), _time(gap.to_at, now, rules)

    def work(session: Session) -> None:
        row = session.get(WechatGap, gap.number)
        if row is None or row.told:
            return
        row.told = True
        session.add(row)
        here = select(Group).where(Group.platform == "wechat", Group.account == gap.account, col(Group.active))
        groups = session.exec(here.order_by(col(Group.id))).all()
        text = app.phrases.say("wechat.away", since=since, until=until)
        first = _morning(now, rules) if rules.is_quiet(now) else None
        key = f"away:{gap.account}:{gap.number}:"
        enqueue_all(
            session,
            [
                NewNotice(
                    key=f"{key}{group.id}",
                    lane=Lane.CAMPAIGN,
                    to=Address(group.platform, group.account, group.chat),
                    text=text,
                    group_id=group.id,
                    due_at=first,
                )
                for group in groups
            ],
            now,
        )
        Timers(session, now).after((first or now) - now + WORTH_TELLING, "away.old", key)
        minutes = max(1, round(gap.seconds / 60))
        say = app.say(session, f"{key}card")
        say.to_officers(
            Roster(session, now).with_role(Role.ADMIN),
            "wechat.away_card",
            account=gap.account,
            since=since,
            until=until,
            minutes=minutes,
            groups=len(groups),
        )

    await app.writer.run(work)
    app.outbox.wake()
    app.timers.wake()


async def be_careful(app: App, account: str, caution: Caution, warnings: int) -> None:
    """Hold the account back, and tell the admins when WeChat has just warned (`warnings` above 0)."""
    app.pacing.be_careful(("wechat", account), caution.held_until, caution.slow_until)
    app.outbox.wake()
    if not warnings or caution.held_until is None:
        return
    now = app.clock()
    until = _time(caution.held_until, now, app.services.post_rules)

    def work(session: Session) -> None:
        say = app.say(session, f"warned:{account}:{now.isoformat()}")
        officers = Roster(session, now).with_role(Role.ADMIN)
        say.to_officers(officers, "wechat.warned_card", account=account, number=warnings, until=until)

    await app.writer.run(work)
    app.outbox.wake()


def _time(moment: datetime, now: datetime, rules: PostRules) -> str:
    """14:05 today, 11月25日 14:05 otherwise."""
    local, today = moment.astimezone(rules.zone), now.astimezone(rules.zone).date()
    clock = f"{local:%H:%M}"
    return clock if local.date() == today else f"{local.month}月{local.day}日 {clock}"


def _morning(now: datetime, rules: PostRules) -> datetime:
    """When the quiet hours end."""
    local = now.astimezone(rules.zone)
    morning = local.replace(hour=rules.quiet_to.hour, minute=rules.quiet_to.minute, second=0, microsecond=0)
    return morning if morning > local else morning + timedelta(days=1)

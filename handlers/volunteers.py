"""Volunteers: `/活动` publishes and lists, `/报名` takes a seat, `/签到` is being there, `/志愿` keeps hours or forgets them."""

from __future__ import annotations

import re
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from bot.messages import Address, Choice, Inbound
from bot.permissions import Rights, Role
from bot.router import Router, Words
from bot.say import Say
from cases.activities import Activities, NewActivity, Person
from cases.times import hours_in, when_in
from content.refusal import Refusal
from content.spelling import named
from storage.tables import ActivityEntry, Group

router = Router("volunteers")

WHO = (Role.OFFICER, Role.GRID_WORKER, Role.DISPATCHER)
PUBLISH_USAGE = "发布 名称；时间；地点（可加：几小时、限几人）"
USUAL_HOURS = 2.0
MOST_HOURS = 12.0
_PARTS = re.compile(r"[；;\n]+")
_SEATS = re.compile(r"限?\s*(\d{1,4})\s*人")


@router.command("活动", "activity", usage="", about="看近期的志愿活动", aside=True)
def activity(
    message: Inbound,
    words: Words,
    group: Group | None,
    activities: Activities,
    rights: Rights,
    say: Say,
    now: datetime,
    zone: ZoneInfo,
) -> None:
    """Without words the list; `发布 …` announces one, `12` shows one, `结束 12` and `取消 12` end it."""
    verb, _, rest = words.partition(" ")
    verb = named(verb)
    if not words:
        coming = activities.coming(group.id if group else None)
        say.reply("activities.list", coming=[(one.id, one.title, _told(one.starts_at, zone), one.place) for one in coming[:8]])
    elif verb == "发布":
        _publish(rest, group, activities, say, now, zone)
    elif verb in ("结束", "取消"):
        _finish(_number(rest), activities, say, held=verb == "结束")
    else:
        _show(_number(verb), message, activities, rights, say, zone)


@router.command("报名", "join", usage="活动号", about="报名参加活动", aside=True, names=True)
def join(message: Inbound, words: Words, activities: Activities, say: Say, zone: ZoneInfo) -> None:
    """`/报名 12`."""
    wanted = activities.find(_number(words))
    activities.sign_up(wanted, _person(message))
    say.reply("activities.joined", title=wanted.title, at=_told(wanted.starts_at, zone), place=wanted.place, number=wanted.id)


@router.command("不去了", "unjoin", usage="活动号", about="取消报名，什么时候都可以", aside=True, names=True)
def unjoin(message: Inbound, words: Words, activities: Activities, say: Say) -> None:
    """No reason needed."""
    activities.sign_off(activities.find(_number(words)), _person(message))
    say.reply("activities.unjoined")


@router.command("签到", "checkin", usage="现场的四位数字", about="到了活动现场签到", aside=True, names=True)
def check_in(message: Inbound, words: Words, activities: Activities, say: Say) -> None:
    """The code is told on the spot. Whoever has not said yet whether hours be kept is asked, in private."""
    held = activities.check_in(re.sub(r"\D", "", words)[:4], _person(message))
    say.reply("activities.here", title=held.title)
    if activities.volunteer(message.address.platform, message.sender.id) is None:
        say.privately("activities.keep_hours", choices=(Choice("记工时", "/志愿 记"), Choice("不用记", "/志愿 不记")))


@router.command(
    "志愿", "volunteer", usage="记、不记、退出（记可以加行业，如：记 快递员）", about="志愿工时和积分：记不记由您定", aside=True
)
def volunteer(message: Inbound, words: Words, activities: Activities, say: Say) -> None:
    """Hours are kept only for those who want it, and go with them."""
    verb, _, trade = words.partition(" ")
    verb = named(verb)
    person = _person(message)
    if verb == "记":
        activities.agree(person, trade.strip()[:12])
        say.privately("activities.kept")
    elif verb == "不记":
        say.privately("activities.not_kept")
    elif verb == "退出":
        say.privately("activities.left" if activities.leave(person) else "activities.nothing_kept")
    else:
        own = activities.volunteer(person.platform, person.user_id)
        if own is None:
            say.privately("activities.nothing_kept")
        else:
            say.privately("activities.own", hours=own.hours, points=own.points)


def _publish(text: str, group: Group | None, activities: Activities, say: Say, now: datetime, zone: ZoneInfo) -> None:
    if group is None:
        raise Refusal("activities.in_a_group")
    parts = [part.strip() for part in _PARTS.split(text) if part.strip()]
    when = next((found for part in parts[1:] if (found := when_in(part, now, zone)) is not None), None)
    places = [
        part for part in parts[1:] if when_in(part, now, zone) is None and not _SEATS.search(part) and hours_in(part) is None
    ]
    if len(parts) < 3 or when is None or not places:
        raise Refusal("refusal.usage", command="活动", usage=PUBLISH_USAGE)
    seats, lasts = _SEATS.search(text), hours_in(text)
    hours = min(lasts[0], MOST_HOURS) if lasts else USUAL_HOURS
    new = NewActivity(parts[0][:60], places[0][:60], when.at, hours, int(seats[1]) if seats else None)
    made = activities.publish(new, group)
    say.to_group(
        group,
        "activities.card",
        number=made.id,
        title=made.title,
        at=_told(made.starts_at, zone),
        place=made.place,
        seats=made.seats,
    )
    say.privately("activities.published", number=made.id, code=made.code)


def _finish(number: int, activities: Activities, say: Say, *, held: bool) -> None:
    wanted = activities.find(number)
    concerned = activities.finish(wanted, held=held)
    say.reply("activities.finished" if held else "activities.called_off", number=number, people=len(concerned))
    for entry in concerned:
        say.at(_private(entry), "activities.thanks" if held else "activities.no_need", title=wanted.title)


def _show(number: int, message: Inbound, activities: Activities, rights: Rights, say: Say, zone: ZoneInfo) -> None:
    wanted = activities.find(number)
    entries = activities.entries(wanted)
    card = partial(say.reply, number=wanted.id, title=wanted.title, at=_told(wanted.starts_at, zone), place=wanted.place)
    if rights.officer is None or not message.address.private:
        card("activities.one", count=len(entries), seats=wanted.seats)
        return
    activities.see(wanted)
    card("activities.full_card", entries=[(entry.name, entry.came_at is not None) for entry in entries], code=wanted.code)


def _number(words: str) -> int:
    found = re.search(r"\d{1,8}", words)
    if found is None:
        raise Refusal("activities.which")
    return int(found[0])


def _person(message: Inbound) -> Person:
    if not message.sender.personal:
        raise Refusal("refusal.not_fresh")
    return Person(message.address.platform, message.address.account, message.sender.id, message.sender.name)


def _private(entry: ActivityEntry) -> Address:
    return Address(entry.platform, entry.account, entry.user_id, private=True)


def _told(at: datetime, zone: ZoneInfo) -> str:
    local = at.astimezone(zone)
    return f"{local.month}月{local.day}日{local:%H:%M}"

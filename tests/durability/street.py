"""What happens in the district while the bot is being killed: people who go on with what they were doing.

Everything is derived from the platform's history, so a street that starts again on the same history says nothing twice: a line is
said when what it answers has arrived. Every line has an event id of its own, by which the checker finds what became of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.messages import Address, Sender
from tests.kit.fake_platform import FakePlatform
from tests.kit.scenario import jpeg

PLATFORM = "web"
GX01, GX02, SCHOOL = "gx01", "gx02", "school"


@dataclass(frozen=True, slots=True)
class Line:
    """Somebody writes in a group, or (`group` empty) to the bot in private. `photo` is the shade of a picture of its own."""

    id: str
    who: str
    group: str
    text: str = ""
    photo: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A line that is said once something that matches `heard` has arrived at `at`; `{0}` in its text is the first group found."""

    line: Line
    at: str
    heard: str


@dataclass(frozen=True, slots=True)
class Report:
    """A report that must be exactly one case: its line, how many photos it has in the end, and, where it matters, how its place
    begins and its last state."""

    line: str
    photos: int = 0
    place: str = ""
    state: str = ""


OPENING: tuple[Line, ...] = (
    Line("report-1", "zhang", GX01, "3号楼2单元楼道有人给电动车充电", photo=1),
    Line("chat-1", "sun", GX01, "早上好呀，今天天气真不错"),
    Line("photo-2", "chen", GX01, photo=2),
    Line("report-2", "chen", GX01, "5号楼1单元门口堆满了纸箱，堵着消防通道"),
    Line("report-3", "zhang", GX02, "楼道里又停满了电动车，还在充电"),
    Line("emergency", "gao", GX02, "着火了！3号楼着火了快来人"),
    Line("question", "he", "", "居住证怎么办理？"),
    Line("ask-a-person", "xu", "", "/问 紫色河马协会的会员证在哪个窗口盖章？"),
    Line("tip-command", "luo", "", "/举报"),
    Line("chat-2", "ding", GX02, "周末一起去公园跑步吗，带上孩子"),
    Line("report-4", "lin", GX01, "9号楼门口的路灯坏了三天了，晚上看不见路"),
    Line("report-5", "he", GX02, "11号楼旁边的窨井盖没了，很危险"),
    Line("photo-4", "lin", GX01, photo=3),
    Line("tip-in-group", "tang", GX01, "我要举报，有人在6号楼地下室聚众赌博"),
    Line("chat-3", "sun", GX01, "谁家的猫跑到楼道里睡觉了，好可爱"),
)

STEPS: tuple[Step, ...] = (
    Step(Line("place-3", "zhang", GX02, "7号楼3单元"), GX02, r"在哪个位置"),
    Step(Line("acknowledge", "officer-3202", "", "/值班"), "officer-3202", r"【紧急】"),
    Step(Line("tip-words", "luo", "", "6号楼地下室每天晚上有人聚众赌博"), "luo", r"请说说是什么事"),
    Step(Line("take", "officer-P201", "", "/接单 {0}"), GX01, r"编号(\d{4}-\d{4})（电动车"),
    Step(Line("resolve", "officer-P201", "", "/办结 {0} 已经清走了"), "officer-P201", r"(\d{4}-\d{4})归您了"),
    Step(Line("solved", "zhang", GX01, "解决了"), GX01, r"您看解决了吗"),
    Step(Line("rate", "zhang", "", "5"), "zhang", r"回1到5"),
    Step(Line("reply", "officer-D301", "", "/回复 {0} 三号窗口，带上会员证"), "officer-D301", r"回复 (\d{4}-\d{4})"),
)

REPORTS: tuple[Report, ...] = (
    Report("report-1", photos=1, place="3号楼2单元", state="closed_confirmed"),
    Report("report-2", photos=1, place="5号楼1单元门口"),
    Report("report-3", place="7号楼3单元"),
    Report("report-4", photos=1),
    Report("report-5"),
    Report("ask-a-person"),
)
CHATTER = ("chat-1", "chat-2", "chat-3")
LINES = {line.id: line for line in (*OPENING, *(step.line for step in STEPS))}


def open_street(platform: FakePlatform) -> None:
    """Say what people say of their own accord, as far as a kill has not left it said."""
    for line in OPENING:
        if line.id not in platform.heard:
            say(platform, line, line.text)


def go_on(platform: FakePlatform) -> bool:
    """Say every line whose time has come; true when there was one."""
    said = False
    for step in STEPS:
        if step.line.id in platform.heard:
            continue
        for arrival in platform.arrived:
            found = re.search(step.heard, arrival.what.text) if arrival.to.chat == step.at else None
            if found:
                say(platform, step.line, step.line.text.format(*found.groups()))
                said = True
                break
    return said


def finished(platform: FakePlatform) -> bool:
    """Whether everybody has said everything."""
    return LINES.keys() <= platform.heard.keys()


def say(platform: FakePlatform, line: Line, text: str) -> None:
    address = Address(PLATFORM, PLATFORM, line.group or line.who, private=not line.group)
    photo = jpeg(line.photo) if line.photo is not None else None
    platform.say(Sender(line.who, line.who), address, text, photo=photo, event_id=line.id)

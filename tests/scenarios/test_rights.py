"""The matrix of rights: every command and every action, for every role, scope, shape of message and platform.

The two tables below are written by hand and say who may what; the code has to agree with them cell by cell. A command or an
action that is not in them fails the test, so that nobody adds one without deciding who may use it.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import Session, SQLModel, create_engine, select

from bot.app import CONTENT, build_router
from bot.demo import load_district, seed
from bot.errors import NotAllowed
from bot.jobs import QUIET, Job
from bot.messages import Address, Attachment, Inbound, Kind, Quote, Sender
from bot.permissions import ACTIONS, Rights, Role
from bot.router import Command, Router
from bot.say import Voice
from bot.turn import House, Rules, Turn
from content.phrases import PhraseBook
from storage.tables import Audit, Case, Grid, Officer, OfficerAccount, OfficerRole, Unit
from tests.kit.scenario import PRIVATE as IN_PRIVATE
from tests.kit.scenario import Scenario

ALL_CELLS = os.environ.get("QIANSHAO_CELLS") == "all"
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
PLATFORMS = ("web", "telegram", "wechat")
PRIVATE, ANYWHERE = True, False
LETTERS = {
    "G": Role.GRID_WORKER,
    "O": Role.OFFICER,
    "D": Role.DISPATCHER,
    "S": Role.SUPERVISOR,
    "E": Role.EDITOR,
    "A": Role.APPROVER,
    "C": Role.CUSTODIAN,
    "U": Role.AUDITOR,
    "M": Role.ADMIN,
}
NOBODY, LEFT = "-", "x"  # a resident; an officer who has left the roster

# command -> (alias, who may use it: letters, or "*" for everybody; only in the private chat or anywhere)
COMMANDS = {
    "值班": ("duty", "GODS", ANYWHERE),
    "补充": ("add", "*", ANYWHERE),
    "撤回": ("withdraw", "*", ANYWHERE),
    "问": ("ask", "*", ANYWHERE),
    "举报": ("tip", "*", ANYWHERE),
    "线索": ("tips", "OSC", PRIVATE),
    "回线索": ("answertip", "OSC", PRIVATE),
    "办线索": ("worktip", "OSC", PRIVATE),
    "解锁": ("unlock", "OSC", PRIVATE),
    "上锁": ("lock", "OSC", PRIVATE),
    "设口令": ("passphrase", "OSC", PRIVATE),
    "待办": ("queue", "GODS", ANYWHERE),
    "查": ("show", "*", ANYWHERE),
    "统计": ("stats", "GODSU", ANYWHERE),
    "受理": ("accept", "DS", ANYWHERE),
    "不受理": ("reject", "DS", ANYWHERE),
    "派单": ("dispatch", "DS", ANYWHERE),
    "退单": ("return", "GOS", ANYWHERE),
    "转办": ("refer", "GODS", ANYWHERE),
    "并单": ("merge", "DS", ANYWHERE),
    "接单": ("take", "GOS", ANYWHERE),
    "联系": ("contact", "GOS", ANYWHERE),
    "追问": ("request", "GODS", ANYWHERE),
    "延期": ("extend", "GOS", ANYWHERE),
    "办结": ("resolve", "GOS", ANYWHERE),
    "回复": ("reply", "GODS", ANYWHERE),
    "未联系": ("unreached", "S", ANYWHERE),
    "对话": ("talk", "GOS", PRIVATE),
    "结束对话": ("endtalk", "GOS", PRIVATE),
    "回访": ("review", "GODS", ANYWHERE),
    "交班": ("handover", "GODS", ANYWHERE),
    "绑定": ("bind", "*", ANYWHERE),
    "核验": ("verify", "*", ANYWHERE),
    "帮助": ("help", "*", ANYWHERE),
    "我的数据": ("mydata", "*", PRIVATE),
    "忘记我": ("forget", "*", PRIVATE),
    "预览": ("preview", "E", ANYWHERE),
    "推送": ("post", "SEA", ANYWHERE),
    "批准": ("approve", "OSA", ANYWHERE),
    "停止": ("stop", "SEA", ANYWHERE),
    "更正": ("correct", "SE", ANYWHERE),
    "免推": ("mute", "GOSE", ANYWHERE),
    "寻人": ("missing", "*", ANYWHERE),
    "找到": ("found", "GODS", ANYWHERE),
    "急告": ("appeal", "GODSEA", ANYWHERE),
    "拉黑": ("block", "OS", ANYWHERE),
    "解除拉黑": ("unblock", "OS", ANYWHERE),
    "确认": ("confirm", "SEACM", ANYWHERE),
    "取消": ("cancel", "SEACM", ANYWHERE),
    "待确认": ("pending", "SEACM", ANYWHERE),
    "动态码": ("totp", "SEACM", ANYWHERE),
    "角色": ("role", "M", ANYWHERE),
    "群": ("group", "DSM", ANYWHERE),
    "关联": ("link", "*", ANYWHERE),
    "心愿": ("wish", "GODS", ANYWHERE),
    "认领": ("claim", "*", ANYWHERE),
    "同意": ("agree", "GODS", ANYWHERE),
    "婉拒": ("decline", "GODS", ANYWHERE),
    "帮完": ("helped", "*", ANYWHERE),
    "让出": ("giveup", "*", ANYWHERE),
    "物归": ("return_item", "GOS", ANYWHERE),
    "调解": ("mediate", "GODS", ANYWHERE),
    "调解记录": ("mediated", "GODS", ANYWHERE),
    "活动": ("activity", "*", ANYWHERE),
    "报名": ("join", "*", ANYWHERE),
    "不去了": ("unjoin", "*", ANYWHERE),
    "签到": ("checkin", "*", ANYWHERE),
    "志愿": ("volunteer", "*", ANYWHERE),
    "提议": ("propose", "*", ANYWHERE),
    "议事": ("council", "*", ANYWHERE),
    "表态": ("voice", "*", ANYWHERE),
    "好人好事": ("deed", "*", ANYWHERE),
    "好事": ("decide_deed", "GOS", ANYWHERE),
    "走访": ("visit", "GOS", ANYWHERE),
    "场所": ("premises", "GOS", ANYWHERE),
    "检查": ("inspect", "GOS", ANYWHERE),
}

# action -> who may do it where their role reaches
ACTS = {
    "answer.keep": "GODSE",
    "case.queue": "GODS",
    "case.view": "GODS",
    "case.accept": "DS",
    "case.reject": "DS",
    "case.dispatch": "DS",
    "case.take": "GOS",
    "case.contact": "GOS",
    "case.request": "GODS",
    "case.resolve": "GOS",
    "case.answer": "GODS",
    "case.return": "GOS",
    "case.extend": "GOS",
    "case.hold": "S",
    "case.refer": "GODS",
    "case.merge": "DS",
    "case.unreached": "S",
    "case.review": "GODS",
    "case.talk": "GOS",
    "duty.hand_over": "GODS",
    "alarm.acknowledge": "GODS",
    "duty.view": "GODS",
    "stats.view": "GODSU",
    "tip.list": "OSC",
    "tip.read": "OSC",
    "tip.answer": "OSC",
    "tip.work": "OSC",
    "tip.identity": "OSC",
    "tip.key": "OSC",
    "tip.seal": "C",
    "tip.unseal": "C",
    "tip.postpone": "C",
    "tip.grant": "C",
    "tip.decide": "C",
    "tip.destroy": "C",
    "pending.confirm": "SEACM",
    "pending.cancel": "SACM",
    "totp.enrol": "SEACM",
    "roster.role": "M",
    "person.block": "OS",
    "group.assign": "DSM",
    "wish.publish": "GODS",
    "wish.decide": "GODS",
    "lost.give_back": "GOS",
    "mediation.arrange": "GODS",
    "mediation.record": "GODS",
    "activity.publish": "GODS",
    "activity.view": "GODS",
    "activity.finish": "GODS",
    "proposal.lead": "GODS",
    "deed.decide": "GOS",
    "visit.log": "GOS",
    "premises.add": "GOS",
    "premises.view": "GODS",
    "premises.inspect": "GOS",
    "post.preview": "SEA",
    "post.send": "E",
    "post.approve": "SA",
    "post.stop": "SEA",
    "post.correct": "SE",
    "post.export": "SEA",
    "post.mute": "GOSE",
    "missing.write": "GODS",
    "missing.withdraw": "GODSA",
    "missing.verify": "OSA",
    "missing.found": "GODS",
    "appeal.write": "GODSE",
    "appeal.verify": "SA",
    "appeal.end": "DSEA",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """One way in which a command's text can come to us."""

    name: str
    runs: bool  # whether it may run at all
    private: bool = False
    kind: Kind = Kind.MESSAGE
    before: str = ""
    copied: bool = False
    personal: bool = True
    quote: bool = False
    photo: bool = False
    inside: bool = False  # the command stands in the quoted message only
    tail: str = ""


SHAPES = (
    Shape("fresh in the group", True),
    Shape("fresh in private", True, private=True),
    Shape("as an answer to the bot", True, quote=True),
    Shape("as the caption of a photo", True, photo=True),
    Shape("after blanks", True, before="  "),
    Shape("with the bot's name behind it", True, tail="@qianshao_bot"),
    Shape("edited into an old message", False, kind=Kind.EDIT),
    Shape("recalled", False, kind=Kind.RECALL),
    Shape("forwarded", False, copied=True),
    Shape("forwarded in private", False, copied=True, private=True),
    Shape("by an anonymous administrator", False, personal=False),
    Shape("by a channel, forwarded", False, personal=False, copied=True),
    Shape("in a quoted message", False, inside=True),
    Shape("after other words", False, before="请大家"),
    Shape("in a sentence in private", False, before="他发了", private=True),
)


class Ran(Exception):
    """A handler was reached."""


def recorder() -> None:
    raise Ran


def recording_router() -> Router:
    """The real table of commands with every handler replaced by one that only tells that it was reached."""
    router, real = Router("recording"), build_router()
    made: dict[str, Command] = {}
    for word, command in real.commands.items():
        made.setdefault(command.name, replace(command, handler=recorder))
        router.commands[word] = made[command.name]
    return router


@dataclass(frozen=True, slots=True)
class World:
    session: Session
    house: House
    officers: dict[str, Officer]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('matrix') / 'roster.sqlite3'}")
    SQLModel.metadata.create_all(engine)
    with Session(engine, expire_on_commit=False) as session:
        seed(session, load_district(CONTENT / "demo" / "district.toml"), NOW)
        officers = {}
        for letter in (*LETTERS, LEFT):
            officer = Officer(badge=f"T{ord(letter)}", name=f"试{letter}", title="民警", active=letter != LEFT)
            session.add(officer)
            session.flush()
            role = LETTERS.get(letter, Role.SUPERVISOR)
            session.add(OfficerRole(officer_id=officer.id or 0, role=role, scope_kind="district"))
            for platform in PLATFORMS:
                session.add(OfficerAccount(officer_id=officer.id or 0, platform=platform, user_id=f"user-{letter}", bound_at=NOW))
            officers[letter] = officer
        session.commit()
        voice = Voice(PhraseBook.load(CONTENT / "phrases"), dict.fromkeys(PLATFORMS, "main"))
        house = House(
            recording_router(),
            voice,
            ZoneInfo("Asia/Shanghai"),
            timedelta(minutes=2),
            Rules("港新派出所", "前哨"),
            lambda *_: False,
            lambda *_: "2611-0001",
        )
        yield World(session, house, officers)
    engine.dispose()


def heard(command: str, who: str, shape: Shape, platform: str) -> Inbound:
    words = f"{shape.before}/{command}{shape.tail} 2611-0001 一二三四"
    return Inbound(
        "e1",
        Address(platform, "main", f"user-{who}" if shape.private else "gangxin-1", private=shape.private),
        Sender(f"user-{who}", f"试{who}", shape.personal),
        NOW,
        kind=shape.kind,
        message_id="m1",
        text="收到" if shape.inside else words,
        attachments=(Attachment("p1", "photo"),) if shape.photo else (),
        quote=Quote("m0", words if shape.inside else "事项2611-0001", mine=shape.quote) if shape.quote or shape.inside else None,
        copied=shape.copied,
    )


def reaches(world: World, event: Inbound) -> bool:
    """Whether a real turn reaches the command's handler."""
    turn = Turn(world.house, world.session, NOW, Job(event, QUIET, addressed=event.addressed), None, None)
    try:
        turn.run()
    except Ran:
        return True
    finally:
        world.session.rollback()
    return False


@pytest.mark.one_cell
def test_the_tables_name_every_command_and_every_action() -> None:
    real = {command.name: command for command in build_router().commands.values()}
    assert set(real) == set(COMMANDS), "say in COMMANDS who may use it"
    assert {name: (command.alias, command.private) for name, command in real.items()} == {
        name: (alias, private) for name, (alias, _, private) in COMMANDS.items()
    }
    assert set(ACTIONS) == set(ACTS), "say in ACTS who may do it"


@pytest.mark.one_cell
def test_every_command_in_every_cell(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of three platforms each, in turn (QIANSHAO_CELLS=all: all three); that the event is marked done is not looked at."""
    monkeypatch.setattr("bot.turn.turn.done", lambda *_, **__: None)
    cells = 0
    left_out = itertools.count()
    failures = []
    for name, (alias, who_may, private) in COMMANDS.items():
        for who in (*LETTERS, NOBODY, LEFT):
            for shape in SHAPES:
                without = next(left_out) % 3
                for place, platform in enumerate(PLATFORMS):
                    if place == without and not ALL_CELLS:
                        continue
                    allowed = shape.runs and (shape.private or not private) and (who_may == "*" or who in who_may)
                    word = alias if place == 1 else name
                    cells += 1
                    if reaches(world, heard(word, who, shape, platform)) is not allowed:
                        failures.append(f"/{word} by {who} {shape.name} on {platform}: allowed should be {allowed}")
    assert failures[:10] == []
    assert cells >= 20_000


SCOPES = ("district", "own grid", "grid inside", "other grid", "own unit", "other unit", "left")


@pytest.mark.one_cell
def test_every_action_in_every_scope(world: World) -> None:
    session = world.session
    grids = {code: session.exec(select(Grid.id).where(Grid.code == code)).one() for code in ("GX01", "GX0101", "GX02")}
    units = {code: session.exec(select(Unit.id).where(Unit.code == code)).one() for code in ("property", "fire")}
    cells = 0
    for action, who_may in ACTS.items():
        for letter, role in LETTERS.items():
            for scope in SCOPES:
                officer = Officer(badge="x", name="试", title="民警")
                session.add(officer)
                session.flush()
                kind = "grid" if "grid" in scope else "unit" if "unit" in scope else "district"
                held = {"grid": grids["GX01"], "unit": units["property"], "district": None}[kind]
                if scope != "left":
                    session.add(OfficerRole(officer_id=officer.id or 0, role=role, scope_kind=kind, scope_id=held))
                session.flush()
                place: dict[str, object] = {
                    "own grid": {"grid_id": grids["GX01"]},
                    "grid inside": {"grid_id": grids["GX0101"]},
                    "other grid": {"grid_id": grids["GX02"]},
                    "own unit": {"unit_ids": (units["property"],)},
                    "other unit": {"unit_ids": (units["fire"],)},
                }.get(scope, {})
                allowed = letter in who_may and scope not in ("other grid", "other unit", "left")
                rights = Rights(session, officer, "web", NOW)
                try:
                    rights.require(action, target="2611-0001", **place)  # type: ignore[arg-type]
                    did = True
                except NotAllowed:
                    did = False
                assert did is allowed, f"{action} by {letter}, {scope}"
                # in the district as a whole only a role in the district counts
                if kind != "district":
                    with pytest.raises(NotAllowed):
                        rights.require(action)
                with pytest.raises(NotAllowed):
                    Rights(session, None, "web", NOW).require(action)
                session.rollback()
                cells += 1
    assert cells == len(ACTS) * 9 * 7


def state_of(chat: Scenario) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table but the traffic's own and the audit."""
    quiet = {"inbox", "outbox", "audit", "audit_head", "dialog", "timer", "lease", "pace", "pause"}

    def read(session: Session) -> dict[str, list[tuple[object, ...]]]:
        tables = [table for table in SQLModel.metadata.sorted_tables if table.name not in quiet]
        return {table.name: [tuple(row) for row in session.execute(table.select())] for table in tables}

    return chat.app.writer.read_now(read)


@pytest.mark.one_cell
def test_what_is_refused_changes_nothing_and_is_written_down(tmp_path: Path) -> None:
    """With the real handlers on a real case: every command of officers, by a resident and by whoever only runs the machine."""
    with Scenario(tmp_path) as chat:
        chat.say("张阿姨", "港新1号网格", "3号楼2单元楼道有人给电动车充电")
        number = chat.rows(Case.number)[-1]
        before = state_of(chat)
        tried = 0
        for name, (_, who_may, private) in COMMANDS.items():
            if who_may == "*":
                continue
            for who in ("刘洋", "郑凯"):
                if who == "郑凯" and "M" in who_may:
                    continue
                chat.say(who, IN_PRIVATE if private else "港新1号网格", f"/{name} {number} 物业 已经处理好了")
                tried += 1
        assert state_of(chat) == before
        refused = [row for row in chat.rows(Audit.allowed, Audit.action) if not row[0]]
        assert len(refused) == tried
        for row in chat.platform.arrived:
            chat._seen[(row.to.chat, row.to.private)] = len(chat.platform.arrived)


@pytest.mark.one_cell
@pytest.mark.parametrize("bug", ["forwarded", "edited", "roles", "scope"])
def test_control_each_planted_bug_opens_cells(world: World, monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    if bug == "roles":
        monkeypatch.setattr(Rights, "holds", lambda *_: True)
        assert reaches(world, heard("接单", NOBODY, SHAPES[0], "web"))
    elif bug == "scope":
        monkeypatch.setattr(Rights, "_reaches", lambda *_: True)
        session = world.session
        officer = Officer(badge="x", name="试", title="民警")
        session.add(officer)
        session.flush()
        session.add(OfficerRole(officer_id=officer.id or 0, role=Role.OFFICER, scope_kind="grid", scope_id=1))
        session.flush()
        assert Rights(session, officer, "web", NOW).require("case.take") is officer
        session.rollback()
    elif bug == "forwarded":
        shape = replace(SHAPES[8], copied=False)  # an adapter that does not tell what was passed on
        assert reaches(world, heard("接单", "O", shape, "telegram"))
    else:
        shape = replace(SHAPES[6], kind=Kind.MESSAGE)  # an adapter that takes an edit for a message
        assert reaches(world, heard("接单", "O", shape, "telegram"))

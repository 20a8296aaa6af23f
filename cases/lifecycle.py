"""The life of a case: states and the one table of steps that the code executes.

States, guards and effects are data with Chinese names: `cases.moves` executes the table, the help prints it, docs/lifecycle.md is
drawn from it and a test enumerates it. The chains of tips and missing people are in `cases.chains`, in the same form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from content.refusal import Refusal


class StateType(StrEnum):
    """All that code elsewhere needs to know of a state."""

    OPEN = "open"  # somebody has to act
    PAUSED = "paused"  # waits for somebody else; the clocks stand still
    ASKED = "asked"  # the officer's word is given, the reporter's is awaited
    CLOSED = "closed"  # an end


TYPE_NAMES: dict[StateType, str] = {
    StateType.OPEN: "在办",
    StateType.PAUSED: "在等，时限暂停",
    StateType.ASKED: "等反映人的话",
    StateType.CLOSED: "结束",
}


@dataclass(frozen=True, slots=True)
class About:
    """A state's Chinese name and its type."""

    name: str
    type: StateType

    @property
    def open(self) -> bool:
        """Whether the matter is not over yet."""
        return self.type is not StateType.CLOSED


class State(StrEnum):
    """Where a case stands."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    NEEDS_INFO = "needs_info"
    ACCEPTED = "accepted"
    DISPATCHED = "dispatched"
    SIGNED = "signed"
    IN_PROGRESS = "in_progress"
    ON_HOLD = "on_hold"
    REFERRED = "referred"
    RESOLVED = "resolved"
    VERIFYING = "verifying"
    REOPENED = "reopened"
    CLOSED_CONFIRMED = "closed_confirmed"
    CLOSED_UNREACHED = "closed_unreached"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"
    WITHDRAWN = "withdrawn"


ABOUT: dict[str, About] = {
    State.DRAFT: About("待补位置", StateType.OPEN),
    State.SUBMITTED: About("待受理", StateType.OPEN),
    State.NEEDS_INFO: About("待补充", StateType.PAUSED),
    State.ACCEPTED: About("已受理", StateType.OPEN),
    State.DISPATCHED: About("已派单", StateType.OPEN),
    State.SIGNED: About("已接单", StateType.OPEN),
    State.IN_PROGRESS: About("办理中", StateType.OPEN),
    State.ON_HOLD: About("延期中", StateType.PAUSED),
    State.REFERRED: About("已转办", StateType.OPEN),
    State.RESOLVED: About("已处置，待回访", StateType.ASKED),
    State.VERIFYING: About("回访中", StateType.ASKED),
    State.REOPENED: About("重新办理", StateType.OPEN),
    State.CLOSED_CONFIRMED: About("已办结", StateType.CLOSED),
    State.CLOSED_UNREACHED: About("办结（未联系上）", StateType.CLOSED),
    State.REJECTED: About("不予受理", StateType.CLOSED),
    State.DUPLICATE: About("已并单", StateType.CLOSED),
    State.WITHDRAWN: About("已撤回", StateType.CLOSED),
}

OPEN_STATES: tuple[State, ...] = tuple(state for state in State if ABOUT[state].open)


class Who(StrEnum):
    """Who takes a step."""

    REPORTER = "反映人"
    BOT = "机器人"
    HANDLER = "民警、网格员"
    DISPATCHER = "调度员"
    SUPERVISOR = "值班领导"
    CUSTODIAN = "线索保管员"
    READER = "能看这条线索的人"


class Guard(StrEnum):
    """What must be so for a step to be taken; the value is what people read of it."""

    REASON = "写了理由"
    RESULT = "写了结果"
    NOT_TAKEN = "没有别人接着"
    HAS_OFFICER = "已有承办人"
    HAS_UNIT = "已有承办单位"
    NOT_RETURNED = "没有退过单"
    BEFORE_DUE = "还没到期"
    HOLDS_LEFT = "还能延期"
    HOLD_ASKED = "有人申请了延期"
    OUTSIDE = "写了转给谁和对方编号"
    THREE_ATTEMPTS = "问过三次、满72小时"
    HEARD = "办结14天内，或刚问过是否复发"
    MASTER = "主单更早、还没办结"
    VERIFIED = "民警核实过"


class Effect(StrEnum):
    """What a step does beside changing the state; the value is what people read of it."""

    START_CLOCKS = "各项时限开始"
    START_TAKE = "接单时限开始"
    STOP_TAKE = "接单时限停"
    REPLIED = "回复时限重新算"
    PAUSE = "时限暂停"
    RESUME = "时限接着走"
    STOP_CLOCKS = "各项时限停"
    SET_UNITS = "记下承办单位"
    FREE_UNIT = "去掉承办单位"
    SET_OFFICER = "记下承办人"
    FREE_OFFICER = "去掉承办人"
    SET_RESULT = "记下结果"
    SET_OUTSIDE = "记下对方编号"
    COUNT_RETURN = "记一次退单"
    ASK_HOLD = "记下申请的天数"
    DROP_HOLD = "申请作废"
    COUNT_HOLD = "记一次延期"
    COUNT_ATTEMPT = "记一次回访"
    CLOSE = "记下办结时间"
    OPEN_AGAIN = "办结时间作废，回访重新算"
    COUNT_REOPENED = "重办加一"
    FOLLOW = "跟着主单"
    UNFOLLOW = "不再跟着主单"
    CALL_OFF = "原样发过的群都发撤销"
    PURGE_PHOTOS = "24小时内删照片"
    DESTROY = "内容和密钥销毁"


@dataclass(frozen=True, slots=True)
class Transition:
    """One line of a table. `sources` empty: the case begins with it. Of several lines of one action the first fitting one counts.

    `command` is the slash command that asks for it, empty when none does.
    """

    action: str
    name: str
    sources: tuple[str, ...]
    target: str
    who: tuple[Who, ...]
    guards: tuple[Guard, ...] = ()
    effects: tuple[Effect, ...] = ()
    command: str = ""


@dataclass(frozen=True, slots=True)
class Chain:
    """States and steps of one kind of case."""

    name: str
    title: str
    states: Mapping[str, About]
    transitions: tuple[Transition, ...]

    def of(self, action: str) -> tuple[Transition, ...]:
        """The lines of an action in their order; KeyError when the table has none."""
        found = tuple(line for line in self.transitions if line.action == action)
        if not found:
            raise KeyError(action)
        return found

    def choose(self, state: str, action: str, unmet: Callable[[Guard], Refusal | None]) -> Transition:
        """The line by which `action` leads on from `state` ("" before the beginning).

        `unmet` gives the refusal of a guard that does not hold, None when it does. Raises Refusal: of the first guard in the way,
        or that the case is not at a point where that can be done.
        """
        why: Refusal | None = None
        for line in self.of(action):
            if state not in line.sources and not (state == "" and not line.sources):
                continue
            refusals = [refusal for guard in line.guards if (refusal := unmet(guard)) is not None]
            if not refusals:
                return line
            why = why or refusals[0]
        raise why or Refusal("desk.wrong_state", state=self.states[state].name if state else "")

    def leaving(self, state: str) -> Iterator[Transition]:
        """What can happen in a state."""
        return (line for line in self.transitions if state in line.sources)


_S, _W, _G, _E = State, Who, Guard, Effect
_EARLY = (_S.DRAFT, _S.SUBMITTED, _S.NEEDS_INFO)
_WAITING = (_S.SUBMITTED, _S.ACCEPTED, _S.DISPATCHED, _S.REOPENED)
_AT_WORK = (_S.SIGNED, _S.IN_PROGRESS, _S.REOPENED, _S.REFERRED)
_IN_HAND = (*_AT_WORK, _S.NEEDS_INFO, _S.ON_HOLD)
_ASKED = (_S.VERIFYING, _S.RESOLVED)
_DESK = (_W.HANDLER, _W.DISPATCHER)
_TO_END = (_E.STOP_CLOCKS, _E.CLOSE)

TRANSITIONS: tuple[Transition, ...] = (
    Transition("report", "反映，说了位置", (), _S.SUBMITTED, (_W.REPORTER,), (), (_E.START_CLOCKS,)),
    Transition("report_vaguely", "反映，没说位置", (), _S.DRAFT, (_W.REPORTER,), (), (_E.START_CLOCKS,)),
    Transition("place", "说了位置，或者等过10分钟", (_S.DRAFT,), _S.SUBMITTED, (_W.REPORTER, _W.BOT)),
    Transition("accept", "受理", _EARLY, _S.ACCEPTED, (_W.DISPATCHER, _W.BOT), (), (_E.RESUME,), "受理"),
    Transition("reject", "不受理", (*_EARLY, _S.ACCEPTED), _S.REJECTED, (_W.DISPATCHER,), (_G.REASON,), _TO_END, "不受理"),
    Transition(
        "dispatch", "派单", (*_EARLY, _S.ACCEPTED, _S.DISPATCHED, _S.REOPENED), _S.DISPATCHED, (_W.DISPATCHER, _W.BOT), (),
        (_E.RESUME, _E.SET_UNITS, _E.FREE_OFFICER, _E.START_TAKE), "派单",
    ),
    Transition(
        "return", "退单", (_S.DISPATCHED, _S.SIGNED), _S.ACCEPTED, (_W.HANDLER,), (_G.NOT_RETURNED, _G.REASON),
        (_E.COUNT_RETURN, _E.FREE_UNIT, _E.FREE_OFFICER, _E.START_TAKE), "退单",
    ),
    Transition(
        "take", "接单", (*_WAITING, _S.SIGNED, _S.IN_PROGRESS), _S.SIGNED, (_W.HANDLER,), (_G.NOT_TAKEN,),
        (_E.SET_OFFICER, _E.STOP_TAKE), "接单",
    ),
    Transition(
        "contact", "联系反映人", _AT_WORK, _S.IN_PROGRESS, (_W.HANDLER,), (), (_E.STOP_TAKE, _E.REPLIED), "联系",
    ),
    Transition(
        "request", "追问", (*_EARLY, _S.ACCEPTED, _S.DISPATCHED, *_AT_WORK), _S.NEEDS_INFO, _DESK, (),
        (_E.REPLIED, _E.PAUSE), "追问",
    ),
    Transition("inform", "反映人补充", (_S.NEEDS_INFO,), _S.IN_PROGRESS, (_W.REPORTER,), (_G.HAS_OFFICER,), (_E.RESUME,)),
    Transition("inform", "反映人补充", (_S.NEEDS_INFO,), _S.DISPATCHED, (_W.REPORTER,), (_G.HAS_UNIT,), (_E.RESUME,)),
    Transition("inform", "反映人补充", (_S.NEEDS_INFO,), _S.SUBMITTED, (_W.REPORTER,), (), (_E.RESUME,)),
    Transition("go_on", "48小时没有补充", (_S.NEEDS_INFO,), _S.IN_PROGRESS, (_W.BOT,), (_G.HAS_OFFICER,), (_E.RESUME,)),
    Transition("go_on", "48小时没有补充", (_S.NEEDS_INFO,), _S.DISPATCHED, (_W.BOT,), (_G.HAS_UNIT,), (_E.RESUME,)),
    Transition("go_on", "48小时没有补充", (_S.NEEDS_INFO,), _S.SUBMITTED, (_W.BOT,), (), (_E.RESUME,)),
    Transition(
        "ask_hold", "申请延期", (_S.SIGNED,), _S.SIGNED, (_W.HANDLER,), (_G.REASON, _G.HOLDS_LEFT, _G.BEFORE_DUE),
        (_E.ASK_HOLD,), "延期",
    ),
    Transition(
        "ask_hold", "申请延期", (_S.IN_PROGRESS,), _S.IN_PROGRESS, (_W.HANDLER,), (_G.REASON, _G.HOLDS_LEFT, _G.BEFORE_DUE),
        (_E.ASK_HOLD,), "延期",
    ),
    Transition(
        "hold", "同意延期", (_S.SIGNED, _S.IN_PROGRESS), _S.ON_HOLD, (_W.SUPERVISOR,), (_G.HOLD_ASKED,),
        (_E.COUNT_HOLD, _E.PAUSE), "延期",
    ),
    Transition(
        "refuse_hold", "不同意延期", (_S.SIGNED,), _S.SIGNED, (_W.SUPERVISOR,), (_G.HOLD_ASKED,), (_E.DROP_HOLD,), "延期",
    ),
    Transition(
        "refuse_hold", "不同意延期", (_S.IN_PROGRESS,), _S.IN_PROGRESS, (_W.SUPERVISOR,), (_G.HOLD_ASKED,),
        (_E.DROP_HOLD,), "延期",
    ),
    Transition("hold_over", "延期到了", (_S.ON_HOLD,), _S.IN_PROGRESS, (_W.BOT,), (), (_E.RESUME,)),
    Transition(
        "contact", "联系反映人，提前恢复", (_S.ON_HOLD,), _S.IN_PROGRESS, (_W.HANDLER,), (), (_E.RESUME, _E.REPLIED), "联系",
    ),
    Transition(
        "refer", "转办", (_S.ACCEPTED, _S.DISPATCHED, _S.SIGNED, _S.IN_PROGRESS, _S.REOPENED), _S.REFERRED, _DESK, (_G.OUTSIDE,),
        (_E.SET_OUTSIDE, _E.STOP_TAKE, _E.REPLIED), "转办",
    ),
    Transition(
        "resolve", "办结", _IN_HAND, _S.RESOLVED, (_W.HANDLER,), (_G.RESULT,), (_E.SET_RESULT, _E.STOP_CLOCKS), "办结",
    ),
    Transition(
        "answer", "答复咨询", (*_WAITING, _S.SIGNED, _S.IN_PROGRESS, _S.NEEDS_INFO), _S.RESOLVED, _DESK, (),
        (_E.SET_RESULT, _E.STOP_CLOCKS), "回复",
    ),
    Transition(
        "mediate", "约调解", (*_WAITING, _S.SIGNED, _S.IN_PROGRESS, _S.NEEDS_INFO, _S.REFERRED), _S.IN_PROGRESS, _DESK, (),
        (_E.SET_OFFICER, _E.STOP_TAKE, _E.REPLIED, _E.RESUME), "调解",
    ),
    Transition(
        "helped", "邻居帮好了、调解达成、失物归还", (*_WAITING, _S.SIGNED, _S.IN_PROGRESS, _S.NEEDS_INFO), _S.RESOLVED, (_W.BOT,),
        (_G.RESULT,), (_E.SET_RESULT, _E.STOP_CLOCKS),
    ),
    Transition("call_back", "回访：解决了吗", (_S.RESOLVED,), _S.VERIFYING, (_W.BOT,), (), (_E.COUNT_ATTEMPT,)),
    Transition("call_back", "再问一次", (_S.VERIFYING,), _S.VERIFYING, (_W.BOT,), (), (_E.COUNT_ATTEMPT,)),
    Transition(
        "confirm", "反映人说解决了", (*_ASKED, _S.CLOSED_UNREACHED), _S.CLOSED_CONFIRMED, (_W.REPORTER,), (), (_E.CLOSE,),
    ),
    Transition(
        "deny", "反映人说没解决", (*_ASKED, _S.CLOSED_CONFIRMED, _S.CLOSED_UNREACHED), _S.REOPENED, (_W.REPORTER,),
        (_G.REASON, _G.HEARD), (_E.OPEN_AGAIN, _E.COUNT_REOPENED, _E.START_CLOCKS),
    ),
    Transition(
        "overturn", "抽查发现没解决", (_S.CLOSED_CONFIRMED,), _S.REOPENED, (_W.HANDLER,), (_G.REASON,),
        (_E.OPEN_AGAIN, _E.COUNT_REOPENED, _E.START_CLOCKS), "回访",
    ),
    Transition(
        "unreached", "按未联系上办结", (_S.VERIFYING,), _S.CLOSED_UNREACHED, (_W.SUPERVISOR,), (_G.THREE_ATTEMPTS,), (_E.CLOSE,),
        "未联系",
    ),
    Transition(
        "merge", "并单", OPEN_STATES, _S.DUPLICATE, (_W.DISPATCHER, _W.BOT), (_G.MASTER,), (_E.FOLLOW, *_TO_END), "并单",
    ),
    Transition(
        "unmerge", "撤销并单", (_S.DUPLICATE,), _S.SIGNED, (_W.DISPATCHER,), (_G.HAS_OFFICER,),
        (_E.UNFOLLOW, _E.OPEN_AGAIN, _E.START_CLOCKS, _E.STOP_TAKE), "并单",
    ),
    Transition(
        "unmerge", "撤销并单", (_S.DUPLICATE,), _S.DISPATCHED, (_W.DISPATCHER,), (_G.HAS_UNIT,),
        (_E.UNFOLLOW, _E.OPEN_AGAIN, _E.START_CLOCKS), "并单",
    ),
    Transition(
        "unmerge", "撤销并单", (_S.DUPLICATE,), _S.SUBMITTED, (_W.DISPATCHER,), (),
        (_E.UNFOLLOW, _E.OPEN_AGAIN, _E.START_CLOCKS), "并单",
    ),
    Transition(
        "withdraw", "撤回", tuple(s for s in OPEN_STATES if s is not _S.VERIFYING), _S.WITHDRAWN, (_W.REPORTER,), (),
        _TO_END, "撤回",
    ),
)  # fmt: skip

CASE_CHAIN = Chain("case", "事项", ABOUT, TRANSITIONS)

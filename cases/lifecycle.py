"""The life of a case: states and the one table of transitions that the code executes (DESIGN.md §5).

States are data (name, Chinese name, type); only their type is known to code elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from content.refusal import Refusal


class State(StrEnum):
    """Where a case stands."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    NEEDS_INFO = "needs_info"
    ACCEPTED = "accepted"
    DISPATCHED = "dispatched"
    SIGNED = "signed"
    IN_PROGRESS = "in_progress"
    RESOLVED = "resolved"
    VERIFYING = "verifying"
    REOPENED = "reopened"
    CLOSED_CONFIRMED = "closed_confirmed"
    CLOSED_UNREACHED = "closed_unreached"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class About:
    """The Chinese name of a state, whether a case in it is still open, and what the reporter is told about it."""

    name: str
    open: bool


ABOUT: dict[State, About] = {
    State.DRAFT: About("待补位置", open=True),
    State.SUBMITTED: About("待受理", open=True),
    State.NEEDS_INFO: About("待补充", open=True),
    State.ACCEPTED: About("已受理", open=True),
    State.DISPATCHED: About("已派单", open=True),
    State.SIGNED: About("已接单", open=True),
    State.IN_PROGRESS: About("办理中", open=True),
    State.RESOLVED: About("已处置，待回访", open=True),
    State.VERIFYING: About("回访中", open=True),
    State.REOPENED: About("重新办理", open=True),
    State.CLOSED_CONFIRMED: About("已办结", open=False),
    State.CLOSED_UNREACHED: About("办结（未联系上）", open=False),
    State.REJECTED: About("不予受理", open=False),
    State.DUPLICATE: About("已并单", open=False),
    State.WITHDRAWN: About("已撤回", open=False),
}

OPEN_STATES: tuple[State, ...] = tuple(state for state, about in ABOUT.items() if about.open)


@dataclass(frozen=True, slots=True)
class Transition:
    """One step: the action's name, from where to where, and who takes it (for help and documentation)."""

    action: str
    sources: tuple[State, ...]
    target: State
    who: str


_BEFORE_TAKING = (State.SUBMITTED, State.ACCEPTED, State.DISPATCHED, State.REOPENED)
_IN_HAND = (State.SIGNED, State.IN_PROGRESS, State.REOPENED, State.NEEDS_INFO)
_NOT_TAKEN = (State.DRAFT, State.SUBMITTED, State.NEEDS_INFO)

TRANSITIONS: tuple[Transition, ...] = (
    Transition("place", (State.DRAFT,), State.SUBMITTED, "居民答位置，或等待时间到"),
    Transition("accept", _NOT_TAKEN, State.ACCEPTED, "调度员；常见类别由机器人"),
    Transition("reject", (*_NOT_TAKEN, State.ACCEPTED), State.REJECTED, "调度员，须写理由和该找谁"),
    Transition(
        "dispatch", (*_NOT_TAKEN, State.ACCEPTED, State.DISPATCHED, State.REOPENED), State.DISPATCHED, "调度员；常见类别由机器人"
    ),
    Transition("take", _BEFORE_TAKING, State.SIGNED, "承办单位或网格的民警、网格员"),
    Transition("contact", (State.SIGNED, State.IN_PROGRESS, State.REOPENED), State.IN_PROGRESS, "接单的人"),
    Transition("request", (*_NOT_TAKEN, State.ACCEPTED, *_IN_HAND[:3]), State.NEEDS_INFO, "承办人或调度员"),
    Transition("inform", (State.NEEDS_INFO,), State.IN_PROGRESS, "居民补充后，已有承办人"),
    Transition("inform_early", (State.NEEDS_INFO,), State.SUBMITTED, "居民补充后，还没有承办人"),
    Transition("resolve", _IN_HAND, State.RESOLVED, "接单的人，须写结果"),
    Transition("answer", (*_BEFORE_TAKING, *_IN_HAND[:2], State.NEEDS_INFO), State.RESOLVED, "答复咨询的人"),
    Transition("call_back", (State.RESOLVED,), State.VERIFYING, "机器人，办结后马上"),
    Transition("confirm", (State.VERIFYING, State.RESOLVED), State.CLOSED_CONFIRMED, "反映人说解决了"),
    Transition("deny", (State.VERIFYING, State.RESOLVED, State.CLOSED_CONFIRMED), State.REOPENED, "反映人说没解决，须有原因"),
    Transition("withdraw", tuple(s for s in OPEN_STATES if s is not State.VERIFYING), State.WITHDRAWN, "反映人"),
)

_BY_ACTION: dict[str, Transition] = {transition.action: transition for transition in TRANSITIONS}


def step(state: State, action: str) -> State:
    """Where `action` leads from `state`; Refusal in plain words when the case is not at a point where that can be done."""
    transition = _BY_ACTION[action]
    if state not in transition.sources:
        raise Refusal("desk.wrong_state", state=ABOUT[state].name)
    return transition.target

"""What can become of a tip: the states and the steps between them, as data."""

from __future__ import annotations

from enum import StrEnum

from content.refusal import Refusal


class TipState(StrEnum):
    """The states of a tip's own chain."""

    RECEIVED = "received"
    TRIAGED = "triaged"
    UNDER_REVIEW = "under_review"
    DIALOGUE = "dialogue"
    ACTIONED = "actioned"
    INSUFFICIENT = "insufficient"
    OUTSIDE_REMIT = "outside_remit"
    SEALED = "sealed"
    DESTROYED = "destroyed"


STATE_NAMES: dict[TipState, str] = {
    TipState.RECEIVED: "新收到",
    TipState.TRIAGED: "已阅看",
    TipState.UNDER_REVIEW: "核查中",
    TipState.DIALOGUE: "等对方答复",
    TipState.ACTIONED: "已处理",
    TipState.INSUFFICIENT: "线索不足",
    TipState.OUTSIDE_REMIT: "不归我们管",
    TipState.SEALED: "已封存",
    TipState.DESTROYED: "已销毁",
}

_AT_WORK = (TipState.TRIAGED, TipState.UNDER_REVIEW, TipState.DIALOGUE)
_ENDED = (TipState.ACTIONED, TipState.INSUFFICIENT, TipState.OUTSIDE_REMIT)

# action -> (from which states, to which); what is not listed is refused
STEPS: dict[str, tuple[tuple[TipState, ...], TipState]] = {
    "read": ((TipState.RECEIVED,), TipState.TRIAGED),
    "review": ((TipState.TRIAGED, TipState.DIALOGUE, *_ENDED), TipState.UNDER_REVIEW),
    "answer": (_AT_WORK, TipState.DIALOGUE),
    "tell": ((TipState.DIALOGUE,), TipState.UNDER_REVIEW),
    "actioned": (_AT_WORK, TipState.ACTIONED),
    "insufficient": (_AT_WORK, TipState.INSUFFICIENT),
    "outside": (_AT_WORK, TipState.OUTSIDE_REMIT),
    "seal": (_ENDED, TipState.SEALED),
    "unseal": ((TipState.SEALED,), TipState.UNDER_REVIEW),
    "destroy": (tuple(state for state in TipState if state is not TipState.DESTROYED), TipState.DESTROYED),
}


def step(state: TipState, action: str) -> TipState:
    """The state after an action; Refusal `tips.not_now` when it cannot be done from there."""
    sources, target = STEPS[action]
    if state not in sources:
        raise Refusal("tips.not_now", state=STATE_NAMES[state])
    return target

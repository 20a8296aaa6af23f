"""Chains of kinds that do not live like other cases, tips and missing people, in the form of `cases.lifecycle`.

What moves them is elsewhere: `cases.tips.states.STEPS`, from which the table of tips is made, and `bot.campaigns.missing`.
"""

from __future__ import annotations

from enum import StrEnum

from cases.lifecycle import CASE_CHAIN, About, Chain, Effect, Guard, StateType, Transition, Who
from cases.tips.states import STATE_NAMES, STEPS, TipState


class MissingState(StrEnum):
    """Where the search for a person stands; the same as `bot.campaigns.missing.Chain`, which must not look in here."""

    PENDING_VERIFICATION = "pending_verification"
    ACTIVE = "active"
    FOUND = "found"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


_M, _W = MissingState, Who
_TYPES = {
    TipState.DIALOGUE: StateType.PAUSED,
    TipState.ACTIONED: StateType.ASKED,
    TipState.INSUFFICIENT: StateType.ASKED,
    TipState.OUTSIDE_REMIT: StateType.ASKED,
    TipState.SEALED: StateType.CLOSED,
    TipState.DESTROYED: StateType.CLOSED,
}
# what `cases.tips.states.STEPS` does not say of a step: its name, who takes it, its command
_TIP_STEPS: dict[str, tuple[str, tuple[Who, ...], str]] = {
    "read": ("阅看", (_W.READER,), "线索"),
    "review": ("核查", (_W.READER,), "办线索"),
    "answer": ("答复或追问", (_W.READER,), "回线索"),
    "tell": ("来源补充", (_W.REPORTER,), ""),
    "actioned": ("已处理", (_W.READER,), "办线索"),
    "insufficient": ("线索不足", (_W.READER,), "办线索"),
    "outside": ("不归我们管", (_W.READER,), "办线索"),
    "seal": ("封存", (_W.CUSTODIAN,), "办线索"),
    "unseal": ("启封", (_W.CUSTODIAN,), "办线索"),
    "destroy": ("销毁", (_W.CUSTODIAN, _W.BOT), "办线索"),
}


def _tip_step(action: str) -> Transition:
    (sources, target), (name, who, command) = STEPS[action], _TIP_STEPS[action]
    effects = (Effect.DESTROY,) if target is TipState.DESTROYED else ()
    return Transition(action, name, sources, target, who, (), effects, command)


TIP_CHAIN = Chain(
    "tip",
    "线索",
    {state: About(name, _TYPES.get(state, StateType.OPEN)) for state, name in STATE_NAMES.items()},
    (Transition("receive", "收到线索", (), TipState.RECEIVED, (_W.REPORTER,)), *map(_tip_step, STEPS)),
)

MISSING_CHAIN = Chain(
    "missing",
    "寻人",
    {
        _M.PENDING_VERIFICATION: About("待核实", StateType.OPEN),
        _M.ACTIVE: About("寻找中", StateType.OPEN),
        _M.FOUND: About("已找到", StateType.CLOSED),
        _M.WITHDRAWN: About("已撤回", StateType.CLOSED),
        _M.EXPIRED: About("已到期", StateType.CLOSED),
    },
    (
        Transition("report", "求助", (), _M.PENDING_VERIFICATION, (_W.REPORTER,)),
        Transition("publish", "核实后发群", (_M.PENDING_VERIFICATION,), _M.ACTIVE, (_W.HANDLER,), (Guard.VERIFIED,), (), "寻人"),
        Transition(
            "find", "找到", (_M.PENDING_VERIFICATION, _M.ACTIVE), _M.FOUND, (_W.HANDLER,), (),
            (Effect.CALL_OFF, Effect.PURGE_PHOTOS, Effect.CLOSE), "找到",
        ),
        Transition(
            "withdraw", "撤回", (_M.PENDING_VERIFICATION, _M.ACTIVE), _M.WITHDRAWN, (_W.REPORTER, _W.HANDLER), (),
            (Effect.CALL_OFF, Effect.PURGE_PHOTOS, Effect.CLOSE),
        ),
        Transition("expire", "到期", (_M.ACTIVE,), _M.EXPIRED, (_W.BOT,), (), (Effect.PURGE_PHOTOS, Effect.CLOSE)),
    ),
)  # fmt: skip

CHAINS: tuple[Chain, ...] = (CASE_CHAIN, TIP_CHAIN, MISSING_CHAIN)

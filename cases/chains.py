"""Chains of kinds that do not live like other cases, tips and missing people, in the form of `cases.lifecycle`.

They are tables without an engine of their own: whoever moves a tip or a notice for a missing person asks `Chain.choose`.
"""

from __future__ import annotations

from enum import StrEnum

from cases.lifecycle import CASE_CHAIN, About, Chain, Effect, Guard, StateType, Transition, Who


class TipState(StrEnum):
    """Where a tip stands. Nothing of it is ever said in a group."""

    RECEIVED = "received"
    TRIAGED = "triaged"
    UNDER_REVIEW = "under_review"
    DIALOGUE = "dialogue"
    ACTIONED = "actioned"
    INSUFFICIENT = "insufficient"
    OUTSIDE_REMIT = "outside_remit"
    SEALED = "sealed"
    DESTROYED = "destroyed"


class MissingState(StrEnum):
    """Where the search for a person stands."""

    PENDING_VERIFICATION = "pending_verification"
    ACTIVE = "active"
    FOUND = "found"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


_T, _M, _W = TipState, MissingState, Who
_JUDGED = (_T.ACTIONED, _T.INSUFFICIENT, _T.OUTSIDE_REMIT)
_KEEPER = (_W.CUSTODIAN,)

TIP_CHAIN = Chain(
    "tip",
    "线索",
    {
        _T.RECEIVED: About("已收到", StateType.OPEN),
        _T.TRIAGED: About("已初看", StateType.OPEN),
        _T.UNDER_REVIEW: About("核查中", StateType.OPEN),
        _T.DIALOGUE: About("等对方补充", StateType.PAUSED),
        _T.ACTIONED: About("已处置", StateType.ASKED),
        _T.INSUFFICIENT: About("线索不足", StateType.ASKED),
        _T.OUTSIDE_REMIT: About("不归这里管", StateType.ASKED),
        _T.SEALED: About("已封存", StateType.CLOSED),
        _T.DESTROYED: About("已销毁", StateType.CLOSED),
    },
    (
        Transition("receive", "收到线索", (), _T.RECEIVED, (_W.REPORTER,)),
        Transition("triage", "初看", (_T.RECEIVED,), _T.TRIAGED, _KEEPER, command="线索"),
        Transition("review", "核查", (_T.TRIAGED,), _T.UNDER_REVIEW, _KEEPER),
        Transition("ask", "向对方追问", (_T.UNDER_REVIEW,), _T.DIALOGUE, _KEEPER, command="回线索"),
        Transition("reply", "对方答复", (_T.DIALOGUE,), _T.UNDER_REVIEW, (_W.REPORTER,)),
        Transition("act", "已处置", (_T.UNDER_REVIEW, _T.DIALOGUE), _T.ACTIONED, _KEEPER, (Guard.RESULT,)),
        Transition("shelve", "线索不足", (_T.UNDER_REVIEW, _T.DIALOGUE), _T.INSUFFICIENT, _KEEPER, (Guard.REASON,)),
        Transition(
            "decline", "不归这里管", (_T.TRIAGED, _T.UNDER_REVIEW, _T.DIALOGUE), _T.OUTSIDE_REMIT, _KEEPER, (Guard.REASON,)
        ),
        Transition("seal", "封存", _JUDGED, _T.SEALED, (_W.CUSTODIAN, _W.BOT), (), (Effect.CLOSE,)),
        Transition("destroy", "销毁", (*_JUDGED, _T.SEALED), _T.DESTROYED, (_W.CUSTODIAN, _W.BOT), (), (Effect.DESTROY,)),
    ),
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

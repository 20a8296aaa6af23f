"""线索: the sealed channel for what must not be said in a group."""

from __future__ import annotations

from cases.tips.access import KEPT_FOR
from cases.tips.keys import TipKeys, read_receipt
from cases.tips.pictures import MOST_PICTURES, NewPicture
from cases.tips.records import Held, Line, Listed, Prepared, Receipt, Status
from cases.tips.room import Tips
from cases.tips.states import STATE_NAMES, STEPS, TipState

__all__ = [
    "KEPT_FOR",
    "MOST_PICTURES",
    "STATE_NAMES",
    "STEPS",
    "Held",
    "Line",
    "Listed",
    "NewPicture",
    "Prepared",
    "Receipt",
    "Status",
    "TipKeys",
    "TipState",
    "Tips",
    "read_receipt",
]

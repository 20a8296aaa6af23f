"""线索: the sealed channel for what must not be said in a group."""

from __future__ import annotations

from cases.tips.keys import TipKeys, read_receipt
from cases.tips.pictures import MOST_PICTURES, NewPicture
from cases.tips.room import KEPT_FOR, Held, Line, Listed, Prepared, Receipt, Status, Tips
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

"""The way out: `Outbox` and what it is told from outside.

A notice goes from `enqueue` (a row, in the caller's transaction) by a claim (exchange.py) and its slot (outbox.py) to the
platform (delivery.py), and its receipt goes back with a later exchange.
"""

from bot.notices import Lane, NewNotice, cancel_campaign, enqueue
from bot.outbox.accounts import Hold, OnGone
from bot.outbox.outbox import Outbox
from bot.verdicts import OutboxRule

__all__ = ["Hold", "Lane", "NewNotice", "OnGone", "Outbox", "OutboxRule", "cancel_campaign", "enqueue"]

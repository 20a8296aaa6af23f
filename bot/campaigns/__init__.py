"""Campaigns: a post, or a link of a missing person's chain, on its way to a set of groups.

`rules` when a group has had enough, `plan` what would happen, `history` what the groups had, `campaigns` what happens inside one
transaction, `steps` and `loop` what happens by itself afterwards, `correction` what takes back and mends, `proof` who got what.
"""

from __future__ import annotations

from bot.campaigns.again import sent_just_now
from bot.campaigns.campaigns import Campaigns
from bot.campaigns.correction import Corrected, correct, follow, taken_back
from bot.campaigns.plan import Account, Plan, Planned, Request
from bot.campaigns.progress import Progress, finish_campaigns
from bot.campaigns.rules import CampaignState, Kind, PostRules, Skipped

__all__ = [
    "Account",
    "CampaignState",
    "Campaigns",
    "Corrected",
    "Kind",
    "Plan",
    "Planned",
    "PostRules",
    "Progress",
    "Request",
    "Skipped",
    "correct",
    "finish_campaigns",
    "follow",
    "sent_just_now",
    "taken_back",
]

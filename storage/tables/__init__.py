"""Every table, in the words of DESIGN.md §2.

No table holds chatter, and none is keyed by a resident with anything derived about them.

Enumerations are stored as their text. Times are aware UTC. A row that only repeats what another row says does not exist.
"""

from __future__ import annotations

from storage.tables.cases import Alarm, Attachment, Case, CaseAssist, CaseEntry, Counter
from storage.tables.columns import BigKey
from storage.tables.desk import CaseClock, CaseReview, CaseWitness, Route
from storage.tables.district import BindCode, ChatOwner, Duty, Grid, Group, Officer, OfficerAccount, OfficerRole, Unit
from storage.tables.knowledge import KeptAnswer
from storage.tables.neighbours import (
    Activity,
    ActivityEntry,
    Deed,
    Inspection,
    LostItem,
    Mediation,
    Premises,
    Proposal,
    ProposalVoice,
    Visit,
    Volunteer,
    WishCard,
    WishClaim,
)
from storage.tables.people import CodeGuess, LinkCode, LinkedAccount
from storage.tables.posts import Appeal, Campaign, CampaignGroup, CampaignPart, Missing, Occurrence
from storage.tables.safeguards import Block, NameWarning, OfficerTotp, PendingAction, Repeat
from storage.tables.tips import OfficerKey, Tip, TipKey, TipMessage, TipPicture, TipRead, TipRequest
from storage.tables.traffic import Dialog, InboxEvent, Lease, Notice, Pace, Pause, Timer
from storage.tables.trust import Audit, AuditHead, ShredKey
from storage.tables.wechat import WechatAccount, WechatGap, WechatRoom

__all__ = [
    "Activity",
    "ActivityEntry",
    "Alarm",
    "Appeal",
    "Attachment",
    "Audit",
    "AuditHead",
    "BigKey",
    "BindCode",
    "Block",
    "Campaign",
    "CampaignGroup",
    "CampaignPart",
    "Case",
    "CaseAssist",
    "CaseClock",
    "CaseEntry",
    "CaseReview",
    "CaseWitness",
    "ChatOwner",
    "CodeGuess",
    "Counter",
    "Deed",
    "Dialog",
    "Duty",
    "Grid",
    "Group",
    "InboxEvent",
    "Inspection",
    "KeptAnswer",
    "Lease",
    "LinkCode",
    "LinkedAccount",
    "LostItem",
    "Mediation",
    "Missing",
    "NameWarning",
    "Notice",
    "Occurrence",
    "Officer",
    "OfficerAccount",
    "OfficerKey",
    "OfficerRole",
    "OfficerTotp",
    "Pace",
    "Pause",
    "PendingAction",
    "Premises",
    "Proposal",
    "ProposalVoice",
    "Repeat",
    "Route",
    "ShredKey",
    "Timer",
    "Tip",
    "TipKey",
    "TipMessage",
    "TipPicture",
    "TipRead",
    "TipRequest",
    "Unit",
    "Visit",
    "Volunteer",
    "WechatAccount",
    "WechatGap",
    "WechatRoom",
    "WishCard",
    "WishClaim",
]

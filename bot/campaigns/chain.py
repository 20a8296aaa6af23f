"""A chain: alert, update, cancel (the way of CAP 1.2's Alert, Update, Cancel), for missing people and for appeals.

`pending_verification -> active -> an end of its own | expired`. Nothing goes out before a second officer has verified it;
whatever follows goes to exactly the groups that got the alert; photos leave the disk and the database half a day after the end,
so that a day of downtime still keeps the promised 24 hours.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from sqlmodel import Session

from bot.audience import MeantGroup
from bot.campaigns.campaigns import Campaigns
from bot.campaigns.correction import follow
from bot.campaigns.rules import Kind
from storage.tables import Appeal, Campaign, Missing, Officer

ACTIVE = "active"  # of both kinds; how they end is their own matter
ACTIVE_FOR = timedelta(days=3)
PURGE_AFTER = timedelta(hours=12)
LATE_FORWARDS_FOR = timedelta(days=90)
EVERYBODY = "not class:工作"  # the groups of residents, when nobody says which
_TO = re.compile(r"[\s,，。;；]*(?:发到|发给|发往)[:： ]*(.+)$", re.DOTALL)

Chained = Missing | Appeal


def split_groups(words: str, campaigns: Campaigns) -> tuple[str, str]:
    """The description, and the groups in their canonical spelling. Raises Refusal for labels that nobody has."""
    found = _TO.search(words)
    if found is None:
        return words.strip(), EVERYBODY
    return words[: found.start()].strip(), str(campaigns.whom(found[1].strip())) or EVERYBODY


def hearers(campaigns: Campaigns, labels: str) -> tuple[str, list[MeantGroup]]:
    """Whom these labels mean, as people read it, and the groups that an alert would go to."""
    whom = campaigns.whom(labels)
    groups = [group for group in campaigns.audiences.groups if whom.means(group.labels) and not group.posts_off]
    return campaigns.phrases.say("posts.residents") if labels == EVERYBODY else campaigns.spell(whom), groups


def begin(
    campaigns: Campaigns,
    chain: Chained,
    officer: Officer,
    text: str,
    origin: str,
    *,
    until: datetime | None = None,
    case_id: int | None = None,
) -> tuple[Campaign, int]:
    """A second officer stands for it: the alert goes out. Returns the campaign and how many groups get it.

    When nobody would get it, nothing is written and the chain waits on.
    """
    alert = Campaign(
        kind=Kind.ALERT,
        labels=chain.labels,
        origin=origin,
        officer_id=chain.officer_id,
        approved_by=officer.id,
        approved_at=campaigns.now,
        created_at=campaigns.now,
        text=text,
        photo=chain.photo,
        case_id=case_id,
    )
    targets = campaigns.targets(alert)
    groups = sum(each.skipped is None for each in targets)
    if groups:
        campaigns.carry_out(alert, targets)
        chain.state, chain.verified_by, chain.campaign_id = ACTIVE, officer.id, alert.id
        chain.expires_at = until or campaigns.now + ACTIVE_FOR
        campaigns.session.add(chain)
        campaigns.session.flush()
    return alert, groups


def add_link(
    campaigns: Campaigns,
    chain: Chained,
    officer: Officer,
    text: str,
    origin: str,
    photo: str | None,
    *,
    until: datetime | None = None,
) -> int:
    """An update to the groups that got the alert, which stays active for another while. Returns how many groups that are."""
    link = follow(campaigns, _alert_of(campaigns, chain), Kind.UPDATE, text, officer.id, origin, photo)
    chain.photo = photo or chain.photo
    chain.expires_at = max(until or campaigns.now + ACTIVE_FOR, campaigns.now)
    campaigns.session.add(chain)
    return campaigns.progress(link).total


def cancel(campaigns: Campaigns, chain: Chained, officer: Officer, state: str, text: str, origin: str) -> int:
    """It is over: the cancel goes to whoever got the alert, if one went out. Returns how many groups that are."""
    groups = 0
    if chain.campaign_id is not None:
        link = follow(campaigns, _alert_of(campaigns, chain), Kind.CANCEL, text, officer.id, origin)
        groups = campaigns.progress(link).total
    close(campaigns.session, chain, state, campaigns.now)
    return groups


def close(session: Session, chain: Chained, state: str, now: datetime) -> None:
    """Nothing more goes out, and its photos go soon."""
    chain.state, chain.ended_at, chain.purge_at, chain.expires_at = state, now, now + PURGE_AFTER, None
    session.add(chain)
    session.flush()


def _alert_of(campaigns: Campaigns, chain: Chained) -> Campaign:
    return campaigns.session.get_one(Campaign, chain.campaign_id)

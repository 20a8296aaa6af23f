"""What a campaign does by itself between an officer's commands: start at its time, go on after its first groups, halt, end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, func, select

from bot.campaigns import lots
from bot.campaigns.campaigns import FIRST_LOOK, TRIAL_LOOK, Campaigns
from bot.campaigns.correction import not_reached
from bot.campaigns.progress import Progress
from bot.campaigns.rules import CampaignState, Kind
from bot.permissions import ACTIONS
from bot.say import Say
from bot.verdicts import DIED
from content.refusal import Refusal
from storage.notices import hold
from storage.tables import Campaign, Notice, Officer, OfficerRole

LOOK = timedelta(seconds=5)
NOT_APPROVED_AFTER = timedelta(days=3)
FEW = 5  # failures from which on their share counts
MOST_FAILED = 0.1  # share of what has ended
QUARTERS_FROM = 200  # groups; a campaign that long says how far it is
SOON = timedelta(minutes=5)  # after that it is looked at less often
LOOK_LATER = timedelta(seconds=30)
BAR = 10  # cells of the bar in the planner's chat
NAMES = 20  # of groups, in one message

Saying = Callable[[str], Say]


def take_step(campaigns: Campaigns, campaign_id: int, saying: Saying) -> bool:
    """Do what is due of a campaign; true when notices may have come into the outbox. `saying` gives a voice by a unique word."""
    wanted = select(Campaign).where(Campaign.id == campaign_id, col(Campaign.next_step_at) <= campaigns.now)
    campaign = campaigns.session.exec(wanted.with_for_update(skip_locked=True)).first()
    if campaign is None:
        return False
    match campaign.state:
        case CampaignState.WAITING:
            _ask_second(campaigns, campaign, saying)
        case CampaignState.PLANNED:
            _start(campaigns, campaign, saying)
        case CampaignState.TRIAL:
            _look_at_trial(campaigns, campaign, saying)
        case CampaignState.SENDING:
            _look_at_sending(campaigns, campaign, saying)
        case _:
            campaign.next_step_at = None
    campaigns.session.add(campaign)
    campaigns.session.flush()
    return True


def _ask_second(campaigns: Campaigns, campaign: Campaign, saying: Saying) -> None:
    """Ask whoever may approve; after three days without an answer it is off."""
    if campaign.told == "asked":
        campaign.state, campaign.next_step_at = CampaignState.STOPPED, None
        _tell_planner(campaigns, campaign, saying, "never_approved")
        return
    campaign.told, campaign.next_step_at = "asked", campaign.created_at + NOT_APPROVED_AFTER
    groups, members, text = _shown(campaigns, campaign)
    saying("ask").to_officers(
        approvers(campaigns, campaign),
        "posts.approve_card",
        number=campaign.id,
        planner=planner_name(campaigns, campaign),
        what=campaigns.title_of(campaign),
        whom=campaigns.spell(campaigns.whom(campaign.labels)),
        groups=groups,
        members=members,
        when=campaigns.rules.local(campaign.starts_at, campaigns.now) if campaign.starts_at else "",
        text=text,
    )


def _shown(campaigns: Campaigns, campaign: Campaign) -> tuple[int, int, str]:
    """Groups, members, and what one group would read; of every post one, when they do not all get the same."""
    if campaign.kind != Kind.POST:
        getting = [each.meant for each in campaigns.targets(campaign) if each.skipped is None]
        return len(getting), sum(group.members or 0 for group in getting), campaign.text or ""
    plan = campaigns.plan(campaigns.request_of(campaign))
    shown: dict[str, str] = {}
    for each in plan.groups:
        if each.post is not None and each.post.slug not in shown:
            shown[each.post.slug] = campaigns.text(each.post, each.meant)
    return plan.sent, plan.members, "\n————\n".join(shown.values())


def _start(campaigns: Campaigns, campaign: Campaign, saying: Saying) -> None:
    if campaigns.rules.is_quiet(campaigns.now):
        campaign.next_step_at = campaigns.rules.after_quiet(campaigns.now)
        return
    try:
        groups = campaigns.release(campaign)
    except Refusal as refusal:
        campaign.state, campaign.next_step_at, campaign.problem = CampaignState.STOPPED, None, refusal.phrase
        _tell_planner(campaigns, campaign, saying, "not_started", why=campaigns.refusal(refusal))
        return
    if not groups:
        _tell_planner(campaigns, campaign, saying, "nobody")


def _look_at_trial(campaigns: Campaigns, campaign: Campaign, saying: Saying) -> None:
    progress = campaigns.progress(campaign)
    ended = progress.total - progress.open
    under_way = progress.notices.get("pending", 0) + progress.notices.get("sending", 0)
    caught = _caught(campaigns, campaign)
    if (progress.sent or caught) and not campaign.over_seconds:
        under_way -= _put_off(campaigns, campaign)  # a group that has just reported something keeps nobody else waiting
    if under_way and campaigns.now - began(campaigns, campaign) < FIRST_LOOK:
        campaign.next_step_at = campaigns.now + TRIAL_LOOK  # nothing is judged yet, but the others wait for it
        return
    campaign.next_step_at = campaigns.now + FIRST_LOOK
    live = _keep_line(campaigns, campaign, progress, saying)
    failed, told = progress.failed - caught, ended - caught
    if failed and (failed > 1 or failed == told):
        _halt(campaigns, campaign, progress, saying)
    elif under_way:
        return
    elif caught and not progress.sent and caught >= 2 * campaigns.rules.trial_groups:
        _halt(campaigns, campaign, progress, saying)  # twice: perhaps it is this post that brings the bot down
    elif (
        caught
        and not progress.sent
        and lots.let_some_go(campaigns.session, campaign, campaigns.now, campaigns.rules.trial_groups)
    ):
        campaign.next_step_at = campaigns.now + TRIAL_LOOK  # a restart tells nothing about the post, so as many others go first
    else:
        campaign.state = CampaignState.SENDING
        rest = lots.let_go(campaigns.session, campaign, campaigns.now, campaigns.rules.lots)
        if not live:
            _tell_planner(campaigns, campaign, saying, "trial_went_well", first=progress.sent, rest=rest)


def _caught(campaigns: Campaigns, campaign: Campaign) -> int:
    """Of how many groups nobody knows because the bot was killed while it was sending to them."""
    caught = Notice.campaign_id == campaign.id, Notice.state == "unknown", Notice.problem == DIED
    return campaigns.session.exec(select(func.count()).where(*caught)).one()


def _put_off(campaigns: Campaigns, campaign: Campaign) -> int:
    """How many of its notices a cap has put off."""
    later = col(Notice.due_at) > campaigns.now
    wanted = select(func.count()).where(Notice.campaign_id == campaign.id, Notice.state == "pending", later)
    return campaigns.session.exec(wanted).one()


def _look_at_sending(campaigns: Campaigns, campaign: Campaign, saying: Saying) -> None:
    progress = campaigns.progress(campaign)
    ended = progress.total - progress.open
    fresh = progress.failed - campaign.forgiven
    live = _keep_line(campaigns, campaign, progress, saying)
    if progress.open and fresh >= FEW and fresh > MOST_FAILED * ended:
        _halt(campaigns, campaign, progress, saying)
    elif progress.open:
        campaign.next_step_at = campaigns.now + (LOOK if campaigns.now - began(campaigns, campaign) < SOON else LOOK_LATER)
        quarter = str(4 * ended // max(1, progress.total) * 25)
        if not live and progress.total >= QUARTERS_FROM and quarter not in ("0", campaign.told):
            campaign.told = quarter
            _tell_planner(campaigns, campaign, saying, "so_far", sent=progress.sent, total=progress.total)
    else:
        campaign.state, campaign.next_step_at, campaign.lot_at = CampaignState.DONE, None, None
        missed = not_reached(campaigns, campaign)
        if progress.total > campaigns.rules.trial_groups or missed or campaign.kind != Kind.POST:
            _tell_planner(
                campaigns, campaign, saying, "done", sent=progress.sent, missed=len(missed), names="、".join(missed[:NAMES])
            )


def _keep_line(campaigns: Campaigns, campaign: Campaign, progress: Progress, saying: Saying) -> bool:
    """The line in the planner's chat that shows how far it is; false where messages cannot be changed, or it is over at once."""
    planner = campaigns.session.get(Officer, campaign.officer_id) if campaign.officer_id else None
    if planner is None or not planner.active or progress.total <= campaigns.rules.trial_groups:
        return False
    ended = progress.total - progress.open
    seconds = (campaigns.now - began(campaigns, campaign)).total_seconds()
    rest = seconds / ended * progress.open if ended and campaign.state == CampaignState.SENDING else 0
    filled = BAR * ended // max(1, progress.total)
    return saying("live").keep_live(
        planner,
        f"live:{campaign.id}",
        "posts.step.live",
        number=campaign.id,
        bar="▓" * filled + "░" * (BAR - filled),
        ended=ended,
        total=progress.total,
        failed=progress.failed,
        minutes=math.ceil(rest / 60) if progress.open else 0,
    )


def began(campaigns: Campaigns, campaign: Campaign) -> datetime:
    """When it began to go out."""
    return campaign.began_at or campaigns.now


def _halt(campaigns: Campaigns, campaign: Campaign, progress: Progress, saying: Saying) -> None:
    """Too much goes wrong: nothing more leaves before an officer has looked."""
    hold(campaigns.session.connection(), campaign.id or 0)
    problem = campaigns.session.exec(
        select(Notice.problem)
        .where(Notice.campaign_id == campaign.id, col(Notice.state).in_(("dead", "unknown")))
        .order_by(col(Notice.id).desc())
    ).first()
    unclear = progress.notices.get("unknown", 0)
    if problem == DIED:
        problem = None  # the card says it in its own words
    campaign.state, campaign.next_step_at, campaign.problem = CampaignState.HALTED, None, (problem or "")[:200]
    campaign.lot_at = None
    _tell_planner(
        campaigns,
        campaign,
        saying,
        "halted",
        sent=progress.sent,
        failed=progress.failed - unclear,
        unclear=unclear,
        names="、".join(not_reached(campaigns, campaign)[:NAMES]) if unclear else "",
        held=campaigns.progress(campaign).notices.get("held", 0),
        problem=campaign.problem,
    )


def _tell_planner(campaigns: Campaigns, campaign: Campaign, saying: Saying, key: str, **values: Any) -> None:
    planner = campaigns.session.get(Officer, campaign.officer_id) if campaign.officer_id else None
    whom: Sequence[Officer] = [planner] if planner and planner.active else []
    if not whom and key in ("halted", "not_started", "never_approved"):
        whom = officers_for(campaigns.session, "post.send")  # nobody planned it, but somebody has to know
    say = saying(f"{key}:{campaign.told}")
    say.to_officers(whom, f"posts.step.{key}", number=campaign.id, what=campaigns.title_of(campaign), **values)


def planner_name(campaigns: Campaigns, campaign: Campaign) -> str:
    """Who planned it, as an approver reads it."""
    officer = campaigns.session.get(Officer, campaign.officer_id) if campaign.officer_id else None
    if officer is not None:
        return campaigns.phrases.say("posts.written_by", by=f"{officer.title}{officer.name}")
    kind, _, name = campaign.origin.partition(":")
    return campaigns.phrases.say("posts.by_schedule" if kind == "schedule" else "posts.by_terminal", name=name)


def approvers(campaigns: Campaigns, campaign: Campaign) -> list[Officer]:
    """Who may let it go; never who planned it."""
    return [officer for officer in officers_for(campaigns.session, "post.approve") if officer.id != campaign.officer_id]


def officers_for(session: Session, action: str) -> list[Officer]:
    """Active officers who may do this in the whole district."""
    wanted = (
        select(Officer)
        .join(OfficerRole, col(OfficerRole.officer_id) == col(Officer.id))
        .where(col(Officer.active), col(OfficerRole.role).in_(ACTIONS[action]), OfficerRole.scope_kind == "district")
    )
    return list(session.exec(wanted.distinct().order_by(col(Officer.id))).all())

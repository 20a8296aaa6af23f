"""What goes after something that was sent: corrections, and the links of a chain, to exactly the groups that got it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlmodel import col, func, select

from bot.campaigns.campaigns import Campaigns
from bot.campaigns.rules import OVER, TWO_PEOPLE, CampaignState, Kind
from bot.messages import Address
from bot.notices import Lane, NewNotice, enqueue_all
from content.refusal import Refusal
from storage.notices import cancel_campaign
from storage.tables import Campaign, CampaignGroup, CampaignPart, Group, Notice

SHORTEST = 4  # characters of a correction


@dataclass(frozen=True, slots=True)
class Corrected:
    """A correction on its way: the campaign, the groups that got the wrong one, and those of them that the bot has left."""

    campaign: Campaign
    groups: int
    gone: tuple[str, ...]


def correct(campaigns: Campaigns, wrong: Campaign, text: str, planner: int | None, origin: str) -> Corrected:
    """Stop the wrong one, take back what can be taken back, and send `text` to whoever got it.

    What is taken back goes at once; the words wait for a second person where the wrong ones had to.
    """
    if wrong.kind not in (Kind.POST, Kind.CORRECTION) or wrong.id is None:
        raise Refusal("posts.correct_chain")
    said = select(Campaign.id).where(Campaign.about_id == wrong.id, Campaign.kind == Kind.CORRECTION, Campaign.text == text)
    if (same := campaigns.session.exec(said.where(Campaign.state != CampaignState.STOPPED)).first()) is not None:
        raise Refusal("posts.corrected_already", wrong=wrong.id, number=same)
    over = wrong.state in OVER
    _break_off(campaigns, wrong)
    got = campaigns.groups_reached(wrong.id)
    if not got:
        raise Refusal("posts.nobody_got_it", number=wrong.id, over=over)
    take_back(campaigns, wrong.id)
    campaign = _link(campaigns, wrong, Kind.CORRECTION, text, planner, origin)
    categories = {slug.partition("/")[0] for slug in _posts_of(campaigns, _first_of(campaigns, wrong))}
    if len(got) > campaigns.rules.approve_over or categories & TWO_PEOPLE:
        campaigns.ask_second(campaign)
    else:
        campaigns.carry_out(campaign, campaigns.targets(campaign))
    here = {group.id for group in campaigns.audiences.groups}
    return Corrected(campaign, len(got), names_of(campaigns, [group for group in got if group not in here]))


def follow(
    campaigns: Campaigns, first: Campaign, kind: Kind, text: str, planner: int | None, origin: str, photo: str | None = None
) -> Campaign:
    """The next link of a chain, to exactly the groups that got the first one. A cancel stops and takes back what came before."""
    chain = [first, *campaigns.session.exec(select(Campaign).where(Campaign.about_id == first.id)).all()]
    if kind is Kind.CANCEL:
        for earlier in chain:
            _break_off(campaigns, earlier)
            if earlier.id is not None and earlier.photo is not None:
                take_back(campaigns, earlier.id)
    campaign = _link(campaigns, first, kind, text, planner, origin, photo)
    campaigns.carry_out(campaign, campaigns.targets(campaign))
    return campaign


def take_back(campaigns: Campaigns, campaign_id: int) -> None:
    """Ask the platforms to take back every message of a campaign, ahead of whatever is said instead.

    What a platform deletes no more says from then on that it was taken back; a photo cannot be unsaid so, and counts as not taken
    back.
    """
    campaign = campaigns.session.get(Campaign, campaign_id)
    instead = campaigns.phrases.say("posts.taken_back") if campaign is not None and campaign.photo is None else ""
    sent = campaigns.session.exec(
        select(Notice).where(Notice.campaign_id == campaign_id, Notice.state == "sent", col(Notice.message_id).is_not(None))
    ).all()
    enqueue_all(
        campaigns.session,
        (
            NewNotice(
                key=f"recall:{campaign_id}:{notice.group_id}",
                lane=Lane.OFFICER,
                to=Address(notice.platform, notice.account, notice.chat, thread=notice.thread),
                text=instead,
                group_id=notice.group_id,
                recalls=notice.message_id,
            )
            for notice in sent
        ),
        campaigns.now,
    )


def taken_back(campaigns: Campaigns, campaign_id: int) -> Mapping[str, int]:
    """How far taking back is: recalls by the state of their notice; "dead" is what a platform did not take back."""
    wanted = select(Notice.state, func.count()).where(col(Notice.key).like(f"recall:{campaign_id}:%")).group_by(Notice.state)
    return dict(campaigns.session.exec(wanted).all())


def not_reached(campaigns: Campaigns, campaign: Campaign) -> tuple[str, ...]:
    """The names of the groups that should have got it and did not, or of which nobody knows, those that are gone included."""
    bad = campaigns.session.exec(
        select(Notice.group_id).where(Notice.campaign_id == campaign.id, col(Notice.state).in_(("dead", "unknown", "cancelled")))
    ).all()
    missed = [group for group in bad if group is not None]
    if campaign.state == CampaignState.STOPPED:
        mine = CampaignGroup.campaign_id == campaign.id, col(CampaignGroup.waits)
        missed += campaigns.session.exec(select(CampaignGroup.group_id).where(*mine)).all()
    if campaign.about_id is not None:
        planned = set(
            campaigns.session.exec(select(CampaignGroup.group_id).where(CampaignGroup.campaign_id == campaign.id)).all()
        )
        missed += [group for group in campaigns.groups_reached(campaign.about_id) if group not in planned]
    return names_of(campaigns, missed)


def names_of(campaigns: Campaigns, groups: list[int]) -> tuple[str, ...]:
    """The names of groups, those that the bot has left included."""
    if not groups:
        return ()
    return tuple(campaigns.session.exec(select(Group.name).where(col(Group.id).in_(groups)).order_by(col(Group.id))).all())


def _break_off(campaigns: Campaigns, campaign: Campaign) -> None:
    """Nothing more of it leaves."""
    if campaign.id is None or campaign.state in OVER:
        return
    if campaigns.progress(campaign).open:
        cancel_campaign(campaigns.session.connection(), campaign.id)
        campaigns.session.refresh(campaign)
    else:
        campaign.state, campaign.next_step_at, campaign.lot_at = CampaignState.DONE, None, None
        campaigns.session.add(campaign)


def _link(
    campaigns: Campaigns,
    about: Campaign,
    kind: Kind,
    text: str,
    planner: int | None,
    origin: str,
    photo: str | None = None,
) -> Campaign:
    campaign = Campaign(
        kind=kind,
        post=about.post,
        labels=about.labels,
        origin=origin,
        officer_id=planner,
        created_at=campaigns.now,
        text=text,
        photo=photo,
        about_id=about.id,
        case_id=about.case_id,
    )
    campaigns.session.add(campaign)
    campaigns.session.flush()
    return campaign


def _first_of(campaigns: Campaigns, campaign: Campaign) -> int:
    """The post that a correction corrects, through all corrections of corrections."""
    while campaign.about_id is not None:
        campaign = campaigns.session.get_one(Campaign, campaign.about_id)
    return campaign.id or 0


def _posts_of(campaigns: Campaigns, campaign_id: int) -> set[str]:
    return set(campaigns.session.exec(select(CampaignPart.post).where(CampaignPart.campaign_id == campaign_id).distinct()).all())

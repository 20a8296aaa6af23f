"""What is told of posts that exist: the newest, the titles of a category, how far one is, whom it reached, what came back."""

from __future__ import annotations

from bot.campaigns import Campaigns, CampaignState, Skipped
from bot.campaigns.correction import not_reached, taken_back
from bot.campaigns.proof import members_of, prove, reach_by_label
from bot.say import Say
from content.posts import CATEGORIES, category_of
from content.refusal import Refusal
from content.small_numbers import shown
from storage.tables import Campaign

_NOT_BEGUN = (CampaignState.WAITING, CampaignState.PLANNED)
MOST_RECENT = 8
SHOWN = 5  # names of groups in a list


def say_recent(campaigns: Campaigns, say: Say) -> None:
    """The newest campaigns with their numbers, for whoever does not know one."""
    rows = [
        (
            campaign.id,
            campaigns.title_of(campaign),
            say.word(f"posts.state.{campaign.state}"),
            _day(campaign, campaigns),
            campaigns.progress(campaign).sent if campaign.state not in _NOT_BEGUN else None,
        )
        for campaign in campaigns.recent(MOST_RECENT)
    ]
    if rows:
        say.privately("posts.recent", campaigns=rows)
    else:
        say.privately("posts.recent_none")


def say_titles(what: str, campaigns: Campaigns, say: Say) -> None:
    """The titles of a category, and when each was last sent, for whoever does not know them."""
    category = category_of(what)
    if category is None:
        raise Refusal("posts.usage", categories="、".join(CATEGORIES.values()))
    whole = [post for post in campaigns.library.posts.values() if post.category == category]
    posts = campaigns.candidates(category)
    last = campaigns.last_sent([post.slug for post in posts])
    rows = [(post.title, campaigns.rules.day(last[post.slug]) if post.slug in last else "") for post in posts]
    say.privately("posts.titles", category=CATEGORIES[category], posts=rows, left_out=len(whole) - len(posts))


def _day(campaign: Campaign, campaigns: Campaigns) -> str:
    return campaigns.rules.day(campaign.created_at)


def say_progress(campaign: Campaign, campaigns: Campaigns, say: Say) -> None:
    """How far it is, whom it reached, who is missing, and what came back."""
    progress, proofs = campaigns.progress(campaign), prove(campaigns, campaign)
    back = taken_back(campaigns, campaign.id or 0)
    begins = campaign.state in (CampaignState.WAITING, CampaignState.PLANNED)
    say.privately(
        "posts.progress",
        number=campaign.id,
        what=campaigns.title_of(campaign),
        state=say.word(f"posts.state.{campaign.state}"),
        sent=progress.sent,
        total=progress.total,
        begins=begins,
        ahead=campaigns.reach(campaign) if begins else 0,
        when=campaigns.rules.local(campaign.starts_at, campaigns.now) if begins and campaign.starts_at else "",
        open=progress.open,
        unknown=progress.notices.get("unknown", 0),
        failed=progress.notices.get("dead", 0),
        members=members_of([proof for proof in proofs if proof.outcome == "sent"], campaigns.rules.least_shown),
        reasons=campaigns.why({Skipped(reason): count for reason, count in progress.skipped.items()}),
        missed=group_names(not_reached(campaigns, campaign)),
        labels="；".join(
            f"{campaigns.audiences.name_of(one.label)} {one.sent}/{one.groups}"
            for one in [one for one in reach_by_label(proofs) if not one.label.startswith("platform:")][:SHOWN]
        ),
        recalled=back.get("sent", 0),
        not_recalled=back.get("dead", 0),
        replies=sum(proof.replies for proof in proofs),
        questions=sum(proof.questions for proof in proofs),
        opt_outs=shown(sum(proof.opt_outs for proof in proofs), campaigns.rules.least_shown),
        least=campaigns.rules.least_shown,
        problem=campaign.problem if campaign.state == CampaignState.HALTED else "",
    )


def group_names(names: tuple[str, ...]) -> str:
    """The first few names, and how many there are."""
    first = "、".join(names[:SHOWN])
    return f"{first}等{len(names)}个" if len(names) > SHOWN else first

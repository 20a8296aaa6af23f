"""Campaigns inside one transaction: what would happen, and what happens. What somebody means, `bot.campaigns.shelf` tells.

A campaign is a row; carrying it out writes one `CampaignGroup` row for every group that was meant, with the post it gets or the
reason why there is none. For every group that gets one there is one notice in the campaign lane, unique by campaign and group;
those of the first few groups at once, the others in lots (`bot.campaigns.lots`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlmodel import col, select

from bot.audience import MeantGroup
from bot.campaigns import lots
from bot.campaigns.history import read_history
from bot.campaigns.plan import Plan, Planned, Request
from bot.campaigns.progress import Progress, progress_of
from bot.campaigns.rules import TWO_PEOPLE, CampaignState, Kind, Skipped
from bot.campaigns.shelf import Shelf
from bot.notices import cancel_campaign
from content.expressions import EVERY, spell
from content.posts import Post
from content.refusal import Refusal
from storage.engine import announce
from storage.lots import Part, insert_groups
from storage.outbox import STATE
from storage.tables import Campaign, CampaignPart, Notice

FIRST_LOOK = timedelta(seconds=2)  # after which the first groups are judged, whether or not all of them have got it
TRIAL_LOOK = timedelta(milliseconds=250)  # how long all others wait at most once the first groups have it
APPEAL = "appeal:"


class Campaigns(Shelf):
    """Posts going out, inside the caller's transaction. Wake the outbox and the campaign loop once it is committed."""

    def title_of(self, campaign: Campaign) -> str:
        """What a campaign is, as an officer reads it."""
        if campaign.kind == Kind.POST:
            return self.name_of(campaign.post)
        chain = "appeal_kind" if campaign.origin.startswith(APPEAL) else "kind"
        return self.phrases.say(f"posts.{chain}.{campaign.kind}")

    def named_to_groups(self, campaign: Campaign) -> str:
        """What the groups got, as they read it: the title, or the category when it was not the same for all of them."""
        if campaign.kind == Kind.CORRECTION and campaign.about_id is not None:
            wrong = self.session.get_one(Campaign, campaign.about_id)
            return self.phrases.say("posts.its_correction", title=self.named_to_groups(wrong))
        sent = select(CampaignPart.post).where(CampaignPart.campaign_id == campaign.id, CampaignPart.skipped == "").distinct()
        posts = self.session.exec(sent.limit(2)).all()
        return self.name_of(posts[0] if len(posts) == 1 else campaign.post)

    # --- what would happen ---

    def plan(self, request: Request) -> Plan:
        """What sending it at its time would do. Raises Refusal when nothing of it may be sent to anybody."""
        at = max(self.now, request.starts_at or self.now)
        posts = self._candidates(request.what, at)
        meant = [group for group in self.audiences.groups if request.whom.means(group.labels)]
        if request.accounts:
            meant = [group for group in meant if f"{group.platform}:{group.account}" in request.accounts]
        if not meant:
            raise Refusal("posts.no_group", labels=spell(request.whom, self.audiences.name_of) or "全部")
        history = read_history(self.session, at, self.rules, [post.slug for post in posts], request.no_repeat)
        timely = self.calendar.posts_of(self.rules.today(at))
        # first the day's themes, then the post that the district has not seen for longest, for all groups alike; last what waits
        never = datetime.min.replace(tzinfo=self.now.tzinfo)
        booked = self.booked()
        posts.sort(key=lambda post: (post.slug in booked, post.slug not in timely, history.last.get(post.slug, never), post.slug))
        quiet = self.rules.is_quiet(at)
        return Plan(request, tuple(self._plan_group(group, posts, history, quiet) for group in meant))

    def may_take(self, request: Request) -> list[Post]:
        """The posts that it may take, in no order. Raises Refusal when there are none."""
        return self._candidates(request.what, max(self.now, request.starts_at or self.now))

    def needs_approval(self, plan: Plan) -> bool:
        """Whether a second person has to agree: notices of the police, appeals, and whatever goes to many groups."""
        if plan.request.origin.startswith("schedule:"):
            return any(post.category in TWO_PEOPLE for post in plan.posts)  # a schedule is a standing decision about numbers
        return plan.sent > self.rules.approve_over or any(post.category in TWO_PEOPLE for post in plan.posts)

    # --- what happens ---

    def send(self, request: Request) -> tuple[Campaign, Plan]:
        """Plan it, write it down and start it; or keep it for its time, or for a second person when one is needed."""
        plan = self.plan(request)
        by_hand = not request.origin.startswith("schedule:")
        if by_hand and request.starts_at is not None and request.starts_at > self.now and not plan.sent:
            when = self.rules.local(request.starts_at, self.now)
            raise Refusal("posts.planned_nobody", when=when, reasons=self.why(plan.reasons))
        campaign = Campaign(
            post=request.what,
            labels=str(request.whom),
            accounts=",".join(request.accounts),
            origin=request.origin,
            officer_id=request.planner,
            created_at=self.now,
            starts_at=request.starts_at,
            late_for=request.late_for,
            over_seconds=int(request.over.total_seconds()),
        )
        self.session.add(campaign)
        waits = self.needs_approval(plan)
        if waits or (by_hand and request.starts_at is not None and request.starts_at > self.now):
            # what somebody has read and approved, or was told, is what goes: meanwhile a category may be at another post
            campaign.post = ",".join(post.slug for post in plan.posts) or request.what
        if waits:
            self.ask_second(campaign)
        elif not self._waits(campaign):
            self.carry_out(campaign, plan.groups)
        return campaign, plan

    def ask_second(self, campaign: Campaign) -> None:
        """Keep it for a second person; the campaign loop asks for one."""
        campaign.state, campaign.next_step_at = CampaignState.WAITING, self.now
        self.session.add(campaign)
        self.session.flush()

    def approve(self, campaign: Campaign, officer_id: int) -> int:
        """A second person agrees: it starts, or waits for its time. Returns how many groups get it now."""
        campaign.approved_by, campaign.approved_at = officer_id, self.now
        return 0 if self._waits(campaign) else self.release(campaign)

    def release(self, campaign: Campaign) -> int:
        """Carry it out now, to the groups that are meant by now; returns how many get something."""
        groups = self._meant(campaign)
        self.carry_out(campaign, groups)
        return sum(each.skipped is None for each in groups)

    def reach(self, campaign: Campaign) -> int:
        """How many groups would get something if it were let go now, or at its time."""
        return sum(each.skipped is None for each in self._meant(campaign))

    def left_out(self, campaign: Campaign) -> Mapping[Skipped, int]:
        """Why the others would get nothing, and how many groups that are."""
        return Counter(each.skipped for each in self._meant(campaign) if each.skipped is not None)

    def _meant(self, campaign: Campaign) -> tuple[Planned, ...]:
        return self.plan(self.request_of(campaign)).groups if campaign.kind == Kind.POST else self.targets(campaign)

    def targets(self, campaign: Campaign) -> tuple[Planned, ...]:
        """Whom a correction or a link of a chain goes to: an alert by its labels, the others to whoever got what they follow."""
        if campaign.about_id is None:
            whom = self.whom(campaign.labels) if campaign.labels else EVERY
            meant = [group for group in self.audiences.groups if whom.means(group.labels)]
            return tuple(Planned(group, None, Skipped.POSTS_OFF if group.posts_off else None) for group in meant)
        here = {group.id: group for group in self.audiences.groups}
        got = self.groups_reached(campaign.about_id)
        return tuple(Planned(here[group], None) for group in got if group in here)

    def groups_reached(self, campaign_id: int) -> tuple[int, ...]:
        """The groups in which a campaign's message is, may be, or is just arriving."""
        reached = select(Notice.group_id).where(
            Notice.campaign_id == campaign_id,
            col(Notice.group_id).is_not(None),
            STATE.in_(("sent", "unknown", "sending")) | (col(Notice.lost) > 0),
        )
        return tuple(group for group in self.session.exec(reached.order_by(col(Notice.id))).all() if group is not None)

    def request_of(self, campaign: Campaign) -> Request:
        """The request that a campaign was made from. A campaign that is minutes late says so."""
        late = campaign.starts_at is not None and self.now - campaign.starts_at > timedelta(minutes=5)
        return Request(
            campaign.post,
            self.whom(campaign.labels) if campaign.labels else EVERY,
            campaign.origin,
            late_for=campaign.starts_at if late else campaign.late_for,
            planner=campaign.officer_id,
            starts_at=campaign.starts_at,
            over=timedelta(seconds=campaign.over_seconds),
            accounts=tuple(filter(None, campaign.accounts.split(","))),
        )

    def _waits(self, campaign: Campaign) -> bool:
        """Keep it for its time, if that has not come yet."""
        if campaign.starts_at is None or campaign.starts_at <= self.now:
            return False
        campaign.state, campaign.next_step_at = CampaignState.PLANNED, campaign.starts_at
        self.session.add(campaign)
        self.session.flush()
        return True

    def carry_out(self, campaign: Campaign, groups: Sequence[Planned]) -> None:
        """Write one row for every group; the first few of those that get something get it at once."""
        getting = [each.meant for each in groups if each.skipped is None]
        trial = self.rules.trial_groups
        campaign.state = CampaignState.SENDING if not trial or len(getting) <= trial else CampaignState.TRIAL
        first_look = TRIAL_LOOK if campaign.state == CampaignState.TRIAL else FIRST_LOOK
        campaign.began_at, campaign.next_step_at = self.now, self.now + first_look if getting else None
        if not getting:
            campaign.state = CampaignState.DONE
        self.session.add(campaign)
        self.session.flush()
        parts: dict[Part, int] = {}
        its = {each.meant.id: parts.setdefault(self._part(campaign, each), len(parts)) for each in groups}
        step = timedelta(seconds=campaign.over_seconds / max(1, len(getting)))
        # the first few, of every account one, have the first places: all others wait for them
        first = _first_of_each_account(getting, trial) if campaign.state == CampaignState.TRIAL else []
        order = dict.fromkeys([*first, *(group.id for group in getting)])
        due = {group: self.now + index * step for index, group in enumerate(order)} if step else {}
        # thousands of rows: a statement for all and no object for each, because the writer serves residents meanwhile
        insert_groups(self.session.connection(), campaign.id or 0, list(parts), its, due)
        if campaign.state == CampaignState.TRIAL:
            lots.make(self.session, campaign, first, self.now)
        else:
            lots.let_go(self.session, campaign, self.now, self.rules.lots)
        announce(self.session.connection(), "qianshao_campaign")  # its next step may be another node's

    def _part(self, campaign: Campaign, each: Planned) -> Part:
        """What this group has in common with others: what it reads, up to its own name, or why it gets nothing."""
        slug = each.post.slug if each.post else campaign.post or campaign.kind
        if each.skipped is not None:
            return Part(slug, each.skipped.value)
        if each.post is None:
            return Part(slug, text=lots.no_name_in(campaign.text or ""), photo=campaign.photo)
        unnamed = replace(each.meant, audience=replace(each.meant.audience, group=lots.NAME))
        photo = campaign.photo or (each.post.card_path if self.rules.cards else None)
        return Part(slug, text=self.text(each.post, unnamed, campaign.late_for), photo=photo)

    def find(self, campaign_id: int | None) -> Campaign | None:
        """A campaign by its number, locked for this transaction; None: the newest that is not over."""
        wanted = select(Campaign).order_by(col(Campaign.id).desc()).limit(1)
        over = (CampaignState.STOPPED, CampaignState.DONE)
        wanted = (
            wanted.where(col(Campaign.state).not_in(over)) if campaign_id is None else wanted.where(Campaign.id == campaign_id)
        )
        return self.session.exec(wanted.with_for_update()).first()

    def get(self, campaign_id: int) -> Campaign:
        """The campaign with this number; Refusal when there is none."""
        campaign = self.find(campaign_id)
        if campaign is None:
            raise Refusal("posts.no_campaign", number=campaign_id)
        return campaign

    def look(self, campaign_id: int) -> Campaign:
        """The same to be read only, without a lock, which a reading connection of PostgreSQL refuses."""
        campaign = self.session.get(Campaign, campaign_id)
        if campaign is None:
            raise Refusal("posts.no_campaign", number=campaign_id)
        return campaign

    def recent(self, most: int) -> Sequence[Campaign]:
        """The newest campaigns, the newest first."""
        return self.session.exec(select(Campaign).order_by(col(Campaign.id).desc()).limit(most)).all()

    def stop(self, campaign_id: int | None = None) -> tuple[Campaign, int]:
        """Stop a campaign (None: the newest that is not over); returns it and how many notices will not be sent."""
        campaign = self.find(campaign_id)
        if campaign is None or campaign.id is None:
            raise Refusal("posts.nothing_to_stop" if campaign_id is None else "posts.no_campaign", number=campaign_id or 0)
        progress = self.progress(campaign)
        waits = campaign.state in (CampaignState.WAITING, CampaignState.PLANNED)
        over = campaign.state in (CampaignState.STOPPED, CampaignState.DONE)
        if over or not (waits or progress.open):
            phrase = "posts.already_over" if campaign.kind in (Kind.POST, Kind.CORRECTION) else "posts.over_chain"
            raise Refusal(phrase, number=campaign.id, sent=progress.sent)
        cancelled = cancel_campaign(self.session, campaign.id)
        self.session.refresh(campaign)
        return campaign, cancelled

    def go_on(self, campaign: Campaign) -> int:
        """An officer has seen the failures: what was held goes out; returns how many notices that are."""
        if campaign.state != CampaignState.HALTED:
            raise Refusal("posts.not_halted", number=campaign.id)
        campaign.state, campaign.next_step_at = CampaignState.SENDING, self.now + FIRST_LOOK
        campaign.forgiven = self.progress(campaign).failed
        campaign.problem = ""
        self.session.add(campaign)
        self.session.flush()
        announce(self.session.connection(), "qianshao_campaign")
        return lots.let_go(self.session, campaign, self.now, self.rules.lots)

    # --- how far it is ---

    def progress(self, campaign: Campaign) -> Progress:
        """How far it is, counted from rows."""
        return progress_of(self.session, campaign)


def _first_of_each_account(getting: Iterable[MeantGroup], most: int) -> list[int]:
    """The groups that get it first: of every account one, then whatever comes, `most` in all."""
    leaders: dict[tuple[str, str], int] = {}
    rest: list[int] = []
    for group in getting:
        account = (group.platform, group.account)
        if account in leaders:
            rest.append(group.id)
        else:
            leaders[account] = group.id
    return [*leaders.values(), *rest][:most]

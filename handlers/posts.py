"""Posts by hand: an editor looks at one, plans it to groups by label, a second person approves, and anybody of them stops it."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

from sqlmodel import Session

from bot.campaigns import Campaigns, CampaignState, Plan, Request, Skipped, correct, sent_just_now
from bot.campaigns.appeals import appeal_of
from bot.campaigns.correction import SHORTEST
from bot.campaigns.steps import approvers
from bot.errors import NotAllowed
from bot.messages import Inbound
from bot.permissions import Rights, Role
from bot.router import CaseNumber, Router, Words, parse_number
from bot.say import Say
from bot.timers import Timers
from bot.turn import NotMine
from cases.desk import CaseDesk
from content.refusal import Refusal
from content.spelling import named
from handlers.appeals import approve_appeal
from handlers.asking import Act, Confirmations
from handlers.missing import verify_missing
from handlers.requests import again, read_request
from handlers.standing import group_names, say_progress, say_recent, say_titles
from storage.tables import Campaign, Group, Officer

router = Router("posts")

NUMBER = re.compile(r"\s*(?:推送)?\s*(\d{1,9})?\s*[号號]?\s*(?:推送)?\s*")
_NUMBERED = re.compile(r"\s*(\d{1,9})\s*[号號]?(?:\s+|$)(.*)", re.DOTALL)
_TITLES = re.compile(r"\s*(?:(?P<what>\S+?)\s*(?:目录|有哪些)|目录\s*(?P<behind>\S*))\s*")
_HOW_FAR = ("进度", "结果", "列表", "最近")
_CARD = re.compile(r"推送(\d{1,9})号")
_ONCE_MORE = re.compile(r"(.*\S)\s*再推\s*(\d{1,9})\s*[号號]?[\s。.!！]*", re.DOTALL)
_GO_ON = ("继续", "接着发")


@router.command("预览", "preview", usage="栏目或标题 标签", about="看一条推送发出去是什么样、会到哪些群", needs=Role.EDITOR)
def preview(words: Words, rights: Rights, campaigns: Campaigns, say: Say) -> None:
    """What a group would read, who would get it when, and why the others would not; nothing is sent."""
    editor = rights.require("post.preview")
    request = read_request(words, campaigns, editor, labels_needed=False)
    plan = campaigns.plan(request)
    starts = campaigns.rules.local(request.starts_at, campaigns.now) if request.starts_at else ""
    first = next((planned for planned in plan.groups if planned.post is not None), None)
    if first is None or first.post is None:
        say.privately("posts.preview_nobody", starts=starts, reasons=campaigns.why(plan.reasons))
        return
    accounts = plan.accounts(campaigns.rules)
    say.privately(
        "posts.preview",
        title=_title(plan),
        sent=plan.sent,
        members=plan.members,
        uncounted=plan.uncounted,
        whom=campaigns.spell(request.whom),
        accounts="；".join(f"{account.name} {account.groups}个群" for account in accounts) if len(accounts) > 1 else "",
        starts=starts,
        ends=campaigns.rules.local(plan.ends_at(campaigns.rules, campaigns.now), campaigns.now),
        night=_night(plan, campaigns),
        reasons=campaigns.why(plan.reasons),
        over_cap=group_names(plan.left_out(Skipped.WEEKLY_CAP) + plan.left_out(Skipped.DAILY_CAP)),
        second=campaigns.needs_approval(plan),
        group=first.meant.name,
        body=campaigns.text(first.post, first.meant),
        again=again(words, request),
    )


@router.command(
    "推送",
    "post",
    usage="栏目或标题 标签",
    about="把一条推送发到带标签的群；写号看进度",
    needs=(Role.EDITOR, Role.APPROVER, Role.SUPERVISOR),
)
def send(message: Inbound, words: Words, rights: Rights, campaigns: Campaigns, confirmations: Confirmations, say: Say) -> None:
    """Send a post, or a post of a category or theme, to the groups that an expression over labels means; "全部" is every group.

    With a number: how far that campaign is, or ("继续") go on with one that halted.
    """
    if named(words) in _HOW_FAR:
        rights.require("post.preview")
        say_recent(campaigns, say)
        return
    if titles := _TITLES.fullmatch(words):
        rights.require("post.preview")
        say_titles(titles["what"] or titles["behind"], campaigns, say)
        return
    if not words.strip() and (quoted := _quoted(message)) is not None:
        _about(campaigns.get(quoted), "", rights, campaigns, say)
        return
    numbered = _NUMBERED.fullmatch(words)
    if numbered is not None and not _is_theme(numbered[1], numbered[2].strip(), campaigns):
        _about(campaigns.get(int(numbered[1])), numbered[2].strip(), rights, campaigns, say)
        return
    editor = rights.require("post.send")
    once_more = _ONCE_MORE.fullmatch(words)
    said = once_more[1] if once_more is not None else str(words)
    request = read_request(said, campaigns, editor, labels_needed=True)
    if (before := sent_just_now(campaigns, request)) is not None and (once_more is None or int(once_more[2]) != before.id):
        _ask_back(before, said, campaigns, say)
        return
    ahead = campaigns.plan(request)
    if confirmations.needed_for(ahead.sent) and not campaigns.needs_approval(ahead):
        about = say.word("confirm.about_post", what=_title(ahead), whom=campaigns.spell(request.whom))
        sent: dict[str, str | int] = {"words": said, "posts": ",".join(post.slug for post in ahead.posts)}
        confirmations.ask("post.send", editor, scope=f"{ahead.sent}个群", about=about, payload=sent)
        return
    campaign, plan = campaigns.send(request)
    _say_sent(campaign, plan, request, campaigns, say)


def _ask_back(before: Campaign, words: str, campaigns: Campaigns, say: Say) -> None:
    """The same was sent a moment ago: only a number that was read there sends it again."""
    say.privately(
        "posts.just_sent",
        number=before.id,
        title=campaigns.named_to_groups(before),
        state=say.word(f"posts.state.{before.state}"),
        minutes=int((campaigns.now - before.created_at).total_seconds() // 60),
        words=words.strip(),
    )


def carry_out_post(act: Act) -> None:
    """A large post that needed no second person, after its editor's delay."""
    act.rights.require("post.send")
    request = read_request(act.text("words"), act.campaigns, act.officer, labels_needed=True)
    if posts := act.payload.get("posts"):
        request = replace(request, what=str(posts))  # which were shown; the category may be at another one by now
    campaign, plan = act.campaigns.send(request)
    act.say.to_officers([act.officer], "posts.sent_now", number=campaign.id, title=_title(plan), sent=plan.sent)


def _say_sent(campaign: Campaign, plan: Plan, request: Request, campaigns: Campaigns, say: Say) -> None:
    if campaign.state == CampaignState.WAITING:
        say.privately(
            "posts.waiting",
            number=campaign.id,
            title=_title(plan),
            sent=plan.sent,
            whom=campaigns.spell(request.whom),
            asked=say.reachable(approvers(campaigns, campaign)),
        )
    elif campaign.state == CampaignState.PLANNED and request.starts_at is not None:
        when = campaigns.rules.local(request.starts_at, campaigns.now)
        say.privately(
            "posts.planned",
            number=campaign.id,
            title=_title(plan),
            sent=plan.sent,
            when=when,
            over=int(request.over.total_seconds() // 60),
            night=_night(plan, campaigns),
            reasons=campaigns.why(plan.reasons),
        )
    elif not plan.sent:
        say.privately("posts.sent_nobody", reasons=campaigns.why(plan.reasons))
    else:
        rest = plan.sent - campaigns.rules.trial_groups if campaign.state == CampaignState.TRIAL else 0
        over = int(request.over.total_seconds() // 60)
        say.privately(
            "posts.sent",
            number=campaign.id,
            title=_title(plan),
            sent=plan.sent,
            first=plan.sent - rest if rest else 0,
            over=over,
            night=_night(plan, campaigns),
            reasons=campaigns.why(plan.reasons),
        )


@router.command(
    "批准",
    "approve",
    usage="号",
    about="核对后放行一条要两个人把关的推送、寻人或急告",
    needs=(Role.APPROVER, Role.SUPERVISOR, Role.OFFICER),
    names=True,
)
def approve(
    message: Inbound,
    number: CaseNumber | None,
    words: Words,
    rights: Rights,
    campaigns: Campaigns,
    desk: CaseDesk,
    confirmations: Confirmations,
    say: Say,
    timers: Timers,
    session: Session,
) -> None:
    """Let a campaign go (its number), or a missing person's alert or an appeal (the case number).

    Never by the person who wrote it.
    """
    if number is not None:
        if (appeal := appeal_of(session, number)) is not None:
            approve_appeal(appeal, rights, campaigns, desk, say)
        else:
            verify_missing(desk.find(number), words, rights, campaigns, desk, say, timers)
        return
    found = NUMBER.fullmatch(words)
    meant = (int(found[1]) if found[1] else _quoted(message)) if found is not None else None
    if meant is None:
        raise Refusal("posts.which_to_approve")
    officer = rights.require("post.approve", target=f"campaign {meant}")
    campaign = _to_approve(meant, officer, campaigns)
    groups = campaigns.reach(campaign)
    if not groups:
        raise Refusal("posts.approve_nobody", number=campaign.id, reasons=campaigns.why(campaigns.left_out(campaign)))
    if campaign.case_id is None and confirmations.needed_for(groups):  # who looks for a missing person does not wait
        about = say.word("confirm.about_approval", number=campaign.id, what=campaigns.name_of(campaign.post))
        confirmations.ask("post.approve", officer, scope=f"{groups}个群", about=about, payload={"campaign": campaign.id or 0})
        return
    when = _approve(campaign, officer, campaigns, say, session)
    if when:
        say.privately("posts.approved_for", number=campaign.id, when=when)
    else:
        say.privately("posts.approved", number=campaign.id, sent=groups)


def carry_out_approval(act: Act) -> None:
    """The second person's delay is over: the campaign goes, if it still waits and the officer may still let it."""
    number = act.number("campaign")
    act.rights.require("post.approve", target=f"campaign {number}")
    _approve(_to_approve(number, act.officer, act.campaigns), act.officer, act.campaigns, act.say, act.session)


def _to_approve(number: int, officer: Officer, campaigns: Campaigns) -> Campaign:
    campaign = campaigns.get(number)
    if campaign.state != CampaignState.WAITING:
        raise Refusal("posts.not_waiting", number=campaign.id)
    if campaign.officer_id == officer.id:
        raise NotAllowed("posts.own_plan", action="post.approve", target=f"campaign {campaign.id}")
    return campaign


def _approve(campaign: Campaign, officer: Officer, campaigns: Campaigns, say: Say, session: Session) -> str:
    """Let it go and tell its planner; when it begins, empty when that is now."""
    groups = campaigns.approve(campaign, officer.id or 0)
    when = (
        campaigns.rules.local(campaign.starts_at, campaigns.now)
        if campaign.starts_at and campaign.next_step_at == campaign.starts_at
        else ""
    )
    planner = session.get(Officer, campaign.officer_id) if campaign.officer_id else None
    if planner is not None:
        by = f"{officer.title}{officer.name}"
        say.to_officers([planner], "posts.was_approved", number=campaign.id, by=by, sent=groups, when=when)
    return when


@router.command(
    "停止", "stop", usage="号", about="停下还没发完的推送", needs=(Role.EDITOR, Role.APPROVER, Role.SUPERVISOR), names=True
)
def stop(message: Inbound, words: Words, rights: Rights, campaigns: Campaigns, say: Say) -> None:
    """Stop a campaign by its number or its quoted card, without either the newest; what has been sent stays sent."""
    digits = NUMBER.fullmatch(words)
    meant = (int(digits[1]) if digits[1] else _quoted(message)) if digits is not None else None
    rights.require("post.stop", target=f"campaign {meant or ''}" if digits else "")
    if digits is None:
        raise Refusal("posts.stop_chain" if parse_number(words) else "posts.number_needed")
    campaign, cancelled = campaigns.stop(meant)
    progress = campaigns.progress(campaign)
    if not progress.total:
        say.privately("posts.not_begun", number=campaign.id)
        return
    leaving = progress.notices.get("sending", 0)
    say.privately("posts.stopped", number=campaign.id, sent=progress.sent, leaving=leaving, cancelled=cancelled)


@router.command(
    "更正",
    "correct",
    usage="号 更正的话",
    about="给收到错误推送的群发更正，能撤回的撤回",
    needs=(Role.EDITOR, Role.SUPERVISOR),
)
def correct_post(
    message: Inbound, words: Words, rights: Rights, campaigns: Campaigns, confirmations: Confirmations, say: Say
) -> None:
    """A correction to exactly the groups that got the wrong one; what a platform takes back is taken back."""
    numbered = _NUMBERED.fullmatch(words)
    meant = int(numbered[1]) if numbered is not None else _quoted(message)
    text = (words if numbered is None else numbered[2]).strip()
    if meant is None or len(text) < SHORTEST:
        raise Refusal("posts.correct_usage")
    editor = rights.require("post.correct", target=f"campaign {meant}")
    wrong = campaigns.get(meant)
    reached = len(campaigns.groups_reached(wrong.id or 0))
    if confirmations.needed_for(reached) and reached <= campaigns.rules.approve_over:
        about = say.word("confirm.about_correction", number=wrong.id, text=text)
        payload: dict[str, str | int] = {"campaign": wrong.id or 0, "text": text}
        confirmations.ask("post.correct", editor, scope=f"{reached}个群", about=about, payload=payload)
        return
    _correct(wrong, text, editor, campaigns, say)


def carry_out_correction(act: Act) -> None:
    """A large correction that needed no second person, after its editor's delay."""
    number = act.number("campaign")
    act.rights.require("post.correct", target=f"campaign {number}")
    _correct(act.campaigns.get(number), act.text("text"), act.officer, act.campaigns, act.say, alone=True)


def _correct(wrong: Campaign, text: str, editor: Officer, campaigns: Campaigns, say: Say, *, alone: bool = False) -> None:
    words = say.word("posts.correction", title=campaigns.named_to_groups(wrong), text=text)
    corrected = correct(campaigns, wrong, words, editor.id, f"officer:{editor.badge}")
    tell = partial(say.to_officers, [editor]) if alone else say.privately
    tell(
        "posts.correcting",
        number=corrected.campaign.id,
        wrong=wrong.id,
        groups=corrected.groups,
        gone=group_names(corrected.gone),
        waiting=corrected.campaign.state == CampaignState.WAITING,
        asked=say.reachable(approvers(campaigns, corrected.campaign)),
    )


@router.keyword(r"^\s*(?:同意|批准|属实|可以发?|没问题|发吧?|行|好的?|ok|OK)[了的啊吧。.!！\s]*$")
def nearly_approved(message: Inbound, rights: Rights, campaigns: Campaigns, say: Say) -> None:
    """Below the card a plain "同意" lets nothing go, and whoever writes it has to know."""
    quoted = _quoted(message) if rights.holds(Role.APPROVER, Role.SUPERVISOR) else None
    if quoted is None or campaigns.get(quoted).state != CampaignState.WAITING:
        raise NotMine
    say.reply("posts.to_approve", number=quoted)


@router.command(
    "免推",
    "mute",
    usage="（恢复）",
    about="让本群不收推送；要恢复发 /免推 恢复",
    needs=(Role.OFFICER, Role.GRID_WORKER, Role.EDITOR, Role.SUPERVISOR),
    names=True,
)
def mute(words: Words, rights: Rights, campaigns: Campaigns, group: Group | None, say: Say) -> None:
    """Whether this group gets posts; alerts about missing people are posts, too."""
    if group is None:
        raise Refusal("posts.in_the_group")
    off = words.strip() not in ("恢复", "取消", "off")
    rights.require("post.mute", grid_id=group.grid_id, target=f"group {group.id} {'off' if off else 'on'}")
    group.posts_off = off
    campaigns.session.add(group)
    say.privately("posts.muted" if off else "posts.unmuted", group=group.name)


def _quoted(message: Inbound) -> int | None:
    """The campaign whose card is quoted."""
    found = _CARD.search(message.quote.text) if message.quote is not None and message.quote.mine else None
    return int(found[1]) if found is not None else None


def _about(campaign: Campaign, words: str, rights: Rights, campaigns: Campaigns, say: Say) -> None:
    """What an officer wants of a campaign that exists."""
    words = named(words)
    if words in _GO_ON:
        rights.require("post.stop", target=f"campaign {campaign.id}")
        say.privately("posts.goes_on", number=campaign.id, rest=campaigns.go_on(campaign))
    elif words in ("", *_HOW_FAR):
        rights.require("post.preview", target=f"campaign {campaign.id}")
        say_progress(campaign, campaigns, say)
    else:
        raise Refusal("posts.about_usage", number=campaign.id)


def _is_theme(number: str, rest: str, campaigns: Campaigns) -> bool:
    """Whether "119 全部" means the theme of that name, to these groups."""
    return rest not in ("", *_HOW_FAR, *_GO_ON) and campaigns.calendar.find(number) is not None


def _night(plan: Plan, campaigns: Campaigns) -> str:
    """When quiet hours end that part it; empty when none do."""
    rules = campaigns.rules
    return f"{rules.quiet_to:%H:%M}" if plan.meets_quiet(rules, campaigns.now) else ""


def _title(plan: Plan) -> str:
    posts = plan.posts
    if not posts:
        return ""
    return f"《{posts[0].title}》" if len(posts) == 1 else f"《{posts[0].title}》等{len(posts)}条"

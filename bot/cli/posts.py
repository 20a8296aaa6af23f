"""Posts from the shell."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlmodel import Session, col, select

from bot.campaigns import Campaigns, CampaignState, Corrected, Plan, Request, correct, finish_campaigns
from bot.campaigns.correction import SHORTEST
from bot.campaigns.proof import Proof, prove, reach_by_label, write_csv
from bot.campaigns.wording import read_wording
from bot.cli import shell
from bot.cli.follow import follow_campaign
from bot.cli.shell import Stop
from bot.config import Settings
from content.posts import PostLibrary, category_of
from storage.private import opener
from storage.tables import Campaign
from storage.writer import Writer

posts = typer.Typer(help="Posts: list, preview, send, stop. 推送。", no_args_is_help=True)

What = Annotated[str, typer.Argument(help="A category (反诈, antifraud) or a post (slug, file name or title).")]
To = Annotated[
    list[str] | None,
    typer.Option("--to", help='Groups by labels: "综合", "grid:GX01", "餐饮 与 非 港新2号网格"; several mean any of them.'),
]
All = Annotated[bool, typer.Option("--all", help="Every group.")]
At = Annotated[str, typer.Option("--at", help='When: "明天9:00", "2026-12-01 9:00"; now if left out.')]
Over = Annotated[str, typer.Option("--over", help='Spread over so long: "2小时", "30分钟".')]
Accounts = Annotated[
    list[str] | None, typer.Option("--account", help='Only by this account, "telegram" or "web:web"; repeatable.')
]
Number = Annotated[int, typer.Argument(help="Campaign.")]

TO_WHOM = "say to whom: --to LABEL (repeatable), or --all; qianshao group list shows the labels"


@posts.command("list")
def list_posts(category: Annotated[str | None, typer.Argument(help="Only this category.")] = None) -> None:
    """Every post with its state. 列出所有推送。"""
    folder = category_of(category) if category else None
    if category and folder is None:
        raise Stop(f"{category!r} is no category; qianshao post list without an argument shows all")
    today = datetime.now(UTC).date()
    library = PostLibrary.load(shell.CONTENT / "posts")
    rows = [
        (post.slug, post.why_not(today) or "ready", post.expires_on, post.title)
        for post in library.posts.values()
        if folder in (None, post.category)
    ]
    shell.table(rows, ("post", "state", "until", "title"))
    for broken in library.broken:
        typer.echo(f"broken: {broken}", err=True)


@posts.command("preview")
def preview(what: What, to: To = None) -> None:
    """What would be sent now, to whom, and one group's text; nothing is sent. 预览。"""

    def work(session: Session) -> tuple[Plan, str, str]:
        campaigns = shell.campaigns(session, chosen)
        plan = campaigns.plan(Request(_resolve(campaigns, what), campaigns.whom(_expression(to))))
        first = next((planned for planned in plan.groups if planned.post), None)
        if first is None or first.post is None:
            return plan, "", ""
        return plan, first.meant.name, campaigns.text(first.post, first.meant)

    with shell.storage() as (chosen, writer):
        plan, group, text = writer.read_now(work)
    if text:
        typer.echo(f"--- {group}\n{text}\n---")
    _tell_plan(plan, "would get")


@posts.command("plan")
def plan_post(
    what: What,
    to: To = None,
    everybody: All = False,
    at: At = "",
    over: Over = "",
    account: Accounts = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would happen.")] = False,
) -> None:
    """Plan a post: groups by an expression over labels, when, over how long, by which accounts. 计划推送。"""
    if bool(to) == everybody:
        raise Stop(TO_WHOM)

    def show(session: Session) -> tuple[list[str], bool]:
        campaigns = shell.campaigns(session, chosen)
        plan = campaigns.plan(_request(campaigns, what, to, at, over, account))
        return describe(plan, campaigns), campaigns.needs_approval(plan)

    with shell.storage() as (chosen, writer):
        lines, second = writer.read_now(show)
        typer.echo("\n".join(lines))
        if second:
            typer.echo("a second person has to approve it: /批准 in the chat")
        if not dry_run:
            _send(chosen, writer, what, to, at, over, account)


@posts.command("send")
def send(
    what: What,
    to: To = None,
    everybody: All = False,
    over: Over = "",
    account: Accounts = None,
    follow: Annotated[bool, typer.Option("--follow", help="Show how far it is until it is over.")] = False,
) -> None:
    """Send a post to groups by label; a running bot takes it from the database within seconds. 发送。"""
    if bool(to) == everybody:
        raise Stop(TO_WHOM)
    with shell.storage() as (chosen, writer):
        number, plan = _send(chosen, writer, what, to, "", over, account)
        if follow and plan.sent:
            follow_campaign(writer, number)
    if not plan.sent:
        raise typer.Exit(1)


@posts.command("stop")
def stop(number: Annotated[int | None, typer.Argument(help="Campaign; the newest if left out.")] = None) -> None:
    """Stop a campaign: what is not sent yet is not sent. 停止。"""

    def work(session: Session) -> tuple[int, int, bool]:
        campaigns = shell.campaigns(session, chosen)
        campaign, cancelled = campaigns.stop(number)
        shell.audit(session, "post.stop", f"campaign {campaign.id}")
        return campaign.id or 0, cancelled, campaigns.progress(campaign).total > 0

    with shell.storage() as (chosen, writer):
        stopped, cancelled, begun = writer.run_now(work)
    left = f"{cancelled} groups will not get it" if begun else "nothing of it has been sent"
    typer.echo(f"campaign {stopped} is stopped: {left}")


@posts.command("continue")
def go_on(number: Number) -> None:
    """Go on with a campaign that halted because of errors. 继续。"""

    def work(session: Session) -> int:
        campaigns = shell.campaigns(session, chosen)
        shell.audit(session, "post.continue", f"campaign {number}")
        return campaigns.go_on(campaigns.get(number))

    with shell.storage() as (chosen, writer):
        typer.echo(f"campaign {number} goes on: {writer.run_now(work)} groups to go")


@posts.command("correct")
def correct_post(number: Number, text: Annotated[str, typer.Argument(help="The correction, as the groups read it.")]) -> None:
    """Send a correction to exactly the groups that got a campaign, and take back what can be taken back. 更正。"""

    if len(text.strip()) < SHORTEST:
        raise Stop(f"say what is right, in {SHORTEST} characters at least: every group that got campaign {number} reads it")

    def work(session: Session) -> Corrected:
        campaigns = shell.campaigns(session, chosen)
        wrong = campaigns.get(number)
        shell.audit(session, "post.correct", f"campaign {number}")
        words = campaigns.phrases.say("posts.correction", title=campaigns.named_to_groups(wrong), text=text.strip())
        return correct(campaigns, wrong, words, None, "shell")

    with shell.storage() as (chosen, writer):
        corrected = writer.run_now(work)
        waits = corrected.campaign.state == CampaignState.WAITING
    typer.echo(f"campaign {corrected.campaign.id} corrects {number} in {corrected.groups} groups")
    if waits:
        typer.echo("a second person has to approve it: /批准 in the chat; taking back has begun")
    if corrected.gone:
        typer.echo(f"the bot has left: {', '.join(corrected.gone)}")


@posts.command("status")
def status(
    number: Annotated[int | None, typer.Argument(help="Campaign; the last ten if left out.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Show how far it is until it is over.")] = False,
) -> None:
    """How far campaigns are. 进度。"""

    def work(session: Session) -> list[tuple[object, ...]]:
        finish_campaigns(session)
        wanted = select(Campaign).order_by(col(Campaign.id).desc()).limit(10)
        found = session.exec(wanted if number is None else wanted.where(Campaign.id == number)).all()
        campaigns = shell.campaigns(session, chosen)
        rows: list[tuple[object, ...]] = []
        for campaign in found:
            progress = campaigns.progress(campaign)
            other = {state: count for state, count in progress.notices.items() if state in ("unknown", "dead", "cancelled")}
            left_out = {**other, **progress.skipped}
            why = ", ".join(f"{reason} {count}" for reason, count in left_out.items())
            what = campaign.post or campaign.kind
            rows.append((campaign.id, campaign.state, what, campaign.origin, progress.sent, progress.open, why))
        return rows

    with shell.storage() as (chosen, writer):
        rows = writer.run_now(work)
        if number is not None and not rows:
            raise Stop(f"there is no campaign {number}; qianshao post status shows the last ten")
        shell.table(rows, ("campaign", "state", "post", "by", "sent", "waiting", "not sent"))
        if follow and number is not None:
            follow_campaign(writer, number)


@posts.command("export")
def export(
    number: Number,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File; the terminal if left out.")] = None,
    by: Annotated[str | None, typer.Option(help="Badge of the officer who confirms it with a one-time password.")] = None,
    confirmed: Annotated[int | None, typer.Option(help="The number that --by printed, once its delay is over.")] = None,
) -> None:
    """What every group got, as CSV: when, receipt id, failures and reasons, replies. 导出。"""
    from bot.cli.confirming import confirm_export  # with what handlers are built on, for which no other command has to wait

    if by is not None and confirmed is not None:
        raise Stop("--by asks for an export, --confirmed makes the one that was asked for; give one of them")

    if output is not None and (
        output.is_dir() or not os.access(output.parent, os.W_OK)
    ):  # asked before a confirmation is used up
        raise Stop(f"{output} cannot be written; name a file in a folder that can be, as --output /tmp/campaign-{number}.csv")

    def work(session: Session) -> tuple[list[Proof], list[tuple[object, ...]]]:
        campaigns = shell.campaigns(session, chosen)
        proofs = prove(campaigns, campaigns.get(number))
        shell.audit(session, "post.export", f"campaign {number}")
        least = chosen.bot.least_shown
        reached = reach_by_label(proofs, least)
        return proofs, [
            (one.label, one.groups, one.sent, f"fewer than {least}" if one.members < 0 else one.members) for one in reached
        ]

    with shell.storage() as (chosen, writer):
        writer.read_now(lambda session: shell.campaigns(session, chosen).look(number))
        about = shell.phrases().say("confirm.about_export", number=number)
        if not confirm_export(writer, chosen, "post.export", number, about, by=by, number=confirmed):
            return
        proofs, reach = writer.run_now(work)
        text = write_csv(proofs, chosen.bot.zone, chosen.bot.least_shown)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        with open(output, "w", encoding="utf-8", newline="", opener=opener) as file:
            file.write(text)
    except OSError as problem:
        raise Stop(f"{output} cannot be written: {problem.strerror}; name another file with --output") from problem
    typer.echo(f"{len(proofs)} groups written to {output}")
    shell.table(reach, ("label", "groups", "sent", "members"))


def _send(
    chosen: Settings, writer: Writer, what: str, to: list[str] | None, at: str, over: str, account: list[str] | None
) -> tuple[int, Plan]:
    def work(session: Session) -> tuple[int, str, Plan]:
        campaigns = shell.campaigns(session, chosen)
        campaign, plan = campaigns.send(_request(campaigns, what, to, at, over, account))
        shell.audit(session, "post.send", f"campaign {campaign.id}")
        return campaign.id or 0, campaign.state, plan

    number, state, plan = writer.run_now(work)
    typer.echo(f"campaign {number} ({state}): {', '.join(post.slug for post in plan.posts) or 'nothing'}")
    _tell_plan(plan, "get")
    if state == CampaignState.WAITING:
        typer.echo(f"it waits for a second person: /批准 {number} in the chat")
    return number, plan


def _resolve(campaigns: Campaigns, what: str) -> str:
    """What is to be sent; Stop while there is nobody to whom it could be."""
    resolved = campaigns.resolve(what)
    if not campaigns.audiences.groups:
        raise Stop(
            "there is no group yet; qianshao group add makes one of the web chat, others appear when the bot is added to them"
        )
    return resolved


def _expression(to: list[str] | None) -> str:
    """Several --to mean any of them."""
    if to and len(to) == 1:
        return to[0]  # as it was written, so that a mistake is shown where it is
    return " or ".join(f"({words})" for words in to or [])


def _request(campaigns: Campaigns, what: str, to: list[str] | None, at: str, over: str, account: list[str] | None) -> Request:
    chosen = _resolve(campaigns, what)
    accounts = frozenset(f"{group.platform}:{group.account}" for group in campaigns.audiences.groups)
    words = f"{at} {over} {f'账号 {chr(44).join(account)}' if account else ''}"
    said = read_wording(words, campaigns.now, campaigns.rules.zone, accounts)
    if said.rest:
        raise Stop(f'cannot read {said.rest!r}; times are written "明天9:00" or "2026-12-01 9:00", durations "2小时" or "30分钟"')
    return Request(
        chosen,
        campaigns.whom(_expression(to)),
        "shell",
        starts_at=said.starts_at,
        over=said.over,
        accounts=said.accounts,
    )


def describe(plan: Plan, campaigns: Campaigns) -> list[str]:
    """The dry run: groups, members, accounts, the time it ends, and who is left out."""
    rules, now = campaigns.rules, campaigns.now
    uncounted = f" ({plan.uncounted} groups of unknown size)" if plan.uncounted else ""
    lines = [
        f"to: {str(plan.request.whom) or 'every group'}",
        f"groups: {plan.sent} of {len(plan.groups)}, members: {plan.members}{uncounted}",
        f"posts: {', '.join(post.slug for post in plan.posts) or 'none'}",
    ]
    lines += [f"account {one.name}: {one.groups} groups, {one.takes.total_seconds():.0f} s" for one in plan.accounts(rules)]
    starts = max(now, plan.request.starts_at or now).astimezone(rules.zone)
    ends = plan.ends_at(rules, now).astimezone(rules.zone)
    lines.append(f"starts {starts:%Y-%m-%d %H:%M}, ends about {ends:%Y-%m-%d %H:%M:%S} ({rules.zone.key})")
    if plan.meets_quiet(rules, now):
        lines.append(f"quiet hours {rules.quiet_from:%H:%M} to {rules.quiet_to:%H:%M} part it: the rest leaves after them")
    for reason, count in plan.reasons.items():
        names = plan.left_out(reason)
        lines.append(f"left out, {reason.value}: {count} ({', '.join(names[:5])}{', …' if len(names) > 5 else ''})")
    return lines


def _tell_plan(plan: Plan, verb: str) -> None:
    why = ", ".join(f"{reason.value} {count}" for reason, count in plan.reasons.items())
    typer.echo(f"groups that {verb} it: {plan.sent}" + (f"; left out: {why}" if why else ""))

"""Posts by hand: an editor looks at one, sends it to groups by label, and stops it."""

from __future__ import annotations

import re

from bot.campaigns import Campaigns, Plan, Request
from bot.permissions import Rights, Role
from bot.router import Router, Words
from bot.say import Say
from content.posts import CATEGORIES
from content.refusal import Refusal

router = Router("posts")


@router.command("预览", "preview", usage="栏目或标题 标签", about="看一条推送发出去是什么样、会到哪些群", needs=Role.EDITOR)
def preview(words: Words, rights: Rights, campaigns: Campaigns, say: Say) -> None:
    """What a group would read, how many would get it, and why the others would not; nothing is sent."""
    rights.require("post.preview")
    request = _request(words, campaigns, "preview", labels_needed=False)
    plan = campaigns.plan(request)
    first = next((planned for planned in plan.groups if planned.post is not None), None)
    if first is None or first.post is None:
        say.privately("posts.preview_nobody", reasons=campaigns.why(plan.reasons))
        return
    say.privately(
        "posts.preview",
        title=_title(plan),
        sent=plan.sent,
        reasons=campaigns.why(plan.reasons),
        group=first.meant.name,
        body=campaigns.text(first.post, first.meant),
        what=request.what,
        labels=" ".join(request.labels) or "全部",
    )


@router.command("推送", "post", usage="栏目或标题 标签", about="把一条推送发到带标签的群", needs=Role.EDITOR)
def send(words: Words, rights: Rights, campaigns: Campaigns, say: Say) -> None:
    """Send a post, or a post of a category, to the groups with one of the labels; "全部" is every group."""
    editor = rights.require("post.send")
    campaign, plan = campaigns.send(_request(words, campaigns, f"officer:{editor.badge}", labels_needed=True))
    if not plan.sent:
        say.privately("posts.sent_nobody", reasons=campaigns.why(plan.reasons))
        return
    say.privately("posts.sent", number=campaign.id, title=_title(plan), sent=plan.sent, reasons=campaigns.why(plan.reasons))


@router.command("停止", "stop", usage="号", about="停下还没发完的推送", needs=(Role.EDITOR, Role.SUPERVISOR))
def stop(words: Words, rights: Rights, campaigns: Campaigns, say: Say) -> None:
    """Stop a campaign by its number, without one the newest; what has been sent stays sent."""
    rights.require("post.stop")
    digits = re.fullmatch(r"\s*(?:推送)?\s*(\d{1,9})?\s*号?\s*", words)
    if digits is None:
        raise Refusal("posts.number_needed")
    campaign, cancelled = campaigns.stop(int(digits[1]) if digits[1] else None)
    sent = campaigns.progress(campaign).notices.get("sent", 0)
    say.privately("posts.stopped", number=campaign.id, sent=sent, cancelled=cancelled)


def _request(words: str, campaigns: Campaigns, origin: str, *, labels_needed: bool) -> Request:
    """The request in an editor's words: a category or a title, then labels."""
    parts = words.split()
    if not parts:
        raise Refusal("posts.usage", categories="、".join(CATEGORIES.values()))
    # a title may hold blanks: the longest beginning that names something is the title
    what, labels = "", parts[1:]
    for length in range(len(parts), 1, -1):
        try:
            what, labels = campaigns.resolve(" ".join(parts[:length])), parts[length:]
            break
        except Refusal:
            continue
    what = what or campaigns.resolve(parts[0])
    labels = [label for label in re.split(r"[\s,，、]+", " ".join(labels)) if label]
    if labels_needed and not labels:
        raise Refusal("posts.whom", what=parts[0])
    return Request(what, campaigns.labels(labels), origin)


def _title(plan: Plan) -> str:
    posts = plan.posts
    return f"《{posts[0].title}》" if len(posts) == 1 else f"《{posts[0].title}》等{len(posts)}条"

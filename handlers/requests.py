"""The request in an editor's words: which post, to whom, when, over how long, by which accounts."""

from __future__ import annotations

from bot.campaigns import Campaigns, Request
from bot.campaigns.wording import read_wording
from content.posts import CATEGORIES, category_of
from content.refusal import Refusal
from storage.tables import Officer

_STOPS = "，,、：:；;。"


def read_request(words: str, campaigns: Campaigns, editor: Officer, *, labels_needed: bool) -> Request:
    """The request in an editor's words: a category, theme or title; then groups, and when, over how long, by which accounts."""
    parts = words.split()
    if not parts:
        raise Refusal("posts.usage", categories="、".join(CATEGORIES.values()))
    # a title may hold blanks: the longest beginning that names something is the title
    what, rest = "", parts[1:]
    for length in range(len(parts), 1, -1):
        try:
            what, rest = campaigns.resolve(" ".join(parts[:length])), parts[length:]
            break
        except Refusal:
            continue
    if not what:
        what, glued = _apart(parts[0], campaigns)
        rest = [*glued, *rest]
    accounts = frozenset(f"{group.platform}:{group.account}" for group in campaigns.audiences.groups)
    said = read_wording(" ".join(rest).rstrip(f" {_STOPS}"), campaigns.now, campaigns.rules.zone, accounts)
    if labels_needed and not said.rest:
        raise Refusal("posts.whom", what=parts[0])
    return Request(
        what,
        campaigns.whom(said.rest),
        f"officer:{editor.badge}",
        planner=editor.id,
        starts_at=said.starts_at,
        over=said.over,
        accounts=said.accounts,
    )


def _apart(first: str, campaigns: Campaigns) -> tuple[str, list[str]]:
    """What somebody means by the first word, and the labels that stand to it without a blank: "反诈，综合", "反诈综合"."""
    for length in range(len(first) - 1, 1, -1):
        category, rest = category_of(first[:length].rstrip(_STOPS)), first[length:].lstrip(_STOPS)
        if category is None or not rest:
            continue
        try:
            campaigns.whom(rest)
        except Refusal:
            continue
        return category, [rest]
    return campaigns.resolve(first), []


def again(words: str, request: Request) -> str:
    """The words that send what was previewed."""
    return words if str(request.whom) or "全部" in words else f"{words} 全部"

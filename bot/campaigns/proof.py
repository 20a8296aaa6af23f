"""Who got what: one line for every group that a campaign meant, and a table that no spreadsheet can be made to execute."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel import col, select

from bot.campaigns.campaigns import Campaigns
from bot.campaigns.lots import its_part, stands_as
from content.small_numbers import LEAST, hidden, shown
from storage.tables import Campaign, CampaignGroup, CampaignPart, Group, Notice

# OWASP's list for CSV injection, with the full-width forms that Chinese input methods make of them
_FORMULA = tuple("=+-@\t\r\n|%＝＋－﹣−＠｜％")


HEADINGS = (
    *("群", "平台", "账号", "群号", "标签", "人数", "推送"),
    *("结果", "原因", "发出时间", "回执号", "尝试次数", "撤回"),
    *("回复数", "提问数", "要求不发数", "已不收推送"),
)


@dataclass(frozen=True, slots=True)
class Proof:
    """One group of one campaign.

    `outcome`: sent, unknown (the answer was lost), failed, skipped, cancelled, waiting. `why` explains the four in the middle.
    `receipt` is the platform's own id of the message. `recalled`: "", yes, no, waiting.
    """

    group: str
    platform: str
    account: str
    chat: str
    labels: str
    members: int | None
    post: str
    outcome: str
    why: str
    sent_at: datetime | None
    receipt: str
    attempts: int
    recalled: str
    replies: int
    questions: int
    opt_outs: int
    posts_off: bool


@dataclass(frozen=True, slots=True)
class Reach:
    """What carries one label: groups meant, groups that got it, members of these; -1 when all of them are in groups too small to
    be told."""

    label: str
    groups: int
    sent: int
    members: int


_OUTCOMES = {
    "sent": "sent",
    "unknown": "unknown",
    "dead": "failed",
    "cancelled": "cancelled",
    "pending": "waiting",
    "held": "waiting",
}
_OVER_CAP = frozenset({"daily cap", "weekly cap", "urgent cap", "posts off"})


def prove(campaigns: Campaigns, campaign: Campaign) -> list[Proof]:
    """One line per group that was meant, in order of the groups."""
    found = campaigns.session.exec(
        select(CampaignGroup, CampaignPart, Group, Notice)
        .join(CampaignPart, its_part())
        .join(Group, col(Group.id) == col(CampaignGroup.group_id))
        .outerjoin(
            Notice,
            (col(Notice.campaign_id) == col(CampaignGroup.campaign_id)) & (col(Notice.group_id) == col(CampaignGroup.group_id)),
        )
        .where(CampaignGroup.campaign_id == campaign.id)
        .order_by(col(Group.id))
    ).all()
    recalls = dict(
        campaigns.session.exec(select(Notice.group_id, Notice.state).where(col(Notice.key).like(f"recall:{campaign.id}:%"))).all()
    )
    to_come = _OUTCOMES[stands_as(campaign)]
    return [_proof(campaigns, row, part, group, notice, recalls.get(group.id, ""), to_come) for row, part, group, notice in found]


def reach_by_label(proofs: Iterable[Proof], least: int = LEAST) -> list[Reach]:
    """Per label, the widest reach first; a group counts under each of its labels. Members of a group that has fewer than `least`
    are in no sum, so that no difference of two sums tells them."""
    groups: dict[str, list[Proof]] = {}
    for proof in proofs:
        for label in proof.labels.split():
            groups.setdefault(label, []).append(proof)
    reached = []
    for label, mine in groups.items():
        got = [proof for proof in mine if proof.outcome == "sent"]
        reached.append(Reach(label, len(mine), len(got), members_of(got, least)))
    return sorted(reached, key=lambda one: (-one.sent, one.label))


def members_of(proofs: Iterable[Proof], least: int = LEAST) -> int:
    """Members of groups that have at least `least`; -1 when there are only smaller ones."""
    numbers = [proof.members for proof in proofs if proof.members]
    return sum(number for number in numbers if number >= least) or (-1 if numbers else 0)


def write_csv(proofs: Sequence[Proof], zone: ZoneInfo, least: int = LEAST) -> str:
    """The lines as CSV with Chinese headings and times of the district. Begins with a byte order mark, which Excel wants.

    Numbers of people below `least` read 少于5, and what would give them back beside the totals that editors read in the chat is
    left open (docs/decisions/0200).
    """
    replies, questions, opt_outs = (
        _column(numbers, least)
        for numbers in (
            [proof.replies for proof in proofs],
            [proof.questions for proof in proofs],
            [proof.opt_outs for proof in proofs],
        )
    )
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(HEADINGS)
    for line, proof in enumerate(proofs):
        at = f"{proof.sent_at.astimezone(zone):%Y-%m-%d %H:%M:%S}" if proof.sent_at else ""
        members = "" if proof.members is None else _few(proof.members, least)
        cells = (proof.group, proof.platform, proof.account, proof.chat, proof.labels, members, proof.post)
        ends = (_CHINESE[proof.outcome], proof.why, at, proof.receipt, proof.attempts, _RECALLED[proof.recalled])
        came = (replies[line], questions[line], opt_outs[line], "是" if proof.posts_off else "")
        writer.writerow(safe_cell(str(cell)) for cell in (*cells, *ends, *came))
    return "﻿" + file.getvalue()


def _few(number: int, least: int) -> str:
    return f"少于{least}" if shown(number, least) < 0 else str(number)


def _column(numbers: list[int], least: int) -> list[str]:
    """One column: small numbers, and what would give them back, are not told."""
    left_out = hidden(numbers, range(len(numbers)), least)
    if left_out is None:
        return ["不列" if number else "0" for number in numbers]
    return ["不列" if at in left_out and number >= least else _few(number, least) for at, number in enumerate(numbers)]


def safe_cell(text: str) -> str:
    """The text so that a spreadsheet shows it and never computes it: whatever could begin a formula gets an apostrophe.

    Blanks, quotation marks and invisible characters before it do not hide it. A plain number stays one.
    """
    bare = text.lstrip(" \"'　\u00a0\u200b\u200e\u200f﻿\x00")
    if bare.startswith(_FORMULA) or text[:1] in ("\t", "\r", "\n"):
        return "'" + text
    return text


_CHINESE = {"sent": "已发", "unknown": "不确定", "failed": "失败", "skipped": "没发", "cancelled": "取消", "waiting": "待发"}
_RECALLED = {"": "", "yes": "已撤回", "no": "撤不回", "waiting": "撤回中"}


def _why(campaigns: Campaigns, reason: str) -> str:
    """Why a group was left out, as whoever opens the table reads it."""
    return campaigns.phrases.say(f"posts.why.{reason.replace(' ', '_')}")


def _proof(
    campaigns: Campaigns, row: CampaignGroup, part: CampaignPart, group: Group, notice: Notice | None, recall: str, to_come: str
) -> Proof:
    if row.waits and notice is None:
        outcome, why = to_come, ""
    elif part.skipped or notice is None:
        outcome, why = "skipped", _why(campaigns, part.skipped or "not sent")
    else:
        over_cap = notice.state == "cancelled" and notice.problem in _OVER_CAP
        problem = _why(campaigns, notice.problem) if over_cap else notice.problem
        outcome, why = "skipped" if over_cap else _OUTCOMES[notice.state], problem if notice.state != "sent" else ""
    meant = campaigns.audiences.group(group.id or 0)
    return Proof(
        group=group.name,
        platform=group.platform,
        account=group.account,
        chat=group.chat,
        labels=" ".join(sorted(meant.labels)) if meant else "",
        members=group.members,
        post=part.post,
        outcome=outcome,
        why=why,
        sent_at=notice.sent_at if notice else None,
        receipt=(notice.message_id or "") if notice else "",
        attempts=notice.attempt if notice else 0,
        recalled={"": "", "sent": "yes", "dead": "no"}.get(recall, "waiting"),
        replies=row.replies,
        questions=row.questions,
        opt_outs=row.opt_outs,
        posts_off=group.posts_off,
    )

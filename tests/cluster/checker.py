"""What must be true of a cluster when its story is over; counted as Jepsen counts a queue.

* lost: the world was told that we have it, and nothing came of it; a notice that never ended; or a group of a campaign for which
  none was made.
* unexpected: something that nobody said or wrote, or a line that was handled twice.
* duplicated: a message that is in its chat more often than once plus its ambiguous attempts, a repetition that does not say so,
  or a campaign that was repeated at all. An attempt is ambiguous when its answer was lost, or when its node or the database met
  with something before the receipt can have been committed.
* disordered: one person's lines, or the notices of one lane in one group, in another order than they were written in. Of posts
  count those that an editor sent once all notices of the one before were made, and that never halted: what an officer lets go on
  goes behind what came meanwhile.
* recovered: messages that are there although something went wrong with them. No fault; it says how much was at stake.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlmodel import Session, col, func, select

from bot.notices import Lane
from storage.tables import Campaign, InboxEvent, Notice, Occurrence
from storage.tables import Counter as CounterRow
from tests.cluster.editor import ORIGIN
from tests.cluster.world import Attempt, World
from tests.kit.lots import doubled_in_lots, lost_in_lots

REPEAT_MARK = "重发"
RECEIPT_SECONDS = 1.0  # a receipt is committed by then, where there are not more programs at work than cores
_ECHO = re.compile(r"(\d+)号回声，第(\d+)次")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that a node (or, without one, the database and so every node) met with, by the monotonic clock."""

    what: str
    node: str
    began: float


@dataclass(slots=True)
class Verdict:
    """Everything that is wrong, in sentences, and how much was at stake."""

    lost: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    occurrences: list[str] = field(default_factory=list)
    acknowledged: int = 0
    sent: int = 0
    repeated: int = 0
    ambiguous: int = 0
    recovered: int = 0
    refused: int = 0

    @property
    def faults(self) -> list[str]:
        named = ("lost", "unexpected", "duplicated", "disordered", "occurrences")
        return [f"{name}: {fault}" for name in named for fault in getattr(self, name)]

    def __str__(self) -> str:
        return (
            f"{self.acknowledged} events acknowledged, {self.sent} messages sent, {self.ambiguous} ambiguous attempts, "
            f"{self.repeated} repeated, {self.recovered} recovered, {self.refused} refused; {len(self.faults)} faults"
        )


def judge(session: Session, world: World, troubles: list[Trouble]) -> Verdict:
    """Hold what the world saw against what the database says."""
    verdict = Verdict(acknowledged=len(world.confirmed), refused=world.refused)
    notices = {notice.key: notice for notice in session.exec(select(Notice)).all()}
    ambiguous = Counter(attempt.key for attempt in world.attempts if _is_ambiguous(attempt, troubles))
    verdict.ambiguous = ambiguous.total()
    _judge_inbox(session, world, verdict)
    _judge_sends(world, notices, ambiguous, verdict)
    _judge_echoes(session, world, verdict)
    verdict.lost += lost_in_lots(session)
    verdict.duplicated += doubled_in_lots(session)
    in_turn = Campaign.origin == ORIGIN, Campaign.forgiven == 0
    _judge_order(world, notices, set(session.exec(select(Campaign.id).where(*in_turn)).all()), verdict)
    _judge_occurrences(session, verdict)
    return verdict


def _is_ambiguous(attempt: Attempt, troubles: list[Trouble]) -> bool:
    if not attempt.answered:
        return True
    late = RECEIPT_SECONDS * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    return any(
        trouble.node in ("", attempt.node) and attempt.began - 0.05 <= trouble.began <= attempt.ended + late
        for trouble in troubles
    )


def _judge_inbox(session: Session, world: World, verdict: Verdict) -> None:
    states = dict(session.exec(select(InboxEvent.event_id, InboxEvent.state)).all())
    verdict.lost += [f"{event} was never acknowledged" for event in world.heard if event not in world.confirmed]
    verdict.lost += [f"{event} was acknowledged and is in no inbox" for event in world.confirmed if event not in states]
    verdict.lost += [f"{event} ended as {state}" for event, state in states.items() if state != "done"]
    verdict.unexpected += [f"inbox row {event}" for event in states if event not in world.heard]


def _judge_sends(world: World, notices: dict[str, Notice], ambiguous: Counter[str], verdict: Verdict) -> None:
    copies: Counter[str] = Counter()
    for attempt in world.attempts:
        if not attempt.arrived:
            continue
        copies[attempt.key] += 1
        if copies[attempt.key] > 1 and REPEAT_MARK not in attempt.text:
            verdict.duplicated.append(f"{attempt.key} arrived again and does not say so")
    verdict.sent = len(copies)
    verdict.repeated = copies.total() - len(copies)
    for key, notice in notices.items():
        doubtful = notice.state == "unknown" and notice.lost > 0
        capped = notice.state == "cancelled" and notice.problem.endswith(" cap")  # ended by the group's own rule, and said so
        if notice.state != "sent" and not doubtful and not capped:
            verdict.lost.append(f"notice {key} ended as {notice.state} ({notice.problem})")
        elif notice.state == "sent" and not copies[key]:
            verdict.lost.append(f"notice {key} is called sent and never arrived")
        elif doubtful and not ambiguous[key] and not copies[key] and notice.lane != Lane.CAMPAIGN:
            verdict.lost.append(f"notice {key} was given up without need")
        if ambiguous[key] and copies[key]:
            verdict.recovered += 1
    for key, times in copies.items():
        if key not in notices:
            verdict.unexpected.append(f"a message with the key {key}, which no notice has")
        elif times > 1 and notices[key].lane == Lane.CAMPAIGN:
            verdict.duplicated.append(f"the campaign's {key} arrived {times} times")
        elif times > 1 + ambiguous[key]:
            verdict.duplicated.append(f"{key} arrived {times} times, of which {ambiguous[key]} were ambiguous")


def _judge_echoes(session: Session, world: World, verdict: Verdict) -> None:
    """Each person said 1, 2, 3 …: each line was handled once, in that order, by whichever node."""
    said = Counter(event["sender"] for event in world.heard.values())
    counted = dict(session.exec(select(CounterRow.name, CounterRow.value).where(col(CounterRow.name).startswith("echo:"))).all())
    for sender, lines in said.items():
        handled = counted.get(f"echo:{sender}", 0)
        if handled != lines:
            (verdict.lost if handled < lines else verdict.unexpected).append(f"{sender} said {lines}, {handled} were handled")
    for attempt in world.attempts:
        found = _ECHO.search(attempt.text)
        if found and found[1] != found[2]:
            verdict.disordered.append(f"{attempt.key}: line {found[1]} was handled as number {found[2]}")


def _judge_order(world: World, notices: dict[str, Notice], in_turn: set[int | None], verdict: Verdict) -> None:
    """The notices that were written for a group one after the other, by one officer or in campaigns; first arrivals count."""
    last: dict[tuple[str, int], int] = {}
    for key in dict.fromkeys(attempt.key for attempt in world.attempts if attempt.arrived):
        notice = notices.get(key)
        if notice is None or notice.id is None or not (key.startswith("bulk:") or notice.campaign_id in in_turn):
            continue
        place = f"{notice.account}/{notice.chat}", notice.lane
        if notice.id < last.get(place, 0):
            verdict.disordered.append(f"{key} arrived after a later one of its lane")
        last[place] = max(notice.id, last.get(place, 0))


def _judge_occurrences(session: Session, verdict: Verdict) -> None:
    for row in session.exec(select(Occurrence)).all():
        if row.state not in ("due", "sent", "skipped"):
            verdict.occurrences.append(f"{row.schedule} at {row.due_at} ended as {row.state}")
        if row.state != "due" and row.due_at > datetime.now(UTC):
            verdict.occurrences.append(f"{row.schedule} was {row.state} before its time")
        if row.state == "skipped" and not row.reason:
            verdict.occurrences.append(f"{row.schedule} at {row.due_at} was skipped without a reason")
    ended = session.exec(
        select(Occurrence.schedule, func.count()).where(Occurrence.state == "sent").group_by(Occurrence.schedule)
    )
    for schedule, sent in ended.all():
        campaigns = session.exec(
            select(func.count()).select_from(Campaign).where(Campaign.origin == f"schedule:{schedule}")
        ).one()
        if campaigns != sent:
            verdict.occurrences.append(f"{schedule} was due {sent} times and sent {campaigns} times")

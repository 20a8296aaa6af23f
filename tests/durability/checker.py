"""What must be true when the story is over, however often the bot was killed; in the terms of Jepsen's total-queue.

* lost: the platform was told that we have it, and nothing came of it.
* unexpected: something that nobody said or wrote: a case without a report, a message without a notice, a kept line of chatter.
* duplicated: a message that is in the chat more often than once plus its ambiguous sends. A send is ambiguous when the process
  died between its beginning and the commit of its receipt: no platform here tells us afterwards whether it arrived.
* disordered: within a chat and lane, notices arrived in another order than they were written in.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from sqlalchemy import Engine, inspect
from sqlmodel import Session, col, select

from bot.notices import Lane
from storage.engine import open_engine
from storage.outbox import SENDING
from storage.tables import Alarm, Audit, Campaign, Case, CaseEntry, InboxEvent, Notice, Occurrence, Tip, TipMessage
from tests.durability import street
from tests.durability.life import PUT_OFF, history_of
from tests.kit.fake_platform import Arrival, FakePlatform, read_history
from tests.kit.lots import doubled_in_lots, lost_in_lots

REPEAT_MARK = "重发"


@dataclass(slots=True)
class Verdict:
    """Everything that is wrong, in sentences; empty lists are what we want. The numbers say how much was at stake."""

    lost: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    acknowledged: int = 0
    sent: int = 0
    repeated: int = 0
    ambiguous: int = 0
    reached: int = 0  # groups in which a post stands
    undecided: int = 0  # groups whose post waits for an officer: it may stand there, or its campaign was halted

    @property
    def faults(self) -> list[str]:
        named = (
            ("lost", self.lost),
            ("unexpected", self.unexpected),
            ("duplicated", self.duplicated),
            ("disordered", self.disordered),
        )
        return [f"{name}: {fault}" for name, faults in named for fault in faults]


@dataclass(slots=True)
class Deaths:
    """What the kills of a history left open.

    `ambiguous`: sends that had begun and had no committed receipt, by key, each kill counted. `claimed`: notices that the dead
    process had taken in hand; its successor cannot know which of them it had begun to send.
    """

    kills: int = 0
    ambiguous: Counter[str] = field(default_factory=Counter)
    claimed: set[str] = field(default_factory=set)

    def look(self, folder: Path, url: str) -> None:
        """Take stock after a kill, before the next start."""
        self.kills += 1
        if not url.startswith("sqlite"):
            _wait_for_backends(url)
        if history_of(folder).exists():
            claimed = _claimed(url)
            self.claimed |= claimed
            self.ambiguous.update(_begun(folder) & claimed)


def _wait_for_backends(url: str) -> None:
    """Return when the server, too, is done with the dead process: what that had told it to commit it may be committing still."""
    let_go(url)
    others = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = %s"
    with psycopg.connect(url, autocommit=True) as server:
        while server.execute(others, ["client backend"]).fetchone():
            time.sleep(0.01)


def _begun(folder: Path) -> set[str]:
    """The keys of the sends that began in the last life."""
    begun: set[str] = set()
    for entry in read_history(history_of(folder)):
        if entry["what"] == "life":
            begun.clear()
        elif entry["what"] == "attempt":
            begun.add(entry["key"])
    return begun


def _claimed(url: str) -> set[str]:
    if url.startswith("sqlite") and not Path(url.partition("///")[2]).exists():
        return set()
    with _session(url) as session:
        if not inspect(session.get_bind()).has_table("outbox"):
            return set()  # killed while its tables were made
        return set(session.exec(select(Notice.key).where(SENDING)).all())


def judge(folder: Path, url: str, deaths: Deaths) -> Verdict:
    """Hold what the platform saw against what the database says, after the last life ended well."""
    platform = FakePlatform(street.PLATFORM, street.PLATFORM, path=history_of(folder))
    verdict = Verdict(acknowledged=len(set(platform.confirmed)), ambiguous=deaths.ambiguous.total())
    if not street.finished(platform):
        verdict.lost.append(
            f"nobody could say {sorted(street.LINES.keys() - platform.heard.keys())}: what they answer never came"
        )
    with _session(url) as session:
        _judge_inbox(session, platform, verdict)
        _judge_cases(session, platform, verdict)
        _judge_rest(session, verdict)
        _judge_lots(session, verdict)
        _judge_sends(session, platform, deaths, verdict)
    return verdict


def judge_campaign(folder: Path, url: str, deaths: Deaths) -> Verdict:
    """The same for a history in which nobody says anything and a post goes out."""
    platform = FakePlatform(street.PLATFORM, street.PLATFORM, path=history_of(folder))
    verdict = Verdict(ambiguous=deaths.ambiguous.total())
    with _session(url) as session:
        _judge_lots(session, verdict)
        _judge_sends(session, platform, deaths, verdict)
    return verdict


def _judge_lots(session: Session, verdict: Verdict) -> None:
    verdict.lost += lost_in_lots(session)
    verdict.duplicated += doubled_in_lots(session)


def _judge_inbox(session: Session, platform: FakePlatform, verdict: Verdict) -> None:
    rows = {row.event_id: row.state for row in session.exec(select(InboxEvent)).all()}
    for event_id in platform.confirmed:
        if event_id not in rows and event_id not in street.CHATTER:
            verdict.lost.append(f"{event_id} was acknowledged and is in no inbox")
    for event_id, state in rows.items():
        if event_id not in platform.heard:
            verdict.unexpected.append(f"inbox row {event_id}")
        if event_id in street.CHATTER:
            verdict.unexpected.append(f"the chatter {event_id} was kept")
        if state != "done":
            verdict.lost.append(f"{event_id} ended as {state}")


def _judge_cases(session: Session, platform: FakePlatform, verdict: Verdict) -> None:
    cases = session.exec(select(Case)).all()
    by_message = Counter(case.message_id for case in cases)
    expected = {platform.heard[report.line].message_id for report in street.REPORTS if report.line in platform.heard}
    verdict.unexpected += [f"case {case.number} of nobody's report" for case in cases if case.message_id not in expected]
    for report in street.REPORTS:
        event = platform.heard.get(report.line)
        found = by_message[event.message_id] if event else 0
        if not found:
            verdict.lost.append(f"{report.line} is no case")
            continue
        if found > 1:
            verdict.unexpected.append(f"{report.line} is {found} cases")
        case = next(case for case in cases if event and case.message_id == event.message_id)
        _judge_case(session, case, report, verdict)


def _judge_case(session: Session, case: Case, report: street.Report, verdict: Verdict) -> None:
    entries = session.exec(select(CaseEntry).where(CaseEntry.case_id == case.id).order_by(col(CaseEntry.id))).all()
    photos = sum(entry.attachment_id is not None for entry in entries)
    if photos != report.photos:
        (verdict.lost if photos < report.photos else verdict.unexpected).append(f"{report.line} has {photos} photos")
    if not case.place.startswith(report.place):
        verdict.lost.append(f"{report.line} has the place {case.place!r}")
    if report.state and case.state != report.state:
        verdict.lost.append(f"{report.line} ended as {case.state}")
    for state, times in Counter(entry.state for entry in entries if entry.state).items():
        if times > 1:
            verdict.unexpected.append(f"{report.line} became {state} {times} times")
    said = Counter(entry.message_id for entry in entries if entry.kind in ("report", "addition") and entry.message_id)
    verdict.unexpected += [f"{report.line}: {message} stands in it {n} times" for message, n in said.items() if n > 1]


def _judge_rest(session: Session, verdict: Verdict) -> None:
    alarms = session.exec(select(Alarm)).all()
    if not alarms:
        verdict.lost.append("the emergency raised no alarm")
    if len(alarms) > 1:
        verdict.unexpected.append(f"{len(alarms)} alarms for one emergency")
    verdict.lost += [f"alarm {alarm.id} was not acknowledged" for alarm in alarms if alarm.acknowledged_at is None]
    for table in (Tip, TipMessage):
        count = len(session.exec(select(table.id)).all())
        if count != 1:
            (verdict.lost if count < 1 else verdict.unexpected).append(f"{count} rows of {table.__tablename__} for one tip")
    for action, times in Counter(session.exec(select(Audit.action).where(Audit.allowed)).all()).items():
        if action in ("case.take", "case.resolve", "alarm.acknowledge") and times > 1:
            verdict.unexpected.append(f"{action} was done {times} times")
    for occurrence in session.exec(select(Occurrence)).all():
        if occurrence.state not in ("due", "sent", "skipped"):
            verdict.lost.append(f"the occurrence of {occurrence.schedule} ended as {occurrence.state}")


def _judge_sends(session: Session, platform: FakePlatform, deaths: Deaths, verdict: Verdict) -> None:
    notices = {notice.key: notice for notice in session.exec(select(Notice)).all()}
    copies = Counter(arrival.what.key for arrival in platform.arrived)
    verdict.sent = len(copies)
    verdict.repeated = copies.total() - len(copies)
    doubtful = {key for key in deaths.claimed if key in notices and notices[key].state == "unknown"}
    # posts that may have arrived wait for an officer, and a campaign whose first ones are such waits with them
    halted = set(session.exec(select(Campaign.id).where(Campaign.state == "halted")).all())
    halted &= {notices[key].campaign_id for key in doubtful}
    for key, notice in notices.items():
        held = notice.lane == Lane.CAMPAIGN and key in doubtful
        held = held or (notice.state == "held" and notice.campaign_id in halted)
        put_off = notice.state == "pending" and notice.due_at is not None and notice.due_at > PUT_OFF
        held = held or (put_off and notice.lane == Lane.CAMPAIGN)  # its group has just reported something
        if notice.state != "sent" and not held:
            verdict.lost.append(f"notice {key} ended as {notice.state} ({notice.problem})")
        elif notice.state == "sent" and not copies[key]:
            verdict.lost.append(f"notice {key} is called sent and never arrived")
    for key, times in copies.items():
        if key not in notices:
            verdict.unexpected.append(f"a message with the key {key}, which no notice has")
        elif times > 1 + deaths.ambiguous[key]:
            verdict.duplicated.append(f"{key} arrived {times} times, of which {deaths.ambiguous[key]} were ambiguous")
    judge_marks(platform, verdict)
    posts = {key for key, notice in notices.items() if notice.lane == Lane.CAMPAIGN}
    verdict.reached = len(posts & copies.keys())
    verdict.undecided = sum(notices[key].state in ("unknown", "held") for key in posts - copies.keys())
    _judge_order(platform, notices, verdict)


def judge_marks(platform: FakePlatform, verdict: Verdict) -> None:
    """What people read a second time says that it is one; the same words that are put into the same message again are not."""
    seen: dict[str, Arrival] = {}
    for arrival in platform.arrived:
        key = arrival.what.key
        first = seen.setdefault(key, arrival)
        changed_twice = (first.message_id, first.what.text) == (arrival.message_id, arrival.what.text)
        if first is not arrival and not changed_twice and REPEAT_MARK not in arrival.what.text:
            verdict.duplicated.append(f"{key} arrived again and does not say so")


def _judge_order(platform: FakePlatform, notices: dict[str, Notice], verdict: Verdict) -> None:
    last: dict[tuple[str, int], int] = {}
    for arrival in _firsts(platform):
        notice = notices.get(arrival)
        if notice is None or notice.id is None:
            continue
        place = notice.chat, notice.lane
        if notice.id < last.get(place, 0):
            verdict.disordered.append(f"{arrival} arrived in {notice.chat} after a later notice of its lane")
        last[place] = max(notice.id, last.get(place, 0))


def _firsts(platform: FakePlatform) -> Iterable[str]:
    return dict.fromkeys(arrival.what.key for arrival in platform.arrived)


_engines: dict[str, Engine] = {}


def _session(url: str) -> Session:
    if url not in _engines:
        _engines[url] = open_engine(url)
    return Session(_engines[url])


def let_go(url: str) -> None:
    """Close the connections to a database that is about to be dropped."""
    engine = _engines.pop(url, None)
    if engine is not None:
        engine.dispose()

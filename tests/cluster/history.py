"""What happened to whatever a verdict finds fault with: each attempt, row and trouble, in the order of time.

A fault alone ("bulk:OFFICER:a1-g2:7 arrived 2 times") does not say why; a cluster's story is never told twice in the same way, so
the one that failed has to tell everything that is known about it.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlmodel import Session, select

from storage.tables import InboxEvent, Notice
from tests.cluster.checker import Trouble
from tests.cluster.world import Attempt, World

MOST = 10  # faults whose histories are told


def histories(session: Session, world: World, troubles: list[Trouble], faults: list[str], most: int = MOST) -> str:
    """Every trouble, then each of the first `most` faults with what is known of the notices, events and people that it names.

    Times are seconds since the world heard its first word.
    """
    notices = {notice.key: notice for notice in session.exec(select(Notice)).all()}
    events = {event.event_id: event for event in session.exec(select(InboxEvent)).all()}
    start = min(world.said_at.values(), default=0.0)
    lines = [f"{trouble.began - start:7.2f} s  {trouble.what} {trouble.node}".rstrip() for trouble in troubles]
    lines = ["what the nodes met with:", *(lines or ["nothing"])]
    for fault in faults[:most]:
        lines.append(fault)
        for word in dict.fromkeys(word.strip(":,") for word in fault.split()):
            if word in notices or any(attempt.key == word for attempt in world.attempts):
                lines += _of_notice(notices, world, word, start, in_its_lane="later one of its lane" in fault)
            elif word in world.heard:
                lines += _of_event(events.get(word), world, word, start)
            elif senders_events := [event for event, said in world.heard.items() if said["sender"] == word]:
                lines += [line for event in senders_events for line in _of_event(events.get(event), world, event, start)]
    if len(faults) > most:
        lines.append(f"and {len(faults) - most} more")
    return "\n".join(lines)


def _of_notice(notices: dict[str, Notice], world: World, key: str, start: float, *, in_its_lane: bool) -> list[str]:
    row = notices.get(key)
    if row is None:
        return _told((attempt for attempt in world.attempts if attempt.key == key), start)
    keys = {key}
    if in_its_lane:  # whatever else went to that chat on the same lane
        keys = {one.key for one in notices.values() if (one.account, one.chat, one.lane) == (row.account, row.chat, row.lane)}
    lines = [
        f"    row {one.id}: {one.key} {one.state}, claimed {one.attempt} times by {one.owner or 'nobody'}, {one.lost} unanswered"
        f"{', ' + one.problem if one.problem else ''}"
        for one in sorted((notices[key] for key in keys), key=lambda one: one.id or 0)
    ]
    return lines + _told((attempt for attempt in world.attempts if attempt.key in keys), start)


def _of_event(row: InboxEvent | None, world: World, event: str, start: float) -> list[str]:
    said = world.heard[event]
    state = f"{row.state}, claimed {row.attempt} times, tries {row.tries}, by {row.owner or 'nobody'}" if row else "in no inbox"
    confirmed = "confirmed" if event in world.confirmed else "not confirmed"
    lines = [f"    {world.said_at[event] - start:7.2f} s  {event}: {said['sender']} said {said['text']}; {confirmed}; {state}"]
    answers = (attempt for attempt in world.attempts if attempt.key.startswith("e:") and event in attempt.key.split(":"))
    return lines + _told(answers, start)


def _told(attempts: Iterable[Attempt], start: float) -> list[str]:
    lines = []
    for one in sorted(attempts, key=lambda attempt: attempt.began):
        fate = "refused" if one.refused else "arrived" if one.arrived else "did not arrive"
        heard = "" if one.answered else ", its answer was lost"
        lines.append(
            f"    {one.began - start:7.2f} to {one.ended - start:.2f} s  {one.node} sent {one.key} “{one.text}”: {fate}{heard}"
        )
    return lines

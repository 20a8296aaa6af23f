"""The audit: who did or read what, on what, allowed or not; every line sealed to the one before it by a hash.

A line that is changed, dropped, put in or moved breaks the chain from there on, and one that is cut off at the end no longer fits
the head, which is a row of its own. Whoever can write the whole database could still compute a new chain; against that the head
is noted elsewhere now and then (`qianshao audit anchor`), and `verify` compares with such a note.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlmodel import Session, col, select

from storage.tables import Audit, AuditHead

START = "0" * 64
HEAD = 1


@dataclass(frozen=True, slots=True)
class Anchor:
    """How far the audit has come: the number of its last line and that line's hash."""

    line: int
    digest: str

    def __str__(self) -> str:
        return f"{self.line}:{self.digest}"

    @classmethod
    def read(cls, text: str) -> Anchor:
        """An anchor as it was printed; ValueError for anything else."""
        line, _, digest = text.strip().partition(":")
        if not line.isdecimal() or len(digest) != len(START):
            raise ValueError("an anchor reads LINE:HASH, as `qianshao audit anchor` prints it")
        return cls(int(line), digest)


def append(
    session: Session,
    *,
    at: datetime,
    officer_id: int | None,
    platform: str,
    action: str,
    target: str = "",
    allowed: bool = True,
    reason: str = "",
) -> None:
    """Write one line, inside the caller's transaction. Several nodes write one after the other: the head is locked."""
    head = session.exec(select(AuditHead).where(AuditHead.id == HEAD).with_for_update()).first()
    head = head or AuditHead(id=HEAD, line=0, digest=START)
    line = Audit(
        line=head.line + 1,
        at=at,
        officer_id=officer_id,
        platform=platform,
        action=action,
        target=target,
        allowed=allowed,
        reason=reason,
        digest="",
    )
    line.digest = head.digest = _digest(head.digest, line)
    head.line = line.line
    session.add(line)
    session.add(head)
    session.flush()


def anchor(session: Session) -> Anchor:
    """How far it has come."""
    head = session.get(AuditHead, HEAD)
    return Anchor(head.line, head.digest) if head else Anchor(0, START)


def verify(session: Session, noted: Iterable[Anchor] = ()) -> list[str]:
    """What is wrong with the audit, in sentences for an operator; empty when nothing is."""
    notes = {one.line: one.digest for one in noted}
    expected, digest, problems = 1, START, []
    for line in session.exec(select(Audit).order_by(col(Audit.line)).execution_options(yield_per=5_000)):
        if line.line != expected:
            problems.append(f"line {expected}: missing, {line.line} comes next")
        if _digest(digest, line) != line.digest:
            problems.append(f"line {line.line}: was changed, or a line before it is not the one that was written")
        if notes.pop(line.line, line.digest) != line.digest:
            problems.append(f"line {line.line}: differs from the anchor that was noted")
        if len(problems) >= 20:
            return [*problems, "… and perhaps more; the first one says where to look"]
        expected, digest = line.line + 1, line.digest
    head = anchor(session)
    if (head.line, head.digest) != (expected - 1, digest):
        problems.append(f"the end: the head says line {head.line}, the last line there is {expected - 1}")
    problems += [f"line {number}: an anchor was noted, but there is no such line" for number in sorted(notes) if number]
    return problems


def _digest(before: str, line: Audit) -> str:
    at = line.at.astimezone(UTC).isoformat(timespec="microseconds")
    fields = [line.line, at, line.officer_id, line.platform, line.action, line.target, line.allowed, line.reason]
    return hashlib.sha256((before + json.dumps(fields, ensure_ascii=False)).encode()).hexdigest()

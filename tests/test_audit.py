"""The audit is a chain: whatever is done to a line afterwards is found."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlmodel import Session, SQLModel, col, create_engine, func, select

from storage import audit
from storage.audit import Anchor
from storage.tables import Audit, AuditHead

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
LINES = 40


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        for number in range(LINES):
            audit.append(
                session,
                at=NOW + timedelta(minutes=number),
                officer_id=number % 3 or None,
                platform="web",
                action="case.view",
                target=f"2611-{number:04d}",
                allowed=number % 5 != 0,
                reason="" if number % 5 else "refusal.role",
            )
        session.commit()
        yield session
    engine.dispose()


def test_what_nobody_touched_is_whole(session: Session) -> None:
    assert audit.verify(session) == []
    assert audit.anchor(session).line == LINES
    assert audit.verify(session, [audit.anchor(session)]) == []


COLUMNS = ("line", "at", "officer_id", "platform", "action", "target", "allowed", "reason", "digest")


def spoil(session: Session, dice: random.Random) -> str:
    """One thing that somebody with a pen in the database could do."""
    victim = dice.randint(1, LINES)
    way = dice.choice(("change", "drop", "swap", "cut", "insert", "head"))
    if way == "change":
        column = dice.choice(COLUMNS)
        value = {
            "line": "line + 1000",
            "at": "'2026-11-22 00:00:00.000000'",
            "officer_id": "coalesce(officer_id, 0) + 1",
            "allowed": "NOT allowed",
        }.get(column, f"{column} || 'x'")
        session.execute(text(f"UPDATE audit SET {column} = {value} WHERE line = {victim}"))
    elif way == "drop":
        session.execute(text(f"DELETE FROM audit WHERE line = {victim}"))
    elif way == "swap":
        other = victim % LINES + 1
        for here, there in ((victim, -1), (other, victim), (-1, other)):
            session.execute(text(f"UPDATE audit SET line = {there} WHERE line = {here}"))
    elif way == "cut":
        session.execute(text(f"DELETE FROM audit WHERE line >= {victim}"))
    elif way == "insert":
        session.execute(
            text(
                "INSERT INTO audit (line, digest, at, platform, action, target, allowed, reason)"
                f" SELECT {LINES + 1}, digest, at, platform, action, target, allowed, reason FROM audit WHERE line = {victim}"
            )
        )
    else:
        session.execute(text(f"UPDATE audit_head SET line = line - 1, digest = '{'0' * 64}'"))
    return way


def test_every_one_of_a_thousand_changes_is_found(session: Session) -> None:
    dice = random.Random(26)
    for number in range(1000):
        before = session.begin_nested()
        way = spoil(session, dice)
        session.expire_all()
        assert audit.verify(session), f"{number}: {way} was not found"
        before.rollback()
    assert audit.verify(session) == []


def test_a_chain_that_was_computed_anew_differs_from_the_anchor(session: Session) -> None:
    noted = audit.anchor(session)
    rows = [
        row.model_dump(exclude={"id", "line", "digest"}) for row in session.exec(select(Audit).order_by(col(Audit.line))).all()
    ]
    for table in (Audit, AuditHead):
        for row in session.exec(select(table)).all():
            session.delete(row)
    session.flush()
    rows[7]["target"] = "2611-9999"
    for row in rows:
        audit.append(session, **row)
    assert audit.verify(session) == []  # by itself it is whole
    assert audit.verify(session, [noted]) == [f"line {LINES}: differs from the anchor that was noted"]
    assert audit.verify(session, [Anchor(LINES + 5, "f" * 64)]) == [
        f"line {LINES + 5}: an anchor was noted, but there is no such line"
    ]


def test_an_anchor_is_read_as_it_was_printed(session: Session) -> None:
    end = audit.anchor(session)
    assert Anchor.read(f" {end}\n") == end
    for wrong in ("", "7", "7:abc", "x:" + "0" * 64):
        with pytest.raises(ValueError, match="LINE:HASH"):
            Anchor.read(wrong)


def test_control_a_chain_that_is_not_looked_at_would_hide_a_change(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_digest", lambda before, line: line.digest or "x" * 64)
    session.execute(text("UPDATE audit SET target = 'x' WHERE line = 3"))
    assert not any("changed" in problem for problem in audit.verify(session))


def test_nobody_else_writes_the_audit() -> None:
    import re
    from pathlib import Path

    root = Path(__file__).parent.parent
    rooms = ("bot", "handlers", "cases", "content", "console", "storage")
    makers = [
        path.relative_to(root).as_posix()
        for room in rooms
        for path in (root / room).rglob("*.py")
        if re.search(r"(?<![\w.])Audit\(", path.read_text(encoding="utf-8"))
        and "class Audit(" not in path.read_text(encoding="utf-8")
    ]
    assert makers == ["storage/audit.py"]


def test_every_line_counts_once(session: Session) -> None:
    assert session.exec(select(func.count()).select_from(Audit)).one() == LINES

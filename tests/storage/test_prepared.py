"""Statements that wait for company: they keep their place among all others, go with a rollback, and fail aloud."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import psycopg
import pytest
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from storage import prepared, wire

pytestmark = pytest.mark.postgres

ADD = "INSERT INTO pause (scope, until) VALUES (%(scope)s, now()) RETURNING scope"
SCOPES = text("SELECT scope FROM pause ORDER BY scope")


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    made = create_engine(make_url(postgres_url).set(drivername="postgresql+psycopg"))
    prepared.attend(made)
    yield made
    made.dispose()


def add(connection: Connection, scope: str) -> prepared.Later:
    return prepared.later(connection, ADD, {"scope": scope})


def scopes(engine: Engine) -> list[str]:
    """What has been committed."""
    with engine.connect() as connection:
        return list(connection.execute(SCOPES).scalars())


def test_what_waits_comes_before_what_is_asked_next(engine: Engine) -> None:
    with engine.begin() as connection:
        first, second = add(connection, "a"), add(connection, "b")
        assert list(connection.execute(SCOPES).scalars()) == ["a", "b"]
        assert (first.rows(), second.rows()) == ([("a",)], [("b",)])


def test_values_in_the_servers_own_form_are_what_was_meant(engine: Engine) -> None:
    """Wrong by a byte they would be other numbers, other times, or a receipt that is refused."""
    early, late = datetime(1999, 12, 31, 23, 59, 59, 1, UTC), datetime(2031, 2, 3, 4, 5, 6, 789012, timezone(timedelta(hours=8)))
    for values in ([], [1], [-(2**31), 0, 2**31 - 1]):
        for kind, written in (("int", wire.ints(values)), ("bigint", wire.bigints(values))):
            with engine.begin() as connection:
                assert prepared.run(connection, f"SELECT %(v)s::{kind}[]", {"v": written}) == [(values,)]
    said = ["", '"\\{', "消防通道", "NULL"]
    with engine.begin() as connection:
        assert prepared.run(connection, "SELECT %(v)s::text[]", {"v": wire.texts(said)}) == [(said,)]
        assert prepared.run(connection, "SELECT %(v)s::timestamptz[]", {"v": wire.times([early, late])}) == [([early, late],)]
        assert prepared.run(connection, "SELECT %(v)s::timestamptz", {"v": late}) == [(late,)]
        assert prepared.run(connection, "SELECT %(v)s::bigint[]", {"v": wire.bigints([2**40])}) == [([2**40],)]


def test_what_waits_is_there_with_the_commit_and_its_rows_are_known(engine: Engine) -> None:
    with engine.begin() as connection:
        waiting = add(connection, "a")
        assert scopes(engine) == []
    assert scopes(engine) == ["a"]
    assert waiting.rows() == [("a",)]


def test_control_without_attention_the_commit_comes_first(postgres_url: str, engine: Engine) -> None:
    careless = create_engine(make_url(postgres_url).set(drivername="postgresql+psycopg"))
    with careless.begin() as connection:
        add(connection, "a")
        assert list(connection.execute(SCOPES).scalars()) == []
    careless.dispose()
    assert scopes(engine) == []


def test_a_rollback_takes_what_waits_along(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.begin()
        kept = add(connection, "a")
        nested = connection.begin_nested()
        gone = add(connection, "b")
        nested.rollback()
        add(connection, "c")
        connection.commit()
        assert kept.rows() == [("a",)]
        with pytest.raises(RuntimeError):
            gone.rows()
        connection.begin()
        add(connection, "d")
        connection.rollback()
    assert scopes(engine) == ["a", "c"]


def test_one_that_fails_fails_the_commit_and_nothing_is_kept(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.begin()
        before = add(connection, "a")
        add(connection, "a")
        after = add(connection, "b")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.commit()
        connection.rollback()
        for one in (before, after):
            with pytest.raises(RuntimeError):
                one.rows()
        with connection.begin():
            add(connection, "c")
    assert scopes(engine) == ["c"]


def test_more_than_a_socket_holds_goes_both_ways(engine: Engine) -> None:
    """Whoever sends all before he reads waits for ever for a server that waits for him."""
    words = ["x" * 2_000_000, "y" * 2_000_000, "z" * 2_000_000]
    with engine.begin() as connection:
        waiting = [prepared.later(connection, "SELECT %(words)s::text", {"words": one}) for one in words]
        assert [one.rows() for one in waiting] == [[(one,)] for one in words]


def test_a_server_that_is_lost_is_told_at_once(engine: Engine, postgres_url: str) -> None:
    with engine.connect() as connection:
        connection.begin()
        number = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        prepared.run(connection, "SELECT 1", {})

        def end() -> None:
            with psycopg.connect(postgres_url, autocommit=True) as other:
                while not other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'", (number,)
                ).fetchone():
                    pass

        ending = threading.Thread(target=end)
        ending.start()
        add(connection, "a")
        prepared.later(connection, "SELECT pg_sleep(600)", {})
        with pytest.raises((psycopg.OperationalError, DBAPIError)):
            connection.commit()
        ending.join()
        connection.invalidate()
    assert scopes(engine) == []

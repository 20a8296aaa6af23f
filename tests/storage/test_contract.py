"""What storage promises, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlmodel import Session, col, func, select

from storage.database import schema_differences
from storage.tables import Counter, Pause
from storage.writer import StorageUnavailable, Writer
from tests.storage.conftest import open_writer

ROOT = Path(__file__).parents[2]
APPEND = "INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING"


def add(name: str, value: int = 0) -> Callable[[Session], None]:
    def work(session: Session) -> None:
        session.add(Counter(name=name, value=value))

    return work


async def handed_over() -> None:
    """Until units of this loop are with the writer: an append is sorted in the turn after the one in which it was asked for."""
    for _ in range(5):
        await asyncio.sleep(0)


def names(writer: Writer) -> set[str]:
    return set(writer.read_now(lambda session: session.exec(select(Counter.name)).all()))


class TestContract:
    """Each of these runs on every engine."""

    async def test_an_answer_means_committed(self, writer: Writer) -> None:
        await writer.run(add("a"))
        assert await writer.append(APPEND, ("b", 1))
        assert names(writer) == {"a", "b"}

    async def test_the_result_comes_back(self, writer: Writer) -> None:
        assert await writer.run(lambda session: session.exec(select(func.count()).select_from(Counter)).one()) == 0

    async def test_an_append_is_new_once(self, writer: Writer) -> None:
        assert [await writer.append(APPEND, ("a", i)) for i in range(3)] == [True, False, False]
        together = await asyncio.gather(*(writer.append(APPEND, ("b", i)) for i in range(20)))
        assert sorted(together) == [False] * 19 + [True]

    async def test_each_of_many_at_once_learns_whether_it_was_new(self, writer: Writer) -> None:
        assert await writer.append(APPEND, ("n7", 0))
        wanted = [f"n{i}" for i in range(70)] + ["n3", "n69"]
        together = await asyncio.gather(*(writer.append(APPEND, (name, i)) for i, name in enumerate(wanted)))
        assert [name for name, new in zip(wanted, together, strict=True) if not new] == ["n7", "n3", "n69"]
        assert names(writer) == set(wanted)

    async def test_a_failing_unit_harms_nobody_in_its_commit(self, writer: Writer) -> None:
        def half(session: Session) -> None:
            session.add(Counter(name="half", value=1))
            session.flush()
            raise ValueError("mine")

        def twice(session: Session) -> None:
            session.add_all([Counter(name="twice", value=1), Counter(name="twice", value=2)])

        def nonsense(session: Session) -> None:
            session.connection().exec_driver_sql("SELECT nothing FROM nowhere")

        with held(writer):  # so that all of them share one commit
            units = [
                writer.run(add("one")),
                writer.run(half),
                writer.append(APPEND, ("two", 2)),
                writer.append(APPEND, ("bad", None)),
                writer.run(twice),
                writer.append("INSERT INTO nowhere VALUES (?)", (1,)),
                writer.run(nonsense),
                writer.run(add("three")),
            ]
            tasks = [asyncio.ensure_future(unit) for unit in units]
            await handed_over()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert names(writer) == {"one", "two", "three"}
        assert outcomes[0] is None
        assert outcomes[2] is True
        assert outcomes[7] is None
        assert isinstance(outcomes[1], ValueError)
        assert isinstance(outcomes[4], IntegrityError)
        for index in (3, 5, 6):
            assert isinstance(outcomes[index], Exception)
            assert not isinstance(outcomes[index], StorageUnavailable)

    async def test_appends_alone_do_not_harm_each_other(self, writer: Writer) -> None:
        outcomes = await asyncio.gather(
            *(writer.append(APPEND, (f"n{i}", None if i == 3 else i)) for i in range(10)), return_exceptions=True
        )
        assert [isinstance(outcome, Exception) for outcome in outcomes] == [i == 3 for i in range(10)]
        assert len(names(writer)) == 9
        with pytest.raises(Exception, match=r"(?i)null"):
            await writer.append(APPEND, ("alone", None))
        assert await writer.append(APPEND, ("after", 1))

    async def test_a_unit_that_fails_alone_leaves_nothing(self, writer: Writer) -> None:
        def work(session: Session) -> None:
            session.add(Counter(name="gone", value=1))
            session.flush()
            raise KeyError("x")

        with pytest.raises(KeyError):
            await writer.run(work)

        def twice(session: Session) -> None:
            add("dup")(session)
            session.flush()
            session.connection().execute(text("INSERT INTO counter (name, value) VALUES ('dup', 1)"))

        with pytest.raises(IntegrityError):
            await writer.run(twice)
        await writer.run(add("next"))
        assert names(writer) == {"next"}

    @pytest.mark.parametrize("problem", [StopIteration(), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()])
    async def test_no_exception_stops_the_writer(self, writer: Writer, problem: BaseException) -> None:
        def work(session: Session) -> None:
            raise problem

        task = asyncio.ensure_future(asyncio.to_thread(lambda: _outcome(writer, work)))
        assert isinstance(await asyncio.wait_for(task, 60), BaseException)
        await writer.run(add("alive"))
        assert names(writer) == {"alive"}

    async def test_times_are_utc_and_aware(self, writer: Writer) -> None:
        shanghai = timezone(timedelta(hours=8))
        when = datetime(2026, 11, 23, 9, 30, 0, 123456, tzinfo=shanghai)
        await writer.run(lambda session: session.add(Pause(scope="s", until=when)))
        stored = writer.read_now(lambda session: session.exec(select(Pause.until)).one())
        assert stored == when
        assert stored.tzinfo is UTC
        assert stored.utcoffset() == timedelta(0)
        found = select(Pause).where(col(Pause.until) <= when, col(Pause.until) > when - timedelta(microseconds=1))
        assert writer.read_now(lambda session: len(session.exec(found).all())) == 1
        with pytest.raises(StatementError, match="naive"):
            await writer.run(lambda session: session.add(Pause(scope="t", until=datetime(2026, 1, 1))))  # noqa: DTZ001

    async def test_five_hundred_at_once(self, writer: Writer) -> None:
        async def one(i: int) -> None:
            if i % 2:
                assert await writer.append(APPEND, (f"n{i}", i))
            else:
                await writer.run(add(f"n{i}", i))

        await asyncio.gather(*(one(i) for i in range(500)))
        assert len(names(writer)) == 500

    async def test_order_of_one_caller_is_kept(self, writer: Writer) -> None:
        """Interleaved lone appends and units, each waiting for the one before, see each other's rows."""
        for i in range(30):
            assert await writer.append(APPEND, (f"a{i}", i))
            seen = await writer.run(lambda session: session.exec(select(func.count()).select_from(Counter)).one())
            assert seen == i + 1

    async def test_a_reader_cannot_write_and_sees_one_snapshot(self, writer: Writer) -> None:
        await writer.run(add("a"))
        with pytest.raises(Exception, match=r"(?i)read.?only"):
            writer.read_now(lambda session: session.connection().execute(text("DELETE FROM counter")))

        def slow(session: Session) -> tuple[int, int]:
            first = len(session.exec(select(Counter)).all())
            writer.run_now(add("b"))
            return first, len(session.exec(select(Counter)).all())

        first, second = await writer.read(slow)
        assert first == second == 1
        await writer.run(add("c"))
        assert names(writer) == {"a", "b", "c"}

    async def test_closing_finishes_what_was_handed_over(self, url: str) -> None:
        writer = open_writer(url)
        tasks = [asyncio.ensure_future(writer.run(add(f"n{i}"))) for i in range(50)]
        await asyncio.sleep(0)
        writer.close()
        await asyncio.gather(*tasks)
        with pytest.raises(StorageUnavailable):
            await writer.run(add("late"))
        with pytest.raises(StorageUnavailable):
            await writer.append(APPEND, ("late", 1))
        again = open_writer(url)
        assert len(names(again)) == 50
        again.close()

    def test_the_revisions_make_the_tables(self, writer: Writer) -> None:
        with writer.engine.connect() as connection:
            assert schema_differences(connection) == []

    def test_what_was_answered_survives_sigkill(self, url: str) -> None:
        """A second process answers appends and units on its output until it is killed; every answered row is there."""
        code = """
            import asyncio, sys, warnings
            warnings.simplefilter("ignore")
            from storage.database import prepare
            from storage.tables import Counter
            async def main():
                writer = prepare(sys.argv[1])
                async def lane(k):
                    i = 0
                    while True:
                        i += 1
                        name = f"{k}-{i}"
                        if i % 3:
                            await writer.append(sys.argv[2], (name, i))
                        else:
                            await writer.run(lambda session: session.add(Counter(name=name, value=i)))
                        sys.stdout.write(name + "\\n"); sys.stdout.flush()
                await asyncio.gather(*(lane(k) for k in range(8)))
            asyncio.run(main())
        """
        child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), url, APPEND], stdout=subprocess.PIPE, cwd=ROOT)
        assert child.stdout is not None
        answered = [child.stdout.readline().decode().strip() for _ in range(400)]
        child.send_signal(signal.SIGKILL)
        answered += [line.decode().strip() for line in child.stdout if line.endswith(b"\n")]
        child.wait()
        child.stdout.close()
        writer = open_writer(url)
        assert set(answered) <= names(writer)
        writer.close()

    async def test_a_lost_connection_is_mended(self, writer: Writer) -> None:
        """The unit that meets the loss gets StorageUnavailable; the next one gets a new connection."""
        await writer.run(add("before"))
        connection = writer._connection
        assert connection is not None
        driver = connection.connection.dbapi_connection
        assert driver is not None
        driver.close()
        with pytest.raises(StorageUnavailable):
            await writer.run(add("lost"))
        await writer.run(add("after"))
        assert await writer.append(APPEND, ("too", 1))
        assert names(writer) == {"before", "after", "too"}

    @pytest.mark.postgres
    async def test_a_server_that_drops_us_in_the_middle(self, postgres_url: str) -> None:
        """The session ends while a unit runs: everybody in that commit is told, nothing of it is kept, the next one works."""
        writer = open_writer(postgres_url)

        def cut(session: Session) -> None:
            add("cut")(session)
            session.flush()
            session.connection().execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

        with held(writer):
            units = [writer.run(add("x")), writer.run(cut), writer.append(APPEND, ("y", 1))]
            tasks = [asyncio.ensure_future(unit) for unit in units]
            await handed_over()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StorageUnavailable] * 3
        await writer.run(add("after"))
        assert names(writer) == {"after"}
        writer.close()

    async def test_two_event_loops_share_a_writer(self, writer: Writer) -> None:
        async def work(prefix: str) -> None:
            for i in range(50):
                assert await writer.append(APPEND, (f"{prefix}{i}", i))

        others = [asyncio.to_thread(asyncio.run, work(prefix)) for prefix in "abc"]
        await asyncio.wait_for(asyncio.gather(work("here"), *others), 60)
        assert len(names(writer)) == 200


class held:
    """Keep the writer from taking work, so that what comes meanwhile shares a commit."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._go = threading.Event()
        self._in = threading.Event()

    def __enter__(self) -> None:
        def work(session: Session) -> None:
            self._in.set()
            self._go.wait(60)

        self._thread = threading.Thread(target=lambda: self._writer.run_now(work))
        self._thread.start()
        self._in.wait(60)

    def __exit__(self, *_: object) -> None:
        self._go.set()
        self._thread.join()


def _outcome(writer: Writer, work: Callable[[Session], object]) -> object:
    try:
        return writer.run_now(work)
    except BaseException as problem:
        return problem

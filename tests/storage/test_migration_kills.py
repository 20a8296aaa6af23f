"""A machine that loses its power during a migration has the old schema or the new one, and every row.

The child kills itself with SIGKILL right before its n-th statement, once for every revision that a database may come from;
QIANSHAO_MIGRATION_KILLS=20 kills at twenty points of each.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from storage.database import alembic_config, prepare, schema_differences
from storage.migrations import HEAD
from storage.writer import check_integrity, open_engine

POINTS = int(os.environ.get("QIANSHAO_MIGRATION_KILLS", "1"))
STATEMENTS = 60  # about as many as the longest chain has; beyond the end the child simply finishes
OLD = [f"{number:04d}" for number in range(1, int(HEAD))]
# a process that has loaded what a migration needs and has a child for each line "POINT URL"; it tells how the child ended
NURSERY = """
import os, signal, sys, warnings
warnings.simplefilter("ignore")
import alembic.autogenerate, alembic.command
from sqlalchemy import event
from sqlalchemy.engine import Engine
from storage.database import prepare

left = [0]

@event.listens_for(Engine, "before_cursor_execute")
def count(*_):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)

for line in sys.stdin:
    point, url = line.split(maxsplit=1)
    child = os.fork()
    if not child:
        left[0] = int(point)
        try:
            prepare(url.strip()).close()
        except BaseException as problem:
            print(repr(problem)[:500], file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Callable[[str, int], int]]:
    """Migrate a database in a process that is killed at a statement; how it ended."""
    with subprocess.Popen([sys.executable, "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def migrate(url: str, point: int) -> int:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{point} {url}\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        yield migrate
        process.communicate(timeout=60)


def at_revision(url: str, revision: str) -> None:
    """A database as an older version of the program left it, with a row in it; nothing was there before."""
    from alembic import command

    engine = open_engine(url)
    config = alembic_config()
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.exec_driver_sql("INSERT INTO unit (code, name, kind, phone) VALUES ('u', '物业', 'property', '')")
        connection.exec_driver_sql("COMMIT") if connection.dialect.name == "sqlite" else connection.commit()
    engine.dispose()


def revision_of(url: str) -> str:
    engine = open_engine(url)
    with engine.connect() as connection:
        found = str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())
    engine.dispose()
    return found


@pytest.mark.filterwarnings("ignore::storage.database.OldLibrary")
@pytest.mark.parametrize("revision", OLD)
def test_killed_on_the_way_from_every_revision(revision: str, tmp_path: Path, nursery: Callable[[str, int], int]) -> None:
    dice = random.Random(revision)
    url = f"sqlite:///{tmp_path / 'qianshao.sqlite3'}"
    at_revision(url, revision)
    for _ in range(POINTS):
        point = dice.randrange(4, STATEMENTS)
        ended = nursery(url, point)
        assert ended in (0, -signal.SIGKILL)
        if revision == OLD[0]:
            assert ended == -signal.SIGKILL  # control: on the longest way it is killed in the middle
        assert revision_of(url) in (revision, HEAD)  # never between
        if revision_of(url) == HEAD:
            break
    writer = prepare(url)
    try:
        assert check_integrity(writer.engine) is None
        with writer.engine.connect() as connection:
            assert schema_differences(connection) == []
            assert connection.execute(text("SELECT name FROM unit")).scalars().all() == ["物业"]
    finally:
        writer.close()

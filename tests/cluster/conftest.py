"""The server and the nursery, once for all stories; a cluster for each."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.cluster.story import Cluster, Nursery
from tests.cluster.world import World
from tests.kit.postgres import MISSING, PostgresServer
from tests.kit.proxy import FaultProxy


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A server that stories may stop. Skips without the wheel, except in CI, where that is a failure."""
    try:
        made = PostgresServer()
    except ImportError:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with made:
        yield made


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    opened = Nursery(tmp_path_factory.mktemp("nursery") / "log")
    yield opened
    opened.close()


@pytest.fixture
async def cluster(nursery: Nursery, server: PostgresServer, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with World() as world, FaultProxy(server.socket_path) as proxy:
        made = Cluster(nursery, server, world, proxy, tmp_path)
        yield made
        await made.close()

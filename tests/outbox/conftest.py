"""A bench for each test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.outbox.bench import Bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(f"sqlite:///{tmp_path}/q.db")
    yield made
    for task in made.orphans:
        task.cancel()
    await asyncio.gather(*made.orphans, return_exceptions=True)
    made.writer.close()

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.scenario import Scenario


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Scenario]:
    with Scenario(tmp_path) as scenario:
        yield scenario

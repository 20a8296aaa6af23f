"""A process that gives birth to bots, and the databases that they live on."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.durability import checker
from tests.durability.life import Order
from tests.storage.conftest import postgres_server, postgres_template, postgres_url  # noqa: F401 (fixtures)

KILLED = -9
PATIENCE = 150.0  # seconds for one life
ENDLESS = {"claim forgotten": 12.0}  # a planted bug with which the last life never comes to an end


class Nursery:
    """Orders lives from `tests.durability.life`, one at a time."""

    def __init__(self, log: Path) -> None:
        self._log = log.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.durability.life"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def live(self, order: Order, kill_after: float | None = None) -> int:
        """How the life ended; with `kill_after` it is killed after so many seconds at the latest."""
        child = int(self._ask(order.line()))
        if kill_after is not None:
            time.sleep(kill_after)
            # it is a zombie at worst: nobody but the nursery waits for it, and only with the next order
            subprocess.run(["kill", "-9", str(child)], check=False, capture_output=True)
        return int(self._read())

    def close(self) -> None:
        self._process.communicate(timeout=10)
        self._log.close()

    def _ask(self, line: str) -> str:
        if self._process.stdin is None:
            raise OSError("no pipe")
        self._process.stdin.write(line)
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise OSError(f"the nursery died; see {self._log.name}")
        return line


class Story:
    """One history: lives that end by a kill, and a last one that ends well."""

    def __init__(self, nursery: Nursery, folder: Path, url: str) -> None:
        self.nursery = nursery
        self.folder = folder
        self.url = url or f"sqlite:///{folder}/data/qianshao.db"
        self.deaths = checker.Deaths()
        self.lot = 0

    def live(self, failpoint: str = "", plant: str = "", kill_after: float | None = None) -> bool:
        """One life; true when it was killed. Fails when it ended badly by itself."""
        code = self.nursery.live(
            Order(str(self.folder), self.url, failpoint, plant, ENDLESS.get(plant, PATIENCE), self.lot),
            kill_after,
        )
        if code == KILLED:
            self.deaths.look(self.folder, self.url)
            return True
        log = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
        if code and not plant:
            pytest.fail(f"a life ended with {code}:\n{log[-4000:]}")
        return False

    def judge(self) -> checker.Verdict:
        """The checker's word on the whole history."""
        try:
            judge = checker.judge_campaign if self.lot else checker.judge
            return judge(self.folder, self.url, self.deaths)
        finally:
            checker.let_go(self.url)


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    opened = Nursery(tmp_path_factory.mktemp("nursery") / "log")
    yield opened
    opened.close()


@pytest.fixture
def story(nursery: Nursery, tmp_path: Path) -> Story:
    return Story(nursery, tmp_path, "")


@pytest.fixture
def postgres_story(nursery: Nursery, tmp_path: Path, postgres_url: str) -> Story:  # noqa: F811
    return Story(nursery, tmp_path, postgres_url)

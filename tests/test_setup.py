"""What `make` installs from: locks that follow pyproject.toml, with hashes for every platform and without anybody's host name."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCKS = {"requirements.lock": (), "requirements-dev.lock": ("dev",)}


def locked(name: str) -> dict[str, list[str]]:
    """The versions of every package in a lock; more than one when they differ by Python version."""
    found: dict[str, list[str]] = {}
    for package, version in re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", (ROOT / name).read_text(), re.MULTILINE):
        found.setdefault(package, []).append(version)
    return found


@pytest.mark.parametrize(("name", "extras"), LOCKS.items())
def test_the_lock_follows_pyproject(name: str, extras: tuple[str, ...]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    versions = locked(name)
    for line in wanted:
        requirement = Requirement(line)
        pinned = versions.get(canonicalize_name(requirement.name), [])
        assert pinned, f"{name} lacks {requirement.name}; run make lock"
        assert all(version in requirement.specifier for version in pinned), f"{line}: {pinned}; run make lock"


@pytest.mark.parametrize("name", LOCKS)
def test_every_pinned_package_has_hashes_and_no_host_is_named(name: str) -> None:
    text = (ROOT / name).read_text()
    for entry in re.split(r"\n(?=[a-z0-9])", text.strip()):
        assert "--hash=sha256:" in entry, entry.splitlines()[0]
    assert not re.search(r"https?://|--index|--find-links", text)


def test_both_locks_agree() -> None:
    run, test = locked("requirements.lock"), locked("requirements-dev.lock")
    assert run.items() <= test.items()


def test_a_missing_python_is_told_in_a_clear_sentence(tmp_path: Path) -> None:
    result = subprocess.run(
        ["sh", ROOT / "scripts/environment.sh", tmp_path / "venv"],
        env={**os.environ, "PYTHON": "/nowhere/python3.10"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert "PYTHON=/nowhere/python3.10 does not run, or is not Python 3.11, 3.12 or 3.13." in result.stderr
    assert not (tmp_path / "venv").exists()


def test_the_checkout_is_linked_without_building_it(tmp_path: Path) -> None:
    """A second run leaves the environment as it is; `qianshao` runs from anywhere, even beside a folder named bot."""
    folder = tmp_path / "with blank/venv"
    for _ in range(2):
        subprocess.run(["sh", ROOT / "scripts/environment.sh", folder], check=True, env={**os.environ, "PYTHON": ""})
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot/__main__.py").write_text("print('wrong bot')")
    found = subprocess.run(
        [folder / "bin/python", "-P", "-c", "import bot; print(bot.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(found.stdout.strip()) == ROOT / "bot/__init__.py"
    assert os.access(folder / "bin/qianshao", os.X_OK)
    assert "wrong bot" not in subprocess.run([folder / "bin/qianshao"], cwd=tmp_path, capture_output=True, text=True).stdout

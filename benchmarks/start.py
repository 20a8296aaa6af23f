"""From the command to the first answer: processor time, wall time and memory, beside merely importing the libraries.

    python -m benchmarks.start bot|libraries|jieba

`bot` runs `python -m bot run` on an empty data directory, opens the chat as a resident, cries fire and waits for the advice.
`libraries` imports every library that the bot depends on into one process; `jieba` does so and loads its dictionary, which is
what a bot with plain jieba pays.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

LIBRARIES = (
    "aiohttp.web",
    "alembic.command",
    "apscheduler.schedulers.asyncio",
    "argon2",
    "jinja2",
    "numpy",
    "PIL.Image",
    "prometheus_client",
    "psycopg",
    "ahocorasick_rs",
    "pydantic_settings",
    "nacl.secret",
    "nacl.public",
    "rapidfuzz",
    "rjieba",
    "sqlmodel",
    "sqlmodel.ext.asyncio.session",
    "structlog",
    "tantivy",
    "telegram",
    "typer",
    "uvloop",
)
_TICKS = os.sysconf("SC_CLK_TCK")


def cost(pid: int) -> dict[str, float]:
    """What a process has spent so far: processor seconds and resident megabytes."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    resident = int(status.partition("VmRSS:")[2].split()[0])
    return {"cpu_s": (int(fields[11]) + int(fields[12])) / _TICKS, "rss_mb": resident / 1024}


async def first_answer(url: str, deadline: float) -> None:
    """Be a resident, cry fire, and wait until the bot has answered."""
    import aiohttp

    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        while True:
            try:
                async with session.get(f"{url}/api/session") as answer:
                    csrf = (await answer.json())["csrf"]
                break
            except aiohttp.ClientError:
                if time.perf_counter() > deadline:
                    raise
                await asyncio.sleep(0.01)
        headers = {"Origin": url, "X-Csrf": csrf}
        async with session.post(f"{url}/api/persona", json={"user": "zhang"}, headers=headers) as answer:
            token = (await answer.json())["token"]
        async with session.ws_connect(f"{url}/ws", headers={"Origin": url}) as line:
            await line.send_json({"t": "hello", "token": token, "since": {}})
            said = {"t": "say", "cid": str(uuid4()), "room": "gx01", "text": "3号楼着火了，快来人"}
            await line.send_json({**said, "photos": [], "reply_to": None, "mentions": []})
            async with asyncio.timeout(60):
                while "119" not in (await line.receive()).data:
                    pass


def bot() -> dict[str, float]:
    """The whole bot on an empty data directory."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "QIANSHAO_BOT__DATA_DIR": folder, "QIANSHAO_WEB__PORT": str(port)}
        began = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "bot", "run"], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as running:
            try:
                asyncio.run(first_answer(f"http://127.0.0.1:{port}", began + 60))
                return {"wall_s": time.perf_counter() - began, **cost(running.pid)}
            finally:
                running.terminate()


def libraries(*, with_jieba: bool) -> dict[str, float]:
    """One process that imports them all and does nothing."""
    code = "import " + ", ".join(LIBRARIES) + ("; import jieba; jieba.initialize()" if with_jieba else "")
    code += "; print(flush=True); input()"
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as running:
        if running.stdout is None:
            raise OSError("no pipe")
        running.stdout.readline()
        found = {"wall_s": time.perf_counter() - began, **cost(running.pid)}
        running.kill()
    return found


if __name__ == "__main__":
    what = sys.argv[1]
    print(json.dumps(bot() if what == "bot" else libraries(with_jieba=what == "jieba")))

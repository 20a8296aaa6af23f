"""A process of its own for work on what strangers send: bytes in, bytes out, one job after the other.

It has limits on memory, time, files and processor time, and none of our environment. Whatever it stumbles over costs one job: it
is killed, and the next job gets a fresh one. The module that is named runs `serve` when it is started as a program.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

_LENGTH = struct.Struct("!I")


class Lost(Exception):
    """A job got no answer: its process was killed by a limit, died or took too long."""


class Apart:
    """Runs the module `module` in a process of its own, started by the first job.

    `patience`: seconds that a job may take. `jobs`: after so many a fresh process, so that no leak grows without end. `idle`:
    seconds without a job after which the process ends and gives its memory back; None: it stays.
    """

    def __init__(self, module: str, *, patience: float, jobs: int, idle: float | None = None) -> None:
        self.patience = patience
        self.process: asyncio.subprocess.Process | None = None
        self._module = module
        self._jobs = jobs
        self._idle = idle
        self._turn = asyncio.Lock()
        self._done = 0
        self._ending: asyncio.Task[None] | None = None

    async def ask(self, job: bytes) -> bytes:
        """The answer to a job. Raises `Lost`."""
        async with self._turn:
            self._stay()
            try:
                async with asyncio.timeout(self.patience):
                    answer = await self._exchange(job)
            except (TimeoutError, asyncio.IncompleteReadError, OSError) as problem:
                # killed by a limit, or too slow: the job is to blame, the next one gets a fresh process
                await self._end()
                raise Lost(type(problem).__name__) from problem
            except BaseException:
                # a half-read answer must not be taken for the next job's
                await self._end()
                raise
            self._done += 1
            if self._done >= self._jobs:
                await self._end()
            elif self._idle is not None:
                self._ending = asyncio.create_task(self._end_later(self._idle))
            return answer

    async def close(self) -> None:
        """End the process."""
        async with self._turn:
            self._stay()
            await self._end()

    async def _exchange(self, job: bytes) -> bytes:
        jobs, answers = await self._pipes()
        jobs.write(_LENGTH.pack(len(job)) + job)
        await jobs.drain()
        (length,) = _LENGTH.unpack(await answers.readexactly(_LENGTH.size))
        return await answers.readexactly(length)

    async def _pipes(self) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
        if self.process is None or self.process.returncode is not None:
            self._done = 0
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self._module,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=_bare_environment(os.environ),
            )
        if self.process.stdin is None or self.process.stdout is None:
            raise OSError("the process has no pipes")
        return self.process.stdin, self.process.stdout

    def _stay(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    async def _end_later(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        async with self._turn:
            self._ending = None
            await self._end()

    async def _end(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        # communicate also closes the pipes; without that the transport outlives its loop
        with contextlib.suppress(Exception):
            await asyncio.shield(process.communicate())


def _bare_environment(outer: Mapping[str, str]) -> dict[str, str]:
    """What the process needs to start and nothing else: no token of ours is readable from inside it."""
    kept = {name: outer[name] for name in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT") if name in outer}
    return {**kept, "PYTHONPATH": str(Path(__file__).resolve().parent.parent), "PYTHONDONTWRITEBYTECODE": "1"}


# --- inside the process -----------------------------------------------------------------------------------------------


def set_limits(memory: int, files: int = 32) -> None:
    """Bound the memory in bytes and the open files of this process, and let it write none."""
    import resource

    with contextlib.suppress(OSError):
        os.nice(5)
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, files),
    ):
        # a limit that this system does not know is no reason to do no work
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def serve(answer: Callable[[bytes], bytes], seconds: int, source: BinaryIO, sink: BinaryIO) -> None:
    """Answer jobs until the other side closes; each may use so many processor seconds."""
    while len(size := source.read(_LENGTH.size)) == _LENGTH.size:
        job = source.read(_LENGTH.unpack(size)[0])
        _allow_more_time(seconds)
        said = answer(job)
        sink.write(_LENGTH.pack(len(said)) + said)
        sink.flush()


def _allow_more_time(seconds: int) -> None:
    """Processor seconds for the next job, counted from now: the limit itself counts from the start of the process."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + seconds
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (until, resource.getrlimit(resource.RLIMIT_CPU)[1]))

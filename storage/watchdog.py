"""Ends a conversation with PostgreSQL that has no answer: a cut cable looks like a very slow server, and libpq waits for ever."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time

LOOK_SECONDS = 0.5


class Watchdog:
    """Shuts a socket down that is watched for too long; the waiting thread then gets an error as from a lost server."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._watched: tuple[int, float] | None = None  # file descriptor, since when
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._live, name="watchdog", daemon=True)
        self._thread.start()

    def watch(self, descriptor: int) -> None:
        """From now on somebody waits on this socket."""
        self._watched = descriptor, time.monotonic()

    def rest(self) -> None:
        """Nobody waits any more."""
        self._watched = None

    def close(self) -> None:
        self._closed.set()

    def _live(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            watched = self._watched
            if watched is not None and time.monotonic() - watched[1] > self._patience:
                self._watched = None
                cut(watched[0])


def cut(descriptor: int) -> None:
    """End both directions of a socket that another thread reads; its descriptor stays open for its owner to close."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as line:
        line.shutdown(socket.SHUT_RDWR)

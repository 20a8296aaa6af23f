"""A port that is kept for a server that starts later, or for nobody at all."""

from __future__ import annotations

import socket


class HeldPort:
    """A free port of this machine, bound and not listened on, until it is given back.

    Nobody else is given it by chance meanwhile, and who connects is refused. A server that is told its number may listen on it,
    as often as it likes: all of ours set SO_REUSEADDR.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number = int(self._socket.getsockname()[1])

    def __enter__(self) -> int:
        return self.number

    def __exit__(self, *_: object) -> None:
        self.give_back()

    def give_back(self) -> None:
        """Anybody may be given it from now on."""
        self._socket.close()

"""Where nothing may be sent for a while: pauses that a platform asked for, as storage keeps them for all nodes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bot.verdicts import Pause


class Pauses:
    """Scopes (`bot.verdicts.account_scope`, `chat_scope`) and until when nothing is sent to them.

    `told` has been told since the last exchange and is in no row yet.
    """

    def __init__(self) -> None:
        self.until: dict[str, datetime] = {}
        self.told: list[Pause] = []

    def __bool__(self) -> bool:
        return bool(self.until)

    def add(self, pause: Pause) -> None:
        """A platform asked for one; the longer one counts."""
        self.told.append(pause)
        self._keep(pause)

    def restore(self, kept: Mapping[str, datetime]) -> None:
        """What storage has, and what it has not been told yet."""
        self.until = dict(kept)
        for pause in self.told:
            self._keep(pause)

    def covers(self, scope: str, now: datetime) -> bool:
        """Whether nothing is sent there now."""
        return bool(self.until) and self.until.get(scope, now) > now

    def _keep(self, pause: Pause) -> None:
        scope, until = pause
        self.until[scope] = max(until, self.until.get(scope, until))

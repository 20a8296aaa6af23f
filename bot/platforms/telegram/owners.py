"""Which of several bots of the house speaks and listens in a group: the one that came first, so that nobody is answered twice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable

FRESH_SECONDS = 30.0
MOST_KNOWN = 20_000

FindOwner = Callable[[str], Awaitable[str | None]]


class Owners:
    """For one `account`. `find` tells the account that a group belongs to, None while the house does not know the group;
    `monotonic` gives seconds."""

    def __init__(self, account: str, find: FindOwner, monotonic: Callable[[], float]) -> None:
        self._account = account
        self._find = find
        self._monotonic = monotonic
        self._known: OrderedDict[str, tuple[bool, float]] = OrderedDict()

    async def mine(self, chat: str) -> bool:
        """Whether we speak and listen there."""
        found = self._known.get(chat)
        if found is not None and self._monotonic() - found[1] < FRESH_SECONDS:
            return found[0]
        owner = await self._find(chat)
        if owner is None:
            self._known.pop(chat, None)
            return True
        self._known[chat] = (owner == self._account, self._monotonic())
        self._known.move_to_end(chat)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return owner == self._account

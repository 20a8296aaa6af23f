"""Which of several accounts of the house speaks and listens in a group: the one that was there first, so that nobody is answered
twice; and whether the bot has said there who it is."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from storage.chats import claim_chat, is_introduced, list_chat, owner_of
from storage.writer import Writer

FRESH_SECONDS = 30.0  # how long a change of the owner may go unnoticed
MOST_KNOWN = 20_000


class Owners:
    """For one `account` of a platform; `siblings` are all of them. `monotonic` gives seconds."""

    def __init__(
        self,
        writer: Writer,
        platform: str,
        account: str,
        siblings: Sequence[str] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writer = writer
        self._platform = platform
        self._account = account
        self._siblings = frozenset(siblings) or frozenset((account,))
        self._monotonic = monotonic
        self._known: OrderedDict[str, tuple[bool, float]] = OrderedDict()

    async def mine(self, chat: str, *, anew: bool = False) -> bool:
        """Whether we speak and listen there; a chat that is nobody's is ours from now on. `anew`: whatever was known."""
        if len(self._siblings) == 1:
            return True
        found = self._known.get(chat)
        if found is not None and not anew and self._monotonic() - found[1] < FRESH_SECONDS:
            return found[0]
        owner = await self._writer.read(lambda session: owner_of(session, self._platform, chat))
        if owner not in self._siblings:
            owner = await self._writer.run(
                lambda session: claim_chat(session, self._platform, chat, self._account, self._siblings)
            )
        self._known[chat] = (owner == self._account, self._monotonic())
        self._known.move_to_end(chat)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return owner == self._account

    def forget(self, chat: str) -> None:
        """We are not there any more, or are there anew."""
        self._known.pop(chat, None)

    async def introduced(self, chat: str) -> bool:
        """Whether the bot is in a group of ours and has said there who it is."""
        return await self._writer.read(lambda session: is_introduced(session, self._platform, self._account, chat))

    async def enlist(self, chat: str, name: str) -> None:
        """Give a group of ours its row if it has none, so that what is kept of it has its group."""
        if not await self.introduced(chat):
            await self._writer.run(lambda session: list_chat(session, self._platform, self._account, chat, name))

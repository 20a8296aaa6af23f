"""What a refused or lost request means for a notice: later, never, or nobody knows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, TelegramError

from bot.errors import AnswerLost, NeverDelivered, RetryLater, TransportError
from bot.platforms.telegram.failures import NotSent, Refused, SlowDown

MANY_CHATS = 3  # so many chats refused within WINDOW seconds: it is the account that has to be quiet
WINDOW = 5.0
_GONE = ("chat not found", "user is deactivated", "peer_id_invalid", "chat was deactivated", "bot was kicked", "not a member")


class Verdicts:
    """Judges errors by their cause. `monotonic` gives seconds; what it remembers is only who was refused lately."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._refused: deque[tuple[float, str]] = deque(maxlen=64)

    def of(self, problem: TelegramError, chat: str) -> TransportError:
        """The transport error that a failed send to `chat` is."""
        # by cause, not by family: a BadRequest is a NetworkError there, a connect time-out a TimedOut
        if isinstance(problem, SlowDown):
            return RetryLater(problem.seconds, self._scope(chat), "Telegram asks for a pause")
        if isinstance(problem, Forbidden):
            return NeverDelivered(_said(problem), gone=True)
        if isinstance(problem, BadRequest):
            said = _said(problem)
            return NeverDelivered(said, gone=any(word in said.lower() for word in _GONE))
        if isinstance(problem, InvalidToken):
            return RetryLater(60.0, "account", "Telegram does not know the token")
        if isinstance(problem, NotSent):
            return RetryLater(1.0, "account", "no connection to Telegram")
        if isinstance(problem, Refused | Conflict):
            return RetryLater(2.0, "message", "Telegram failed and said so")
        return AnswerLost("no answer from Telegram")

    def _scope(self, chat: str) -> str:
        """Telegram does not say whether the chat or the account was too fast: several chats at once mean the account."""
        now = self._monotonic()
        self._refused.append((now, chat))
        chats = {one for at, one in self._refused if now - at <= WINDOW}
        return "account" if len(chats) >= MANY_CHATS else "chat"


def _said(problem: TelegramError) -> str:
    """Telegram's own sentence, short; it names rules and never quotes a message."""
    return problem.message[:120]

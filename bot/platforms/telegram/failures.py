"""How a request to the Bot API fails, by what is known of whether it has arrived (python-telegram-bot's own errors beside)."""

from __future__ import annotations

from telegram.error import NetworkError, TelegramError, TimedOut


class NotSent(NetworkError):
    """The request never left: no connection, no free place, no such host."""


class Refused(NetworkError):
    """The server answered that it failed, in the Bot API's own form: nothing was done."""


class NoAnswer(TimedOut):
    """The request left us and no whole answer came."""


class SlowDown(TelegramError):
    """Too many requests; nothing was done. `seconds` is how long to wait. (The library's RetryAfter warns when it is made.)"""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"wait {seconds:.0f} s")
        self.seconds = seconds


class TooLarge(TelegramError):
    """A file or an answer has more bytes than were allowed."""

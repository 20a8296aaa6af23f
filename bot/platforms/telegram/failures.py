"""How a request to the Bot API fails, by what is known of whether it has arrived (python-telegram-bot's own errors beside)."""

from __future__ import annotations

import socket
import ssl

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


def words_of(problem: BaseException) -> str:
    """What failed, for the operator: in words, without an address and without what people said."""
    match problem:
        case SlowDown():
            return f"Telegram asks to {problem.message}"
        case NotSent():
            return f"Telegram cannot be reached: {problem.message}; check the network, HTTPS_PROXY or telegram.base_url"
        case Refused():
            return f"Telegram cannot answer now: {problem.message}; it is asked again"
        case NoAnswer() | TimeoutError():
            return "Telegram does not answer, or only in part; it is asked again. If it stays so, check the network or the proxy"
        case TelegramError():
            return f"Telegram refuses: {problem.message[:120]}"
    return type(problem).__name__


def reason_of(problem: BaseException) -> str:
    """Why a request did not leave. Only the kind is told: the texts of these exceptions have addresses in them."""
    # aiohttp wraps what the system said
    cause = getattr(problem, "certificate_error", None) or getattr(problem, "os_error", None) or problem
    match cause:
        case ConnectionRefusedError():
            return "nothing listens there"
        case socket.gaierror():
            return "there is no host of that name"
        case ssl.SSLCertVerificationError():
            return "its certificate is not valid"
        case ssl.SSLError():
            return "it does not speak TLS as we do"
        case TimeoutError():
            return "no connection in time"
    return "no connection"

"""Every error of the house, in one tree.

    QianshaoError
    ├── ConfigError          the operator's: names file, line or key, and the mend
    ├── RefusedInput         a person's input that cannot be carried out: names the phrase that says so, in plain Chinese
    ├── NotAllowed           a right is missing: names the phrase that says why
    └── TransportError       what a platform said to a send
        ├── RetryLater       certainly not delivered; try again after `seconds`, pausing the scope that was named
        ├── NeverDelivered   not for this address: kicked, blocked, refused; `why` is shown to the operator
        └── AnswerLost       it may or may not have arrived; the notice's lane decides what follows

Anything else that a platform adapter raises is a bug and is treated as `AnswerLost`, loudly.
"""

from __future__ import annotations

from content.refusal import Refusal


class QianshaoError(Exception):
    """Root of our own errors."""


class ConfigError(QianshaoError):
    """The operator has to change something; the text says where and what."""


class RefusedInput(QianshaoError, Refusal):
    """A person's input cannot be carried out. `phrase` is a key of content/phrases, `values` fill it."""


class NotAllowed(RefusedInput):
    """The asker lacks the right. Audited where it is raised."""


class TransportError(QianshaoError):
    """What a platform answered to a send."""


class RetryLater(TransportError):
    """Certainly not delivered. `scope` is "message", "chat" or "account": what has to pause for `seconds`."""

    def __init__(self, seconds: float, scope: str = "message", why: str = "") -> None:
        super().__init__(f"retry in {seconds:.1f} s ({scope}) {why}".strip())
        self.seconds = seconds
        self.scope = scope
        self.why = why


class NeverDelivered(TransportError):
    """Not deliverable to this address. `gone` is true when the bot is no longer in that chat."""

    def __init__(self, why: str, *, gone: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.gone = gone


class AnswerLost(TransportError):
    """The request left us and no definite answer came."""

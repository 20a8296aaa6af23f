"""The one way in which any room says no to a person: a phrase and what fills it."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """An action that was not carried out. `phrase` is a key of content/phrases; nothing of the action remains."""

    def __init__(self, phrase: str, **values: Any) -> None:
        super().__init__(phrase)
        self.phrase = phrase
        self.values = values

"""Which handler answers a message: emergency -> command -> pending dialog -> keyword -> intent -> silence.

A handler is a plain function. It names what it needs by annotation; `Router.check` proves at start-up that everything it
names can be given, so a typing mistake never waits for a resident to find it.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.errors import RefusedInput
from bot.messages import Kind
from bot.permissions import Role
from bot.slips import MUCH_ALIKE, nearest
from bot.understanding.meaning import Intent
from content.spelling import STOPS, named, simplified

Handler = Callable[..., None]


class CaseNumber(str):
    """A command's case number in its one spelling, 2611-0042."""

    __slots__ = ()


class Words(str):
    """The rest of a command's text after its number; empty when nothing was written."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command. `needs` empty: anybody. `private`: only in the private chat.

    `confidential`: what follows it in a group is dropped by the glance and never kept. `record`: what an officer writes after it
    is a record of what happened, never a call for help.
    """

    name: str
    alias: str
    usage: str
    about: str
    needs: tuple[Role, ...]
    private: bool
    handler: Handler
    number: str  # "": takes none, "must", "may"
    confidential: bool = False
    record: bool = False
    always: bool = False  # also for somebody who is blocked: the rights over what is kept of a person
    names: bool = False  # what follows it names something of ours (a number, a code, a word), and is no text of the sender's own
    aside: bool = False  # of what neighbours do together: help lists it when asked for that, so that its first page stays short
    reads: re.Pattern[str] | None = None  # its first group is what is read of the words, where the rest means something else


@dataclass(frozen=True, slots=True)
class Call:
    """A command as somebody typed it."""

    command: Command
    rest: str


@dataclass(frozen=True, slots=True)
class Wants:
    """One parameter of a handler: its name, its type, and whether it may be None."""

    name: str
    type: type
    optional: bool


class Provider(Protocol):
    """Gives handlers what they name; see `bot.turn.supplies.Supplies`."""

    def give(self, wanted: Wants) -> object: ...


_SLASH = re.compile(r"^[\s​]*[/／]\s*(\S+)\s*(.*)$", re.DOTALL)
_NUMBER = re.compile(r"(?<!\d)(\d{4})\s*[-－—–_]?\s*(\d{4,6})(?!\d)")
_NAMED = re.compile(r"(?<![\d-])(\d{4})\s*[-—–]\s*(\d{4,6})(?![\d-])")
LONGEST_NAME = 12  # characters of a command's name that are tried


def parse_number(text: str) -> CaseNumber | None:
    """The first case number in what follows a command, however it is spelled: full-width digits, blanks or no dash."""
    return _number(_NUMBER.search(unicodedata.normalize("NFKC", text)))


def named_number(text: str) -> CaseNumber | None:
    """The first case number in free words; only with its dash, since meters and dates have eight digits too."""
    return _number(_NAMED.search(unicodedata.normalize("NFKC", text)))


def _number(found: re.Match[str] | None) -> CaseNumber | None:
    if not found or not "01" <= found[1][2:] <= "12":
        return None
    return CaseNumber(f"{found[1]}-{found[2]}")


def split_command(text: str) -> tuple[str, str] | None:
    """("接单", "2611-0042") for "／接单 2611-0042"; None when the text is no slash command. "/cmd@bot" loses its tail."""
    found = _SLASH.match(text)
    if not found:
        return None
    return _word(found), found[2].strip()


def _word(slash: re.Match[str]) -> str:
    return simplified(unicodedata.normalize("NFKC", slash[1])).lower().partition("@")[0]


def _called(command: Command, rest: str) -> Call:
    """The command with what follows it; what it names is spelled as we spell it, a text of the sender's own stays as it is."""
    if command.names:
        rest = named(rest)
    elif not command.confidential and not rest.strip(STOPS):
        rest = ""  # a full stop is no text, but may be a passphrase
    return Call(command, rest)


def _may_follow(command: Command, name: str, tail: str) -> bool:
    """Whether `tail` written right after a command's name is its argument and not the rest of another word."""
    tail = tail.lstrip(STOPS) or tail
    if name.isascii():
        return not tail[0].isascii() or not tail[0].isalpha()
    if len(name) > 1:
        return True
    return tail[0].isdigit() if command.number else len(tail) > 2


SLOTS = ("danger", "scene", "blocked", "safe", "addition", "clue", "photo", "brought", "otherwise", "failed", "stuck")


@dataclass(slots=True)
class Router:
    """A table of handlers. Handler files make one each; the composition root includes them all in one."""

    name: str = ""
    commands: dict[str, Command] = field(default_factory=dict)
    intents: dict[Intent, Handler] = field(default_factory=dict)
    dialogs: dict[str, Handler] = field(default_factory=dict)
    timers: dict[str, Handler] = field(default_factory=dict)
    hears: dict[str, re.Pattern[str]] = field(default_factory=dict)  # dialog -> what an answer to it sounds like
    shows: dict[str, re.Pattern[str]] = field(default_factory=dict)  # dialog -> words in a photo that may be an answer to it
    calm: dict[str, re.Pattern[str]] = field(default_factory=dict)  # which answers to a dialog are no cry, however they sound
    events: dict[Kind, list[Handler]] = field(default_factory=dict)
    always: set[str] = field(default_factory=set)  # dialogs whose answer is taken from somebody who is blocked, too
    keywords: list[tuple[re.Pattern[str], Handler]] = field(default_factory=list)
    danger: Handler | None = None
    scene: Handler | None = None
    blocked: Handler | None = None
    safe: Handler | None = None
    addition: Handler | None = None
    clue: Handler | None = None
    photo: Handler | None = None
    brought: Handler | None = None
    otherwise: Handler | None = None
    failed: Handler | None = None
    stuck: Handler | None = None

    def command(
        self,
        name: str,
        alias: str,
        *,
        usage: str = "",
        about: str,
        needs: Role | Iterable[Role] = (),
        private: bool = False,
        confidential: bool = False,
        record: bool = False,
        aside: bool = False,
        always: bool = False,
        names: bool = False,
        reads: re.Pattern[str] | None = None,
    ) -> Callable[[Handler], Handler]:
        """Register `/name` and `/alias`. `about` is the line of help; `usage` shows the arguments."""
        roles = (needs,) if isinstance(needs, Role) else tuple(needs)

        def register(handler: Handler) -> Handler:
            wanted = wants_of(handler)
            number = next(("may" if want.optional else "must" for want in wanted if want.type is CaseNumber), "")
            flags = confidential, record, always, names, aside
            made = Command(name, alias, usage, about, roles, private, handler, number, *flags, reads)
            for word in (name, alias):
                _put(self.commands, word, made)
            return handler

        return register

    def intent(self, *names: str) -> Callable[[Handler], Handler]:
        """Register the handler of one or more intents."""
        return self._into(self.intents, [Intent(name) for name in names])

    def dialog(
        self, *names: str, hears: str | None = None, shows: str = "", calm: str | None = None, always: bool = False
    ) -> Callable[[Handler], Handler]:
        """Register who takes the next message of a person after a question of this name was asked.

        With `hears`, a regular expression for the whole text, the question is patient (`bot.dialogs`): what the person says in
        a group without speaking to us is looked at only when it matches, and is not kept otherwise. With `shows`, a
        regular expression too, a photo is looked at; in a group one that has words only when some of them match. `calm`, another
        expression: what it takes of that is no cry, even if it sounds like somebody missing or a stranger; what else it
        takes is a cry as well.
        """
        if hears is not None:
            for name in names:
                _put(self.hears, name, re.compile(hears, re.IGNORECASE))
        self.always.update(names if always else ())
        self.shows.update(dict.fromkeys(names, re.compile(shows)) if shows else {})
        if calm is not None:
            for name in names:
                _put(self.calm, name, re.compile(calm, re.IGNORECASE))
        return self._into(self.dialogs, names)

    def timer(self, *kinds: str) -> Callable[[Handler], Handler]:
        """Register who acts when a timer of this kind is due."""
        return self._into(self.timers, kinds)

    def keyword(self, pattern: str) -> Callable[[Handler], Handler]:
        """Register a handler for addressed texts that match a regular expression, tried before intents; it may raise NotMine."""

        def register(handler: Handler) -> Handler:
            self.keywords.append((re.compile(pattern), handler))
            return handler

        return register

    def on(self, *kinds: Kind) -> Callable[[Handler], Handler]:
        """Register a handler for events that are not messages: recall, edit, joined, left, met."""

        def register(handler: Handler) -> Handler:
            for kind in kinds:
                self.events.setdefault(kind, []).append(handler)
            return handler

        return register

    def special(self, slot: str) -> Callable[[Handler], Handler]:
        """Fill one of the single places, `SLOTS`."""

        def register(handler: Handler) -> Handler:
            if getattr(self, slot) is not None:
                raise ValueError(f"two handlers for {slot}")
            setattr(self, slot, handler)
            return handler

        return register

    def include(self, other: Router) -> None:
        """Take over all handlers of another table; a second handler for one place is refused."""
        for mine, theirs in (
            (self.commands, other.commands),
            (self.intents, other.intents),
            (self.dialogs, other.dialogs),
            (self.timers, other.timers),
            (self.hears, other.hears),
            (self.calm, other.calm),
        ):
            for key, value in theirs.items():
                _put(typing.cast("dict[Any, Any]", mine), key, value)
        for kind, handlers in other.events.items():
            self.events.setdefault(kind, []).extend(handlers)
        self.keywords.extend(other.keywords)
        self.always |= other.always
        self.shows |= other.shows
        for slot in SLOTS:
            if (handler := getattr(other, slot)) is not None:
                self.special(slot)(handler)

    def find_command(self, text: str) -> Call | str | None:
        """The command that a text calls, the unknown word it tried, or None when it is no command."""
        found = _SLASH.match(text)
        if found is None:
            return None
        word, rest = _word(found), found[2].strip()
        if command := self.commands.get(word) or self.commands.get(word.rstrip(STOPS)):
            return _called(command, rest)
        # "/接单2611-0042" without a blank is how it is typed on a phone
        for length in range(min(len(word) - 1, LONGEST_NAME), 0, -1):
            command = self.commands.get(word[:length])
            if command is not None and _may_follow(command, word[:length], word[length:]):
                return _called(command, (found[1][_consumed(found[1], length) :] + " " + rest).strip())
        return word

    def is_slip(self, text: str) -> bool:
        """Whether a text that calls no command looks like an officers' command, mistyped."""
        word = self.find_command(text)
        if not isinstance(word, str) or len(word) < 2 or not word[0].isalnum():
            return False
        return nearest(word, (name for name, command in self.commands.items() if command.needs), MUCH_ALIKE) != ""

    def all_handlers(self) -> Iterable[Handler]:
        """Every registered handler, once."""
        seen: dict[Handler, None] = {}
        for table in (self.intents, self.dialogs, self.timers):
            seen.update(dict.fromkeys(table.values()))
        seen.update(dict.fromkeys(command.handler for command in self.commands.values()))
        for handlers in self.events.values():
            seen.update(dict.fromkeys(handlers))
        seen.update(dict.fromkeys(handler for _, handler in self.keywords))
        seen.update(dict.fromkeys(handler for slot in SLOTS if (handler := getattr(self, slot)) is not None))
        return seen

    def check(self, known: Iterable[type]) -> None:
        """Raise TypeError naming the first handler that asks for something nobody can give."""
        can_give = set(known)
        for handler in self.all_handlers():
            for want in wants_of(handler):
                if want.type not in can_give:
                    where = f"{handler.__module__}.{handler.__qualname__}"
                    raise TypeError(f"{where} asks for {want.name}: {want.type.__name__}, which no handler can be given")

    def _into(self, table: dict[Any, Handler], keys: Iterable[Any]) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            for key in keys:
                _put(table, key, handler)
            return handler

        return register


_wants: dict[Handler, tuple[Wants, ...]] = {}


def wants_of(handler: Handler) -> tuple[Wants, ...]:
    """What a handler's parameters ask for, worked out once."""
    if handler in _wants:
        return _wants[handler]
    hints = typing.get_type_hints(handler)
    found = []
    for name in inspect.signature(handler).parameters:
        hint = hints.get(name)
        optional = False
        if isinstance(hint, types.UnionType):
            rest = [part for part in typing.get_args(hint) if part is not type(None)]
            optional, hint = len(rest) < len(typing.get_args(hint)), rest[0]
        if not isinstance(hint, type):
            raise TypeError(f"{handler.__module__}.{handler.__qualname__}: parameter {name} needs a plain class as annotation")
        found.append(Wants(name, hint, optional))
    _wants[handler] = tuple(found)
    return _wants[handler]


def call(handler: Handler, provider: Provider) -> None:
    """Run a handler with exactly what it named."""
    handler(**{want.name: provider.give(want) for want in wants_of(handler)})


def split_arguments(given: Call, quoted_number: CaseNumber | None) -> tuple[CaseNumber | None, Words]:
    """The case number and the remaining words of a command; a quoted card supplies a missing number."""
    rest = given.rest
    if not given.command.number:
        return None, Words(rest)
    found = _NUMBER.match(unicodedata.normalize("NFKC", rest[:24]))
    if found and (number := parse_number(found[0])):
        head = _consumed(rest, found.end())
        words = rest[head:].lstrip(" ，,：:、。．.").rstrip(" ，,：:")
        return number, Words(words if words.strip(STOPS) else "")
    if quoted_number is not None:
        return quoted_number, Words(rest)
    if given.command.number == "must":
        raise RefusedInput("refusal.usage", command=given.command.name, usage=given.command.usage)
    return None, Words(rest)


def _consumed(text: str, normalised_length: int) -> int:
    """How many characters of `text` make up the first `normalised_length` characters after NFKC."""
    made = 0
    for position, character in enumerate(text):
        if made >= normalised_length:
            return position
        made += len(unicodedata.normalize("NFKC", character))
    return len(text)


def _put(table: dict[Any, Any], key: Any, value: Any) -> None:
    if key in table and table[key] is not value:
        raise ValueError(f"two handlers for {key!r}")
    table[key] = value

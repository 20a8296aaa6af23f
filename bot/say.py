"""What a handler says. Every sentence is a phrase of the content and becomes a row of the outbox in the handler's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from bot.messages import Address, Choice, Inbound
from bot.notices import Lane, NewNotice, enqueue, read_choices
from content.masking import mask
from content.phrases import PhraseBook
from storage.tables import Alarm, Case, Group, Notice, Officer, OfficerAccount


class Seal(Protocol):
    """Seals words that must not lie open in the outbox; with `once` they are for the reader's eyes and for no record at all."""

    def __call__(self, text: str, *, once: bool) -> str: ...


@dataclass(frozen=True, slots=True)
class Voice:
    """What every turn speaks with: phrases, per platform the account that reaches people privately, and a seal for secrets."""

    phrases: PhraseBook
    accounts: Mapping[str, str]
    seal: Seal | None = None
    changes: frozenset[str] = frozenset()  # the platforms that let us change what we have said


class Say:
    """Puts notices into the outbox. One `Say` belongs to one transaction; `unique` makes its keys its own."""

    def __init__(self, session: Session, voice: Voice, now: datetime, unique: str, origin: Inbound | None) -> None:
        self._session = session
        self._voice = voice
        self._now = now
        self._unique = unique
        self._origin = origin
        self._count = 0
        self._keys: set[str] = set()  # what was said under a key of its own in this turn
        self._groups: dict[tuple[str, str, str], int | None] = {}  # by platform, account and chat
        self._chats: dict[int | None, Address | None] = {}  # of officers
        self.lane = Lane.REPLY

    def aside(self, word: str) -> None:
        """Keys of what is said from now on are apart from those of the same event's other turns."""
        self._unique = f"{self._unique}:{word}"

    def word(self, phrase: str, **values: Any) -> str:
        """A phrase that becomes part of another one."""
        return self._voice.phrases.say(phrase, **values)

    def reply(
        self, phrase: str, *, case: Case | None = None, choices: Iterable[Choice] = (), quote: bool = True, **values: Any
    ) -> None:
        """Answer the message where it was written, quoting it."""
        if self._origin is None:
            raise ValueError("there is no message to reply to")
        self.at(
            self._origin.address,
            phrase,
            case=case,
            choices=choices,
            reply_to=(self._origin.message_id or None) if quote else None,
            **values,
        )

    def privately(self, phrase: str, *, case: Case | None = None, choices: Iterable[Choice] = (), **values: Any) -> None:
        """Say it to the sender alone, in the private chat."""
        if self._origin is None:
            raise ValueError("there is nobody to talk to")
        if self._origin.address.private:
            self.reply(phrase, case=case, choices=choices, **values)
            return
        address = self._origin.address
        self.at(
            Address(address.platform, address.account, self._origin.sender.id, private=True),
            phrase,
            case=case,
            choices=choices,
            **values,
        )

    def secretly(self, phrase: str, **values: Any) -> None:
        """Say it to the sender alone; the words lie sealed in the outbox and are wiped as soon as they are sent."""
        if self._origin is None:
            raise ValueError("there is nobody to talk to")
        address = self._origin.address
        self.at(Address(address.platform, address.account, self._origin.sender.id, private=True), phrase, secret=True, **values)

    def to_reporter(
        self, case: Case, phrase: str, *, choices: Iterable[Choice] = (), photo: str | None = None, **values: Any
    ) -> None:
        """Say it where the case was brought, quoting the report; to nobody when its reporter in private was forgotten."""
        if case.private and case.reporter is None:
            return
        quoted = case.message_id or None
        self.at(
            case_address(case), phrase, case=case, choices=choices, reply_to=quoted, photo=photo, mention=case.reporter, **values
        )

    def to_reporter_alone(self, case: Case, phrase: str, *, choices: Iterable[Choice] = (), **values: Any) -> None:
        """Say it to the reporter in the private chat."""
        if case.reporter is not None:
            self.at(
                Address(case.platform, case.account, case.reporter, private=True), phrase, case=case, choices=choices, **values
            )

    def has_line(self, case: Case) -> bool:
        """Whether there may be a message that `keep_line` would change; what is said in this turn says itself how far it is."""
        return case.platform in self._voice.changes and not case.private and answer_key(case) not in self._keys

    def keep_line(self, case: Case, phrase: str, **values: Any) -> None:
        """Below our answer to the report stands how far it is: put the phrase there in place of what stood there before.

        Only where the platform can change a message; nobody is told anything by it, whoever has to know is told otherwise.
        """
        if not self.has_line(case):
            return
        answer = self._session.exec(select(Notice).where(Notice.key == answer_key(case))).first()
        if answer is None or answer.secret or answer.state not in ("pending", "sent"):
            return
        self._change(answer, case_address(case), f"{answer.text}\n{self._voice.phrases.say(phrase, **values)}", case.id)

    def keep_live(self, officer: Officer, key: str, phrase: str, **values: Any) -> bool:
        """One message in an officer's private chat, named by `key`, whose words are always the newest. False, and nothing said,
        where the platform cannot change a message or the officer has no bound account."""
        to = self._private_chat(officer)
        if to is None or to.platform not in self._voice.changes:
            return False
        first = self._session.exec(select(Notice).where(Notice.key == key)).first()
        if first is None:
            self.at(to, phrase, key=key, lane=Lane.OFFICER, **values)
        else:
            self._change(first, to, self._voice.phrases.say(phrase, **values), None)
        return True

    def _change(self, said: Notice, to: Address, text: str, case_id: int | None) -> None:
        """Put other words where a notice of ours stands, or is going to stand."""
        last = self._session.exec(select(Notice).where(Notice.changes == said.id).order_by(col(Notice.id).desc())).first()
        if (last or said).text == text:
            return
        if last is not None and last.state == "pending" and last.attempt == 0:
            last.text = text  # it has not gone yet: one change is enough
            self._session.add(last)
            return
        self._count += 1
        notice = NewNotice(
            key=f"{self._unique}:{self._count}",
            lane=Lane.OFFICER,
            to=to,
            text=text,
            group_id=said.group_id,
            case_id=case_id,
            mention=said.mention,
            choices=read_choices(said.choices),
            changes=said.id,
        )
        enqueue(self._session, notice, self._now)

    def to_officers(
        self,
        officers: Sequence[Officer],
        phrase: str,
        *,
        case: Case | None = None,
        photo: str | None = None,
        lane: Lane = Lane.OFFICER,
        **values: Any,
    ) -> int:
        """Say it to officers in their private chats; returns how many of them have a bound account that we can reach."""
        reached = 0
        self._look_up([officer.id for officer in officers])
        for officer in officers:
            to = self._private_chat(officer)
            if to is None:
                continue
            reached += 1
            self.at(to, phrase, case=case, photo=photo, lane=lane, **values)
        return reached

    def reachable(self, officers: Sequence[Officer]) -> int:
        """How many of them have a bound account that we can reach; nothing is said."""
        self._look_up([officer.id for officer in officers])
        return sum(self._chats[officer.id] is not None for officer in officers)

    def _private_chat(self, officer: Officer) -> Address | None:
        """Where an officer is reached: the account bound last, among those whose platform we speak on."""
        self._look_up([officer.id])
        return self._chats.pop(officer.id)

    def _look_up(self, officers: Sequence[int | None]) -> None:
        """One question for all of them."""
        unknown = [officer for officer in officers if officer not in self._chats]
        if not unknown:
            return
        accounts = self._session.exec(
            select(OfficerAccount)
            .where(col(OfficerAccount.officer_id).in_(unknown), col(OfficerAccount.platform).in_(list(self._voice.accounts)))
            .order_by(col(OfficerAccount.bound_at))
        ).all()
        last = {account.officer_id: account for account in accounts}
        for officer in unknown:
            account = last.get(officer) if officer is not None else None
            self._chats[officer] = (
                None
                if account is None
                else Address(account.platform, self._voice.accounts[account.platform], account.user_id, private=True)
            )

    def to_group(self, group: Group, phrase: str, *, case: Case | None = None, lane: Lane | None = None, **values: Any) -> None:
        """Say it in a group, to everybody."""
        self.at(Address(group.platform, group.account, group.chat), phrase, case=case, lane=lane, **values)

    def to_alarm_place(self, alarm: Alarm, phrase: str, **values: Any) -> None:
        """Say it where the emergency was reported."""
        self.at(
            Address(alarm.platform, alarm.account, alarm.chat, alarm.private, alarm.thread), phrase, lane=Lane.ALARM, **values
        )

    def at(
        self,
        to: Address,
        phrase: str,
        *,
        case: Case | None = None,
        choices: Iterable[Choice] = (),
        reply_to: str | None = None,
        photo: str | None = None,
        mention: str | None = None,
        lane: Lane | None = None,
        key: str | None = None,
        secret: bool = False,
        **values: Any,
    ) -> None:
        """Say a phrase at an address. `key` makes the notice unique beyond this turn."""
        self._count += 1
        if key is not None:
            self._keys.add(key)
        if to.private:
            group = None
        elif case is not None and case.group_id is not None and to == case_address(case):
            group = case.group_id
        else:
            group = self._group(to)
        # numbers that name a person do not leave the case: in a group nobody needs them
        text: str = self._voice.phrases.say(phrase, **(values if to.private else _masked_table(values)))
        if secret and self._voice.seal is None:
            raise ValueError("a secret needs a seal")
        if self._voice.seal is not None and (secret or (to.private and mask(text) != text)):
            text, secret = self._voice.seal(text, once=secret), True
        notice = NewNotice(
            key=key or f"{self._unique}:{self._count}",
            lane=self.lane if lane is None else lane,
            to=to,
            text=text,
            group_id=group,
            case_id=case.id if case else None,
            reply_to=reply_to,
            photo=photo,
            choices=tuple(choices),
            mention=mention if not to.private else None,
            secret=secret,
        )
        enqueue(self._session, notice, self._now)

    def _group(self, to: Address) -> int | None:
        here = to.platform, to.account, to.chat
        found = self._groups.get(here)
        if found is None:
            values = {"platform": to.platform, "account": to.account, "chat": to.chat}
            found = self._groups[here] = self._session.exec(_GROUP, params=values).first()
        return found


_GROUP = select(Group.id).where(
    Group.platform == bindparam("platform"), Group.account == bindparam("account"), Group.chat == bindparam("chat")
)


def _masked_table(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _masked(value) for name, value in values.items()}


def _masked(value: Any) -> Any:
    """Words with their numbers masked, whatever list or card they are in."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(_masked(item) for item in value)
    if isinstance(value, dict):
        return _masked_table(value)
    if is_dataclass(value) and not isinstance(value, type):
        changed = {field.name: _masked(getattr(value, field.name)) for field in fields(value) if field.init}
        return replace(value, **changed)
    return value


def answer_key(case: Case) -> str:
    """The key of the answer to a report: below it stands how far the case is."""
    return f"answer:{case.number}"


def case_address(case: Case) -> Address:
    """Where a case was brought."""
    return Address(case.platform, case.account, case.chat, case.private, case.thread)

"""What a handler needs to let a high-impact action wait, and what whoever carries it out later is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from bot.campaigns import Campaigns
from bot.permissions import Rights, Role
from bot.say import Say
from cases.pending import PendingActions
from cases.roster import Roster
from cases.tips import Tips
from cases.totp import Totp
from content.refusal import Refusal
from storage.tables import Officer, PendingAction

# who is told of an action of this kind beside whoever asked for it, and so may cancel it in time
CONCERNED: dict[str, tuple[Role, ...]] = {
    "post": (Role.APPROVER, Role.SUPERVISOR),
    "tip": (Role.CUSTODIAN, Role.SUPERVISOR),
    "roster": (Role.ADMIN, Role.SUPERVISOR),
}


@dataclass(frozen=True, slots=True)
class Confirmations:
    """Lets an action of this turn's sender wait for a one-time password and a delay."""

    pending: PendingActions
    totp: Totp
    say: Say
    platform: str

    @property
    def enabled(self) -> bool:
        """False only when the settings say so."""
        return self.pending.rules.enabled

    def needed_for(self, groups: int) -> bool:
        """Whether a campaign to so many groups has to wait."""
        return self.enabled and groups > self.pending.rules.groups

    def ask(self, kind: str, officer: Officer, *, scope: str = "", about: str, payload: dict[str, str | int]) -> None:
        """Ask this officer for the one-time password. Refusal when they have no key for one yet."""
        if not self.totp.enrolled(officer):
            raise Refusal("confirm.not_enrolled")
        row = self.pending.ask(kind, officer, self.platform, about=about, scope=scope, payload=payload)
        minutes = minutes_of(self.pending.rules.delay.total_seconds())
        self.say.privately("confirm.asked", number=row.id, about=about, scope=scope, wait=minutes)


@dataclass(frozen=True, slots=True)
class Act:
    """A pending action whose delay is over, and what it takes to carry it out. `rights` are those of today."""

    row: PendingAction
    payload: dict[str, str | int]
    officer: Officer
    rights: Rights
    session: Session
    now: datetime
    say: Say
    roster: Roster
    campaigns: Campaigns
    tips: Tips

    def number(self, name: str) -> int:
        return int(self.payload[name])

    def text(self, name: str) -> str:
        return str(self.payload[name])


def minutes_of(seconds: float) -> str:
    """A delay as people say it."""
    return f"{int(seconds // 60)}分钟" if seconds >= 60 and seconds % 60 == 0 else f"{int(seconds)}秒"


def concerned(kind: str, officer: Officer | None, roster: Roster) -> list[Officer]:
    """Who else than `officer` is told, each once."""
    roles = CONCERNED.get(kind.partition(".")[0], (Role.SUPERVISOR,))
    found = {one.id: one for role in roles for one in roster.with_role(role)}
    if officer is not None:
        found.pop(officer.id, None)
    return list(found.values())

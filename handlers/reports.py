"""Opening a case from what a resident writes: whatever kind it is, the way is the same."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

from rapidfuzz import fuzz
from sqlmodel import Session

from bot.dialogs import Dialogs
from bot.messages import Inbound
from bot.say import Say, answer_key
from bot.timers import Timers
from bot.turn import Effects, Photos, Rules
from bot.understanding.meaning import Intent, Meaning
from cases.desk import CaseDesk, NewCase
from cases.dispatch import dispatchers, handlers_of
from cases.lifecycle import State
from cases.repeats import SAME_WORDS
from cases.similarity import open_alike
from handlers.cards import case_card, tell_holder, trouble_with
from handlers.origin import Spot, origin_of
from handlers.shown import take_back_lone
from storage.tables import Case, Group

KIND = {
    Intent.HAZARD: "hazard",
    Intent.DISPUTE: "dispute",
    Intent.WISH: "wish",
    Intent.MISSING: "missing",
    Intent.LOST_FOUND: "lost_found",
    Intent.SCAM_REPORT: "scam",
}
PLACE_WAIT = timedelta(minutes=10)
MORE_WAIT = timedelta(minutes=10)  # what is said so soon after a report belongs to it
ASKED_AFTER_WAIT = timedelta(days=3)  # and so long people ask in the group how far it is, or say that nobody need come
SAME_REPORT = timedelta(minutes=10)
FLOOD = 5  # reports of one person in SAME_REPORT; what comes on top is added to the last case, so that nothing is lost
NEEDS_PLACE = frozenset({"hazard"})
ROUTINE_TIERS = frozenset({"T1", "T2", "T3"})
LONGEST_PLACE = 60
TOLD_COUNTS = (2, 3, 5)  # after which neighbours the officer is told how many they are; then after every tenth


@dataclass(frozen=True, slots=True)
class Reports:
    """Takes reports inside one turn, with everything that a new case sets going.

    The photos are handed over: a handler that names them has them waited for (`bot.worker`).
    """

    group: Group | None
    spot: Spot
    desk: CaseDesk
    dialogs: Dialogs
    say: Say
    timers: Timers
    effects: Effects
    rules: Rules
    session: Session
    now: datetime

    def take(self, message: Inbound, meaning: Meaning, photos: Photos) -> Case | None:
        """Open a case; ask where, but only if that cannot be told from the message. None: it was added to a known one."""
        origin = origin_of(message, self.group)
        trouble = trouble_with(photos, self.say)
        if (same := said_already(message, message.text, self.desk, self.say)) is not None:
            self.desk.add(same, message.text, photos.ids, author_of(message, same, self.desk), message.message_id)
            return None
        where = self.spot.of(message, meaning)
        kind = KIND.get(meaning.intent, "hazard")
        new = NewCase(
            kind,
            meaning.category or "other",
            meaning.tier or "T3",
            message.text,
            where.place[:LONGEST_PLACE],
            origin,
            needs_place=kind in NEEDS_PLACE,
            where=where,
        )
        case = self.desk.open(new, photos.ids)
        if not photos.ids:
            take_back_lone(case, self.dialogs, self.desk, self.session)
        self.effects.reported = self.now
        category = self.desk.category(case)
        if case.state == State.DRAFT:
            self.dialogs.ask("place", wait=PLACE_WAIT, case_id=case.id)
            self.timers.after(PLACE_WAIT, "place.missing", str(case.id))
            self.say.reply(
                "report.where", case=case, number=case.number, category=category.name, advice=category.advice, trouble=trouble
            )
            return case
        if join_same(case, self.desk, self.say, self.session):
            return None
        listen_for_more(case, self.dialogs, self.now)
        unit = pass_on(case, self.desk, self.say, self.rules, self.session)
        self.say.reply(
            "report.received",
            case=case,
            key=answer_key(case),
            number=case.number,
            category=category.name,
            unit=unit,
            tier=case.tier,
            advice=category.advice,
            trouble=trouble,
        )
        return case


def listen_for_more(case: Case, dialogs: Dialogs, now: datetime) -> None:
    """What this person says next here may be about it (`handlers.followups`); only of the newest report of somebody in a chat."""
    data = {"case": str(case.id), "until": (now + MORE_WAIT).isoformat()}
    dialogs.ask("details", wait=ASKED_AFTER_WAIT, data=data)


def said_already(message: Inbound, text: str, desk: CaseDesk, say: Say) -> Case | None:
    """The open case that these words belong to: the same said again, or too much in a row, which is told once."""
    earlier = desk.recent_of(origin_of(message, None), SAME_REPORT)
    for case in earlier:
        if fuzz.ratio(case.text, text) >= SAME_WORDS and _numbers(case.text) == _numbers(text):
            known = desk.master_of(case)
            if message.address.private:  # in a group the answer to the first one is in sight, and nobody waits for another
                say.reply("report.known", case=known, number=known.number, state=desk.state_name(known))
            return known
    if len(earlier) < FLOOD:
        return None
    last = desk.master_of(earlier[0])
    if all(line.kind != "addition" for line in desk.history(last)):
        say.reply("report.slow_down", case=last, number=last.number)
    return last


def author_of(message: Inbound, case: Case, desk: CaseDesk) -> str:
    """As whom the sender adds to a case."""
    return desk.author(case, message.address.platform, message.sender.id)


def _numbers(text: str) -> list[str]:
    """ "3号楼" and "5号楼" are two places, however alike the rest is."""
    return re.findall(r"\d+|[一二三四五六七八九十]+(?=[号栋幢楼单层])", unicodedata.normalize("NFKC", text))


def join_same(case: Case, desk: CaseDesk, say: Say, session: Session) -> bool:
    """Put a report to the open case that it repeats, if that is beyond doubt; what is only likely, a dispatcher is shown."""
    if case.kind != "hazard":
        return False
    alike = [(other, like) for other, like in open_alike(session, case) if (other.id or 0) < (case.id or 0)]
    if not alike:
        return False
    master, like = alike[0]
    if like.score < desk.clocks.rules.join:
        say.to_officers(
            dispatchers(session, case.grid_id), "desk.perhaps_same", case=case, number=case.number, other=master.number
        )
        return False
    again = (master.platform, master.reporter) == (case.platform, case.reporter)
    desk.join(case, master)
    if again:
        say.reply("report.yours_already", case=master, number=master.number, state=desk.state_name(master))
        tell_holder(master, "desk.addition", say, session, text=case.text, photos=len(desk.photos(case)))
        return True
    count = desk.witnesses.count(master)
    say.reply("report.same", case=master, number=master.number, count=count)
    if count in TOLD_COUNTS or count % 10 == 0:
        tell_holder(master, "desk.witness", say, session, count=count, text=case.text, photos=len(desk.photos(case)))
    return True


def pass_on(case: Case, desk: CaseDesk, say: Say, rules: Rules, session: Session) -> str:
    """Dispatch by the routing table, or call a dispatcher; returns the unit's name, empty when a person decides."""
    units = desk.route(case) if rules.auto_dispatch and case.tier in ROUTINE_TIERS and case.category != "other" else []
    if not units:
        say.to_officers(dispatchers(session, case.grid_id), "desk.new", case=case, **case_card(case, desk, session))
        return ""
    say.to_officers(handlers_of(session, case), "desk.dispatched", case=case, **case_card(case, desk, session))
    return "、".join(unit.name for unit in units)

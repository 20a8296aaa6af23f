"""The services that handlers may name, and the house that every turn shares, made from the settings and the content."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from bot.app.library import Library
from bot.campaigns import Campaigns, PostRules
from bot.campaigns.appeals import appeal_said
from bot.clock import Clock
from bot.config import Settings
from bot.messages import Address
from bot.router import Router
from bot.say import Voice
from bot.turn import House, Photos, Pins, Rules, Supplies
from cases.activities import Activities
from cases.alarms import Alarms, open_alarm
from cases.blocks import Blocks
from cases.clocks import Clocks
from cases.desk import CaseDesk
from cases.identities import Identities
from cases.kept import KeptAnswers
from cases.lost import LostAndFound
from cases.mediation import Mediations
from cases.pending import PendingActions, PendingRules
from cases.places import Atlas
from cases.premises import Places
from cases.privacy import Privacy
from cases.proposals import Proposals
from cases.repeats import Repeats
from cases.retention import Retention, Terms
from cases.roster import Roster
from cases.tips import TipKeys, Tips
from cases.totp import Totp
from cases.wishes import Wishes
from cases.workdays import WorkCalendar
from content.gazetteer import Gazetteer
from content.phrases import PhraseBook
from handlers.asking import Confirmations
from handlers.live import keep_lines
from handlers.origin import Spot
from handlers.reports import Reports
from storage.sealing import Sealer
from storage.tables import Case, CaseEntry, Group, Notice, Unit
from storage.writer import Writer

Maker = Callable[[Supplies], object]


class Services:
    """What a turn needs beyond its own session, made anew for each one that asks for it."""

    def __init__(
        self,
        settings: Settings,
        library: Library,
        phrases: PhraseBook,
        gazetteer: Gazetteer,
        marks_key: bytes,
        writer: Writer,
        clock: Clock,
        *,
        demo: bool,
    ) -> None:
        """`marks_key` makes marks of people who must not be named; `demo`: what waits, waits shorter."""
        self._settings = settings
        self._library = library
        self._phrases = phrases
        self._clock = clock
        self._marks_key = marks_key
        self._atlas = Atlas(gazetteer)
        keys = settings.bot.data_dir / "keys"
        self._totp_sealer = Sealer(keys / "totp.key")
        self.tip_keys = TipKeys(keys, server_held=settings.tips.server_held_keys)
        confirmations = settings.confirmations
        self._pending_rules = PendingRules(confirmations.enabled, confirmations.delay(demo=demo), confirmations.over_groups)
        self.post_rules = PostRules.of(settings)
        self.station = settings.bot.station or writer.read_now(_station)

    def house(self, router: Router, voice: Voice) -> House:
        """What every turn shares."""
        settings = self._settings
        rules = Rules(
            station=self.station,
            bot_name=settings.bot.name,
            alarm_repeat=timedelta(seconds=settings.alarms.repeat_seconds),
            vague_places=self._library.vague_places,
            auto_dispatch=settings.desk.auto_dispatch,
            review_share=settings.desk.review_share,
            least_shown=settings.bot.least_shown,
            tip_pages=_tip_pages(settings),
            rooms_keep_days=settings.web.keep_days,
            talk_quiet=timedelta(minutes=settings.desk.talk_minutes),
            advice=self._library.understanding.advice,
            scam_now=re.compile("|".join(sorted(self._library.scam_now)) or "(?!)"),
        )
        return House(
            router,
            voice,
            settings.bot.zone,
            timedelta(seconds=settings.bot.photo_wait_seconds),
            rules,
            lambda session, address: open_alarm(session, address.platform, address.chat, self._clock()) is not None,
            _number_of,
            self._makers(),
            self._is_blocked,
            partial(_keep_lines, zone=settings.bot.zone),
        )

    def campaigns(self, session: Session, now: datetime) -> Campaigns:
        """The sending of posts inside one transaction."""
        return Campaigns(session, now, self._library.posts, self._phrases, self.post_rules, self._library.calendar)

    def retention(self, session: Session, now: datetime) -> Retention:
        """What is kept for how long, inside one transaction."""
        tips = Tips(session, self.tip_keys, now, timedelta(days=self._settings.tips.keep_days))
        return Retention(session, now, Terms(**self._settings.retention.terms), tips)

    def work_calendar(self) -> WorkCalendar:
        """The working days and hours of the officers."""
        hours = self._settings.desk
        return WorkCalendar(self._settings.bot.zone, hours.work_from, hours.work_to, self._library.workdays)

    def _makers(self) -> Mapping[type, Callable[[Supplies], object]]:
        taxonomy, zone, keys = self._library.taxonomy, self._settings.bot.zone, self.tip_keys
        kept_for = timedelta(days=self._settings.tips.keep_days)
        rules, calendar = self._library.desk, self.work_calendar()

        def desk_of(turn: Supplies) -> CaseDesk:
            clocks = Clocks(turn.session, rules, calendar, turn.now, turn.timers)
            return CaseDesk(turn.session, turn.rights, taxonomy, zone, turn.now, clocks)

        return {
            CaseDesk: desk_of,
            Alarms: lambda turn: Alarms(turn.session, turn.now),
            Identities: lambda turn: Identities(turn.session, turn.now),
            Roster: lambda turn: Roster(turn.session, turn.now),
            Privacy: lambda turn: Privacy(turn.session, turn.now),
            Tips: lambda turn: Tips(turn.session, keys, turn.now, kept_for),
            Campaigns: lambda turn: self.campaigns(turn.session, turn.now),
            Totp: lambda turn: Totp(turn.session, self._totp_sealer, turn.now, turn.house.rules.bot_name),
            PendingActions: lambda turn: PendingActions(turn.session, turn.now, self._pending_rules, turn.timers),
            Confirmations: lambda turn: Confirmations(
                turn.service(PendingActions), turn.service(Totp), turn.say, turn.event.address.platform if turn.event else ""
            ),
            Blocks: lambda turn: Blocks(turn.session, self._marks_key, turn.now),
            Repeats: lambda turn: Repeats(turn.session, self._marks_key),
            Spot: self._spot,
            Reports: _reports,
            Wishes: lambda turn: Wishes(turn.session, turn.rights, turn.service(CaseDesk), turn.now),
            LostAndFound: lambda turn: LostAndFound(
                turn.session, turn.rights, turn.service(CaseDesk), self._library.things, turn.now
            ),
            Mediations: lambda turn: Mediations(turn.session, turn.rights, turn.service(CaseDesk), turn.now),
            Activities: lambda turn: Activities(turn.session, turn.rights, turn.now),
            Proposals: lambda turn: Proposals(turn.session, turn.rights, turn.now),
            Places: lambda turn: Places(turn.session, turn.rights, turn.service(CaseDesk), turn.now),
            KeptAnswers: lambda turn: KeptAnswers(turn.session, turn.now),
        }

    def _is_blocked(self, session: Session, platform: str, account: str, now: datetime) -> bool:
        return Blocks(session, self._marks_key, now).active(platform, account) is not None

    def _spot(self, turn: Supplies) -> Spot:
        given = {Pins: turn.find(Pins), Photos: turn.find(Photos), Group: turn.find(Group)}
        return Spot(self._atlas, turn.session, turn.house.rules, given[Pins], given[Photos], given[Group])  # type: ignore[arg-type]


def _reports(turn: Supplies) -> Reports:
    return Reports(
        turn.find(Group),  # type: ignore[arg-type]
        turn.service(Spot),
        turn.service(CaseDesk),
        turn.dialogs,
        turn.say,
        turn.timers,
        turn.effects,
        turn.house.rules,
        turn.session,
        turn.now,
    )


def _station(session: Session) -> str:
    unit = session.exec(select(Unit).where(Unit.kind == "police").order_by(col(Unit.id))).first()
    return unit.name if unit else "社区"


def _keep_lines(turn: Supplies, zone: ZoneInfo) -> None:
    """Below the answer to a report stands how far it is, whoever moved it."""
    desk = turn.made(CaseDesk)
    if isinstance(desk, CaseDesk) and desk.moved:
        keep_lines(desk, turn.say, zone, turn.now)


def _number_of(session: Session, address: Address, message_id: str) -> str | None:
    """The case or appeal that a message in this chat belongs to, by its history or by the notice that we sent."""
    found = session.exec(
        select(Case.number)
        .join(CaseEntry, col(CaseEntry.case_id) == col(Case.id))
        .where(CaseEntry.message_id == message_id, Case.platform == address.platform, Case.chat == address.chat)
    ).first()
    if found is not None:
        return found
    return session.exec(
        select(Case.number)
        .join(Notice, col(Notice.case_id) == col(Case.id))
        .where(Notice.message_id == message_id, Notice.platform == address.platform, Notice.chat == address.chat)
    ).first() or appeal_said(session, address, message_id)


def _tip_pages(settings: Settings) -> str:
    """Where the web platform shows officers the pictures of tips; empty when it does not run or has no such pages."""
    web = settings.web
    if not (web.enabled and settings.tips.web_form):
        return ""
    host = f"[{web.host}]" if ":" in web.host else web.host
    return f"{web.public_url.rstrip('/') or f'http://{host}:{web.port}'}/tip/picture/"

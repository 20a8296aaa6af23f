"""Numbers for machines, in Prometheus text. No label ever holds a person, a group or a word that was said."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy import func
from sqlmodel import Session, col, select

from bot.inbox import Inbox
from bot.platforms.base import Health
from bot.timers import failing
from storage.notices import unfinished
from storage.tables import Alarm, Case, InboxEvent, WechatGap


class Metrics:
    """The registry of one running bot."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._heard = Gauge("qianshao_events_heard", "Events heard since the start", registry=self._registry)
        self._kept = Gauge("qianshao_events_kept", "Events kept since the start", registry=self._registry)
        self._outbox = Gauge("qianshao_outbox", "Notices under way or failed, by state", ["state"], registry=self._registry)
        self._inbox = Gauge("qianshao_inbox", "Kept events by state", ["state"], registry=self._registry)
        self._cases = Gauge("qianshao_cases", "Cases by state", ["state"], registry=self._registry)
        self._alarms = Gauge("qianshao_alarms_waiting", "Emergencies that nobody has acknowledged", registry=self._registry)
        self._timers = Gauge(
            "qianshao_timers_failing", "What was due, failed three times and is tried again", ["kind"], registry=self._registry
        )
        self._platforms = Gauge(
            "qianshao_platform_listening", "1 while a platform listens", ["platform"], registry=self._registry
        )
        self._gaps = Gauge(
            "qianshao_wechat_gaps", "Times in which a WeChat account heard nothing", ["account"], registry=self._registry
        )
        self._away = Gauge("qianshao_wechat_gap_seconds", "How long the last one was", ["account"], registry=self._registry)

    def render(self, session: Session, inbox: Inbox, platforms: Mapping[str, Health]) -> str:
        """Everything as it is now."""
        self._heard.set(inbox.heard)
        self._kept.set(inbox.kept)
        self._outbox.clear()
        for state, number in unfinished(session.connection()).items():
            self._outbox.labels(state).set(number)
        for gauge, table in ((self._inbox, InboxEvent), (self._cases, Case)):
            gauge.clear()
            for state, number in session.exec(select(table.state, func.count()).group_by(table.state)).all():
                gauge.labels(state).set(number)
        waiting = session.exec(select(func.count()).select_from(Alarm).where(col(Alarm.acknowledged_at).is_(None))).one()
        self._alarms.set(waiting)
        self._timers.clear()
        for kind, number in failing(session).items():
            self._timers.labels(kind).set(number)
        newest = select(WechatGap.account, func.max(WechatGap.id), func.count()).group_by(WechatGap.account)
        for account, last, times in session.exec(newest).all():
            gap = session.get_one(WechatGap, last)
            self._gaps.labels(account).set(times)
            self._away.labels(account).set((gap.to_at - gap.from_at).total_seconds())
        for name, health in platforms.items():
            self._platforms.labels(name).set(1 if health.listening else 0)
        return generate_latest(self._registry).decode()

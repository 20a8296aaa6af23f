"""What the form at /tip may do with tips."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Session

from bot.app.house import App
from bot.clock import Clock
from bot.config import Settings
from bot.permissions import Rights
from bot.platforms.web.tipform import TipAnswer
from bot.say import Say
from cases.tips import NewPicture, Tips, read_receipt
from content.refusal import Refusal
from storage.media import opened_with, store
from storage.writer import Writer


class FormTips:
    """`bot.platforms.web.tipform.TipDoor` over the tips' own room."""

    def __init__(self, writer: Writer, settings: Settings, clock: Clock, house: Sequence[App]) -> None:
        """`house` holds the bot once it is built; nobody calls before that."""
        self._writer = writer
        self._settings = settings
        self._clock = clock
        self._house = house

    @property
    def days(self) -> int:
        return self._settings.tips.keep_days

    async def tell(self, words: str, pictures: Sequence[bytes]) -> str:
        now, kept = self._clock(), await self._keep(pictures)

        def work(session: Session) -> str:
            tips = self._tips(session, now)
            receipt = tips.receive(words or self._only_pictures(), kept)
            self._say(session, now).to_officers(tips.to_notify(receipt.designation), "tips.card", name=receipt.designation)
            return receipt.shown

        shown = await self._writer.run(work)
        self._house[0].outbox.wake()
        return shown

    async def look(self, receipt: str, more: str, who: str, pictures: Sequence[bytes] = ()) -> TipAnswer:
        digits = read_receipt(receipt)
        if digits is None:
            raise Refusal("tips.no_such")
        now = self._clock()
        if pictures:  # nobody fills the disk with a receipt that is none
            await self._writer.run(lambda session: self._tips(session, now).by_receipt(digits, f"form:{who}"))
        kept = await self._keep(pictures)

        def work(session: Session) -> TipAnswer:
            tips = self._tips(session, now)
            held = tips.by_receipt(digits, f"form:{who}")
            if more or kept:
                tips.tell_more(held, more or self._only_pictures(), kept)
                name = held.tip.designation
                self._say(session, now).to_officers(tips.to_notify(name), "tips.card_more", name=name)
            status = tips.status(held)
            lines = tuple(
                (line.at.astimezone(self._settings.bot.zone).strftime("%m月%d日"), line.text) for line in status.answers
            )
            return TipAnswer(lines, status.readers, status.identity_given, status.asked, status.allowed)

        answer = await self._writer.run(work)
        self._house[0].outbox.wake()
        return answer

    async def picture(self, token: str) -> bytes:
        now = self._clock()

        def work(session: Session) -> tuple[str, bytes]:
            tip, officer, picture, key = self._tips(session, now).look_at(token)
            Rights(session, officer, "web", now).require_anywhere("tip.read", target=tip.designation)
            return picture.path, key

        path, key = await self._writer.run(work)
        try:
            return await asyncio.to_thread(lambda: opened_with(key, (self._settings.bot.data_dir / path).read_bytes()))
        except FileNotFoundError as problem:
            raise Refusal("tips.link_over") from problem

    async def _keep(self, pictures: Sequence[bytes]) -> list[NewPicture]:
        """The pictures on disk, sealed; without the transaction that follows nobody can open them, and they are swept away."""
        media = self._settings.bot.data_dir / "media"
        stored = [await asyncio.to_thread(store, media, jpeg) for jpeg in pictures]
        return [NewPicture(one.path, one.key) for one in stored]

    def _only_pictures(self) -> str:
        return self._house[0].phrases.say("tips.only_pictures")

    def why(self, refusal: Refusal) -> str:
        return self._house[0].phrases.say(refusal.phrase, **refusal.values)

    def _tips(self, session: Session, now: datetime) -> Tips:
        return Tips(session, self._house[0].services.tip_keys, now, timedelta(days=self.days))

    def _say(self, session: Session, now: datetime) -> Say:
        return Say(session, self._house[0].voice, now, f"tip:{secrets.token_hex(8)}", None)

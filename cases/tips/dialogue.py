"""The words of a tip: sealed when they are written, opened with its key, and a record of every read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlmodel import col, select

from cases.tips.access import Access, id_of
from cases.tips.pictures import NewPicture
from cases.tips.records import Line
from cases.tips.states import TipState, step
from content.refusal import Refusal
from storage.sealing import Sealed, mix, open_with, seal_with
from storage.shredding import get_key
from storage.tables import Officer, Tip, TipMessage, TipPicture, TipRead


class Dialogue(Access):
    """What source and officers say to one another."""

    def _move(self, tip: Tip, action: str) -> None:
        tip.state = step(TipState(tip.state), action)
        self._session.add(tip)
        self._session.flush()

    def _write(
        self,
        tip: Tip,
        key: bytes,
        author: str,
        text: str,
        officer: Officer | None = None,
        pictures: Sequence[NewPicture] = (),
    ) -> None:
        at = self._now if author == "officer" else self._today()
        sealed = self._seal(tip, key, text)
        by = officer.id if officer else None
        message = TipMessage(tip_id=id_of(tip), author=author, officer_id=by, sealed=sealed, at=at)
        self._session.add(message)
        self._session.flush()
        for picture in pictures:
            opener = self._seal(tip, key, picture.key.hex())
            self._session.add(TipPicture(tip_id=id_of(tip), message_id=message.id or 0, path=picture.path, sealed=opener))

    def _seal(self, tip: Tip, key: bytes, text: str) -> bytes:
        return seal_with(mix(key, get_key(self._session, shred_name(tip))), text.encode())

    def _open(self, tip: Tip, key: bytes, sealed: bytes) -> str:
        try:
            return open_with(mix(key, get_key(self._session, shred_name(tip))), sealed).decode()
        except Sealed as problem:
            raise Refusal("tips.gone", name=tip.designation) from problem

    def _open_lines(self, tip: Tip, key: bytes, authors: tuple[str, ...]) -> list[tuple[int, Line]]:
        rows = self._session.exec(
            select(TipMessage)
            .where(TipMessage.tip_id == tip.id, col(TipMessage.author).in_(authors))
            .order_by(col(TipMessage.id))
        ).all()
        pictures = Counter(self._session.exec(select(TipPicture.message_id).where(TipPicture.tip_id == tip.id)).all())
        return [(row.id or 0, Line(row.author, self._open(tip, key, row.sealed), row.at, pictures[row.id or 0])) for row in rows]

    def _note_read(self, tip: Tip, message_id: int, officer: Officer) -> None:
        self._session.add(TipRead(tip_id=id_of(tip), message_id=message_id, officer_id=id_of(officer), at=self._now))

    def _today(self) -> datetime:
        return self._now.replace(hour=0, minute=0, second=0, microsecond=0)


def shred_name(tip: Tip) -> str:
    """The name of the key without which nothing of the tip can be opened, not even from a backup."""
    return f"tip:{id_of(tip)}"

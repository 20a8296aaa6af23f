"""The tips' own room: receipts, names, sealing, and the end of their time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlmodel import Session, SQLModel, create_engine, select

from bot.errors import QianshaoError
from bot.messages import Address, Outbound
from bot.whisper import Opening, hush
from cases.tips import KEPT_FOR, Seal, Tips, read_receipt
from content.refusal import Refusal
from storage.sealing import Sealed, Sealer
from storage.tables import Officer, Tip, TipMessage
from tests.kit.fake_platform import FakePlatform

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
WORDS = "有人在3号楼租房开赌局"


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


@pytest.fixture
def sealer(tmp_path: Path) -> Sealer:
    return Sealer(tmp_path / "tips.key")


def tips(session: Session, sealer: Sealer, at: datetime = NOW) -> Tips:
    return Tips(session, Seal(sealer.seal, sealer.unseal), at)


@pytest.mark.parametrize(
    "text", ["12345678901234567890", "1234 5678 9012 3456 7890", "１２３４-5678—9012　34567890", "  12345678901234567890\n"]
)
def test_a_receipt_is_read_however_it_is_typed(text: str) -> None:
    assert read_receipt(text) == "12345678901234567890"


@pytest.mark.parametrize("text", ["", "1234", "1" * 21, "回执12345678901234567890", "-" * 24, "²" * 20])
def test_what_is_no_receipt(text: str) -> None:
    assert read_receipt(text) is None


def test_only_the_receipt_opens_a_tip(session: Session, sealer: Sealer) -> None:
    room = tips(session, sealer)
    receipts = [room.receive(WORDS) for _ in range(3)]
    assert len({receipt.digits for receipt in receipts}) == 3
    for receipt in receipts:
        assert room.by_receipt(receipt.digits).designation == receipt.designation
    wrong = receipts[0].digits[:-1] + str((int(receipts[0].digits[-1]) + 1) % 10)
    for digits in (wrong, "0" * 20):
        with pytest.raises(Refusal, match=r"tips\.no_such"):
            room.by_receipt(digits)


def test_the_words_are_sealed_and_the_receipt_only_a_hash(session: Session, sealer: Sealer, tmp_path: Path) -> None:
    receipt = tips(session, sealer).receive(WORDS)
    row, message = session.exec(select(Tip)).one(), session.exec(select(TipMessage)).one()
    assert WORDS.encode() not in message.sealed
    assert receipt.digits not in row.receipt_hash
    with pytest.raises(Sealed):
        Sealer(tmp_path / "another.key").unseal(message.sealed)


def test_a_dialogue_seen_from_both_sides(session: Session, sealer: Sealer) -> None:
    room = tips(session, sealer)
    tip = room.by_receipt(room.receive(WORDS).digits)
    officer = Officer(badge="1", name="李", title="民警")
    session.add(officer)
    session.flush()
    assert room.reads(tip) == 0
    assert [line.text for line in room.read(tip, officer)] == [WORDS]
    assert (room.reads(tip), tip.state) == (1, "under_review")
    room.add(tip, "officer", "几点散场？")
    assert [line.text for line in room.answers(tip)] == ["几点散场？"]


def test_its_time_is_over_for_everybody(session: Session, sealer: Sealer) -> None:
    receipt = tips(session, sealer).receive(WORDS)
    late = tips(session, sealer, NOW + KEPT_FOR)
    assert late.open() == []
    with pytest.raises(Refusal):
        late.by_receipt(receipt.digits)
    with pytest.raises(Refusal):
        late.by_designation(receipt.designation)


async def test_what_is_said_secretly_is_opened_only_on_its_way_out(sealer: Sealer, tmp_path: Path) -> None:
    platform = FakePlatform()
    opening = Opening(platform, sealer)
    to = Address("web", "main", "lin", private=True)
    lying = hush(sealer, WORDS)
    assert "赌局" not in lying
    await opening.send(to, Outbound("k1", lying))
    await opening.send(to, Outbound("k2", "（重发）" + lying))
    await opening.send(to, Outbound("k3", "您好"))
    assert platform.texts() == [WORDS, "（重发）" + WORDS, "您好"]
    with pytest.raises(Sealed):
        await Opening(platform, Sealer(tmp_path / "another.key")).send(to, Outbound("k4", lying))
    assert not issubclass(Sealed, QianshaoError)

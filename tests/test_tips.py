"""The tips' own room: receipts, names, sealing, and the end of their time."""

from __future__ import annotations

import contextlib
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, SQLModel, create_engine, select

from bot.errors import QianshaoError
from bot.messages import Address, Outbound
from bot.whisper import Opening, hush
from cases.tips import KEPT_FOR, STATE_NAMES, STEPS, TipKeys, Tips, TipState, read_receipt
from cases.tips.keys import Claim
from cases.tips.pictures import View
from content.refusal import Refusal
from storage.sealing import Sealed, Sealer
from storage.tables import Officer, OfficerKey, OfficerRole, ShredKey, Tip, TipKey, TipMessage
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


@pytest.fixture
def keys(tmp_path: Path) -> TipKeys:
    return TipKeys(tmp_path / "keys")


def tips(session: Session, keys: TipKeys, at: datetime = NOW) -> Tips:
    return Tips(session, keys, at)


def custodian(session: Session, badge: str = "1") -> Officer:
    officer = Officer(badge=badge, name="李", title="民警")
    session.add(officer)
    session.flush()
    session.add(OfficerRole(officer_id=officer.id or 0, role="custodian", scope_kind="district"))
    session.flush()
    return officer


@pytest.mark.parametrize(
    "text", ["12345678901234567890", "1234 5678 9012 3456 7890", "１２３４-5678—9012　34567890", "  12345678901234567890\n"]
)
def test_a_receipt_is_read_however_it_is_typed(text: str) -> None:
    assert read_receipt(text) == "12345678901234567890"


@pytest.mark.parametrize("text", ["", "1234", "1" * 21, "回执12345678901234567890", "-" * 24, "²" * 20])
def test_what_is_no_receipt(text: str) -> None:
    assert read_receipt(text) is None


def test_only_the_receipt_opens_a_tip(session: Session, keys: TipKeys) -> None:
    room = tips(session, keys)
    receipts = [room.receive(WORDS) for _ in range(3)]
    assert len({receipt.digits for receipt in receipts}) == 3
    for receipt in receipts:
        assert room.by_receipt(receipt.digits, "lin").tip.designation == receipt.designation
    wrong = receipts[0].digits[:-1] + str((int(receipts[0].digits[-1]) + 1) % 10)
    for digits in (wrong, "0" * 20):
        with pytest.raises(Refusal, match=r"tips\.no_such"):
            room.by_receipt(digits, "lin")


def test_neither_the_tables_nor_the_key_files_open_a_tip_of_somebody_with_a_passphrase(
    session: Session, keys: TipKeys, tmp_path: Path
) -> None:
    officer = custodian(session)
    room = tips(session, keys)
    room.set_passphrase(officer, "梅雨 纸船 四十九 收音机")
    receipt = room.receive(WORDS)
    everything = [
        bytes(value) if isinstance(value, bytes) else str(value).encode()
        for table in (Tip, TipKey, TipMessage, OfficerKey, ShredKey)
        for row in session.exec(select(table)).all()
        for value in row.model_dump().values()
    ]
    assert not any(WORDS.encode() in value or receipt.digits.encode() in value for value in everything)
    # somebody with all files and tables, but neither the receipt nor the passphrase
    thief = tips(session, TipKeys(tmp_path / "keys"))
    tip = thief.find(receipt.designation, officer)
    with pytest.raises(Refusal, match=r"tips\.locked"):
        thief.read(tip, officer)
    with pytest.raises(Refusal, match=r"tips\.wrong_passphrase"):
        thief.unlock(officer, "梅雨 纸船 四十九 收音器")
    thief.unlock(officer, "梅雨 纸船 四十九 收音机")
    assert [line.text for line in thief.read(tip, officer)] == [WORDS]


def test_a_destroyed_half_makes_every_copy_of_the_other_worthless(session: Session, keys: TipKeys) -> None:
    officer = custodian(session)
    room = tips(session, keys)
    receipt = room.receive(WORDS)
    tip = room.find(receipt.designation, officer)
    kept = session.exec(select(TipMessage)).one().sealed, session.exec(select(TipKey)).one().sealed
    room.destroy(tip)
    # what an old backup still has: the tip's rows, its sealed key and the server's key files
    session.add(TipMessage(tip_id=tip.id or 0, author="source", sealed=kept[0], at=NOW))
    session.add(TipKey(tip_id=tip.id or 0, officer_id=officer.id, part="words", sealed=kept[1]))
    tip.state = "triaged"
    session.flush()
    with pytest.raises(Refusal, match=r"tips\.gone"):
        room.read(tip, officer)


def test_a_dialogue_seen_from_both_sides(session: Session, keys: TipKeys) -> None:
    officer = custodian(session)
    room = tips(session, keys)
    held = room.by_receipt(room.receive(WORDS).digits, "lin")
    assert room.readers(held.tip) == 0
    assert [line.text for line in room.read(held.tip, officer)] == [WORDS]
    assert (room.readers(held.tip), held.tip.state) == (1, "triaged")
    room.answer(held.tip, officer, "几点散场？")
    assert [line.text for line in room.status(held).answers] == ["几点散场？"]
    assert held.tip.state == "dialogue"
    room.tell_more(held, "两点")
    assert held.tip.state == "under_review"


def test_its_time_is_over_for_everybody(session: Session, keys: TipKeys) -> None:
    officer = custodian(session)
    receipt = tips(session, keys).receive(WORDS)
    late = tips(session, keys, NOW + KEPT_FOR + timedelta(days=1))
    assert late.listed(officer) == []
    assert [tip.designation for tip in late.over()] == [receipt.designation]
    with pytest.raises(Refusal):
        late.by_receipt(receipt.digits, "lin")
    with pytest.raises(Refusal):
        late.find(receipt.designation, officer)


def test_a_known_and_an_unknown_receipt_cost_the_same_work(
    session: Session, keys: TipKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timing follows the work: one Argon2id and one look by index, whoever asks for what."""
    room = tips(session, keys)
    receipts = [room.receive(WORDS).digits for _ in range(4)]
    worked: list[str] = []
    real = keys.claim

    def counted(digits: str) -> Claim:
        worked.append(digits)
        return real(digits)

    monkeypatch.setattr(keys, "claim", counted)
    for digits in (receipts[0], receipts[3], "0" * 20, receipts[0][:10] + "0" * 10):
        before = len(worked)
        with contextlib.suppress(Refusal):
            room.by_receipt(digits, digits)
        assert len(worked) == before + 1


def test_ten_thousand_guesses_get_almost_nowhere(session: Session, keys: TipKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def counted(digits: str) -> Claim:
        tried.append(digits)
        return Claim("f" * 64, bytes(32))

    monkeypatch.setattr(keys, "claim", counted)
    at = NOW
    for number in range(10_000):
        at += timedelta(milliseconds=60)  # ten minutes of guesses from a hundred accounts
        with contextlib.suppress(Refusal):
            tips(session, keys, at).by_receipt(f"{number:020d}", f"robot{number % 100}")
    assert len(tried) <= 30 + 600  # thirty at once, then one a second


def test_the_table_of_steps_is_whole() -> None:
    assert set(STATE_NAMES) == set(TipState)
    reached = {target for _, target in STEPS.values()} | {TipState.RECEIVED}
    assert reached == set(TipState)
    assert all(TipState.DESTROYED not in sources for sources, _ in STEPS.values())
    assert {target for sources, target in STEPS.values() if TipState.SEALED in sources} == {
        TipState.UNDER_REVIEW,
        TipState.DESTROYED,
    }


@pytest.mark.parametrize("state", list(TipState))
def test_every_step_from_every_state(session: Session, keys: TipKeys, state: TipState) -> None:
    custodian(session)
    room = tips(session, keys)
    tip = room.by_receipt(room.receive(WORDS).digits, "lin").tip
    for action, (sources, target) in STEPS.items():
        tip.state = state
        if state in sources:
            room.move(tip, action)
            assert tip.state == target
        else:
            with pytest.raises(Refusal, match=r"tips\.not_now"):
                room.move(tip, action)
            assert tip.state == state


def test_only_with_a_passphrase_when_the_server_must_not_hold_keys(session: Session, tmp_path: Path) -> None:
    room = Tips(session, TipKeys(tmp_path / "keys", server_held=False), NOW)
    officer = custodian(session)
    with pytest.raises(Refusal, match=r"tips\.nobody"):
        room.receive(WORDS)
    session.rollback()
    officer = custodian(session)
    room.set_passphrase(officer, "梅雨 纸船 四十九 收音机")
    assert [line.text for line in room.read(room.find(room.receive(WORDS).designation, officer), officer)] == [WORDS]


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


def test_a_link_to_a_picture_that_holds_something_else_opens_nothing(sealer: Sealer) -> None:
    view = View(1, 2, NOW, bytes(32))
    assert View.read(view.token(sealer), sealer) == view
    for other in (b"", b"short", bytes(23), bytes(24 + 31), bytes(24 + 33)):  # this house sealed it, for another purpose
        token = urlsafe_b64encode(sealer.seal_bytes(other)).decode().rstrip("=")
        assert View.read(token, sealer) is None
    for nonsense in ("", "a", "?", "中文", view.token(sealer)[:-3]):
        assert View.read(nonsense, sealer) is None

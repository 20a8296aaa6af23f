"""Important actions wait for a one-time password and a delay: who is asked and told, who may stop it, and that it is once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest
from sqlmodel import Session, select

from bot.timers import Timers
from cases.pending import PendingActions, PendingState
from cases.totp import Totp, read_code
from handlers.asking import CONCERNED, Act
from handlers.confirm import CARRY_OUT
from storage.tables import Audit, Campaign, InboxEvent, Notice, Officer, OfficerRole, OfficerTotp, PendingAction, Timer, TipKey
from tests.kit.scenario import PRIVATE, Scenario

ONE = "港新1号网格"
EDITOR, CHIEF, CUSTODIAN, ADMIN = "孙悦", "刘卫东", "李敏", "郑凯"
SETTINGS = {
    "QIANSHAO_CONFIRMATIONS__ENABLED": "true",
    "QIANSHAO_CONFIRMATIONS__OVER_GROUPS": "5",
    "QIANSHAO_POSTS__APPROVE_OVER_GROUPS": "3",
}


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Scenario]:
    """The sample district with what the settings ask for by default, for campaigns to more than five groups."""
    with Scenario(tmp_path, environ=SETTINGS) as scenario:
        yield scenario


def enrol(chat: Scenario, who: str) -> pyotp.TOTP:
    """The officer binds an authenticator app; gives the app."""
    chat.say(who, PRIVATE, "/动态码")
    shown = chat.expect(who, "请用手机上的验证器应用添加这个密钥*只显示这一次*").what.text
    found = re.search(r"(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}", shown)
    assert found
    assert "otpauth://totp/" in shown
    key = found[0].replace(" ", "")
    app = pyotp.TOTP(key)
    chat.say(who, PRIVATE, f"/动态码 {app.at(chat.clock())}")
    chat.expect(who, "动态码绑好了。*")
    chat.wait(seconds=30)  # the code that proved the key counts for nothing else
    chat.skip(*(name for name in (ADMIN,) if name != who))
    assert chat.traces(key) == []
    return app


def at(app: pyotp.TOTP, chat: Scenario, steps: int) -> str:
    """The code of a phone whose clock is wrong."""
    return app.at(chat.clock() + timedelta(seconds=30 * steps))


def plan(chat: Scenario) -> None:
    """An editor plans a post to all eight groups."""
    chat.say(EDITOR, PRIVATE, "/推送 反诈 全部")
    chat.expect(EDITOR, "推送1号要另一位同事批准才发*")
    chat.expect(CHIEF, "【待批准】推送1号*")


def received(chat: Scenario) -> int:
    return len({arrival.to.chat for arrival in chat.platform.arrived if not arrival.to.private})


def skip_all(chat: Scenario) -> None:
    chat.skip_officers()
    chat.skip(*(row.name for row in chat.district.groups))


def test_a_large_post_waits_for_the_code_and_then_for_ten_minutes(chat: Scenario) -> None:
    plan(chat)
    chat.say(CHIEF, PRIVATE, "/批准 1")
    chat.expect(CHIEF, "这一步要用动态码确认，您还没有绑定。请先在私聊里发：/动态码，绑好后再来一次。")
    app = enrol(chat, CHIEF)
    chat.say(CHIEF, PRIVATE, "/批准 1")
    chat.expect(
        CHIEF,
        "这一步影响大，要用动态码确认：放行推送1号《*》（8个群）。\n"
        "请在私聊里发：/确认 1 六位动态码\n确认后过10分钟才执行，这期间能停下：/取消 1",
    )
    chat.wait(minutes=11)
    assert received(chat) == 0
    chat.say(CHIEF, PRIVATE, f"/确认 1 {app.at(chat.clock())}")
    chat.expect(CHIEF, "确认好了：放行推送1号《*》。*执行，在那之前要停下就发：/取消 1")
    chat.wait(minutes=9)
    assert received(chat) == 0
    chat.restart(minutes=2)  # also when the bot was away at that time
    chat.wait(seconds=5)
    chat.expect(CHIEF, "第1项已执行：放行推送1号《*》。")
    assert received(chat) == 8
    assert chat.rows(PendingAction.state) == [PendingState.DONE]
    skip_all(chat)


def test_a_small_post_and_a_missing_person_do_not_wait(tmp_path: Path) -> None:
    with Scenario(tmp_path, environ=SETTINGS | {"QIANSHAO_CONFIRMATIONS__OVER_GROUPS": "8"}) as chat:
        plan(chat)
        chat.say(CHIEF, PRIVATE, "/批准 1")
        chat.expect(CHIEF, "推送1号放行了，8个群。")
        skip_all(chat)
    with Scenario(tmp_path / "b", environ=SETTINGS | {"QIANSHAO_CONFIRMATIONS__OVER_GROUPS": "1"}) as chat:
        chat.say("王建国", PRIVATE, "/寻人 张爷爷，78岁，灰色夹克，今天上午8点在港新菜场走失")
        number = re.search(r"\d{4}-\d{4}", chat.expect("王建国", "*").what.text)
        assert number
        chat.say(CHIEF, PRIVATE, f"/批准 {number[0]}")
        chat.wait(seconds=5)
        assert received(chat) > 1
        assert chat.rows(PendingAction.id) == []
        skip_all(chat)


def test_a_code_counts_once_and_guessing_ends(chat: Scenario) -> None:
    app = enrol(chat, CHIEF)
    plan(chat)
    code = app.at(chat.clock())
    chat.say(CHIEF, PRIVATE, "/批准 1")
    chat.expect(CHIEF, "这一步影响大*")
    chat.say(CHIEF, PRIVATE, f"/确认 1 {code}")
    chat.expect(CHIEF, "确认好了*")
    chat.say(CHIEF, PRIVATE, "/取消 1")
    chat.expect(CHIEF, "好的，第1项不执行了*")
    chat.say(CHIEF, PRIVATE, "/批准 1")
    chat.expect(CHIEF, "*/确认 2 六位动态码*")
    chat.say(CHIEF, PRIVATE, f"/确认 2 {code}")
    chat.expect(CHIEF, "动态码不对，或者已经用过。请等手机上换了新的码再发一次，还能试4次。")
    for left in (3, 2, 1, 0):
        chat.say(CHIEF, PRIVATE, f"/确认 2 {int(app.at(chat.clock())) ^ (left + 1):06d}")
        chat.expect(CHIEF, f"动态码不对*{left}次*" if left else "*错得太多了，一小时后再试。")
    chat.expect(ADMIN, f"值班所长{CHIEF}（工号S401）连着发错了5次动态码*")
    chat.wait(minutes=5)
    chat.say(CHIEF, PRIVATE, f"/确认 2 {app.at(chat.clock())}")
    chat.expect(CHIEF, "动态码错得太多了，请55分钟后再试。*")
    assert received(chat) == 0
    skip_all(chat)


def test_a_clock_that_is_half_a_minute_off_is_no_trouble_and_a_minute_is(chat: Scenario) -> None:
    app = enrol(chat, CHIEF)
    plan(chat)
    chat.wait(minutes=5)
    chat.say(CHIEF, PRIVATE, "/批准 1")
    chat.expect(CHIEF, "这一步影响大*")
    chat.say(CHIEF, PRIVATE, f"/确认 1 {at(app, chat, -2)}")
    chat.expect(CHIEF, "动态码不对*")
    chat.say(CHIEF, PRIVATE, f"/confirm 1 {at(app, chat, -1)[:3]} {at(app, chat, -1)[3:]}")
    chat.expect(CHIEF, "确认好了*")
    skip_all(chat)


def test_the_code_is_answered_in_private_and_stays_nowhere(chat: Scenario) -> None:
    app = enrol(chat, CHIEF)
    plan(chat)
    chat.say(CHIEF, ONE, "/批准 1")
    chat.expect(CHIEF, "这一步影响大*")
    code = app.at(chat.clock())
    held: list[str] = []
    keep = chat.app.inbox._sealer.seal_bytes
    chat.app.inbox._sealer.seal_bytes = lambda body: held.append(body.decode()) or keep(body)  # type: ignore[method-assign,func-returns-value]
    chat.say(CHIEF, ONE, f"/确认 1 {code}")
    chat.expect(CHIEF, "为了安全，“/确认”请在这里（私聊）发，不要发在群里。")
    chat.silence_in(ONE)
    assert len(held) == 1
    assert code not in held[0]
    chat.say(CHIEF, PRIVATE, f"/确认 1 {code}")
    chat.expect(CHIEF, "确认好了*")
    assert chat.traces(code) == []
    assert set(chat.rows(InboxEvent.body)) == {None}
    skip_all(chat)


def test_others_are_told_and_one_of_them_stops_it(chat: Scenario) -> None:
    chat.app.writer.run_now(lambda session: _give(session, CUSTODIAN, "approver"))
    app = enrol(chat, CHIEF)
    plan(chat)
    chat.skip(CUSTODIAN)
    chat.say(CHIEF, PRIVATE, "/批准 1")
    chat.skip(CHIEF)
    chat.say(CHIEF, PRIVATE, f"/确认 1 {app.at(chat.clock())}")
    chat.expect(CHIEF, "确认好了*")
    chat.expect(CUSTODIAN, "值班所长刘卫东（工号S401）确认了一项重要操作：放行推送1号《*》（8个群）。*执行；觉得不对*/取消 1")
    chat.say(CUSTODIAN, PRIVATE, "/待确认")
    chat.expect(CUSTODIAN, "1 放行推送1号《*》，值班所长刘卫东（工号S401），11月23日*执行\n*")
    chat.say(CUSTODIAN, PRIVATE, f"/确认 1 {app.at(chat.clock())}")
    chat.expect(CUSTODIAN, "第1项要由提出的人自己确认。觉得不对，可以发：/取消 1")
    chat.say(CUSTODIAN, PRIVATE, "/取消 1")
    chat.expect(CUSTODIAN, "好的，第1项不执行了*")
    chat.expect(CHIEF, "社区民警李敏（工号3202）取消了第1项，不会执行*")
    chat.wait(minutes=20)
    chat.say(CHIEF, PRIVATE, "/取消 1")
    chat.expect(CHIEF, "第1项已经结束了。*")
    assert received(chat) == 0
    assert chat.rows(Campaign.state) == ["waiting"]
    skip_all(chat)


def test_whoever_lost_the_right_meanwhile_does_nothing(chat: Scenario) -> None:
    confirmed(chat)

    def take(session: Session) -> None:
        chief = session.exec(select(Officer).where(Officer.name == CHIEF)).one()
        for role in session.exec(select(OfficerRole).where(OfficerRole.officer_id == chief.id)).all():
            session.delete(role)

    chat.app.writer.run_now(take)
    chat.wait(minutes=11)
    chat.expect(CHIEF, "第1项没有执行：放行推送1号《*》。原因：没有执行：这一步要由*")
    assert received(chat) == 0
    assert chat.rows(PendingAction.state) == [PendingState.FAILED]
    refused = [row for row in chat.rows(Audit.action, Audit.allowed) if tuple(row) == ("post.approve", False)]
    assert len(refused) == 1
    skip_all(chat)


def test_what_is_not_confirmed_in_half_an_hour_has_lapsed(chat: Scenario) -> None:
    app = enrol(chat, CHIEF)
    plan(chat)
    chat.say(CHIEF, PRIVATE, "/批准 1")
    chat.skip(CHIEF)
    chat.wait(minutes=31)
    chat.say(CHIEF, PRIVATE, f"/确认 1 {app.at(chat.clock())}")
    chat.expect(CHIEF, "第1项隔得太久，没有执行。*")
    chat.say(CHIEF, PRIVATE, "/待确认")
    chat.expect(CHIEF, "现在没有等着的重要操作。")
    skip_all(chat)


def test_a_new_phone_takes_a_code_of_the_old_one(chat: Scenario) -> None:
    old = enrol(chat, CHIEF)
    chat.say(CHIEF, PRIVATE, "/动态码")
    chat.expect(CHIEF, "您已经绑好动态码了。*")
    chat.say(CHIEF, PRIVATE, f"/动态码 更换 {old.at(chat.clock())}")
    chat.expect(CHIEF, "请用手机上的验证器应用添加这个密钥*")
    assert chat.app.writer.read_now(lambda s: s.exec(select(OfficerTotp)).one().sealed) is not None  # the old one counts on
    skip_all(chat)


def test_a_sources_identity_is_opened_after_the_custodians_code(chat: Scenario) -> None:
    chat.say("林小雨", PRIVATE, "有人在3号楼租房开赌局，天天半夜散场")
    receipt = re.search(r"(?:\d{4} ){4}\d{4}", chat.expect("林小雨", "收到了，已加密保存。*").what.text)
    assert receipt
    name = chat.expect(CUSTODIAN, "有一条新线索，代号*").what.text.rpartition(" ")[2]
    for words in (receipt[0], "留联系方式", "林小雨 13900001111"):
        chat.say("林小雨", PRIVATE, words)
        chat.skip("林小雨", CUSTODIAN)
    app = enrol(chat, CUSTODIAN)
    chat.say(CUSTODIAN, PRIVATE, "/设口令 春天 大象 自行车 河边")
    chat.say(CUSTODIAN, PRIVATE, "/解锁 春天 大象 自行车 河边")
    chat.say(CUSTODIAN, PRIVATE, f"/办线索 {name} 授权 3201")
    chat.skip(CUSTODIAN)
    confirm(chat, CUSTODIAN, 1, app)
    chat.wait(minutes=11)  # the key is locked again by then
    chat.expect(CUSTODIAN, f"第1项已执行：让王建国（工号3201）看线索{name}。")
    chat.expect("王建国", f"您可以看线索{name}了。*")
    chat.say("王建国", PRIVATE, f"/办线索 {name} 身份 要当面核实")
    chat.skip("王建国", CUSTODIAN)
    chat.say(CUSTODIAN, PRIVATE, f"/办线索 {name} 准 3201")
    chat.expect(CUSTODIAN, "您的线索钥匙锁着。*")
    chat.say(CUSTODIAN, PRIVATE, "/解锁 春天 大象 自行车 河边")
    chat.say(CUSTODIAN, PRIVATE, f"/办线索 {name} 准 3201")
    chat.skip(CUSTODIAN)
    confirm(chat, CUSTODIAN, 2, app)
    chat.say("王建国", PRIVATE, f"/办线索 {name} 看身份")
    chat.expect("王建国", "要先申请，并由保管员同意。")
    keys = len(chat.rows(TipKey.id))
    chat.wait(minutes=11)
    assert len(chat.rows(TipKey.id)) == keys + 1
    chat.expect("王建国", f"线索{name}的身份申请：保管员同意了。*")
    chat.say("王建国", PRIVATE, f"/办线索 {name} 看身份")
    chat.expect("王建国", f"线索{name}来源留的身份（查看已记录，请勿转发）：\n林小雨 *")
    assert chat.traces("139" + "00001111") == []
    skip_all(chat)


def test_a_role_is_given_by_another_after_the_code_and_taken_at_once(chat: Scenario) -> None:
    app = enrol(chat, ADMIN)
    chat.say(ADMIN, PRIVATE, "/角色 M701 加 值班领导")
    chat.expect(ADMIN, "不能给自己加角色，请另一位管理员来加。")
    chat.say(ADMIN, PRIVATE, "/角色 3201 加 民警 GX02")
    chat.expect(ADMIN, "这一步影响大，要用动态码确认：给社区民警王建国（工号3201）加上角色：民警（港新2号网格）。*")
    confirm(chat, ADMIN, 1, app)
    chat.expect(CHIEF, "系统管理员郑凯（工号M701）确认了一项重要操作：给社区民警王建国*")
    chat.wait(minutes=11)
    chat.expect("王建国", "系统管理员郑凯（工号M701）给社区民警王建国（工号3201）加上了角色：民警（港新2号网格）。")
    chat.skip(CHIEF, ADMIN)
    chat.say(ADMIN, PRIVATE, "/角色 3201")
    chat.expect(ADMIN, "社区民警王建国（工号3201）现在的角色：\n民警（港新1号网格）\n民警（港新2号网格）*")
    chat.say(ADMIN, PRIVATE, "/角色 3201 减 民警 GX02")
    chat.expect(ADMIN, "好的，社区民警王建国（工号3201）不再有角色：民警（港新2号网格）。")
    chat.skip_officers()


# --- done once, and the planted bugs that would do more ---


def confirmed(chat: Scenario) -> pyotp.TOTP:
    """A large post whose code was given."""
    app = enrol(chat, CHIEF)
    plan(chat)
    chat.say(CHIEF, PRIVATE, "/批准 1")
    chat.skip(CHIEF)
    confirm(chat, CHIEF, 1, app)
    return app


def confirm(chat: Scenario, who: str, number: int, app: pyotp.TOTP) -> None:
    chat.wait(seconds=60)
    chat.say(who, PRIVATE, f"/确认 {number} {app.at(chat.clock())}")
    chat.expect(who, "确认好了*")


def due_again(chat: Scenario) -> None:
    """The timer comes back, as if its end had been lost."""

    def work(session: Session) -> None:
        Timers(session, chat.clock()).after(timedelta(0), "pending.due", "1")

    chat.app.writer.run_now(work)
    chat.wait(seconds=1)


def times_done(chat: Scenario) -> int:
    return sum("第1项已执行" in arrival.what.text for arrival in chat.platform.arrived)


def test_it_is_done_once_even_if_its_time_comes_again(chat: Scenario) -> None:
    confirmed(chat)
    chat.wait(minutes=11)
    due_again(chat)
    chat.restart(seconds=1)
    due_again(chat)
    assert times_done(chat) == 1
    assert len([key for key in chat.rows(Notice.key) if key.startswith("post:1:")]) == 8
    skip_all(chat)


def test_a_crash_in_the_middle_leaves_nothing_half_done(chat: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    confirmed(chat)
    done = PendingActions.done

    def crash(self: PendingActions, row: PendingAction) -> None:
        raise RuntimeError("the power is gone")

    monkeypatch.setattr(PendingActions, "done", crash)
    chat.wait(minutes=11)
    assert received(chat) == 0
    assert chat.rows(PendingAction.state) == [PendingState.CONFIRMED]
    assert "pending.due" in chat.rows(Timer.kind)
    monkeypatch.setattr(PendingActions, "done", done)
    chat.restart(minutes=1)
    chat.wait(seconds=5)
    assert times_done(chat) == 1
    assert received(chat) == 8
    skip_all(chat)


def test_control_without_the_state_it_is_done_twice(chat: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    confirmed(chat)
    monkeypatch.setattr(PendingActions, "due", lambda self, number: self._session.get(PendingAction, number))
    monkeypatch.setattr("handlers.confirm.CARRY_OUT", {"post.approve": lambda act: None})
    chat.wait(minutes=11)
    due_again(chat)
    assert times_done(chat) == 2
    skip_all(chat)


def test_control_without_the_state_it_is_done_after_being_cancelled(chat: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    confirmed(chat)
    chat.say(CHIEF, PRIVATE, "/取消 1")
    due_again(chat)
    chat.wait(minutes=11)
    due_again(chat)
    assert times_done(chat) == 0
    monkeypatch.setattr(PendingActions, "due", lambda self, number: self._session.get(PendingAction, number))
    monkeypatch.setattr("handlers.confirm.CARRY_OUT", {"post.approve": lambda act: None})
    due_again(chat)
    assert times_done(chat) == 1
    skip_all(chat)


def test_control_without_the_last_step_a_code_counts_twice(chat: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    app = enrol(chat, CHIEF)
    code = app.at(chat.clock())

    def twice(session: Session) -> list[bool]:
        officer = session.exec(select(Officer).where(Officer.name == CHIEF)).one()
        totp = Totp(session, chat.app.services._totp_sealer, chat.clock(), "前哨")
        return [totp.take(officer, code), totp.take(officer, code)]

    step_of = Totp._step_of
    assert chat.app.writer.run_now(twice) == [True, False]
    monkeypatch.setattr(Totp, "_step_of", lambda self, sealed, code, after: step_of(self, sealed, code, 0))
    assert chat.app.writer.run_now(twice) == [True, True]


def test_whatever_is_asked_for_can_be_carried_out_and_concerns_somebody() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (Path(__file__).parents[2] / "handlers").glob("*.py"))
    asked = set(re.findall(r'(?:confirmations\.ask\(|_wait\(work, )"([a-z.]+)"', sources))
    assert len(asked) >= 8
    assert asked == set(CARRY_OUT)
    assert {kind.partition(".")[0] for kind in asked} <= set(CONCERNED)


@pytest.mark.parametrize(
    ("typed", "code"),
    [("123456", "123456"), ("１２３ ４５６", "123456"), ("码是123-456。", "123456"), ("1234567", ""), ("12345", ""), ("", "")],
)
def test_a_code_is_read_as_people_type_it(typed: str, code: str) -> None:
    assert read_code(typed) == code


def _give(session: Session, name: str, role: str) -> None:
    officer = session.exec(select(Officer).where(Officer.name == name)).one()
    session.add(OfficerRole(officer_id=officer.id or 0, role=role, scope_kind="district"))


def test_what_breaks_off_three_times_ends_with_a_reason(chat: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    chat.app.writer.run_now(lambda session: _give(session, CUSTODIAN, "approver"))
    app = enrol(chat, CHIEF)
    plan(chat)
    tried: list[int] = []

    def broken(act: Act) -> None:
        tried.append(act.row.id or 0)
        raise RuntimeError("planted")

    monkeypatch.setitem(CARRY_OUT, "post.approve", broken)
    chat.say(CHIEF, PRIVATE, "/批准 1")
    chat.say(CHIEF, PRIVATE, f"/确认 1 {app.at(chat.clock())}")
    chat.skip(CHIEF, CUSTODIAN)
    for _ in range(5):
        chat.wait(minutes=10)
    assert len(tried) >= 3  # the loop and `settle` may both try at the same time
    reason = "系统出了错，试了三次都没有成功，已经停下。*从头再来一次*"
    for who in (CHIEF, CUSTODIAN):  # whoever asked, and whoever was told of it
        chat.expect(who, f"第1项没有执行：放行推送1号《*》。原因：{reason}")
    assert chat.rows(PendingAction.state, PendingAction.payload) == [(PendingState.FAILED, "{}")]
    chat.say(CHIEF, PRIVATE, "/待确认")
    chat.expect(CHIEF, "现在没有等着的重要操作。")
    assert received(chat) == 0
    skip_all(chat)

"""One resident on two platforms stays two identities, unless they link themselves with a code."""

from __future__ import annotations

import re

import pytest
from sqlmodel import Session, select

from cases.identities import Identities
from storage.tables import Case, LinkCode, LinkedAccount
from tests.kit.scenario import PRIVATE, Scenario

GROUP = "港新1号网格"
REPORT = "3号楼2单元楼道有人给电动车充电"
ELSEWHERE = ("elsewhere", "account", "somebody-there")  # platform, our account, the person's account


def code_from_elsewhere(chat: Scenario) -> str:
    """What the person would read in the private chat of the other platform."""
    return chat.app.writer.run_now(lambda session: Identities(session, chat.clock()).new_link_code(*ELSEWHERE))


def brought_elsewhere(chat: Scenario) -> str:
    """A case of ours becomes one that was brought from the other platform; gives its number."""
    chat.say("罗嫂", GROUP, REPORT)
    chat.expect(GROUP, "收到，编号*")
    chat.skip_officers()

    def move(session: Session) -> None:
        case = session.exec(select(Case)).one()
        case.platform, case.account, case.reporter = ELSEWHERE
        session.add(case)

    chat.app.writer.run_now(move)
    return chat.number


def test_without_a_link_the_other_platforms_case_is_a_strangers(chat: Scenario) -> None:
    number = brought_elsewhere(chat)
    chat.say("张阿姨", PRIVATE, f"/查 {number}")
    chat.expect("张阿姨", f"没有查到{number}。*")
    chat.say("张阿姨", PRIVATE, "/查")
    chat.expect("张阿姨", "您最近没有反映过事情。*")


def test_with_a_link_both_sides_are_seen_together(chat: Scenario) -> None:
    number = brought_elsewhere(chat)
    code = code_from_elsewhere(chat)
    chat.say("张阿姨", PRIVATE, f"/关联 {code}")
    chat.expect("张阿姨", "关联好了：*")
    chat.say("张阿姨", PRIVATE, "/查")
    chat.expect("张阿姨", f"您最近反映的：\n{number} *")
    chat.say("张阿姨", GROUP, f"/查 {number}")
    chat.expect(GROUP, "已在私聊里发给您。")
    chat.expect("张阿姨", f"{number}（*")
    chat.say("陈大爷", PRIVATE, f"/link {code}")  # it works once
    chat.expect("陈大爷", "这个关联码不对*")
    chat.say("张阿姨", PRIVATE, f"/撤回 {number}")
    chat.expect("张阿姨", f"{number}已撤回。*")
    chat.skip_officers()
    chat.say("张阿姨", PRIVATE, "/关联 取消")
    chat.expect("张阿姨", "已取消关联*")
    assert chat.rows(LinkedAccount.id) == []
    chat.say("张阿姨", PRIVATE, f"/查 {number}")
    chat.expect("张阿姨", f"没有查到{number}。*")
    assert chat.traces(code) == []


def test_a_code_is_given_in_private_and_is_in_no_file(chat: Scenario) -> None:
    chat.say("张阿姨", PRIVATE, "/关联")
    told = chat.expect("张阿姨", "关联码：*30分钟内有效*").what.text
    code = re.search(r"\d{8}", told)
    assert code
    assert chat.traces(code[0]) == []
    chat.say("张阿姨", PRIVATE, f"/关联 {code[0]}")
    chat.expect("张阿姨", "这个关联码就是这个账号的。*")
    chat.wait(minutes=31)
    chat.say("陈大爷", PRIVATE, f"/关联 {code[0]}")
    chat.expect("陈大爷", "这个关联码不对*")


def test_shown_in_a_group_it_is_worthless(chat: Scenario) -> None:
    code = code_from_elsewhere(chat)
    chat.say("张阿姨", GROUP, f"/关联 {code}")
    chat.expect(GROUP, "关联码不能在群里发*")
    assert chat.app.writer.read_now(lambda session: session.exec(select(LinkCode)).all()) == []
    chat.say("张阿姨", PRIVATE, f"/关联 {code}")
    chat.expect("张阿姨", "这个关联码不对*")


def test_guessing_ends_after_five(chat: Scenario) -> None:
    code = code_from_elsewhere(chat)
    for n in range(5):
        chat.say("丁丁", PRIVATE, f"/关联 1234567{n}")
        chat.expect("丁丁", "这个关联码不对*")
    chat.say("丁丁", PRIVATE, f"/关联 {code}")
    chat.expect("丁丁", "错的码太多了*")


def test_three_accounts_are_one_person_and_part_again(chat: Scenario) -> None:
    def work(session: Session) -> list[int]:
        people = Identities(session, chat.clock())
        a, b, c = ("web", "w", "a"), ("telegram", "t", "b"), ("wechat", "x", "c")
        people.link(people.new_link_code(*a), b[0], b[2])
        people.link(people.new_link_code(*c), "elsewhere", "d")
        people.link(people.new_link_code(*b), c[0], c[2])
        counts = [len(people.accounts(name, user)) for name, _, user in (a, b, c)]
        people.unlink("telegram", "b")
        return [*counts, len(people.accounts("telegram", "b")), len(people.accounts("web", "a"))]

    assert chat.app.writer.run_now(work) == [4, 4, 4, 1, 3]


@pytest.mark.parametrize("word", ["取消", "off"])
def test_nothing_to_part(chat: Scenario, word: str) -> None:
    chat.say("张阿姨", PRIVATE, f"/关联 {word}")
    chat.expect("张阿姨", "这个账号没有和别的账号关联。*")

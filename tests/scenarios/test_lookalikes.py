"""Names in a group that look like an officer's or claim an office: one calm sentence, once, and no false alarm for neighbours."""

from __future__ import annotations

from functools import cache

import pytest
from sqlmodel import Session, col, select

from bot.app import CONTENT
from bot.messages import Sender
from bot.names import NameWatch
from content.officials import Officials
from storage.tables import Group, NameWarning, Officer, OfficerAccount, Timer
from tests.kit.scenario import PRIVATE, Scenario

GROUP, OTHER, WORK = "港新1号网格", "港新2号网格", "港新警务工作群"
ON_DUTY = "王建国"
LIKE_OFFICER = "提醒一下：群里“{}”这个名字和登记的工作人员很像，但这个账号没有登记过。*不会在群里要转账*/核验 工号"
LIKE_OFFICE = "提醒一下：群里“{}”这个名字像是工作人员，但这个账号没有登记过。*/核验 工号"


@cache
def officials() -> Officials:
    return Officials.load(CONTENT / "lexicon")


def speaks(chat: Scenario, name: str, text: str = "大家好", where: str = GROUP, account: str = "stranger-1") -> None:
    """Somebody who is not of the sample district says something to nobody in particular."""
    chat.shout(Sender(account, name), where, text)
    chat.settle()


def test_one_calm_sentence_to_the_group_and_a_word_to_the_officer_on_duty(chat: Scenario) -> None:
    speaks(chat, "王建囯")
    chat.expect(GROUP, LIKE_OFFICER.format("王建囯"))
    chat.expect(
        ON_DUTY, "“港新1号网格”里有人叫“王建囯”，和王建国的名字很像，账号没有登记。群里已经提醒过一次。*请他在私聊里发 /绑定 码*"
    )
    speaks(chat, "王建囯", "有人吗")
    speaks(chat, "王建囯", "我是派出所的")
    speaks(chat, "王 建囯", "换个写法也是同一个名字")
    speaks(chat, "王建囯", "到另一个群来了", where=OTHER)
    chat.restart(days=3)
    chat.hears_clocks = False
    speaks(chat, "王建囯", "又来了")
    chat.silence()
    assert chat.rows(Timer.id) == []


def test_whoever_claims_an_office(chat: Scenario) -> None:
    speaks(chat, "社区民警小李")
    chat.expect(GROUP, LIKE_OFFICE.format("社区民警小李"))
    chat.expect(ON_DUTY, "“港新1号网格”里有人叫“社区民警小李”，像是工作人员，账号没有登记。*")
    speaks(chat, "港新派出所", account="stranger-2")
    chat.expect(GROUP, LIKE_OFFICE.format("港新派出所"))
    chat.skip_officers()
    chat.silence()


def test_officers_themselves_are_not_warned_of_and_a_colleague_who_binds_is_not_any_more(chat: Scenario) -> None:
    chat.say("王建国", GROUP, "大家早上好")
    chat.say("周小琴", GROUP, "早")
    speaks(chat, "赵航", "工作群里都是同事", where=WORK)
    chat.silence()

    def bind(session: Session) -> None:
        officer = session.exec(select(Officer).where(Officer.name == "赵航")).one()
        place = session.exec(select(Group).where(col(Group.name) == GROUP)).one()
        account = OfficerAccount(
            officer_id=officer.id or 0, platform=place.platform, user_id=chat.platform.user_id("zhao"), bound_at=chat.clock()
        )
        session.add(account)

    chat.app.writer.run_now(bind)
    chat.wait(minutes=2)
    speaks(chat, "赵航", "我绑定好了", account="zhao")
    chat.silence()


def test_a_new_officers_name_counts_from_then_on(chat: Scenario) -> None:
    speaks(chat, "钱晓雯")
    chat.silence()
    chat.app.writer.run_now(lambda session: session.add(Officer(badge="3299", name="钱晓雯", title="社区民警")))
    chat.wait(minutes=2)
    speaks(chat, "另一位邻居", account="stranger-9")
    speaks(chat, "钱晓雯")
    chat.expect(GROUP, LIKE_OFFICER.format("钱晓雯"))
    chat.skip_officers()


def test_whoever_changes_names_does_not_make_us_talk(chat: Scenario) -> None:
    for name in ("民警甲", "民警乙", "民警丙"):
        speaks(chat, name)
        chat.expect(GROUP, LIKE_OFFICE.format(name))
        chat.skip_officers()
    speaks(chat, "民警丁")
    chat.silence_in(GROUP)
    chat.expect(ON_DUTY, "“港新1号网格”里有人叫“民警丁”，像是工作人员，账号没有登记。如果是*")
    assert len(chat.rows(NameWarning.id)) == 4


def test_in_the_private_chat_nobody_is_warned(chat: Scenario) -> None:
    chat.shout(Sender("stranger-3", "王建囯"), PRIVATE, "在吗")
    chat.settle()
    chat.skip("stranger-3")
    chat.skip_officers()
    assert chat.rows(NameWarning.id) == []


def test_control_without_the_row_it_is_said_twice(chat: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    speaks(chat, "王建囯")
    chat.skip(GROUP)
    chat.skip_officers()
    chat.app.writer.run_now(lambda session: session.delete(session.exec(select(NameWarning)).one()))
    monkeypatch.setattr(NameWatch, "is_new", lambda *_: True)
    chat.wait(minutes=1)
    speaks(chat, "王建囯")
    chat.expect(GROUP, LIKE_OFFICER.format("王建囯"))
    chat.skip_officers()


@pytest.mark.parametrize(
    "name",
    [
        "王建国",
        "王建國",
        "王建囯",
        "王 建 国",
        "王\u200b建\u2060国",
        "王·建·国",
        "王建国👮",
        "王建国1",
        "民警王建国",
        "王建国警官",
        "社区民警-王建国",
        "[官方通知]王建国",
        "壬建国",
    ],
)
def test_what_looks_like_an_officer(name: str) -> None:
    words = officials()
    assert words.looks_like(name, [words.skeleton("王建国")]) is not None


@pytest.mark.parametrize("name", ["Li Ming", "Lі Міng", "ＬＩ　ＭＩＮＧ", "LI MING", "Ⅼi Ming"])
def test_other_alphabets_too(name: str) -> None:
    words = officials()
    assert words.looks_like(name, [words.skeleton("Li Ming")]) is not None


NEIGHBOURS = """
张阿姨 陈大爷 刘洋 王建军 王建 建国 李国建 王小国 马宏伟 李敏敏 小敏 周琴 3-201王建国
阳光社区3号楼王姐 幸福社区业主 公安县老乡 徐妈妈 孙奶奶 黄老板 唐工 何师傅 高老师
民警家属 想当警察的小明 警察叔叔我错了 退休民警老张
派出所对面的小卖部 居委会隔壁王妈 业主002 AAA建材老王 A-王 东方红 一米阳光 🌸花开富贵🌸
平安是福 老李 小王同学 王警 国庆 建国门烤鸭 官方吐槽机 Tom 李明 李朋 赵航航 孙悦悦 吴静怡
周小琴的妈妈 港新社区居民 港新1号网格业主 物业客服小刘 快递小哥 房东
"""


@pytest.mark.parametrize("name", NEIGHBOURS.split())
def test_an_ordinary_neighbour_is_not(name: str) -> None:
    words = officials()
    officers = {
        words.skeleton(one): one for one in ("王建国", "李敏", "周小琴", "马宏", "赵航", "刘卫东", "孙悦", "吴静", "郑凯")
    }
    quiet = words.looks_like(name, officers) is None and not words.claims_office(words.skeleton(name))
    assert words.is_harmless(name) or quiet

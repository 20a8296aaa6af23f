"""Bait that is brought to us: pasted, quoted, or as a screenshot. Named unasked only where it is certain, never guessed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.messages import Quote
from storage.tables import Attachment, Case
from tests.kit.cells import Cell
from tests.kit.scenario import PRIVATE, Scenario, jpeg

GROUP = "港新1号网格"
PICTURES = Path(__file__).parent.parent / "data" / "pictures"
LOAN = (PICTURES / "loan.png").read_bytes()
PARCEL = (PICTURES / "parcel.png").read_bytes()
PHISHING = "【ETC中心】您的ETC已失效，请于今日点击 etc-cn.vip/a1 重新认证，逾期将无法使用"
ASKED = "这是真的吗"


@pytest.fixture(scope="module")
def reading(cell: Cell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    """A bot that can read pictures; one for all, since the models take a second to load."""
    with Scenario(tmp_path_factory.mktemp("reading"), reads=True) as scenario:
        yield scenario


def nothing_is_kept(chat: Scenario) -> None:
    assert chat.rows(Case.id) == []
    assert chat.rows(Attachment.id) == []
    assert not list(chat.folder.rglob("*.photo"))


# --- words ---


def test_a_pasted_phishing_message_is_named_in_private(chat: Scenario) -> None:
    chat.say("陈大爷", PRIVATE, PHISHING)
    chat.expect("陈大爷", "这很像“钓鱼短信链接”骗局，先别照着做。\n*\n最露馅的一步：*\n您该做的：*96110*")
    chat.silence()
    nothing_is_kept(chat)


@pytest.mark.parametrize("called", ["", "@前哨 "])
def test_in_a_group_certain_bait_is_named_unasked(chat: Scenario, called: str) -> None:
    chat.say("陈大爷", GROUP, f"{called}{PHISHING}")
    chat.expect(GROUP, "这很像“钓鱼短信链接”骗局*")
    chat.silence()
    nothing_is_kept(chat)
    chat.say("陈大爷", GROUP, f"{called}{PHISHING}")
    chat.silence()  # the same again from the same person: it has been said


@pytest.mark.parametrize(
    "honest",
    [
        "【反诈中心】近期冒充ETC的短信高发，凡是让点链接重新认证的都是诈骗，请勿点击",
        "【中国银行】您尾号1234的储蓄卡11月26日入账工资5,200.00元，余额8,310.55元",
        "【菜鸟驿站】您的圆通快递已到港新路12号，请凭取件码8-2-3011领取",
        "楼下水果店周年庆，橙子三块九一斤，满五十减十，扫码进群领券",
        "妈，这个月生活费不够了，转我五百吧，周末回家吃饭",
        "小陈，明天上午到我办公室来一下",
    ],
)
def test_what_only_looks_like_bait_is_left_alone(chat: Scenario, honest: str) -> None:
    chat.say("陈大爷", GROUP, honest)
    chat.silence()
    assert chat.traces(honest) == []


@pytest.mark.parametrize("called", ["", "@前哨 "])
def test_a_question_about_somebody_elses_message_is_answered(chat: Scenario, called: str) -> None:
    chat.say("陈大爷", GROUP, f"{called}{ASKED}？", quote=Quote("m1", PHISHING))
    chat.expect(GROUP, "这很像“钓鱼短信链接”骗局*")
    chat.silence()
    nothing_is_kept(chat)


def test_what_is_quoted_and_is_no_bait_is_not_called_one(chat: Scenario) -> None:
    chat.say("陈大爷", GROUP, ASKED, quote=Quote("m1", "明天上午停水，大家先接点水"))
    chat.silence()
    chat.say("陈大爷", GROUP, f"@前哨 {ASKED}", quote=Quote("m1", "明天上午停水，大家先接点水"))
    chat.expect(GROUP, "从这里的字看不出是哪种骗局，但也不能说它就是真的。*96110*")
    chat.silence()


def test_a_question_in_words_alone_is_an_ordinary_question(chat: Scenario) -> None:
    chat.say("陈大爷", PRIVATE, "社保卡要年审是真的吗")
    assert not chat.platform.texts()[-1].startswith("从这里的字")
    chat.skip("陈大爷")
    chat.skip_officers()


@pytest.mark.parametrize("asked", ["小孩办证要带户口本吗", "没有发票能给电动车上牌吗", "网上贷款要先交手续费吗"])
def test_a_question_that_sounds_like_bait_is_a_question(chat: Scenario, asked: str) -> None:
    chat.say("徐妈妈", PRIVATE, asked)
    assert not chat.platform.texts()[-1].startswith("这很像")
    chat.skip("徐妈妈")
    chat.skip_officers()


def test_without_the_extra_the_bot_says_that_it_cannot_look(chat: Scenario) -> None:
    chat.say("陈大爷", GROUP, f"@前哨 {ASKED}", photo=LOAN)
    chat.expect(GROUP, "我这里读不了图。请把图里的话打给我*")
    chat.silence()
    nothing_is_kept(chat)


def test_an_emergency_waits_for_no_picture(tmp_path: Path) -> None:
    with Scenario(tmp_path, reads=True) as chat:
        chat.say("陈大爷", GROUP, "家里好大的煤气味，这是真的漏气了吗，是真的吗", photo=LOAN)
        chat.expect(GROUP, "*先*")
        assert chat._reader is not None
        assert chat._reader.apart.process is None  # nothing was read
        chat.skip(GROUP)
        chat.skip_officers()


# --- pictures ---


def test_a_screenshot_of_a_fake_loan_page_alone_in_private(reading: Scenario) -> None:
    reading.say("陈大爷", PRIVATE, photo=LOAN)
    reading.expect("陈大爷", "这很像“虚假贷款”骗局，先别照着做。\n*先交手续费、保证金、解冻费*图里的二维码也别扫。")
    reading.silence()
    nothing_is_kept(reading)


@pytest.mark.parametrize("called", ["", "@前哨 "])
def test_the_same_in_a_group_with_a_question(reading: Scenario, called: str) -> None:
    reading.say("林小雨", GROUP, f"{called}{ASKED}？", photo=LOAN)
    reading.expect(GROUP, "这很像“虚假贷款”骗局*")
    reading.silence()
    nothing_is_kept(reading)


def test_the_question_may_follow_the_screenshot(reading: Scenario) -> None:
    reading.say("林小雨", GROUP, photo=LOAN)
    reading.silence()
    reading.say("陈大爷", GROUP, ASKED)  # somebody else's question has nothing to do with it
    reading.silence()
    reading.say("林小雨", GROUP, "大家看看，这个靠谱吗")
    reading.expect(GROUP, "这很像“虚假贷款”骗局*")
    reading.silence()
    nothing_is_kept(reading)


def test_without_a_question_a_screenshot_in_a_group_is_not_looked_at(reading: Scenario) -> None:
    reading.say("黄老板", GROUP, "哈哈看这个广告", photo=LOAN)
    reading.silence()
    reading.wait(minutes=3)
    nothing_is_kept(reading)


def test_an_honest_message_is_not_called_a_fraud(reading: Scenario) -> None:
    reading.say("徐妈妈", PRIVATE, ASKED, photo=PARCEL)
    reading.expect("徐妈妈", "从这里的字看不出是哪种骗局*")
    reading.silence()


def test_a_picture_without_text_is_never_guessed_at(reading: Scenario) -> None:
    reading.say("徐妈妈", GROUP, f"@前哨 {ASKED}", photo=jpeg())
    reading.expect(GROUP, "图里没有能读出来的字，我不瞎猜。*")
    reading.say("高老师", GROUP, ASKED, photo=jpeg(1))  # not put to us: silence
    reading.silence()
    nothing_is_kept(reading)


def test_a_photo_of_a_report_still_belongs_to_it(reading: Scenario) -> None:
    reading.say("张阿姨", PRIVATE, "3号楼2单元楼道有人给电动车充电")
    reading.expect("张阿姨", "收到，编号*")
    reading.say("张阿姨", PRIVATE, photo=LOAN)
    reading.silence_in("张阿姨")
    assert len(reading.rows(Attachment.case_id)) == 1
    reading.skip_officers()

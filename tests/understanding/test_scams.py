"""Bait is told from warnings, banks, parcels, shops and families. Every text is our own."""

from __future__ import annotations

import pytest

from bot.understanding.understanding import Understanding
from tests.understanding.conftest import lines

BAIT = [
    ("您的医保卡已停用，请点击 http://yibao-gov.top 办理", "phishing"),
    ("【ETC】您的ETC已过期禁用，请于今日登录 www.etc-cx.xyz 重新认证，否则将影响通行", "phishing"),
    ("在家手机兼职点赞，一单一结，日赚300，加微信领任务", "rebate"),
    ("做完这三个组合单连本金一起返，先垫付2000", "rebate"),
    ("老师带单，稳赚不赔，内部消息，名额有限", "investment"),
    ("无抵押秒放款，黑户可办，凭身份证最高20万", "loan"),
    ("我是京东客服，您的白条影响征信，请配合注销账户", "credit"),
    ("这里是市公安局，您涉嫌洗钱，请把资金转到安全账户配合清查", "police"),
    ("我是王总，明天来我办公室一趟，先帮我转两万急用，不方便接电话", "acquaintance"),
    ("您购买的商品质量问题，三倍赔付，请添加客服微信并打开屏幕共享", "logistics"),
    ("澳门线上娱乐城，注册送88彩金，秒提现", "gambling"),
    ("代开各类正规发票，验后付款，联系微信", "invoice"),
    ("你的通讯录和视频在我手里，不打钱就群发给你亲友", "sextortion"),
    ("你儿子在我手上，准备30万赎金，不许报警", "kidnap"),
    ("恭喜您被抽中为幸运观众，获得一等奖，领奖请先交手续费", "lottery"),
    ("您乘坐的航班因故障取消，请联系客服办理改签并领取补偿", "ticket"),
    # a link is a way in: what matters is the tale
    ("极速贷 无抵押 当天放款 银行卡号填写有误，账户已冻结 请先转5000元解冻金 http://jisudai-hm.top/app", "loan"),
]
HONEST = [
    "民警提醒：凡是要求转账到安全账户的都是诈骗，请大家不要相信，拨打96110",
    "【建设银行】您尾号1234的账户11月23日支出500.00元，余额3210.55元",
    "【菜鸟驿站】您的包裹已到3号驿站，凭取件码8-2-3011取件",
    "验证码123456，5分钟内有效，请勿泄露给他人，工作人员不会索要",
    "水果店会员日全场八折，欢迎到店",
    "妈，生活费转给我一千",
    "刚转了红包，记得收",
    "晚上一起吃饭吧",
    "警惕刷单骗局，先给小钱再骗大钱，不要上当",
    "我妈今天接到个电话说是公安局的，让她转账，还好没信",
]


@pytest.mark.parametrize(("text", "kind"), BAIT)
def test_bait(understanding: Understanding, text: str, kind: str) -> None:
    scam = understanding.read(text).scam
    assert scam.is_scam, scam
    assert scam.type == kind
    assert scam.score >= 0.5


@pytest.mark.parametrize("text", HONEST)
def test_honest(understanding: Understanding, text: str) -> None:
    scam = understanding.read(text).scam
    assert not scam.is_scam, scam
    assert scam.type is None


def test_types_are_those_of_the_taxonomy(understanding: Understanding) -> None:
    assert {kind for _, kind in BAIT} <= set(understanding.taxonomy.scams)


def test_bait_kept_apart_from_training_is_found_and_honest_messages_are_left_alone(understanding: Understanding) -> None:
    rows = [tuple(line.split("|", 1)) for line in lines("heldout_scams.txt")]
    found = [(kind, understanding.read(text).scam.is_scam, text) for kind, text in rows]
    bait = [entry for entry in found if entry[0] in understanding.taxonomy.scams]
    honest = [entry for entry in found if entry[0] not in understanding.taxonomy.scams]
    hit, wrong = sum(entry[1] for entry in bait), [entry for entry in honest if entry[1]]
    assert 2 * hit / (hit + len(wrong) + len(bait)) >= 0.85
    assert len(wrong) <= len(honest) * 3 // 100, wrong

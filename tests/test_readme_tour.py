"""The README's tour of five minutes, in both languages, walked by somebody who types exactly what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.scenario import PRIVATE, Scenario

ROOT = Path(__file__).parent.parent
FIRST, SECOND = "港新1号网格", "港新2号网格"
TYPED = (
    "港新路火锅店把液化气罐放在棚子里，太危险了",
    "大家早上好",
    "楼道里又停满了电动车，还在充电",
    "/接单 2611-0002",
    "/联系 2611-0002 打过电话了",
    "/办结 2611-0002 车已推到充电棚，线已拆",
    "没解决，又有人停了",
    "解决了",
    "家里好大的煤气味，怎么办",
    "/值班",
    "@前哨 孩子刚出生怎么上户口",
    "/预览 反诈 行业",
    "/推送 反诈 行业",
    "/推送 警方 行业",
    "/批准 3",
)


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_both_languages_say_what_is_typed_here(name: str) -> None:
    tour = (ROOT / name).read_text(encoding="utf-8")
    assert [typed for typed in TYPED if typed not in tour] == []


def test_the_tour_goes_as_the_readme_says(tmp_path: Path) -> None:
    texts = iter(TYPED)
    with Scenario(tmp_path) as chat:
        chat.hears_clocks = False

        chat.say("张阿姨", FIRST, next(texts))
        chat.expect(FIRST, "收到，编号2611-0001（*）。已转*")
        chat.skip_officers()
        chat.say("张阿姨", FIRST, next(texts))
        chat.silence()

        chat.say("罗嫂", SECOND, next(texts))
        chat.expect(SECOND, "收到，编号2611-0002*在哪个位置？*")
        chat.say("罗嫂", SECOND, "5号楼2单元")
        chat.expect(SECOND, "好的，5号楼2单元*")
        chat.expect("马宏", "【派单】2611-0002*")

        chat.say("马宏", PRIVATE, next(texts))
        chat.expect("马宏", "2611-0002归您了*")
        chat.expect("罗嫂", "2611-0002已由*接手。")
        chat.say("马宏", PRIVATE, next(texts))
        chat.expect("马宏", "2611-0002已记下联系情况。")
        result = next(texts)
        chat.say("马宏", PRIVATE, result)
        chat.skip("马宏")
        chat.expect(SECOND, "2611-0002处理好了*您看解决了吗*")
        chat.say("罗嫂", SECOND, next(texts))
        chat.expect(SECOND, "*2611-0002重新办理*")
        chat.expect("马宏", "*没解决，又有人停了*")
        chat.say("马宏", PRIVATE, result)
        chat.skip("马宏")
        chat.expect(SECOND, "2611-0002处理好了*")
        chat.say("罗嫂", SECOND, next(texts))
        chat.expect(SECOND, "2611-0002*已解决*")
        chat.skip("罗嫂")

        chat.say("陈大爷", FIRST, next(texts))
        chat.expect(FIRST, "先别碰任何开关*")
        chat.expect("王建国", "【紧急】*")
        chat.wait(seconds=121)
        chat.expect("王建国", "【紧急，第2次】*")
        chat.say("王建国", PRIVATE, next(texts))
        chat.expect(FIRST, "*已经接到*")
        chat.skip("王建国")

        chat.say("张阿姨", FIRST, next(texts))
        chat.expect(FIRST, "*出生登记*")

        chat.say("马姐", "港新菜市场", "我要举报有人卖假烟")
        chat.expect("港新菜市场", "这类情况请不要在群里说*私聊*")
        chat.say("马姐", PRIVATE, "/举报 菜市场3号摊后面有人卖假烟，晚上八点送货")
        chat.expect("马姐", "*回执码，只显示这一次*")
        chat.skip_officers()

        industry = ("火锅街商户群", "港新骑手之家", "港新菜市场")
        chat.say("孙悦", PRIVATE, next(texts))
        chat.expect("孙悦", "*现在发会到3个群*")
        chat.say("孙悦", PRIVATE, next(texts))
        for group in industry:
            chat.expect(group, "【反诈妙招】*")
        chat.skip("孙悦")
        chat.say("孙悦", PRIVATE, "/推送 反诈 综合")
        chat.expect("孙悦", "这次一个群也没发*正有紧急求助*刚有人报事*")
        chat.say("孙悦", PRIVATE, next(texts))
        chat.expect("孙悦", "推送3号要另一位同事批准才发*")
        chat.expect("刘卫东", "【待批准】推送3号*")
        chat.say("刘卫东", PRIVATE, next(texts))
        for group in industry:
            chat.expect(group, "【警方通报】*")
        chat.skip_officers()

"""What the reading is shown by: bait, a screenshot, a cry by voice input, a question, and forty lines of banter."""

from __future__ import annotations

from pathlib import Path

from storage.tables import Case, InboxEvent
from tests.kit.scenario import PRIVATE, Scenario
from tests.understanding.chatter import chatter

GROUP = "港新1号网格"
LOAN = (Path(__file__).parent.parent / "data" / "pictures" / "loan.png").read_bytes()
BANTER = 40


def test_all_five_in_one_morning(tmp_path: Path) -> None:
    with Scenario(tmp_path, reads=True) as chat:
        lines = [line for line in chatter(4_000) if len(line) > 3][: BANTER * 50 : 50]
        for number, line in enumerate(lines):
            chat.say(("张阿姨", "陈大爷", "林小雨", "丁丁")[number % 4], GROUP, line)
        chat.silence()
        assert len(lines) == BANTER
        assert chat.rows(InboxEvent.id) == []
        assert chat.traces(*lines) == []

        chat.say("陈大爷", PRIVATE, "【医保局】您的医保卡已停用，请点击 http://ybk-gov.top/x 重新认证，逾期注销")
        chat.expect("陈大爷", "这很像“钓鱼短信链接”骗局*")
        chat.silence()
        chat.say("张阿姨", GROUP, "【医保局】您的医保卡已停用，请点击 http://ybk-gov.top/x 重新认证，逾期注销")
        chat.expect(GROUP, "这很像“钓鱼短信链接”骗局*")
        chat.silence()

        for asked in ("有人发我这个，是真的吗", "这个能借吗"):
            chat.say("林小雨", GROUP, asked, photo=LOAN)
            chat.expect(GROUP, "这很像“虚假贷款”骗局*")
            chat.silence()
        assert chat.rows(Case.id) == []

        chat.say("徐妈妈", GROUP, "@前哨 外地人在这租房怎么办居住证")
        chat.expect(GROUP, "*居住证*\n（依据：*核对）")
        chat.silence()

        chat.say("陈大爷", GROUP, "屋里一股子没气味头晕的很这可咋整")  # 煤气味, as voice input writes it
        chat.expect(GROUP, "*先*")
        chat.skip(GROUP)
        chat.skip_officers()

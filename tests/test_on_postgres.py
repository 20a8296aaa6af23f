"""The same conversation on PostgreSQL: nothing of the bot knows which engine it runs on."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.messages import Sender
from storage.tables import Attachment, InboxEvent
from tests.kit.scenario import PRIVATE, Scenario, jpeg
from tests.storage.conftest import postgres_server, postgres_template, postgres_url  # noqa: F401

pytestmark = pytest.mark.postgres
GROUP = "港新1号网格"


def test_from_report_to_confirmed_case_over_a_restart(tmp_path: Path, postgres_url: str) -> None:  # noqa: F811
    with Scenario(tmp_path, url=postgres_url) as chat:
        chat.say("张阿姨", GROUP, "3号楼2单元楼道有人给电动车充电", photo=jpeg())
        chat.expect(GROUP, "收到，编号2611-0001*")
        chat.expect("马宏", "【派单】2611-0001*")
        chat.say("马宏", PRIVATE, "/接单 2611-0001")
        chat.expect("马宏", "2611-0001归您了*")
        chat.skip(GROUP, "张阿姨")
        chat.restart()
        chat.say("马宏", PRIVATE, "/办结 2611-0001 线已拆，车推到充电棚了")
        chat.expect("马宏", "2611-0001已报办结*")
        chat.expect(GROUP, "*您看解决了吗*")
        chat.say("张阿姨", GROUP, "解决了")
        chat.expect(GROUP, "2611-0001（*）已解决*")
        chat.expect("张阿姨", "谢谢您。*")
        chat.say("张阿姨", PRIVATE, "5")
        chat.expect("张阿姨", "谢谢您的评价。")


def test_an_emergency_and_a_tip(tmp_path: Path, postgres_url: str) -> None:  # noqa: F811
    with Scenario(tmp_path, url=postgres_url) as chat:
        chat.say("陈大爷", GROUP, "家里好大的煤气味，怎么办")
        chat.expect(GROUP, "先别碰任何开关*")
        chat.expect("王建国", "【紧急】*")
        chat.wait(minutes=2)
        chat.expect("王建国", "【紧急，第2次】*")
        chat.say("王建国", PRIVATE, "/值班")
        chat.expect("王建国", "已记下由您接手*")
        chat.expect(GROUP, "值班*已经接到*")
        chat.say("林小雨", PRIVATE, "/举报 有人在小区里租房开赌局，天天半夜散场")
        chat.expect("林小雨", "收到了，已加密保存*")
        chat.expect("李敏", "有一条新线索*")


def test_an_album_is_one_report_whoever_claims_its_parts(tmp_path: Path, postgres_url: str) -> None:  # noqa: F811
    with Scenario(tmp_path, url=postgres_url) as chat:
        chat.say("张阿姨", GROUP, "谁家的猫跑到楼道里睡觉了，好可爱")
        for n, words in enumerate(("", "3号楼2单元楼道有人给电动车充电", "")):
            chat.platform.say(Sender("zhang", "张阿姨"), chat.address("张阿姨", GROUP), words, photo=jpeg(n), album="album-1")
        chat.settle()
        chat.expect(GROUP, "收到，编号2611-0001*")
        chat.skip_officers()
        assert len(chat.rows(Attachment.sha256)) == 3
        assert set(chat.rows(InboxEvent.state)) == {"done"}

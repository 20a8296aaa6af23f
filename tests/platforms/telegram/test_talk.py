"""What is said in Telegram groups goes as it does elsewhere, and where it cannot, as people there would expect."""

from __future__ import annotations

from storage.tables import Case
from tests.kit.scenario import Scenario

GROUP = "港新1号网格"
REPORT = "3号楼2单元楼道有人给电动车充电"


def test_what_is_taken_back_can_be_withdrawn_by_command(chat: Scenario) -> None:
    """Telegram tells no bot that a message was deleted: the case stays until its reporter says so."""
    said = chat.say("张阿姨", GROUP, REPORT)
    chat.expect(GROUP, "收到，编号2611-0001*")
    chat.skip_officers()
    chat.recall(said)
    chat.silence()
    assert chat.rows(Case.state) == ["dispatched"]
    chat.say("张阿姨", GROUP, "/撤回 2611-0001")
    chat.expect(GROUP, "2611-0001已撤回。*")
    chat.skip_officers()

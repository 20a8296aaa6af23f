"""A missing person is looked for: an officer writes the notice, the chief verifies it, the groups get it."""

from __future__ import annotations

from tests.kit.scenario import PRIVATE, Scenario, jpeg

ONE, TWO, SHOP, WORK = "港新1号网格", "港新2号网格", "火锅街商户群", "港新警务工作群"
WRITER, CHIEF, EDITOR = "王建国", "刘卫东", "孙悦"
GRANNY = "王奶奶，78岁，1米55，蓝棉袄，今早8点在菜市场走失，说话带海门口音"


def write(chat: Scenario, words: str = GRANNY, *, photo: bool = True) -> str:
    """An officer writes a notice; returns its number."""
    chat.say(WRITER, PRIVATE, f"/寻人 {words}", photo=jpeg(7) if photo else None)
    chat.expect(WRITER, "寻人*写好了，还没发出*要发到*个群（*）：*【寻人】编号*王奶奶*")
    return chat.number


def send_out(chat: Scenario, words: str = GRANNY) -> str:
    number = write(chat, words)
    chat.skip_officers()
    chat.say(CHIEF, PRIVATE, f"/批准 {number}")
    chat.expect(CHIEF, f"寻人{number}正在发到*个群（推送1号）。*/找到 {number}")
    chat.expect(WRITER, f"值班所长刘卫东核实了寻人{number}，正在发到*")
    for _ in range(3):
        chat.wait(seconds=5)
    chat.skip_officers()
    return number

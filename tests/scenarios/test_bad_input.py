"""Bad input, bad luck and bad timing: a clear sentence to the right person, and nothing lost or half done."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable
from datetime import datetime

import psycopg
import pytest
from sqlmodel import Session

from bot.inbox import Inbox
from bot.jobs import Job
from bot.messages import Attachment, Kind, Sender
from bot.permissions import Role
from bot.router import Command
from bot.understanding.meaning import Intent
from cases.desk import CaseDesk
from storage.tables import Alarm, Case, CaseEntry, InboxEvent, Officer
from storage.tables import Attachment as StoredPhoto
from storage.writer import StorageUnavailable
from tests.kit.scenario import PRIVATE, Scenario, jpeg

GROUP = "港新1号网格"
REPORT = "3号楼2单元楼道有人给电动车充电"
LAMP = "5号楼路灯坏了好几天"
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
UNKNOWN = ("商会的年会", "合唱团的排练", "书法班的结业展", "老年大学的茶话会")
HOSTILE = "<script>alert(1)</script>\x1b[J\x1b]\u202e{{ 7*7 }}{% raw %}{0.__class__}%s\x00"
ROLES = {
    Role.OFFICER: "王建国",
    Role.GRID_WORKER: "周小琴",
    Role.DISPATCHER: "赵航",
    Role.SUPERVISOR: "刘卫东",
    Role.APPROVER: "刘卫东",
    Role.EDITOR: "孙悦",
    Role.CUSTODIAN: "李敏",
    Role.AUDITOR: "吴静",
    Role.ADMIN: "郑凯",
}


def quarantined(chat: Scenario) -> list[str]:
    return [state for state in chat.rows(InboxEvent.state) if state == "quarantined"]


def shout(chat: Scenario, who: str, text: str = "", where: str = GROUP, **more: object) -> None:
    """Say it without waiting for the bot."""
    chat.shout(who, where, text, **more)


# --- what people type ---


def test_empty_messages_are_silence(chat: Scenario) -> None:
    for text in ("", " ", "\n\n", "\u200b", "　"):
        chat.say("张阿姨", GROUP, text)
        chat.say("张阿姨", PRIVATE, text)
    chat.skip("张阿姨")  # a blank that looks like something may be asked about in private
    chat.silence()
    assert chat.rows(Case.id) == []
    assert quarantined(chat) == []


def test_twenty_thousand_characters(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "今天的菜真新鲜" * 3000)
    chat.silence()
    chat.say("张阿姨", GROUP, REPORT + "，" + "说了好多遍了" * 3300)
    chat.expect(GROUP, "收到，编号2611-0001*")
    assert len(chat.expect("马宏", "【派单】*").what.text) < 400
    assert len(chat.rows(Case.text)[0]) > 19_000
    chat.say("马宏", PRIVATE, "/接单 2611-0001")
    chat.skip("马宏", "张阿姨")
    chat.say("马宏", PRIVATE, "/办结 2611-0001 " + "清走了" * 6000)
    chat.expect("马宏", "这条太长了（超过1000个字），请分成几条发。")
    chat.say("张阿姨", PRIVATE, "/" + "好" * 20_000)
    assert len(chat.expect("张阿姨", "没有“/好好*”这个命令*").what.text) < 120
    chat.say("张阿姨", PRIVATE, "/举报 " + "五楼有人打牌" * 3300)
    chat.expect("张阿姨", "收到了，已加密保存。*")
    chat.skip("李敏")
    assert quarantined(chat) == []


def test_a_place_as_long_as_a_story_goes_to_a_person(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "楼道里又停满了电动车，还在充电")
    chat.expect(GROUP, "*在哪个位置？*")
    chat.say("张阿姨", GROUP, "我跟你们说这个事情真的是说来话长" * 20)
    chat.expect(GROUP, "没关系，2611-0001先转给社区*")
    chat.expect("赵航", "【新，位置没说】*")


def test_markup_escapes_and_templates_are_words(chat: Scenario) -> None:
    hostile = Sender("hostile", HOSTILE)
    chat.shout(hostile, GROUP, LAMP + "{{ 7*7 }}\x1b[J\u202e", group_name=HOSTILE)
    chat.settle()
    answer = chat.expect(GROUP, "收到，编号2611-0001*")
    card = chat.expect("王建国", "【派单】*")
    assert "{{ 7*7 }}" in card.what.text
    chat.shout(hostile, GROUP, f"补充 2611-0001 {HOSTILE}")
    chat.settle()
    more = chat.expect(GROUP, "好的，已补充*")
    added = chat.expect("王建国", "*有补充*")
    assert "{{ 7*7 }}{% raw %}{0.__class__}%s" in added.what.text
    chat.happens(Kind.JOINED, "群主", "newgroup", group_name=HOSTILE)
    chat.shout(hostile, "newgroup", "着火了，快来人")
    chat.settle()
    alarm = chat.expect("刘卫东", "【紧急】*")
    for arrival in (answer, card, more, added, alarm):
        assert not UNSEEN.search(arrival.what.text)
        assert "49" not in arrival.what.text
    chat._seen[("newgroup", False)] = 2
    chat.skip_officers()
    assert quarantined(chat) == []


@pytest.mark.parametrize("spelling", ["{} 2611-0999", "{} 一二三", "{} 2613-0001", "{} 2611-0001-7", "{} ⅫⅫ"])
def test_commands_with_numbers_that_are_none(chat: Scenario, spelling: str) -> None:
    for who, name in (
        ("张阿姨", "/查"),
        ("张阿姨", "/补充"),
        ("张阿姨", "/撤回"),
        ("赵航", "/受理"),
        ("马宏", "/接单"),
        ("马宏", "/办结"),
    ):
        chat.say(who, PRIVATE, spelling.format(name))
        chat.expect(who, "*")
        chat.silence()
    assert quarantined(chat) == []


def _commands(chat: Scenario) -> list[Command]:
    return list({id(command): command for command in chat.app.router.commands.values()}.values())


@pytest.mark.slow
def test_every_command_called_empty_or_with_rubbish_says_something_clear(chat: Scenario) -> None:
    """From the router's own table, so that a new command cannot be forgotten."""
    for command in _commands(chat):
        who = ROLES[command.needs[0]] if command.needs else "张阿姨"
        for line in (f"/{command.name}", f"/{command.alias}", f"／{command.name}　{HOSTILE}", f"/{command.name} 2611-0001"):
            chat.say(who, PRIVATE, line)
            said = [arrival.what.text for arrival in chat._unseen(chat._key(who))]
            assert said, f"{line} by {who}: silence"
            assert all(text.strip() and "没处理好" not in text and not UNSEEN.search(text) for text in said), (line, said)
            chat.skip(who)
            chat.silence_in(GROUP)
            if command.name == "举报":  # it asks for the words; rubbish was them
                chat.say(who, PRIVATE, "算了")
                chat.skip(who, "李敏")
    assert quarantined(chat) == []
    assert set(chat.rows(Case.kind)) <= {"question"}
    chat.skip_officers()


def test_unknown_commands_and_near_misses(chat: Scenario) -> None:
    for line, answer in (
        ("/接但 2611-0001", "没有“/接但”这个命令*"),
        ("/帮帮", "没有“/帮帮”这个命令，您是想用“/帮助”吗？*"),
        ("/helpme", "没有“/helpme”这个命令*"),
        ("/", "有安全隐患、纠纷*"),
    ):
        chat.say("张阿姨", PRIVATE, line)
        chat.expect("张阿姨", answer)
    chat.say("张阿姨", GROUP, "/微笑")  # how WeChat writes an emoji
    chat.say("张阿姨", GROUP, "/:rose 早上好")
    chat.silence()


def test_an_officer_who_mistypes_in_a_group_is_told_alone_and_a_resident_is_not_bothered(chat: Scenario) -> None:
    for line, word, near in (("/待扮", "待扮", "待办"), ("／接弹 3号楼的", "接弹", "接单")):
        chat.say("张阿姨", GROUP, line)
        chat.silence()
        chat.say("王建国", GROUP, line)
        chat.silence_in(GROUP)
        chat.expect("王建国", f"没有“/{word}”这个命令，您是想用“/{near}”吗？*")
    for emoji in ("/微笑", "/抱拳", "/强", "/:rose 早上好"):
        chat.say("王建国", GROUP, emoji)
    chat.silence()
    assert set(chat.rows(InboxEvent.state)) == {"done"}
    assert set(chat.rows(InboxEvent.body)) == {None}


def test_a_name_behind_a_command_is_not_part_of_it(chat: Scenario) -> None:
    chat.say("张阿姨", PRIVATE, "/help@otherbot")
    chat.expect("张阿姨", "直接说就行：*")


# --- people at the same time ---


def two_take_at_once(chat: Scenario) -> list[str]:
    chat.say("张阿姨", GROUP, LAMP)
    chat.skip(GROUP)
    chat.skip_officers()
    for who in ("王建国", "周小琴"):
        shout(chat, who, "/接单 2611-0001", PRIVATE)
    chat.settle()
    said = [arrival.what.text for who in ("王建国", "周小琴") for arrival in chat._unseen(chat._key(who))]
    chat.skip("张阿姨")
    chat.skip_officers()
    return said


def test_two_officers_take_one_case_at_once(chat: Scenario) -> None:
    said = two_take_at_once(chat)
    assert sorted(text[:4] for text in said) == ["2611", "已经由王"] or sorted(text[:4] for text in said) == ["2611", "已经由周"]
    assert len([line for line in chat.rows(CaseEntry.state) if line == "signed"]) == 1


def test_control_without_the_look_at_the_state_both_would_have_it(chat: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    def take(desk: CaseDesk, case: Case) -> Officer:
        officer = desk._allowed("case.take", case)
        case.state, case.officer_id = "signed", officer.id
        return officer

    monkeypatch.setattr(CaseDesk, "take", take)
    said = two_take_at_once(chat)
    assert [text for text in said if "归您了" in text] == said
    assert len(said) == 2


def test_twenty_messages_a_second_lose_nothing_and_get_few_answers(chat: Scenario) -> None:
    lines = [f"{n}号楼{n % 3 + 1}单元{what}" for n in range(1, 11) for what in ("楼道有人给电动车充电", "门口路灯坏了好几天")]
    for line in lines:
        shout(chat, "张阿姨", line)
    chat.settle()
    kept = "\n".join(chat.rows(CaseEntry.text))
    assert [line for line in lines if line not in kept] == []
    answers = chat._unseen(chat._key(GROUP))
    assert 1 <= len(answers) <= 7
    chat.skip(GROUP)
    chat.skip_officers()


def test_twenty_questions_a_second_make_no_heap_of_cases(chat: Scenario) -> None:
    for n in range(20):
        shout(chat, "张阿姨", f"@前哨 {UNKNOWN[n % 4]}第{n}回什么时候开", mentions_me=True)
    chat.settle()
    assert len(chat.rows(Case.id)) <= 5
    assert len(chat._unseen(chat._key(GROUP))) <= 6
    chat.skip(GROUP)
    chat.skip_officers()


# --- a house in trouble ---


def lock(chat: Scenario) -> Callable[[], None]:
    """Another program holds the database so that nothing can be written; gives how to let go."""
    if chat.cell.postgres is None:
        other = sqlite3.connect(chat.folder / "qianshao.sqlite3", check_same_thread=False, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        return lambda: (other.execute("ROLLBACK"), other.close())[1]
    held = psycopg.connect(chat.settings.database_url)
    held.execute("LOCK TABLE inbox IN EXCLUSIVE MODE")
    return held.close


def test_a_locked_database_delays_and_loses_nothing(chat: Scenario) -> None:
    release = lock(chat)
    shout(chat, "张阿姨", REPORT)
    shout(chat, "罗嫂", LAMP, "港新2号网格")
    assert chat.platform.confirmed == []
    threading.Timer(0.4, release).start()
    chat.settle()
    chat.expect(GROUP, "收到，编号*")
    chat.expect("港新2号网格", "收到，编号*")
    chat.skip_officers()
    assert len(chat.rows(Case.id)) == 2


def test_a_full_disk_delays_and_loses_nothing(chat: Scenario) -> None:
    def fill(session: Session) -> None:
        raw = session.connection()
        pages = raw.exec_driver_sql("PRAGMA page_count").scalar()
        raw.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    chat.app.writer.run_now(fill)
    for n in range(6):
        shout(chat, f"邻居{n}", f"{n + 1}号楼1单元楼道有人给电动车充电，" + "说了好多遍了" * 400)
    chat.settle()
    assert len(chat.rows(Case.id)) == 6
    assert len(chat._unseen(chat._key(GROUP))) == 6
    chat.skip(GROUP)
    chat.skip_officers()


def test_a_report_that_could_not_be_kept_is_no_repetition_when_it_comes_again(
    chat: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, refused = Inbox._keep, [True]

    async def once_full(inbox: Inbox, job: Job, now: datetime) -> bool:
        if refused:
            refused.clear()
            raise StorageUnavailable("full")
        return await keep(inbox, job, now)

    monkeypatch.setattr(Inbox, "_keep", once_full)
    chat.say("张阿姨", GROUP, REPORT)
    assert refused == []
    chat.expect(GROUP, "收到，编号2611-0001*")
    chat.skip_officers()


def breaking(chat: Scenario, on: str) -> Callable[[], int]:
    """The handler of reports raises for one text; gives how often it was called for it."""
    good = chat.app.router.intents[Intent.HAZARD]
    tries: list[str] = []

    from bot.messages import Inbound
    from bot.router import wants_of

    def bad(**given: object) -> None:
        message = given["message"]
        assert isinstance(message, Inbound)
        if on in message.text:
            tries.append(message.text)
            raise RuntimeError("planted")
        good(**given)

    import bot.router

    bot.router._wants[bad] = wants_of(good)
    chat.app.router.intents[Intent.HAZARD] = bad
    return lambda: len(tries)


def test_a_poison_message_is_put_aside_after_three_tries_and_others_go_on(chat: Scenario) -> None:
    tries = breaking(chat, "3号楼")
    shout(chat, "张阿姨", REPORT)
    shout(chat, "张阿姨", LAMP)
    shout(chat, "陈大爷", "8号楼东边路灯坏了好几天")
    chat.settle()
    texts = [arrival.what.text for arrival in chat._unseen(chat._key(GROUP))]
    assert tries() == 3
    assert len([text for text in texts if text.startswith("收到，编号")]) == 2
    assert [text for text in texts if text.startswith("这条没处理好，已请社区的人来看。")]
    chat.skip(GROUP)
    chat.expect("郑凯", "港新1号网格里有一条消息没能处理*")
    chat.expect("赵航", "港新1号网格里有一条消息没能处理*")
    chat.skip_officers()
    assert len(quarantined(chat)) == 1
    chat.restart()
    chat.silence()


def test_an_emergency_gets_its_sentence_even_when_the_alarm_cannot_be_raised(
    chat: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr("cases.alarms.Alarms.raise_", broken)
    chat.say("张阿姨", GROUP, "3号楼着火了，快来人")
    chat.expect(GROUP, "马上打119*")
    chat.expect("郑凯", "港新1号网格里有一条消息没能处理*")
    chat.skip("赵航")


def test_nothing_can_stop_the_lanes_not_even_a_failure_that_cannot_be_told(
    chat: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking(chat, "3号楼")
    chat.app.router.failed = lambda: 1 / 0
    chat.say("张阿姨", GROUP, REPORT)
    chat.silence()
    chat.say("陈大爷", GROUP, LAMP)
    chat.expect(GROUP, "收到，编号*")
    chat.skip_officers()


@pytest.mark.parametrize(
    ("photo", "sentence"),
    [
        (b"", "没有收到照片内容，请重新选一张。"),
        (b"%PDF-1.7 not a photo", "这个文件不是照片。请发*"),
        (jpeg()[:300], "这张照片打不开*"),
        (None, "照片没有收到，请再发一次。"),
    ],
    ids=["empty", "no image", "broken", "gone"],
)
def test_a_photo_that_is_none(chat: Scenario, photo: bytes | None, sentence: str) -> None:
    attachment = Attachment("gone", "photo") if photo is None else chat.platform.keep_photo("p", photo)
    shout(chat, "张阿姨", REPORT, attachments=(attachment,))
    chat.settle()
    chat.expect(GROUP, f"收到，编号2611-0001*{sentence}")
    shout(chat, "张阿姨", attachments=(attachment,))
    chat.settle()
    chat.expect(GROUP, sentence)
    chat.skip_officers()
    assert chat.rows(StoredPhoto.id) == []


def test_the_same_event_twice_is_one_case(chat: Scenario) -> None:
    said = chat.say("张阿姨", GROUP, REPORT)
    chat.expect(GROUP, "收到，编号*")
    chat.skip_officers()
    chat.platform.inject(said.event)
    chat.settle()
    chat.silence()
    assert isinstance(chat.clock(), datetime)
    assert len(chat.rows(Case.id)) == 1


def test_commands_in_traditional_characters_and_full_width_are_run(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "3号楼2单元楼道有人给电动车充电")
    chat.skip(GROUP)
    chat.skip_officers()
    chat.say("马宏", PRIVATE, "／　接單 ２６１１－０００１。")
    chat.expect("马宏", "2611-0001归您了*")
    chat.expect("张阿姨", "2611-0001已由*接手。")
    chat.say("马宏", PRIVATE, "/辦結2611-0001 車已清走。")
    chat.expect(GROUP, "2611-0001处理好了：車已清走。*")
    chat.skip_officers()
    chat.say("张阿姨", GROUP, "沒解決，還在充")
    chat.expect(GROUP, "知道了，2611-0001重新办理*")
    chat.expect("马宏", "2611-0001反映人说没解决：沒解決，還在充。*")
    chat.say("王建国", PRIVATE, "/尋人 王奶奶，78岁，家里着火后走失，蓝棉袄")
    chat.expect("王建国", "寻人2611-0002写好了*")
    chat.skip_officers()
    chat.say("王建国", PRIVATE, "/尋人 2611-0002 撤銷。")
    chat.expect("王建国", "寻人2611-0002撤回了。*")
    assert chat.rows(Alarm.id) == []

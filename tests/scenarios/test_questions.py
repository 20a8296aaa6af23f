"""Questions: answered from the library when we are asked and sure, else by a person; unasked only when certain."""

from __future__ import annotations

from datetime import date

import pytest

from cases.kept import KeptAnswers
from content.laws import Article, save_laws
from storage.tables import Case, KeptAnswer
from tests.kit.scenario import PRIVATE, Scenario, jpeg

GROUP = "港新1号网格"
SURE = "新生儿落户要啥材料"  # good enough for whoever asked us
CERTAIN = "身份证丢了怎么补办"
UNKNOWN = "社区合唱团几点排练，还收人吗"


@pytest.mark.every_cell
def test_answered_with_its_source_when_we_are_asked(chat: Scenario) -> None:
    chat.say("徐妈妈", GROUP, f"@前哨 {SURE}")
    chat.expect(GROUP, "*\n（依据：*核对）")
    chat.say("徐妈妈", PRIVATE, SURE)
    chat.expect("徐妈妈", "*\n（依据：*核对）")
    for line in (f"/问 {SURE}", f"/问{SURE}", f"／ask {SURE}"):
        chat.say("徐妈妈", GROUP, line)
        chat.expect(GROUP, "*\n（依据：*核对）")
    chat.silence()
    assert chat.rows(Case.id) == []


def test_who_only_opens_a_talk_is_told_what_to_say_and_is_no_case(chat: Scenario) -> None:
    for words in ("在吗", "有人在吗？", "在不在", "你好，我想问问", "问个事"):
        chat.say("徐妈妈", PRIVATE, words)
        chat.expect("徐妈妈", "有安全隐患、纠纷、要找人找东西，直接说清楚*")
    chat.say("徐妈妈", GROUP, "@前哨 在吗")
    chat.expect(GROUP, "有安全隐患、纠纷、要找人找东西，直接说清楚*")
    for words in ("这是照片", "这是我家", "这是我家门口"):  # resembles a question of the library and asks nothing
        chat.say("徐妈妈", PRIVATE, words)
        chat.expect("徐妈妈", "有安全隐患、纠纷、要找人找东西，直接说清楚*")
    chat.say("徐妈妈", PRIVATE, f"在吗，{CERTAIN}")  # control: what comes after an opener counts
    chat.expect("徐妈妈", "*\n（依据：*核对）")
    chat.silence()
    assert chat.rows(Case.id) == []


def test_unasked_it_is_answered_only_when_certain(chat: Scenario) -> None:
    chat.say("徐妈妈", GROUP, SURE)
    chat.silence()
    chat.say("徐妈妈", GROUP, CERTAIN)
    chat.expect(GROUP, "*\n（依据：*核对）")
    chat.say("徐妈妈", GROUP, UNKNOWN)
    chat.say("徐妈妈", GROUP, "晚上吃什么好呢？")
    chat.silence()
    assert chat.rows(Case.id) == []


def test_what_we_are_not_sure_of_goes_to_a_person_whose_answer_quotes_the_question(chat: Scenario) -> None:
    said = chat.say("徐妈妈", GROUP, f"@前哨 {UNKNOWN}", photo=jpeg())
    chat.expect(GROUP, "这个问题我没有十足把握，已转给社区的人回答，编号2611-0001。*")
    card = chat.expect("王建国", f"【咨询】2611-0001 {GROUP}：{UNKNOWN}*/回复 2611-0001 答复")
    chat.expect("周小琴", "【咨询】2611-0001*")
    chat.silence()
    chat.say("王建国", PRIVATE, "/回复 周二周四晚七点，欢迎来唱", quoting=card)  # the quoted card says which
    chat.expect("王建国", "2611-0001已回复*")
    chat.expect("王建国", "以后有人问“*要我直接这样答吗？*")
    answer = chat.expect(GROUP, f"关于您问的：{UNKNOWN}\n*答复：周二周四晚七点，欢迎来唱\n*")
    assert answer.what.reply_to == said.event.message_id
    chat.silence()
    chat.say("徐妈妈", GROUP, "没解决，在哪里排练")
    chat.expect(GROUP, "知道了，2611-0001重新办理*")
    chat.expect("王建国", "2611-0001反映人说没解决*")
    chat.skip("周小琴")
    chat.say("周小琴", PRIVATE, "/reply 2611-0001 社区二楼活动室")
    chat.expect("周小琴", "2611-0001已回复*")
    chat.expect("周小琴", "以后有人问“*要我直接这样答吗？*")
    chat.expect(GROUP, "关于您问的：*答复：社区二楼活动室*")
    chat.say("徐妈妈", GROUP, "清楚了，解决了")
    chat.expect(GROUP, "2611-0001（*咨询*）已解决*")
    chat.skip("徐妈妈")


def test_in_the_nested_grid_the_officers_around_it_are_asked(chat: Scenario) -> None:
    chat.say("黄老板", "火锅街商户群", "@前哨 商会的年会什么时候开")
    chat.expect("火锅街商户群", "这个问题我没有十足把握*")
    chat.expect("王建国", "【咨询】*")
    chat.expect("周小琴", "【咨询】*")


def test_a_question_with_the_place_pending_is_answered_and_the_place_still_awaited(chat: Scenario) -> None:
    chat.say("徐妈妈", GROUP, "楼道里又停满了电动车，还在充电")
    chat.expect(GROUP, "*在哪个位置？*")
    chat.say("徐妈妈", GROUP, "@前哨 居住证怎么办")
    chat.expect(GROUP, "*（依据：*")
    chat.say("徐妈妈", GROUP, "2号楼1单元")
    chat.expect(GROUP, "好的，2号楼1单元*")
    chat.skip_officers()


def test_greetings_and_thanks_said_to_us(chat: Scenario) -> None:
    chat.say("徐妈妈", GROUP, "@前哨 你好")
    chat.expect(GROUP, "有安全隐患、纠纷*")
    chat.say("徐妈妈", GROUP, "@前哨")
    chat.expect(GROUP, "有安全隐患、纠纷*")
    chat.say("徐妈妈", GROUP, "@前哨 谢谢啦")
    chat.expect(GROUP, "不客气。")
    chat.say("徐妈妈", PRIVATE, "")
    chat.silence()


def kept(chat: Scenario, words: str = "留下", where: str = GROUP) -> None:
    """The officer's answer to a question that nobody foresaw, kept."""
    chat.say("徐妈妈", where, f"@前哨 {UNKNOWN}")
    chat.skip(where, "周小琴", "王建国")
    chat.say("王建国", PRIVATE, f"/回复 {chat_number(chat)} 周二周四晚七点，欢迎来唱")
    chat.expect("王建国", "*已回复*")
    chat.expect("王建国", f"以后有人问“{UNKNOWN}”，要我直接这样答吗？*")
    chat.skip(where)
    chat.say("王建国", PRIVATE, words)


def chat_number(chat: Scenario) -> str:
    return str(chat.rows(Case.number)[-1])


def test_an_officers_answer_is_kept_and_given_in_its_grid_until_it_expires(chat: Scenario) -> None:
    kept(chat, "留下90天")
    chat.expect("王建国", "留下了，到2027年02月21日为止。*第1条。")
    chat.silence()
    chat.say("丁丁", GROUP, "@前哨 社区合唱团几点排练")
    chat.expect(GROUP, "周二周四晚七点，欢迎来唱\n（依据：*答复，2026年11月核对）")
    chat.silence()
    chat.say("丁丁", GROUP, "社区合唱团几点排练")  # not put to us
    chat.silence()
    chat.say("罗嫂", "港新2号网格", "@前哨 社区合唱团几点排练，还收人吗")  # another community's choir
    chat.expect("港新2号网格", "这个问题我没有十足把握*")
    chat.skip_officers()
    chat.wait(days=91)
    chat.skip("港新2号网格", GROUP, "徐妈妈", "罗嫂")
    chat.skip_officers()
    chat.say("丁丁", GROUP, "@前哨 社区合唱团几点排练，还收人吗")
    chat.expect(GROUP, "这个问题我没有十足把握*")
    chat.skip_officers()


def test_the_whole_district_a_restart_and_the_end_of_a_kept_answer(chat: Scenario) -> None:
    kept(chat, "留下 全区")
    chat.expect("王建国", "留下了，到2027年11月23日为止，全区都能用。*")
    chat.restart()
    chat.say("罗嫂", "港新2号网格", "@前哨 社区合唱团几点排练，还收人吗")
    chat.expect("港新2号网格", "周二周四晚七点，欢迎来唱*")
    chat.app.writer.run_now(lambda session: KeptAnswers(session, chat.clock()).drop(1))
    chat.say("罗嫂", "港新2号网格", "@前哨 社区合唱团几点排练，还收人吗")
    chat.expect("港新2号网格", "这个问题我没有十足把握*")
    chat.skip_officers()


@pytest.mark.parametrize(
    ("words", "said"),
    [("不用", "好的，不留。"), ("留下到2月31日", "没看懂留到哪天。*"), ("留下50年", "没看懂留到哪天。*"), ("/待办", "*")],
)
def test_what_is_not_kept(chat: Scenario, words: str, said: str) -> None:
    kept(chat, words)
    chat.expect("王建国", said)
    assert chat.rows(KeptAnswer.id) == []


def test_a_long_number_is_not_kept_with_the_question(chat: Scenario) -> None:
    chat.say("徐妈妈", GROUP, f"@前哨 {UNKNOWN}，我电话13800001111")
    chat.skip(GROUP, "周小琴", "王建国")
    chat.say("王建国", PRIVATE, f"/回复 {chat_number(chat)} 周二周四晚七点")
    chat.say("王建国", PRIVATE, "留下")
    chat.skip(GROUP, "王建国")
    assert "138" not in chat.rows(KeptAnswer.question)[0]


def test_many_laws_hold_nobody_up(chat: Scenario) -> None:
    """A file that is no collection of laws costs the hints, never the answer."""
    (chat.folder / "laws.jsonl").write_text("{", encoding="utf-8")
    chat.say("徐妈妈", GROUP, f"@前哨 {SURE}")
    chat.expect(GROUP, "*\n（依据：*核对）")


def test_a_named_article_is_said_word_for_word_and_others_are_hints_for_the_officer(chat: Scenario) -> None:
    save_laws(
        chat.folder,
        [
            Article("合唱团条例", "第一条", "合唱团每周排练两次，社区居民都可以报名参加。", date(2021, 1, 1), None, "本区公报"),
            Article("合唱团条例", "第二条", "从前的规定。", date(2019, 1, 1), date(2021, 1, 1)),
        ],
    )
    chat.say("徐妈妈", GROUP, "@前哨 合唱团条例第1条怎么说")
    chat.expect(GROUP, "《合唱团条例》第一条：合唱团每周排练两次，*\n（2021年01月01日起施行，本区公报）")
    chat.silence()
    chat.say("徐妈妈", GROUP, f"@前哨 {UNKNOWN}")
    chat.expect(GROUP, "这个问题我没有十足把握*")
    chat.expect("王建国", "【咨询】*\n可能有关：*《合唱团条例》第一条*\n回答：/回复 *")
    chat.skip("周小琴")

"""What neighbours do together: wishes, lost things, mediation, activities, proposals, good deeds; officers on their rounds."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from storage.tables import (
    ActivityEntry,
    Case,
    CaseEntry,
    Deed,
    LostItem,
    Mediation,
    Premises,
    Proposal,
    ProposalVoice,
    Visit,
    Volunteer,
    WishClaim,
)
from tests.kit.scenario import PRIVATE, Scenario

GROUP = "港新1号网格"
SECOND = "港新2号网格"
WISH = "想请人帮忙修一下家里的老收音机，我住3号楼502"
PUBLIC = "一位老人想请人修老收音机"


def wished(chat: Scenario) -> str:
    chat.say("陈大爷", GROUP, WISH)
    chat.expect(GROUP, "收到，编号*")
    chat.skip_officers()
    return chat.number


def carded(chat: Scenario) -> str:
    number = wished(chat)
    chat.say("周小琴", PRIVATE, f"/心愿 {number} 公益 {PUBLIC}")
    chat.expect(GROUP, f"【邻里心愿】{number}\n{PUBLIC}*/认领 {number}")
    chat.expect("周小琴", f"{number}已发到“{GROUP}”。*")
    chat.expect("陈大爷", f"您的心愿{number}已发给邻居们看*")
    return number


def agreed(chat: Scenario) -> str:
    number = carded(chat)
    chat.say("唐工", GROUP, f"/认领 {number}")
    chat.expect(GROUP, f"谢谢您。{number}先给您留着*")
    chat.skip_officers()
    chat.say("周小琴", PRIVATE, f"/同意 {number}")
    chat.expect("唐工", f"{number}请您来帮忙，谢谢。*3号楼502*陈大爷*72小时*")
    chat.expect("陈大爷", f"您的心愿{number}，邻居唐工愿意帮忙*")
    chat.expect("周小琴", f"已告诉对方怎么联系，{number}*")
    return number


def test_seed_13_a_wish_is_carded_claimed_fulfilled_and_thanked(chat: Scenario) -> None:
    number = agreed(chat)
    chat.say("唐工", PRIVATE, f"/帮完 {number} 换了电容，能响了")
    chat.expect("唐工", f"辛苦了。我去问问*{number}*")
    chat.expect(GROUP, f"{number}处理好了：邻居唐工帮了忙，换了电容，能响了*")
    chat.say("陈大爷", GROUP, "解决了")
    chat.expect(GROUP, f"{number}（*）已解决*")
    chat.expect("唐工", f"{number}那位邻居说办好了，谢谢您帮忙。")
    chat.skip("陈大爷")
    chat.skip_officers()
    chat.silence()
    assert chat.rows(Case.state) == ["closed_confirmed"]


def test_the_door_is_told_to_nobody_before_an_officer_agrees(chat: Scenario) -> None:
    number = carded(chat)
    chat.say("唐工", GROUP, f"/认领 {number}")
    heard = [arrival.what.text for arrival in chat.platform.arrived if arrival.to.chat in ("tang", "gx01")]
    assert not any("502" in text for text in heard)
    chat.skip(GROUP)
    chat.skip_officers()


@pytest.mark.parametrize("text", ["住3号楼502的老人想修收音机", "修收音机，电话13800001111", "三栋二单元的老人想修收音机"])
def test_a_card_with_a_door_or_a_number_is_refused(chat: Scenario, text: str) -> None:
    number = wished(chat)
    chat.say("周小琴", PRIVATE, f"/心愿 {number} 公益 {text}")
    chat.expect("周小琴", "没有发出：公开的话里有门牌或号码。*")
    chat.silence()


def test_a_claim_runs_out_and_the_card_is_free_again(chat: Scenario) -> None:
    number = agreed(chat)
    chat.wait(hours=73)
    chat.expect("唐工", f"{number}的时间到了*")
    chat.skip_officers()
    assert chat.rows(WishClaim.state) == ["expired"]
    chat.say("何师傅", GROUP, f"/认领 {number}")
    chat.expect(GROUP, f"谢谢您。{number}先给您留着*")
    chat.skip_officers()


def test_who_may_claim(chat: Scenario) -> None:
    number = carded(chat)
    chat.say("陈大爷", GROUP, f"/认领 {number}")
    chat.expect(GROUP, "这是您自己的心愿*")
    chat.say("唐工", GROUP, f"/认领 {number}")
    chat.expect(GROUP, "谢谢您。*先给您留着*")
    chat.skip_officers()
    chat.say("丁丁", GROUP, f"/认领 {number}")
    chat.expect(GROUP, f"{number}已经有邻居认领了，谢谢您。")
    chat.say("唐工", PRIVATE, f"/帮完 {number} 修好了")
    chat.expect("唐工", f"{number}社区还没有确认，请再等一下。")
    chat.say("丁丁", PRIVATE, f"/同意 {number}")
    chat.expect("丁丁", ["没有执行*", "这个命令只有登记过的民警和网格员能用。*"][1])
    chat.say("唐工", PRIVATE, f"/让出 {number}")
    chat.expect("唐工", f"没关系，{number}让给别的邻居。")
    chat.skip_officers()
    chat.say("丁丁", GROUP, f"/认领 {number}")
    chat.expect(GROUP, "谢谢您。*")
    chat.skip_officers()


def test_seed_21_a_lost_and_a_found_thing_meet_and_the_detail_stays_with_the_officer(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "我的黑色钱包丢了，大概在菜场到小区门口那段路上")
    chat.expect(GROUP, "收到，编号2611-0001（丢东西）*")
    chat.expect("张阿姨", "2611-0001：东西上有没有什么特征*")
    chat.skip_officers()
    chat.say("张阿姨", PRIVATE, "里面有一张孙子的一寸照")
    chat.expect("张阿姨", "记下了，2611-0001核对时用，不会公开。")
    chat.say("徐妈妈", GROUP, "在小区门口捡到一个黑色钱包，谁丢的")
    chat.expect(GROUP, "收到，编号2611-0002（捡到东西）*")
    chat.expect("徐妈妈", "2611-0002：谢谢您。请说一个只有失主知道的特征*")
    cards = [arrival.what.text for arrival in chat.platform.arrived if "可能是同一件" in arrival.what.text]
    assert cards
    assert all("孙子的一寸照" in text and "都是钱包" in text for text in cards)
    chat.skip_officers()
    in_group = [arrival.what.text for arrival in chat.platform.arrived if arrival.to.chat == "gx01"]
    assert not any("一寸照" in text for text in in_group)
    chat.say("王建国", PRIVATE, "/物归 2611-0001 2611-0002")
    chat.expect("王建国", "记下了：2611-0002的东西归还2611-0001的失主*")
    chat.expect(GROUP, "2611-0001处理好了：东西找到了，请向派出所或网格员领取*")
    chat.expect(GROUP, "2611-0002处理好了：失主找到了，谢谢您*")
    chat.say("张阿姨", GROUP, "解决了")
    chat.expect(GROUP, "2611-0001（*）已解决*")
    chat.skip("张阿姨")
    chat.skip_officers()
    chat.silence()
    assert chat.rows(Case.state) == ["closed_confirmed", "verifying"]


def test_a_purse_is_no_umbrella(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "我的黑色雨伞丢了，在小区门口")
    chat.say("徐妈妈", GROUP, "在小区门口捡到一个黑色钱包，谁丢的")
    assert chat.rows(LostItem.side, LostItem.things) == [("lost", "雨伞"), ("found", "钱包")]
    assert not [arrival for arrival in chat.platform.arrived if "可能是同一件" in arrival.what.text]
    chat.skip(GROUP, "张阿姨", "徐妈妈")
    chat.skip_officers()


def dispute(chat: Scenario) -> str:
    chat.say("罗嫂", PRIVATE, "楼上漏水把我家吊顶泡了，楼上不肯赔，吵了好几次了")
    chat.skip("罗嫂")
    chat.skip_officers()
    assert chat.rows(Case.kind) == ["dispute"]
    return "2611-0001"


def test_seed_06_and_20_a_mediation_is_arranged_held_written_down_and_followed_up(chat: Scenario) -> None:
    number = dispute(chat)
    chat.say("赵航", PRIVATE, f"/调解 {number} 明天下午3点 视频 https://meet.example/room1 调解员周小琴 参加人：罗嫂、楼上住户")
    chat.expect("赵航", f"约好了：{number}，*15:00，视频 https://meet.example/room1，调解员周小琴。*")
    chat.expect("罗嫂", f"{number}约了调解：*15:00，视频 https://meet.example/room1*")
    chat.expect("周小琴", f"【调解】{number} *参加人：罗嫂、楼上住户*")
    chat.wait(days=1, hours=4)
    chat.expect("罗嫂", f"提醒一下：{number}的调解在*")
    chat.expect("周小琴", f"提醒一下：{number}的调解在*")
    chat.wait(hours=6)
    told = [arrival.what.text for arrival in chat.platform.arrived if arrival.to.chat == chat.address("周小琴", PRIVATE).chat]
    assert any(text.startswith(f"{number}的调解谈得怎么样？") for text in told)
    chat.skip_officers()  # the clocks remind him, too
    chat.say("周小琴", PRIVATE, f"/调解记录 {number} 达成 楼上月底前修好，赔吊顶八百元")
    chat.expect("周小琴", f"{number}的约定已记下*7天后我再回访一次。")
    chat.expect("罗嫂", f"{number}处理好了：调解达成，楼上月底前修好，赔吊顶八百元*")
    chat.say("罗嫂", PRIVATE, "解决了")
    chat.skip("罗嫂")
    chat.skip_officers()
    chat.wait(days=7, minutes=1)
    chat.expect("罗嫂", f"{number}上次调解约定：*现在做到了吗？*")
    chat.say("罗嫂", PRIVATE, "没做到，钱一直没给")
    chat.expect("罗嫂", f"知道了，{number}重新办理，已告诉调解员。")
    chat.expect("周小琴", f"{number}回访：没做到，钱一直没给*")
    assert chat.rows(Case.state, Case.reopened) == [("reopened", 1)]
    assert chat.rows(Mediation.state) == ["agreed"]


def test_no_agreement_names_the_other_ways(chat: Scenario) -> None:
    number = dispute(chat)
    chat.say("赵航", PRIVATE, f"/调解 {number} 昨天3点 居委会")
    chat.expect("赵航", "还差一点：请发 /调解 *")
    chat.say("赵航", PRIVATE, f"/调解 {number} 明天15:00 居委会 调解员没有这个人")
    chat.expect("赵航", "没有找到叫“没有这个人”的调解员。*")
    chat.say("赵航", PRIVATE, f"/调解 {number} 明天15:00 居委会")
    chat.skip("赵航", "罗嫂")
    chat.say("赵航", PRIVATE, f"/调解记录 {number} 没达成 赔多少谈不拢")
    chat.expect("赵航", f"{number}已记为没达成*")
    chat.expect("罗嫂", f"{number}这次没有谈成：赔多少谈不拢*人民调解法*第二十六条*")
    chat.wait(days=9)
    chat.silence_in("罗嫂")
    chat.skip_officers()


def test_seed_09_an_activity_from_the_call_to_the_hours(chat: Scenario) -> None:
    chat.say("周小琴", GROUP, "/活动 发布 清理倒下的树；明天上午9点；小区东门；2小时；限3人")
    chat.expect(GROUP, "【志愿活动】清理倒下的树\n*09:00，小区东门，限3人\n*/报名 1")
    told = chat.expect("周小琴", "1号活动已发布。现场签到码是*")
    code = re.search(r"签到码是(\d{4})", told.what.text)
    assert code is not None
    for who in ("张阿姨", "唐工", "丁丁"):
        chat.say(who, GROUP, "/报名 1")
        chat.expect(GROUP, "报好了：清理倒下的树*")
    chat.say("徐妈妈", GROUP, "/报名 1")
    chat.expect(GROUP, "1号活动人满了，谢谢您。")
    chat.say("丁丁", GROUP, "/不去了 1")
    chat.expect(GROUP, "好的，已取消，下次有空再来。")
    chat.say("徐妈妈", GROUP, "/报名 1")
    chat.expect(GROUP, "报好了*")
    chat.wait(days=1)
    for who in ("张阿姨", "唐工"):
        chat.say(who, PRIVATE, f"/签到 {code[1]}")
        chat.expect(who, "签到好了*")
        ask = chat.expect(who, "要不要给您记志愿工时和积分？*")
    chat.tap("唐工", ask, "/志愿 记")
    chat.expect("唐工", "好的，从这次起给您记工时和积分。*")
    chat.say("徐妈妈", PRIVATE, "/签到 0000" if code[1] != "0000" else "/签到 1111")
    chat.expect("徐妈妈", "签到码不对*")
    chat.say("周小琴", PRIVATE, "/活动 1")
    chat.expect("周小琴", "1号：清理倒下的树*张阿姨（已到）*唐工（已到）*徐妈妈*")
    chat.say("周小琴", PRIVATE, "/活动 结束 1")
    chat.expect("周小琴", "1号活动已结束，2人到场。")
    chat.expect("唐工", "“清理倒下的树”结束了，谢谢您来帮忙。")
    chat.expect("张阿姨", "“清理倒下的树”结束了，谢谢您来帮忙。")
    assert chat.rows(Volunteer.user_id, Volunteer.hours, Volunteer.points) == [
        (chat.user_id("唐工"), 2.0, 20)
    ]  # only who asked for it
    chat.say("唐工", PRIVATE, "/志愿 退出")
    chat.expect("唐工", "已退出，工时、积分和报名都删了。*")
    assert chat.rows(Volunteer.user_id) == []
    assert chat.user_id("唐工") not in chat.rows(ActivityEntry.user_id)
    chat.silence()


def test_a_resident_publishes_no_activity(chat: Scenario) -> None:
    chat.say("唐工", GROUP, "/活动 发布 大扫除；明天上午9点；东门")
    chat.expect(GROUP, "这个命令只有登记过的民警和网格员能用。*")
    chat.say("周小琴", PRIVATE, "/活动 发布 大扫除；明天上午9点；东门")
    chat.expect("周小琴", "请在要发布的群里发这个命令*")
    chat.say("周小琴", GROUP, "/活动 发布 大扫除")
    chat.expect(GROUP, "还差一点：请发 /活动 发布 *")


def test_seed_10_and_25_from_an_idea_to_the_rating(chat: Scenario) -> None:
    chat.say("唐工", GROUP, "/提议 车棚里装个集中充电柜，大家别往家里拉线")
    chat.expect(GROUP, "记下了，议题1号。*")
    chat.expect("王建国", f"【提议】1号 {GROUP}：车棚里装个集中充电柜*")
    chat.say("王建国", GROUP, "/议事 1 讨论")
    chat.expect(GROUP, "【一起议】1号：*")
    chat.say("张阿姨", GROUP, "/表态 1 可以，但要装在通风的地方")
    chat.expect("张阿姨", "谢谢，您对1号的想法记下了。")
    chat.say("王建国", GROUP, "/议事 1 表决")
    ballot = chat.expect(GROUP, "【一起定】1号：*一人一票*")
    chat.tap("张阿姨", ballot, "/表态 1 赞成")
    chat.expect("张阿姨", "1号记下了：赞成。")
    chat.say("丁丁", GROUP, "/表态 1 反对")
    chat.expect("丁丁", "1号记下了：反对。")
    chat.say("丁丁", GROUP, "/表态 1 赞成")
    chat.expect("丁丁", "1号记下了：赞成。")
    chat.say("王建国", GROUP, "/议事 1 决定 下月由物业装十个口")
    chat.expect(GROUP, "【议定了】1号：*赞成2票，反对0票，弃权0票\n结果：下月由物业装十个口")
    chat.say("陈大爷", GROUP, "/表态 1 赞成")
    chat.expect(GROUP, "1号现在没有在表决。")
    chat.say("王建国", PRIVATE, "/议事 1 办成 已经装好通电")
    chat.expect(GROUP, "【办成了】1号：*已经装好通电*")
    chat.expect("王建国", f"1号已发到“{GROUP}”。")
    chat.say("张阿姨", GROUP, "/表态 1 满意")
    chat.expect("张阿姨", "1号记下了：满意。")
    chat.say("林小雨", GROUP, "/议事")
    chat.expect(GROUP, "1号（已办成）*——已经装好通电*")
    chat.say("张阿姨", GROUP, "/议事 1 不办 我不喜欢")
    chat.expect(GROUP, "这个命令只有登记过的民警和网格员能用。*")
    assert chat.rows(ProposalVoice.kind, ProposalVoice.text) == [
        ("comment", "可以，但要装在通风的地方"),
        ("vote", "赞成"),
        ("vote", "赞成"),
        ("rating", "满意"),
    ]
    assert chat.rows(Proposal.state) == ["done"]


def test_seed_11_a_good_deed_is_told_only_with_consent(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "/好人好事 三楼小陈；下雨天帮老人抬轮椅上楼")
    chat.expect("张阿姨", "谢谢您告诉我们。问过本人*")
    chat.expect("王建国", "【好人好事】1号*三楼小陈，下雨天帮老人抬轮椅上楼*")
    chat.silence_in(GROUP)
    chat.say("王建国", PRIVATE, "/好事 1 同意 热心邻居小陈")
    chat.expect(GROUP, "【身边的好事】热心邻居小陈：下雨天帮老人抬轮椅上楼*")
    chat.skip("王建国")
    chat.say("张阿姨", GROUP, "/好人好事 门卫老李；捡到钱包交了")
    chat.skip("张阿姨", "王建国")
    chat.say("王建国", PRIVATE, "/好事 2 不公开")
    chat.expect("王建国", "好的，2号不公开，推荐的名字也删了。")
    chat.silence()
    assert chat.rows(Deed.state, Deed.who) == [("posted", ""), ("declined", "")]


def test_seed_14_a_visit_with_a_problem_becomes_a_case_that_the_officer_confirms(chat: Scenario) -> None:
    chat.say("周小琴", PRIVATE, "/走访 港新路12号；老人身体还好；问题：楼道里堆满纸箱，过不去人")
    chat.expect("周小琴", "走访记下了。问题编号2611-0001*您看过没问题才算办结。")
    chat.skip("马宏", "赵航")
    chat.say("周小琴", PRIVATE, "/走访 港新路14号；一切都好")
    chat.expect("周小琴", "走访记下了：港新路14号。")
    chat.say("马宏", PRIVATE, "/办结 2611-0001 纸箱清走了")
    chat.skip("马宏")
    chat.say("马宏", PRIVATE, "/接单 2611-0001")
    chat.say("马宏", PRIVATE, "/办结 2611-0001 纸箱清走了")
    chat.skip("马宏")
    chat.expect("周小琴", "*2611-0001已由*接手*")
    chat.expect("周小琴", "2611-0001处理好了：纸箱清走了*您看解决了吗？*")
    chat.say("周小琴", PRIVATE, "没解决，二楼还有")
    chat.expect("周小琴", "知道了，2611-0001重新办理*")
    assert chat.rows(Case.state) == ["reopened"]
    chat.say("周小琴", PRIVATE, "/走访")
    chat.expect("周小琴", "最近七天走访2次：*港新路12号*（有问题，已立事项）*")
    chat.skip_officers()
    assert len(chat.rows(Visit.id)) == 2


def test_seed_19_premises_have_a_colour_that_decays(chat: Scenario) -> None:
    chat.say("王建国", PRIVATE, "/场所 登记 老王火锅；港新路8号；餐饮")
    chat.expect("王建国", "登记好了：1号场所“老王火锅”。*")
    chat.say("王建国", PRIVATE, "/场所")
    chat.expect("王建国", "1号 橙色 老王火锅（港新路8号）：还没有检查过*")
    chat.say("王建国", PRIVATE, "/检查 1 合格")
    chat.expect("王建国", "检查记下了，老王火锅现在是绿色。")
    chat.wait(days=31)
    chat.say("王建国", PRIVATE, "/场所 1")
    chat.expect("王建国", "1号 蓝色 *31天前检查过，没有问题*")
    chat.wait(days=60)
    chat.say("王建国", PRIVATE, "/场所")
    chat.expect("王建国", "1号 黄色 *91天没有检查了*")
    chat.say("王建国", PRIVATE, "/检查 1 问题 后门安全出口锁死了")
    chat.expect("王建国", "检查记下了，老王火锅现在是橙色。问题编号*")
    chat.skip_officers()
    for problem in ("后厨灭火器过期了", "店里电线老化裸露"):
        chat.say("王建国", PRIVATE, f"/检查 1 问题 {problem}")
        chat.skip_officers()
    chat.say("王建国", PRIVATE, "/场所 1")
    chat.expect("王建国", "1号 红色 *")
    chat.say("李敏", PRIVATE, "/场所 1")  # another grid: as if there were none
    chat.expect("李敏", "没有1号场所，或不在您的网格。")


@pytest.mark.one_cell
def test_premises_know_nothing_of_people() -> None:
    words = ("person", "people", "tenant", "owner", "holder", "resident", "phone", "nation", "record", "score", "colour")
    assert not [column for column in Premises.model_fields if any(word in column for word in words)]


def test_seed_22_somebody_is_being_defrauded_now(chat: Scenario) -> None:
    chat.say("黄老板", "火锅街商户群", "有个83岁的奶奶在我店里接骗子电话，非要转5万过去，怎么劝都不听")
    chat.expect("火锅街商户群", "先把人拖住*110*96110*")
    chat.expect("火锅街商户群", "收到，编号2611-0001*")
    chat.expect("王建国", "【正在被骗】2611-0001*/接单 2611-0001*")
    chat.skip_officers()
    chat.wait(minutes=2)
    chat.expect("王建国", "【正在被骗】2611-0001*")
    chat.skip_officers()
    chat.say("王建国", PRIVATE, "/接单 2611-0001")
    chat.skip_officers()
    chat.skip("黄老板")
    chat.wait(minutes=10)
    chat.silence()


def test_wishes_of_a_case_tell_their_history(chat: Scenario) -> None:
    number = agreed(chat)
    chat.say("唐工", PRIVATE, f"/帮完 {number} 修好了")
    chat.skip(GROUP, "唐工")
    assert "resolved" in chat.rows(CaseEntry.state)
    assert chat.clock() - timedelta(hours=1) < chat.rows(WishClaim.asked_at)[0]


def test_the_list_of_commands_for_neighbours_does_not_fill_the_group(chat: Scenario) -> None:
    chat.say("张阿姨", GROUP, "/帮助 邻里")
    chat.expect(GROUP, "已在私聊里发给您。")
    chat.expect("张阿姨", "邻里之间：*/认领 号*/活动*/提议*")
    chat.say("张阿姨", PRIVATE, "/帮助")
    shown = chat.expect("张阿姨", "直接说就行*")
    assert "/认领" not in shown.what.text

"""What the bot says arrives in the group as WeChat can show it, and what a refusal or a lost answer means."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from PIL import Image
from sqlmodel import select

from bot.errors import AnswerLost, NeverDelivered, RetryLater
from bot.messages import Address, Outbound
from bot.platforms.wechat import Caution
from bot.platforms.wechat.sending import MOST_PICTURE, smaller
from storage.tables import Notice, WechatAccount
from tests.kit.puppet import BOT
from tests.kit.scenario import jpeg
from tests.platforms.wechat.conftest import HERE, ROOM, Line, until

pytestmark = [pytest.mark.timeout(120), pytest.mark.filterwarnings("ignore::storage.database.OldLibrary")]

PRIVATELY = Address("wechat", "main", "张阿姨", private=True)


def say(text: str, **more: object) -> Outbound:
    return Outbound(key="k", text=text, **more)  # type: ignore[arg-type]


async def test_text_with_a_name_and_without(line: Line) -> None:
    async with line.platform() as platform:
        receipt = await platform.send(HERE, say("收到，编号2611-0001。", mention="张阿姨"))
        await platform.send(PRIVATELY, say("只给您看", mention="张阿姨"))
        await line.puppet.until(lambda: len(line.puppet.sent) == 2)
        first, second = line.puppet.sent
        assert (first.id, first.conversation, first.text) == (receipt.message_id, ROOM, "@张阿姨\u2005收到，编号2611-0001。")
        assert first.mentions == ("张阿姨",)
        assert (second.conversation, second.text, second.mentions) == ("张阿姨", "只给您看", ())


async def test_an_answer_calls_whoever_wrote_the_message(line: Line) -> None:
    async with line.platform() as platform:
        asked = await line.puppet.say("李叔", ROOM, "楼道灯坏了找谁")
        await line.feed.until(lambda: len(line.feed.taken) == 2)
        await platform.send(HERE, say("找物业。", reply_to=asked))
        await platform.send(HERE, say("不知道谁写的。", reply_to="long-ago"))
        await line.puppet.until(lambda: len(line.puppet.sent) == 2)
        assert line.puppet.texts() == ["@李叔\u2005找物业。", "不知道谁写的。"]
        assert line.puppet.sent[0].mentions == ("李叔",)


async def test_a_name_cannot_call_others_or_begin_a_line(line: Line) -> None:
    await line.puppet.contact("坏人", "所有人\u2005@群主\n通知")
    async with line.platform() as platform:
        await platform.send(HERE, say("收到。", mention="坏人"))
        await line.puppet.until(lambda: len(line.puppet.sent) == 1)
        assert line.puppet.texts() == ["@所有人 群主 通知\u2005收到。"]


async def test_long_texts_come_in_parts_and_are_taken_back_whole(line: Line) -> None:
    async with line.platform() as platform:
        text = "\n".join(f"第{number}条，" + "说明" * 40 for number in range(40))
        receipt = await platform.send(HERE, say(text))
        await line.puppet.until(lambda: len(line.puppet.sent) == 2)
        assert "\n".join(line.puppet.texts()) == text
        assert receipt.message_id.split("+") == [one.id for one in line.puppet.sent]
        assert await platform.recall(HERE, receipt.message_id)
        await line.puppet.until(lambda: len(line.puppet.recalled) == 2)
        assert line.puppet.recalled == [one.id for one in line.puppet.sent]
        await line.puppet.fault("messageRecall", error="over two minutes")
        assert not await platform.recall(HERE, receipt.message_id)


async def test_pictures_are_made_small_enough_and_files_go_as_they_are(line: Line, tmp_path: Path) -> None:
    noise = Image.effect_noise((3000, 2400), 100).convert("RGB")
    noise.save(tmp_path / "large.jpg", quality=97)
    assert (tmp_path / "large.jpg").stat().st_size > 4_200_000  # beyond what the service takes in one message
    (tmp_path / "small.jpg").write_bytes(jpeg(3))
    (tmp_path / "list.pdf").write_bytes(b"%PDF-1.4 " + b"x" * 5_000_000)
    async with line.platform() as platform:
        await platform.send(HERE, say("看图", photo="large.jpg"))
        await platform.send(HERE, say("", photo="small.jpg"))
        await platform.send(HERE, say("名单", photo="list.pdf"))
        await line.puppet.until(lambda: len(line.puppet.sent) == 5)
        kinds = [one.kind for one in line.puppet.sent]
        assert kinds == ["image", "text", "image", "file", "text"]
        large, _, small, pdf, _ = line.puppet.sent
        assert len(large.file) <= MOST_PICTURE
        assert max(Image.open(io.BytesIO(large.file)).size) <= 1600
        assert small.file == jpeg(3)
        assert (pdf.name, len(pdf.file)) == ("list.pdf", 5_000_009)
        for outside in ("../secret.jpg", "/etc/passwd", "nothing.jpg"):
            with pytest.raises(NeverDelivered):
                await platform.send(HERE, say("x", photo=outside))


def test_a_picture_that_is_none() -> None:
    with pytest.raises(OSError, match="identify"):
        smaller(b"not a picture")


async def test_a_short_word_with_a_link_is_a_card(line: Line) -> None:
    async with line.platform() as platform:
        await platform.send(HERE, say("社区防诈讲座\n周六上午九点，活动室。\nhttps://www.example.cn/talk"))
        await line.puppet.until(lambda: len(line.puppet.sent) == 1)
        card = line.puppet.sent[0]
        assert (card.kind, card.title, card.description, card.url) == (
            "url",
            "社区防诈讲座",
            "周六上午九点，活动室。",
            "https://www.example.cn/talk",
        )
        # a service that knows no cards: the same as words
        await line.puppet.fault("messageSendUrl", error="not supported", code=12)
        await platform.send(HERE, say("又一场讲座\nhttps://www.example.cn/talk"))
        await line.puppet.until(lambda: len(line.puppet.sent) == 2)
        assert (line.puppet.sent[1].kind, line.puppet.sent[1].text) == ("text", "又一场讲座\nhttps://www.example.cn/talk")


async def test_a_lost_answer_is_settled_by_the_message_itself(line: Line) -> None:
    async with line.platform(echo_seconds=20.0) as platform:
        await line.puppet.fault("messageSendText", error="socket hang up", lost=True)
        receipt = await platform.send(HERE, say("到底发没发"))
        await line.puppet.until(lambda: len(line.puppet.sent) == 1)
        assert receipt.message_id == line.puppet.sent[0].id
        # certainly in the chat once: nobody repeats it
        assert line.puppet.texts() == ["到底发没发"]


async def test_an_earlier_message_of_the_same_words_settles_nothing(line: Line) -> None:
    async with line.platform() as platform:
        await platform.send(HERE, say("一样的话"))
        await line.puppet.fault("messageSendText", error="socket hang up")  # this time it did not arrive
        with pytest.raises(AnswerLost):
            await platform.send(HERE, say("一样的话"))
        await line.puppet.until(lambda: len(line.puppet.sent) == 1)
        assert line.puppet.texts() == ["一样的话"]


async def test_no_answer_and_no_echo_is_unknown(line: Line) -> None:
    async with line.platform(send_seconds=0.5) as platform:
        await line.puppet.deed("set", echo=False)
        await line.puppet.fault("messageSendText", lost=True)
        with pytest.raises(AnswerLost):
            await platform.send(HERE, say("不知道"))


async def test_a_service_that_tells_no_ids(line: Line) -> None:
    async with line.platform(echo_seconds=20.0) as platform:
        await line.puppet.deed("set", ids=False)
        receipt = await platform.send(HERE, say("编号从回声里来"))
        await line.puppet.until(lambda: len(line.puppet.sent) == 1)
        assert receipt.message_id == line.puppet.sent[0].id
    async with line.platform() as platform:
        await line.puppet.deed("set", ids=False, echo=False)
        blind = await platform.send(HERE, say("什么都没有"))
        assert blind.message_id.startswith("unseen:")
        assert not await platform.recall(HERE, blind.message_id)


@pytest.mark.parametrize(
    ("error", "gone"),
    [("bot is not in room g1", True), ("你已被移出群聊", True), ("对方已不是你的好友", True)],
)
async def test_where_we_are_no_more_nothing_is_tried_again(line: Line, error: str, gone: bool) -> None:
    async with line.platform() as platform:
        await line.puppet.fault("messageSendText", error=error)
        with pytest.raises(NeverDelivered) as refused:
            await platform.send(HERE, say("还在吗"))
        assert refused.value.gone is gone
        assert error not in str(refused.value)  # the service's own words may quote ours


async def test_a_warning_holds_the_account_back_longer_each_time(line: Line) -> None:
    cautions: list[tuple[Caution, int]] = []

    async def on_caution(caution: Caution, number: int) -> None:
        cautions.append((caution, number))

    async with line.platform({"on_caution": on_caution}) as platform:
        assert cautions == [(Caution(), 0)]
        for _ in range(2):
            await line.puppet.fault("messageSendText", error="操作过于频繁，请稍后再试")
            with pytest.raises(RetryLater) as later:
                await platform.send(HERE, say("太快了"))
            assert later.value.scope == "message"
        await line.puppet.deed("event", name="error", payload={"data": "该账号操作异常"})
        await until(lambda: len(cautions) == 4)
        assert [number for _, number in cautions] == [0, 1, 2, 3]
        held = [caution.held_until for caution, _ in cautions[1:]]
        slow = [caution.slow_until for caution, _ in cautions[1:]]
        row = line.writer.read_now(lambda session: session.exec(select(WechatAccount)).one())
        assert (row.held_until, row.slow_until, row.warnings) == (held[-1], slow[-1], 3)
        assert row.warned_at is not None
        assert [round((until_ - row.warned_at).total_seconds() / 1800) for until_ in held if until_] == [1, 2, 4]
        assert "WeChat has warned the account" in platform.health().last_error
        assert platform.health().listening
    cautions.clear()
    async with line.platform({"on_caution": on_caution}):
        assert cautions == [(Caution(held[-1], slow[-1]), 0)]  # a restart does not forget it


async def test_without_a_connection_nothing_is_sent_for_certain(line: Line) -> None:
    async with line.platform(dead_seconds=0.4, ding_seconds=0.1) as platform:
        line.puppet.kill()
        await until(lambda: not platform.health().listening)
        with pytest.raises(RetryLater) as later:
            await platform.send(HERE, say("没网"))
        assert later.value.scope == "account"


async def test_a_quote_of_ours_is_known_by_its_words(line: Line) -> None:
    line.writer.run_now(
        lambda session: session.add(
            Notice(
                key="k", lane=1, platform="wechat", account="main", chat=ROOM, text="收到，编号2611-0001。已转网格员。",
                state="sent", message_id="sent-1", created_at=line.started,
            )
        )
    )  # fmt: skip
    dashes = "- " * 15
    async with line.platform():
        await line.puppet.say("张阿姨", ROOM, f"「前哨：收到，编号2611-0001。已转网格员。」\n{dashes}\n到哪一步了")
        await line.puppet.say("李叔", ROOM, f"「张阿姨：我家也是」\n{dashes}\n都一样")
        await line.puppet.say("李叔", "wxid_nobody", "不在这里")
        await line.feed.until(lambda: len(line.feed.taken) >= 3)
        quotes = {event.text: event.quote for event in line.feed.taken if event.quote}
        ours, other = quotes["到哪一步了"], quotes["都一样"]
        assert ours is not None
        assert other is not None
        assert (ours.mine, ours.message_id) == (True, "sent-1")
        assert (other.mine, other.message_id) == (False, "")


async def test_our_own_words_are_no_message(line: Line) -> None:
    async with line.platform() as platform:
        await platform.send(HERE, say("着火了请打119"))
        await line.puppet.say(BOT, ROOM, "管理员用手机说的话")
        await line.puppet.say("张阿姨", ROOM, "谢谢")
        await line.feed.until(lambda: "谢谢" in line.heard())
        await asyncio.sleep(0)
        assert line.heard() == ["谢谢"]

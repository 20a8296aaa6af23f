"""What is said arrives as it was meant; what a refusal means is decided by its cause."""

from __future__ import annotations

import asyncio
import io
import json
import logging

import pytest
from PIL import Image

from bot.errors import AnswerLost, ConfigError, NeverDelivered, RefusedInput, RetryLater
from bot.messages import Address, Attachment, Choice, Outbound
from bot.platforms.telegram import Moved
from tests.kit.fake_bot_api import (
    BLOCKED,
    KICKED,
    TOKEN,
    Answer,
    Chat,
    Cut,
    Dropped,
    FakeBotApi,
    Hang,
    TooFast,
    refusal,
)
from tests.platforms.telegram.conftest import Line

pytestmark = pytest.mark.timeout(60)


def to(chat: Chat, thread: str | None = None) -> Address:
    return Address("telegram", "1000001", str(chat.id), chat.type == "private", thread)


def note(text: str = "收到", **more: object) -> Outbound:
    return Outbound("k", text, **more)  # type: ignore[arg-type]


async def test_a_plain_text_has_no_markup(line: Line) -> None:
    group = line.api.group("群")
    receipt = await line.platform.send(to(group), note("<b>*5*</b> & _x_ [a](b)"))
    assert line.api.texts() == ["<b>*5*</b> & _x_ [a](b)"]
    assert line.api.sent[0]["parse_mode"] is None
    assert receipt.message_id == str(line.api.sent[0]["message_id"])


async def test_an_answer_quotes_and_stays_in_its_topic(line: Line) -> None:
    group = line.api.group("群")
    group.topics.add(50)
    await line.platform.send(to(group, "50"), note(reply_to="7"))
    assert line.api.sent[0]["reply"] == {"message_id": 7, "allow_sending_without_reply": True}
    assert line.api.sent[0]["message_thread_id"] == 50
    group.topics.clear()
    await line.platform.send(to(group, "50"), note("话题关了"))
    assert "message_thread_id" not in line.api.sent[1]
    await line.platform.send(to(group), note("旧的", reply_to="moved:7"))
    assert line.api.sent[2]["reply"] is None


async def test_buttons(line: Line) -> None:
    group = line.api.group("群")
    stars = tuple(Choice(str(n), str(n)) for n in range(1, 6))
    await line.platform.send(to(group), note(choices=stars))
    rows = line.api.sent[0]["reply_markup"]["inline_keyboard"]
    assert [[button["callback_data"] for button in row] for row in rows] == [["1", "2", "3", "4", "5"]]
    words = (Choice("已经解决了，谢谢", "解决了"), Choice("还没有解决，请再看看", "没解决"), Choice("说来话长", "长" * 22))
    await line.platform.send(to(group), note(choices=words))
    rows = line.api.sent[1]["reply_markup"]["inline_keyboard"]
    assert [len(row) for row in rows] == [2]  # a value above 64 bytes has no button; it can still be typed


async def test_a_person_is_called_by_name(line: Line) -> None:
    group = line.api.group("群")
    person = line.api.person("<张&阿姨>")
    await line.platform.send(to(group), note("1 < 2", mention=str(person["id"])))
    assert line.api.texts() == [f'<a href="tg://user?id={person["id"]}">&lt;张&amp;阿姨&gt;</a> 1 &lt; 2']
    assert line.api.sent[0]["parse_mode"] == "HTML"
    await line.platform.send(to(group), note("不认识", mention="99"))
    assert line.api.texts()[1] == "不认识"
    await line.platform.send(to(group), note("再说", mention=str(person["id"])))
    assert [call.method for call in line.api.calls].count("getChatMember") == 2  # a name that is known is not asked for again


async def test_a_long_text_comes_in_parts_and_goes_as_one(line: Line) -> None:
    group = line.api.group("群")
    text = "\n".join(["😀" * 100] * 30)
    receipt = await line.platform.send(to(group), note(text, reply_to="7", choices=(Choice("好", "好"),)))
    assert "\n".join(line.api.texts()) == text
    assert [bool(message["reply"]) for message in line.api.sent] == [True, False]
    assert ["reply_markup" in message for message in line.api.sent] == [False, True]
    assert await line.platform.recall(to(group), receipt.message_id)
    assert len(line.api.deleted) == 2
    assert not await line.platform.recall(to(group), "5")
    assert not await line.platform.recall(to(group), "moved:5")


async def test_a_photo_is_uploaded_once(line: Line) -> None:
    data = io.BytesIO()
    Image.new("RGB", (8, 8)).save(data, "JPEG")
    (line.folder / "media").mkdir()
    (line.folder / "media/a.jpg").write_bytes(data.getvalue())
    first, second = line.api.group("一"), line.api.group("二")
    await line.platform.send(to(first), note("寻人", photo="media/a.jpg"))
    await line.platform.send(to(second), note("寻人", photo="media/a.jpg"))
    calls = [call for call in line.api.calls if call.method == "sendPhoto"]
    assert [call.files for call in calls] == [("photo",), ()]
    assert line.api.texts() == ["寻人", "寻人"]
    assert line.api.files[line.api.sent[1]["photo"][-1]["file_id"]] == data.getvalue()
    line.api.files.clear()  # the server has forgotten it
    await line.platform.send(to(second), note("寻人", photo="media/a.jpg"))
    assert len(line.api.sent) == 3


async def test_what_is_too_long_for_a_caption_follows_the_photo(line: Line) -> None:
    (line.folder / "a.jpg").write_bytes(b"\xff\xd8\xff")
    group = line.api.group("群")
    receipt = await line.platform.send(to(group), note("长" * 1025, photo="a.jpg", choices=(Choice("好", "好"),), reply_to="7"))
    photo, words = line.api.sent
    assert "photo" in photo
    assert "caption" not in photo
    assert photo["reply"]
    assert words["text"] == "长" * 1025
    assert "reply_markup" in words
    assert not words["reply"]
    assert receipt.message_id == f"{photo['message_id']}+{words['message_id']}"


@pytest.mark.parametrize("path", ["../secret.jpg", "/etc/passwd", "nothing.jpg"])
async def test_only_photos_of_the_data_directory_go_out(line: Line, path: str) -> None:
    (line.folder.parent / "secret.jpg").write_bytes(b"x")
    with pytest.raises(NeverDelivered, match="photo"):
        await line.platform.send(to(line.api.group("群")), note(photo=path))
    assert not line.api.sent


@pytest.mark.parametrize(
    ("fault", "gone"),
    [
        (KICKED, True),
        (BLOCKED, True),
        (refusal(400, "Bad Request: chat not found"), True),
        (refusal(400, "Bad Request: not enough rights to send text messages to the chat"), False),
        (refusal(400, "Bad Request: can't parse entities"), False),
    ],
)
async def test_never(line: Line, fault: Answer, gone: bool) -> None:
    line.api.fail("sendMessage", fault)
    with pytest.raises(NeverDelivered) as caught:
        await line.platform.send(to(line.api.group("群")), note())
    assert caught.value.gone is gone
    assert isinstance(fault.body, dict)
    assert fault.body["description"].partition(": ")[2].lower() in caught.value.why.lower()


@pytest.mark.parametrize(
    ("fault", "seconds", "scope"),
    [
        (TooFast(7), 7, "chat"),
        (TooFast(None), 1, "chat"),
        (refusal(500, "Internal Server Error"), 2, "message"),
        (refusal(401, "Unauthorized"), 60, "account"),
    ],
)
async def test_later(line: Line, fault: TooFast | Answer, seconds: float, scope: str) -> None:
    line.api.fail("sendMessage", fault)
    with pytest.raises(RetryLater) as caught:
        await line.platform.send(to(line.api.group("群")), note())
    assert (caught.value.seconds, caught.value.scope) == (seconds, scope)
    assert not line.api.sent


async def test_several_chats_refused_at_once_mean_the_account(line: Line) -> None:
    line.api.fail("sendMessage", *[TooFast(3)] * 5)
    scopes = []
    for title in ("一", "一", "二", "三"):
        with pytest.raises(RetryLater) as caught:
            await line.platform.send(to(line.api.group(title)), note())
        scopes.append(caught.value.scope)
    assert scopes == ["chat", "chat", "chat", "account"]
    line.now += 60
    with pytest.raises(RetryLater) as caught:
        await line.platform.send(to(line.api.group("四")), note())
    assert caught.value.scope == "chat"


@pytest.mark.parametrize(
    "fault",
    [Cut(), Dropped(), Dropped(delivered=True), Hang(delivered=True), Hang(), Answer(502, "<html>"), Answer(200, "<html>")],
)
async def test_nobody_knows(line: Line, fault: Cut | Dropped | Hang | Answer) -> None:
    line.make(read_seconds=0.2)
    line.api.fail("sendMessage", fault)
    with pytest.raises(AnswerLost):
        await line.platform.send(to(line.api.group("群")), note())


async def test_without_a_connection_nothing_was_sent(line: Line) -> None:
    async with FakeBotApi() as gone:
        root = gone.root
    line.make(base_url=root)
    with pytest.raises(RetryLater) as caught:
        await line.platform.send(to(line.api.group("群")), note())
    assert caught.value.scope == "account"


async def test_half_of_a_long_text_is_not_said_twice(line: Line) -> None:
    line.api.fail(
        "sendMessage", Answer(200, {"ok": True, "result": line.api.message(line.api.group("群"), line.api.me)}), TooFast(9)
    )
    with pytest.raises(AnswerLost, match="beginning"):
        await line.platform.send(to(line.api.group("群")), note("长" * 5000))


async def test_a_group_that_moved_is_followed(line: Line) -> None:
    group = line.api.group("群", type="group")
    new = line.api.migrate(group, tell=False)
    await line.platform.send(to(group), note("一"))
    await line.platform.send(to(group), note("二"))
    assert line.api.texts(new) == ["一", "二"]
    assert line.moves == [Moved(str(group.id), str(new.id))]
    assert [call.given["chat_id"] for call in line.api.calls] == [str(group.id), str(new.id), str(new.id)]


async def test_no_chat_of_telegram(line: Line) -> None:
    with pytest.raises(NeverDelivered, match="no chat of Telegram"):
        await line.platform.send(Address("telegram", "1000001", "g1"), note())


async def test_files_are_fetched_up_to_a_limit(line: Line) -> None:
    line.api.files["p"] = b"x" * 1000
    assert await line.platform.fetch(Attachment("p", "photo"), 1000) == b"x" * 1000
    with pytest.raises(RefusedInput, match=r"photo\.too_large"):
        await line.platform.fetch(Attachment("p", "photo"), 999)
    with pytest.raises(RefusedInput, match=r"photo\.too_large"):
        await line.platform.fetch(Attachment("p", "photo", size=10**9), 1000)
    with pytest.raises(RefusedInput, match=r"photo\.gone"):
        await line.platform.fetch(Attachment("q", "photo"), 1000)
    line.api.fail("getFile", TooFast(4), Answer(200, {"ok": True, "result": {"file_id": "p", "file_path": "/etc/passwd"}}))
    for _ in range(2):
        with pytest.raises(RetryLater):
            await line.platform.fetch(Attachment("p", "photo"), 1000)
        line.now += 4  # the pause that was asked for
    line.make(read_seconds=0.2)
    line.api.fail("download", Hang())
    with pytest.raises(RetryLater):
        await line.platform.fetch(Attachment("p", "photo"), 1000)


async def test_the_token_is_never_told(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    secret = TOKEN.partition(":")[2]
    line.make(read_seconds=0.2)
    said = [repr(line.settings), repr(line.platform)]
    line.api.fail("sendMessage", Dropped(), Hang(), Cut(), Answer(502, "<html>"), refusal(401, "Unauthorized"), Answer(404, "x"))
    for _ in range(6):
        with pytest.raises((AnswerLost, RetryLater)) as caught:
            await line.platform.send(to(line.api.group("群")), note())
        problem: BaseException | None = caught.value
        while problem is not None:
            said += [str(problem), repr(problem)]
            problem = problem.__cause__ or (None if problem.__suppress_context__ else problem.__context__)
    async with FakeBotApi() as gone:
        root = gone.root
    line.make(base_url=root)
    with pytest.raises(RetryLater) as caught2:
        await line.platform.send(to(line.api.group("群")), note())
    said.append(repr(caught2.value))
    assert secret not in " ".join(said) + caplog.text


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"token": ""}, "telegram.token: is missing; @BotFather"),
        ({"token": "geheim"}, "telegram.token: does not look like a token"),
        ({"base_url": "api.telegram.org"}, "telegram.base_url: write"),
        ({"base_url": "https://api.telegram.org/bot123:abc"}, "telegram.base_url: is the root only"),
        ({"webhook_url": "http://x.example"}, "telegram.webhook_url: Telegram calls only HTTPS"),
        ({"webhook_secret": "ä"}, "telegram.webhook_secret: use 1 to 256"),
    ],
)
async def test_settings_that_cannot_work(line: Line, changed: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        line.make(**changed)
    assert str(caught.value).startswith(says)
    assert "geheim" not in str(caught.value)


async def test_many_at_once(line: Line) -> None:
    groups = [line.api.group(f"群{n}") for n in range(40)]
    await asyncio.gather(*(line.platform.send(to(group), note(group.title)) for group in groups))
    assert sorted(line.api.texts()) == sorted(group.title for group in groups)
    json.dumps(line.api.sent)


async def test_a_message_is_changed_in_place(line: Line) -> None:
    group = line.api.group("群")
    receipt = await line.platform.send(to(group), note("收到", choices=(Choice("好", "好"),)))
    assert await line.platform.edit(to(group), receipt.message_id, note("收到\n进展：<已接单>"))
    assert line.api.texts() == ["收到\n进展：<已接单>"]
    assert "reply_markup" not in line.api.sent[0]
    assert line.api.sent[0]["parse_mode"] is None
    # the answer was lost and it is asked again: it says so already
    assert await line.platform.edit(to(group), receipt.message_id, note("收到\n进展：<已接单>"))
    assert len(line.api.edited) == 1


async def test_the_words_below_a_photo_are_changed_too(line: Line) -> None:
    group = line.api.group("群")
    (line.folder / "a.jpg").write_bytes(b"jpeg")
    receipt = await line.platform.send(to(group), note("旧", photo="a.jpg"))
    assert await line.platform.edit(to(group), receipt.message_id, note("新"))
    assert line.api.texts() == ["新"]


async def test_what_cannot_be_changed_is_said_so_by_cause(line: Line) -> None:
    group = line.api.group("群")
    receipt = await line.platform.send(to(group), note("收到"))
    for message_id in ("99999", "1+2", "moved:7", ""):
        assert not await line.platform.edit(to(group), message_id, note("新"))
    assert not await line.platform.edit(to(group), receipt.message_id, note("长" * 4097))
    line.api.fail("editMessageText", TooFast(7))
    with pytest.raises(RetryLater) as later:
        await line.platform.edit(to(group), receipt.message_id, note("新"))
    assert (later.value.seconds, later.value.scope) == (7, "chat")
    line.api.fail("editMessageText", Dropped(delivered=True))
    with pytest.raises(AnswerLost):
        await line.platform.edit(to(group), receipt.message_id, note("新"))
    assert await line.platform.edit(to(group), receipt.message_id, note("新"))
    assert await line.platform.recall(to(group), receipt.message_id)
    assert not await line.platform.edit(to(group), receipt.message_id, note("又"))
    line.api.fail("editMessageText", KICKED)
    with pytest.raises(NeverDelivered) as never:
        await line.platform.edit(to(group), receipt.message_id, note("新"))
    assert never.value.gone

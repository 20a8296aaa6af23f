"""Pictures of tips: sealed like the words, each look recorded, opened by a link that lasts as long as the right to it."""

from __future__ import annotations

import io
import os
import re

import pytest
from PIL import ExifTags, Image
from sqlmodel import select

from bot.app.tips import FormTips
from content.refusal import Refusal
from storage.media import opened
from storage.tables import (
    Attachment,
    ShredKey,
    Tip,
    TipMessage,
    TipPicture,
    TipRead,
)
from tests.kit.scenario import PRIVATE, Scenario, jpeg
from tests.scenarios.tips import TIP, name_of


def look(chat: Scenario, link: str) -> bytes:
    """What an officer's browser gets for a link."""
    token = link.rpartition("/")[2]
    return chat.run(FormTips(chat.app.writer, chat.settings, chat.clock, [chat.app]).picture(token))


def test_pictures_come_sealed_like_the_words_and_each_look_is_recorded(chat: Scenario) -> None:
    picture = with_place(jpeg(7))
    chat.say("林小雨", PRIVATE, TIP, photo=picture)
    received = chat.expect("林小雨", "收到了，照片1张也在内，已加密保存。*")
    name = name_of(chat)
    (stored,) = chat.rows(TipPicture.path)
    assert chat.rows(Attachment.id) == []
    keys = chat.app.writer.read_now(lambda session: session.exec(select(ShredKey.name)).all())
    assert not [key for key in keys if key.startswith("photo")]  # nobody's key opens it but the tip's
    raw = (chat.folder / stored).read_bytes()
    with pytest.raises(FileNotFoundError):
        opened(raw)
    assert os.stat(chat.folder / stored).st_mtime % 86_400 == 0  # no time of day
    chat.say("李敏", PRIVATE, f"/线索 {name}")
    said = chat.expect("李敏", f"*来源：{TIP}（照片1张）\n*").what.text
    (link,) = re.findall(r"http\S+/tip/picture/\S+", said)
    before = len(chat.rows(TipRead.id))
    seen = look(chat, link)
    assert seen[6:10] == b"JFIF"
    assert b"Exif" in picture
    assert b"Exif" not in seen
    assert len(chat.rows(TipRead.id)) == before + 1
    assert chat.traces("赌局", received.what.text[-60:], link.rpartition("/")[2]) == []
    # the link ends by itself, and with the tip
    chat.wait(minutes=11)
    with pytest.raises(Refusal, match=r"tips\.link_over"):
        look(chat, link)
    chat.say("李敏", PRIVATE, f"/线索 {name}")
    (link,) = re.findall(r"http\S+/tip/picture/\S+", chat.expect("李敏", f"线索{name}*").what.text)
    assert look(chat, link) == seen
    chat.say("李敏", PRIVATE, f"/办线索 {name} 销毁")
    chat.expect("李敏", f"线索{name}已销毁*")
    with pytest.raises(Refusal, match=r"tips\.link_over"):
        look(chat, link)
    assert chat.rows(TipPicture.id) == []
    chat.run(chat.app.tidy.round())
    assert (chat.folder / stored).exists()  # swept with other files that no row names, by their age; unreadable already


def test_a_link_opens_nothing_for_whoever_lost_the_tip_or_made_it_up(chat: Scenario) -> None:
    chat.say("林小雨", PRIVATE, TIP, photo=jpeg())
    chat.skip("林小雨")
    name = name_of(chat)
    chat.say("李敏", PRIVATE, f"/办线索 {name} 授权 3201")
    chat.skip("李敏", "王建国")
    chat.say("王建国", PRIVATE, f"/线索 {name}")
    (link,) = re.findall(r"http\S+/tip/picture/\S+", chat.expect("王建国", f"线索{name}*").what.text)
    assert look(chat, link)
    chat.say("李敏", PRIVATE, f"/办线索 {name} 收回 3201")
    chat.skip("李敏")
    for token in (link, link[:-1] + ("A" if link[-1] != "A" else "B"), "x", ""):
        with pytest.raises(Refusal, match=r"tips\.link_over"):
            look(chat, token)


def test_pictures_before_after_and_without_words(chat: Scenario) -> None:
    chat.say("林小雨", PRIVATE, "/举报")
    chat.skip("林小雨")
    chat.say("林小雨", PRIVATE, photo=jpeg(1))
    chat.expect("林小雨", "收到了，照片1张也在内*")
    name = name_of(chat)
    chat.say("林小雨", PRIVATE, "五楼天天有人打牌，输赢很大")
    chat.expect("林小雨", "补充好了，已加密保存。")
    chat.expect("李敏", f"线索{name}有补充。*")
    chat.say("林小雨", PRIVATE, "/举报")
    chat.skip("林小雨")
    chat.say("林小雨", PRIVATE, "三楼也有人天天打牌，输赢很大")
    chat.expect("林小雨", "收到了，已加密保存。*")
    name_of(chat)
    chat.say("林小雨", PRIVATE, photo=jpeg(2))
    chat.expect("林小雨", "补充好了，照片1张也在内，已加密保存。")
    chat.skip("李敏")
    assert len(chat.rows(Tip.id)) == 2
    assert len(chat.rows(TipPicture.id)) == 2
    assert chat.rows(TipMessage.author) == ["source"] * 4
    chat.say("林小雨", PRIVATE, "/举报")
    chat.skip("林小雨")
    chat.say("林小雨", PRIVATE, photo=b"no picture at all")
    chat.expect("林小雨", "这个文件不是照片。*")
    assert len(chat.rows(Tip.id)) == 2


def with_place(raw: bytes) -> bytes:
    """The same photo as a telephone would take it: with the place and the maker in it."""
    picture = Image.open(io.BytesIO(raw))
    metadata = Image.Exif()
    metadata[ExifTags.Base.Make] = "Telephone"
    metadata.get_ifd(ExifTags.IFD.GPSInfo).update({ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (31.0, 12.0, 3.0)})
    out = io.BytesIO()
    picture.save(out, "JPEG", exif=metadata)
    return out.getvalue()


def test_after_a_picture_was_the_tip_and_its_words_came_more_pictures_belong_to_it(chat: Scenario) -> None:
    chat.say("林小雨", PRIVATE, "/举报")
    chat.expect("林小雨", "请说说是什么事*")
    chat.say("林小雨", PRIVATE, photo=jpeg(1))
    chat.expect("林小雨", "收到了，照片1张也在内*")
    name = name_of(chat)
    chat.say("林小雨", PRIVATE, TIP)
    chat.expect("林小雨", "补充好了，已加密保存。")
    chat.expect("李敏", f"线索{name}有补充。*")
    chat.say("林小雨", PRIVATE, photo=jpeg(2))
    chat.expect("林小雨", "补充好了，照片1张也在内*")
    chat.expect("李敏", f"线索{name}有补充。*")
    assert len(chat.rows(Tip.id)) == 1

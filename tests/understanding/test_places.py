"""Place spans with exact positions in what the person wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.understanding.places import Places
from bot.understanding.shapes import may_be_parted
from bot.understanding.text import words
from bot.understanding.understanding import Understanding
from content.words import load_words
from tests.understanding.conftest import DATA
from tests.understanding.marked import marked, overlap


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("港新路火锅店把液化气罐放在棚子里，太危险了", ["港新路火锅店", "棚子里"]),
        ("3号楼2单元楼道有人给电动车充电", ["3号楼2单元楼道"]),
        ("菜场后面有人烧垃圾", ["菜场后面"]),
        ("幼儿园门口斑马线磨没了", ["幼儿园门口"]),
        ("周台村三组的电线断了", ["周台村三组"]),
        ("人民路12号漏水", ["人民路12号"]),
        ("12号门口堵了", ["12号门口"]),
        ("王家村三组路灯不亮", ["王家村三组"]),
        ("5栋502漏水，2单元301室也漏", ["5栋502", "2单元301室"]),
        ("上海也下雨了", ["上海"]),
        ("八号我不在家，一路平安", []),
        ("这个广场舞太美了，职场新人看看", []),
        ("早上好大家", []),
        ("户口怎么迁", []),
        ("滨河公园的健身器材松了", ["滨河公园"]),
        ("三里桥下面有人钓鱼", ["三里桥下面"]),
        ("五里路走了半天，看到一座桥", []),
        ("东风渠漂着死猪", ["东风渠"]),
        ("清真寺后面堆满旧沙发，李家湾也有", ["清真寺后面", "李家湾"]),
        ("7号电梯门口积水", ["7号电梯门口"]),
        ("儿子在德国读书，媳妇在嘉鱼", ["德国", "嘉鱼"]),
        ("有人从桥上跳下去了，他把车往县里开", ["桥上", "县里"]),
        ("媳妇是越南人，老板是河南人", ["越南", "河南"]),
        ("在香山看红叶", ["香山"]),
        ("岁岁平安，老爸平安到家", []),
        ("谁去大润发，帮我带鸡蛋", ["大润发"]),
        ("大润发的鸡蛋便宜", []),
        ("自来水公司挖的坑没填", []),
        ("自来水公司门口有个坑", ["自来水公司门口"]),
        ("嵊州市公安局回复了", []),
        ("我妈胸口疼得厉害，尾号3021", []),
        ("人民西路新开了个羊肉馆，建设三路明早封路", ["人民西路", "建设三路"]),
        ("打车到松涛苑要我六十", ["松涛苑"]),
        ("我屋老汉儿去青龙嘴钓鱼，王家冲也找了", ["青龙嘴", "王家冲"]),
        ("别停实验二小西侧，送到二中", ["实验二小西侧", "二中"]),
        ("一小时到，三中选一", []),
        ("灯泡在老孟五金拿的，阿炳修车铺不开", ["老孟五金", "阿炳修车铺"]),
        ("老奶奶五金牌", []),
        ("我在大转盘等你们，老槐树底下也行", ["大转盘", "老槐树底下"]),
        ("有去禾川的车吗", ["禾川"]),
        ("有去上班的车吗", []),
        ("金鳌花园、翠屏苑、石榴园三个小区停气", ["金鳌花园", "翠屏苑", "石榴园"]),
        ("德州扒鸡拼单，北京时间十一点，新疆大盘鸡加皮带面", []),
        ("快递堆在门口，垃圾堆了仨礼拜，屋里有蚊子", []),
        ("烧烤店门口打起来了，有人往充电棚跑", ["烧烤店门口", "充电棚"]),
        ("公交站台灯箱电人，我在东风广场上班", ["公交站台", "东风广场"]),
        ("人在吉隆坡，下礼拜飞乌得勒支", ["吉隆坡", "乌得勒支"]),
        ("陈黄河是不是换号了", []),
        ("团宁夏枸杞，小两口又吵架了", []),
        ("【招商银行】您的账单已出", []),
        ("听说柳溪河要清淤，丰收桥栏杆断了", ["柳溪河", "丰收桥"]),
        ("火炬路到光华路那段路灯全黑", ["火炬路", "光华路"]),
        ("笑傲江湖大结局", []),
        ("上午十点菜市场打球", ["菜市场"]),
    ],
)
def test_spans(understanding: Understanding, text: str, places: list[str]) -> None:
    assert [place.text for place in understanding.read(text).places] == places


@pytest.mark.parametrize("text", ["３号楼２单元 路灯\u200b坏了", "幸福小區5棟的電梯壞了", "\u200b人民路口积水深，人民路口"])
def test_positions_are_those_of_the_original(understanding: Understanding, text: str) -> None:
    places = understanding.read(text).places
    assert places
    for place in places:
        assert text[place.start : place.end] == place.text


@pytest.mark.parametrize(
    ("corpus", "recall", "precision"),
    [
        ("heldout_places", 0.95, 0.9),
        ("heldout_places_second", 0.9, 0.85),
        ("heldout_places_third", 0.9, 0.9),
        ("heldout_places_fourth", 0.85, 0.9),
        ("heldout_places_fifth", 0.95, 0.9),
    ],
)
def test_places_of_residents(understanding: Understanding, corpus: str, recall: float, precision: float) -> None:
    told = met = found = right = 0
    for text, true in marked(DATA / f"{corpus}.txt"):
        ours = [(place.start, place.end) for place in understanding.read(text).places]
        hit, fitting = overlap(true, ours)
        told, met, found, right = told + len(true), met + hit, found + len(ours), right + fitting
    assert met >= recall * told
    assert right >= precision * found


def test_what_the_segmenter_parts_is_listed() -> None:
    lexicon = Path("content/lexicon")
    names = (name for name in Places.load(lexicon).names() if may_be_parted(name))
    assert load_words(lexicon / "parted.txt") == {name for name in names if name not in words(f"在{name}的")}

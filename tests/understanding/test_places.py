"""Place spans with exact positions in what the person wrote."""

from __future__ import annotations

import pytest

from bot.understanding.understanding import Understanding
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


@pytest.mark.parametrize(("corpus", "recall", "precision"), [("heldout_places", 0.95, 0.9), ("heldout_places_second", 0.9, 0.8)])
def test_places_of_residents(understanding: Understanding, corpus: str, recall: float, precision: float) -> None:
    told = met = found = right = 0
    for text, true in marked(DATA / f"{corpus}.txt"):
        ours = [(place.start, place.end) for place in understanding.read(text).places]
        hit, fitting = overlap(true, ours)
        told, met, found, right = told + len(true), met + hit, found + len(ours), right + fitting
    assert met >= recall * told
    assert right >= precision * found

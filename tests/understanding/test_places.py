"""Place spans with exact positions in what the person wrote."""

from __future__ import annotations

import pytest

from bot.understanding.understanding import Understanding


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

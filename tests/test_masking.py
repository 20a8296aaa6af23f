"""Numbers that name a person: masked however they are typed, and nothing else."""

from __future__ import annotations

import random

import pytest

from content.masking import mask, plain_digits

FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
CHINESE = str.maketrans("0123456789", "〇一二三四五六七八九")
FORMAL = str.maketrans("0123456789", "零壹贰叁肆伍陆柒捌玖")
SPOKEN = str.maketrans("0123456789", "零幺二三四五六七八九")
AROUND = (
    "我的电话是{}，谢谢",
    "{}",
    "找王师傅：{}。",
    "（{}）",
    "楼上那户\n{}\n天天吵",
    "微信同号{}张",
    "a{}b",
    "打 {} 或者敲门",
    "电话{}转8001",
)


def a_phone(dice: random.Random) -> str:
    return "1" + str(dice.randint(3, 9)) + "".join(str(dice.randint(0, 9)) for _ in range(9))


def an_identity(dice: random.Random) -> str:
    born = f"{dice.randint(1940, 2015)}{dice.randint(1, 12):02d}{dice.randint(1, 28):02d}"
    return f"{dice.randint(110000, 659000)}{born}{dice.randint(0, 999):03d}" + dice.choice("0123456789X")


def a_card(dice: random.Random) -> str:
    return "62" + "".join(str(dice.randint(0, 9)) for _ in range(dice.choice((14, 17))))


def a_plate(dice: random.Random) -> str:
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    rest = "".join(dice.choice(letters + "0123456789" * 3) for _ in range(4)) + str(dice.randint(0, 9))
    return dice.choice("京沪苏浙皖鲁川粤") + dice.choice(letters[:10]) + dice.choice(("", "·", " ", "-")) + rest


def typed(number: str, dice: random.Random) -> str:
    """As people type it, or as somebody types it who wants it to get through."""
    way = dice.randint(0, 8)
    if way == 1:
        return number.translate(FULL_WIDTH)
    if way == 2 and "X" not in number:
        return number.translate(dice.choice((CHINESE, FORMAL, SPOKEN)))
    if way == 3:
        return " ".join(number)
    if way in (4, 5):
        between = dice.choice((" ", "-", "－", "　", "—", ".", "\u200b"))
        sizes = (3, 4, 4) if len(number) == 11 else (6, 8, 4) if len(number) == 18 and not number.startswith("62") else (4,) * 5
        parts, at = [], 0
        for size in sizes:
            parts.append(number[at : at + size])
            at += size
        return between.join(part for part in parts if part)
    if way == 6 and len(number) == 11:
        return dice.choice(("+86", "86", "+86 ", "0086")) + number
    if way == 7:
        return "".join(digit.translate(dice.choice((FULL_WIDTH, {}))) for digit in number)
    return number


def test_ten_thousand_of_them_in_every_way_of_typing() -> None:
    dice = random.Random(20261126)
    for _ in range(10_000):
        kind = dice.choice((a_phone, an_identity, a_card))
        number = kind(dice)
        text = dice.choice(AROUND).format(typed(number, dice))
        masked = mask(text)
        seen = plain_digits(masked)
        assert number not in seen, f"{text!r} -> {masked!r}"
        assert len(seen) <= len(plain_digits(text)) - 4, f"{text!r} -> {masked!r}"
        assert mask(masked) == masked, f"{masked!r} was masked again"


def test_two_thousand_plates() -> None:
    dice = random.Random(7)
    for _ in range(2_000):
        plate = a_plate(dice)
        masked = mask(f"黑车{plate}堵着门")
        assert "***" in masked, plate
        assert plate[-5:-2] not in masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("打13800138000找我", "打138****8000找我"),
        ("身份证32060219900101123x", "身份证3206**********123X"),
        ("卡号6222 0212 3456 7890 123", "卡号****0123"),
        ("苏F·D12345 停在3号楼", "苏F***45 停在3号楼"),
        ("138 0013 8000 139 0013 9000", "138****8000 139****9000"),
        ("电话0513-82212345", "电话0513****45"),
        ("3-13800138000", "3-138****8000"),
    ],
)
def test_a_head_and_a_tail_stay(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "请打110、119、120，反诈打96110，其他12345、12348、12315",
        "110 119 120 122 12345 12348 12110 96110",
        "事项2611-0042和2611-0043，见2026年11月23日10:30的通知",
        "2026-11-23 10:30:00 到 2026-11-24 10:30:00",
        "二〇二六年十一月二十三日，一二三四五，三四百人",
        "押金99999元，1234567元，面积120.5平方米，3号楼2单元501室",
        "川A8楼，A座1201，苏州B12",
        "经度121.156789 纬度31.890123",
        "",
    ],
)
def test_what_is_no_such_number_stays(text: str) -> None:
    assert mask(text) == text


def test_control_a_mask_that_knows_plain_digits_only_would_be_found_out() -> None:
    import re

    def naive(text: str) -> str:
        return re.sub(r"1[3-9]\d{9}", "***", text, flags=re.ASCII)

    dice = random.Random(20261126)
    missed = 0
    for _ in range(500):
        number = a_phone(dice)
        missed += number in plain_digits(naive(typed(number, dice)))
    assert missed > 100

"""What an answer to the call-back says: solved, not solved and why, how many stars."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum


class Verdict(StrEnum):
    """What an answer to the call-back says."""

    SOLVED = "solved"
    NOT_SOLVED = "not solved"
    UNCLEAR = "unclear"


_FILLER = (
    r"(?:嗯+|噢|哦|清楚|明白|知道|好的|是的|对的?|已经?|都|全部?|基本|现在|终于|问题|谢谢|感谢|多谢|辛苦|麻烦|你们?|您|大家|[了啊呀哈啦的吧哒]"
    r"|[\s,，.。!！~～、👍👌🙏😊]+)*"
)
_DONE = "(?:解决|修好|弄好|处理好|处理完|搞定|办好)"
_NOT_DONE = rf"{_FILLER}(?:根本|还是|还|又)?(?:没有?|未)(?:能|给|有人)?{_DONE}(?!不)"
# in a group, what is not said to us is an answer only when it can be nothing else
CLEAR = rf"{_FILLER}(?:{_DONE}|好了){_FILLER}|(?s:{_NOT_DONE}.*)"
_CLEAR = re.compile(CLEAR)
_NO_FIRST = re.compile(_NOT_DONE)
_NO = re.compile(
    r"没有?(?:解决(?!不)|弄|修|处理|办|好|人|用|变)|未解决|还没|还是(?:不|没|老|那|坏|漏)|不行|不满意|不好|又(?:坏|来|开始|堵|漏|停|灭)"
    r"|^(?:没|没有|没呢|否|不|no)$",
    re.IGNORECASE,
)
_YES = re.compile(rf"{_DONE}|好了|可以了|没事了|满意|^(?:是|是的|嗯+|对|行|好|好的|可以|ok|yes|👍|👌)$", re.IGNORECASE)
_BUT = re.compile(r"[但又还没不]|可是|一半|部分|[吗？?]")
_FINE = re.compile("没(?:什么|啥|有)?(?:问题|毛病|事)了?")


def verdict(text: str, *, strict: bool = False) -> Verdict:
    """What a text says about a case. `strict`: only what can be nothing but an answer counts."""
    text = _FINE.sub("好了", unicodedata.normalize("NFKC", text).strip(" .。!！~～"))
    if strict and not _CLEAR.fullmatch(text):
        return Verdict.UNCLEAR
    if _NO_FIRST.match(text) or (len(text) <= 30 and _NO.search(text)):
        return Verdict.NOT_SOLVED
    if len(text) <= 30 and _YES.search(text) and not _BUT.search(text):
        return Verdict.SOLVED
    return Verdict.UNCLEAR


def reason_in(text: str) -> str:
    """ "没解决，路灯又灭了" names a reason, "没解决" does not; empty when there is none."""
    text = text.strip()
    plain = unicodedata.normalize("NFKC", text)
    rest = _NO_FIRST.sub("", plain, count=1) if _NO_FIRST.match(plain) else plain
    rest = re.sub(_FILLER, "", rest, count=1)
    return text if len(rest) >= 3 else ""


def stars_in(text: str) -> int | None:
    """1 to 5 for "5", "5分" or "五星"; None for anything else."""
    found = re.fullmatch(r"\s*([1-5一二三四五])\s*[分星]?\s*", unicodedata.normalize("NFKC", text))
    return None if found is None else "一二三四五".find(found[1]) + 1 or int(found[1])

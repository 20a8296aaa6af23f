"""What people say before they say what they want: 在吗, 有人吗, 我想问个事. It is no matter yet, and no question to the library.

The words are those of the opener alone: whatever else stands beside them makes it a message like any other.
"""

from __future__ import annotations

import re

_GREETING = (
    r"你们?好|您好|哈喽|嗨|hello|hi|早上好|上午好|中午好|下午好|晚上好|亲|同志|警官|民警|前哨|师傅|老师|领导|客服|工作人员"
)
_THERE = r"有?人?在不在|有?人?在没在|(?:有人)?在线?[吗么嘛不没]|有人[吗么嘛没]|有没有人在?|人呢"
_ASKING = (
    r"(?:(?:我?想|我要|能|可以|能不能|可不可以|请|麻烦|打扰)*(?:问问|问|咨询|请教|打听|了解)(?:你们?|您|一下子?|下)*"
    r"(?:一?[个件点]?儿?(?:事情?儿?|问题))?[吗么嘛]?)"
)
# atomic and possessive: never more work than the text is long
_OPENER = re.compile(
    rf"(?=.*[\u4e00-\u9fffa-z])(?>{_GREETING}|{_THERE}|{_ASKING}|打扰(?:一下|了)?|不好意思|[啊呀哦哈吧呢哎诶欸\s,，。.!！?？~～、…])+",
    re.IGNORECASE,
)
LONGEST = 40


def only_opens(text: str) -> bool:
    """Whether a text is an opener and nothing else."""
    return len(text) <= LONGEST and _OPENER.fullmatch(text) is not None

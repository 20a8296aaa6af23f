"""What a sighting sounds like in a group that has just read a missing person's alert; elsewhere these words mean nothing."""

from __future__ import annotations

import re

_SEEN = re.compile(
    "看到|看见|见过|见着|碰到|碰见|遇到|遇见|好像(?:是|在)|往.{1,8}(?:走|去)了"
    "|(?:刚|刚才|刚刚|早上|上午|中午|下午|晚上|昨天).{0,8}(?:在|过去|走过|经过|路过)"
)
# a question about it, a no, and the news that it is over are no sighting
_OTHER = re.compile(r"[吗么？?]\s*$|没有?(?:看|见|碰|遇)|有没有|谁(?:看|见|碰|遇)|找到了|希望|但愿|早日|平安")
LONGEST = 300


def sounds_like_clue(text: str) -> bool:
    """Whether these words may say that somebody saw the person."""
    return len(text) <= LONGEST and _SEEN.search(text) is not None and _OTHER.search(text) is None

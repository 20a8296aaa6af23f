"""A bulletin of somebody else that a resident passes on, of a water cut, a repair: whoever wrote it knows of it already."""

from __future__ import annotations

import re

from bot.messages import Inbound
from content.spelling import simplified

_HEAD = r"(?:通知|公告|通告|温馨提示|友情提示|告知书)"
# what only a bulletin says
_SURE = re.compile(
    rf"[【\[（(][^】\])）\n]{{0,12}}{_HEAD}[】\])）]|^[^，。！？,!?\n]{{0,12}}{_HEAD}\s*[:：\n]|^关于[^，。\n]{{2,30}}的{_HEAD}|^{_HEAD}\s"
    r"|敬请(?:谅解|配合|留意|周知)|另行通知|带来的?(?:一?些|诸多)?不便|特此(?:通知|公告|通告)"
    r"|^(?:尊敬|亲爱)的(?:各位)?(?:用户|业主|居民|住户|商户|客户)"
)
# what a bulletin says, and a neighbour sometimes: three of them are one
_LIKELY = tuple(
    map(
        re.compile,
        (
            "通知|公告|通告",
            "抢修|检修|(?:正在|在)(?:维?修|施工|处理)",
            "预计|恢复(?:供|时间|正常)|(?:上午|下午|晚上|今晚|明早)?\\d{1,2}(?:[:：]\\d{2}|[点时])\\s*(?:至|到|-|—|－|~)",
            "(?:供电|供水|水务|燃气|自来水|电力|物业|热力)(?:公司|局|所|集团|服务中心)",
            "(?:各位|全体)(?:业主|居民|住户|邻居|用户|商户)|请(?:各位|大家|居民|业主|用户)",
            "转告|储水|备水|接水备用|做好.{0,6}准备|请(?:关好|绕行|勿|不要)",
        ),
    )
)
ENOUGH = 3
ENOUGH_FORWARDED = 2
# one's own trouble, a complaint or a question
_OWN = re.compile(
    r"[?？]|[吗么呢](?:$|[，。！,!])|怎么|什么时候|多久|没(?:有|人)?(?:提前|任何)?(?:通知|公告)|不通知|还(?:是)?没|到现在|"
    r"我(?:们)?(?:家|楼|这)|家里|投诉|反映|麻烦(?:你|您|给|派|来)|求|帮|没人(?:管|修|来)|受不了|一直|[太很好]危险|扰民|[太很]吵|睡不|通知(?:上)?[说写]|来看看|管管"
)


def is_bulletin(message: Inbound) -> bool:
    """Whether a text is surely, or forwarded and likely, somebody's bulletin and nobody's own trouble."""
    text = simplified(message.text.strip())
    if _OWN.search(text):
        return False
    if _SURE.search(text):
        return True
    signs = sum(sign.search(text) is not None for sign in _LIKELY)
    return signs >= (ENOUGH_FORWARDED if message.copied else ENOUGH)

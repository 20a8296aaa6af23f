"""What comes back to a missing person's alert: sightings, questions, good wishes. Elsewhere these words mean nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SEEN = re.compile(
    "[看见碰遇瞧瞅撞]到|[看碰遇瞧瞅撞]见|见[过着]|好像(?:是|在)|往.{1,8}(?:走|去)了"
    "|(?:刚|刚才|刚刚|早上|上午|中午|下午|晚上|昨天).{0,8}(?:在|过去|走过|经过|路过|从)"
)
# a question about it, a no, who read it and passed it on, and the news that it is over are no sighting
_OTHER = re.compile(
    r"[吗么？?]\s*$|没有?(?:看|见|碰|遇)|有没有|谁(?:看|见|碰|遇)|找到了|希望|但愿|早日|平安"
    r"|你们?(?:们)?(?:发|转)|[看见]到?了?[，, ]*(?:已经?|都|马上|就)?(?:转|收到)|(?:转发|转)了\s*$"
)
# somebody is missing who was not looked for so far; "走失的" speaks of one who is
_LOST = re.compile("(?:不见|走丢|走失|丢|失踪|走散)了|找不[到着]|还没(?:有)?(?:回|找)|走丢|失踪")
_OWN = re.compile("(?:我|我们|咱)(?:家|妈|爸|爷|奶|姥|外|儿|女|孩|老伴|婆|公|弟|妹|哥|姐)")
_KNOWN = re.compile("(?:走丢|走失|失踪|找)的|寻人|照片[上里]|(?<!其)[他她]|[这那](?:个|位)?(?:人|老|奶|爷|大|阿|孩|小)")
_BREAKS_IN = re.compile("翻[窗墙进]|撬|闯|砸|破门|入室|偷|盗|抢|跟踪|尾随|刀|锁|敲门|爬[窗进墙上]|鬼鬼祟祟|蒙面|拐|拖|拽|打人")
_GONE = re.compile("转眼|一转身|一回头|一眨眼|没影|没人影|人没了|人就没|人不见|没到家|没回来")
_AFRAID = re.compile("我家|我们家|家里|屋里|一个人|不敢|怕|躲|快来|救|拧|衣柜|陌生|黑影|院子|床底")
_PERSON = re.compile("老人|老太|老头|老奶|老爷|大爷|大妈|大娘|阿姨|奶奶|爷爷|孩子|小孩|娃|男孩|女孩|姑娘|小伙|走[失丢]")
_GENUINE = re.compile(r"(?:是|真|可信|靠谱).{0,6}(?:吗|么|假的?|[?？])\s*[?？。!！]*\s*$|是不是(?:真|假)|真的?还?是?假")
_STILL = re.compile(r"(?:找|寻)(?:到|着)(?:了)?(?:没有?|吗|么|了吗|不)|还没(?:找|有消息)|有(?:没有)?消息(?:了)?(?:吗|没)")
_WISHES = re.compile("希望|但愿|祝|早日|早点|平安|加油|祈|保佑|可怜|揪心|心疼|着急|转[发了]|已转|帮转|扩散|急死|快点?找|注意安全")
NOTHING_TO_ADD = re.compile(
    r"(?:好的?|嗯+|哦|噢|收到|知道|明白|谢谢|感谢|多谢|辛苦|转发?|已转|[了啊呀哈啦哒吧哦]|[^\w]|_)*"
)  # below what we said to a whole group: whoever says no more than this waits for no answer
LONGEST = 300
LONGEST_WISH = 20


def sounds_like_clue(text: str) -> bool:
    """Whether these words may say that somebody saw the person."""
    return len(text) <= LONGEST and _SEEN.search(text) is not None and _OTHER.search(text) is None


def speaks_of_known(text: str) -> bool:
    """Whether they point at whoever the alert was about: 她, 这个老人, 照片上的人."""
    return _KNOWN.search(text) is not None


def speaks_of_person(text: str) -> bool:
    """Whether they are about somebody as they are looked for."""
    return _PERSON.search(text) is not None or speaks_of_known(text)


def speaks_of_another(text: str) -> bool:
    """Whether somebody else than the one who is looked for is missing."""
    return _LOST.search(text) is not None and (_OWN.search(text) is not None or not speaks_of_known(text))


def tells_of_no_harm(text: str) -> bool:
    """Whether a sighting says neither that somebody else is missing nor that somebody breaks in."""
    gone = _GONE.search(text) is not None and (_OWN.search(text) is not None or not speaks_of_known(text))
    return not gone and not speaks_of_another(text) and _BREAKS_IN.search(text) is None


def tells_of_no_fear(text: str) -> bool:
    """Whether nobody who tells of a stranger is at home with him, or afraid."""
    return _AFRAID.search(text) is None


def adds_nothing(text: str) -> bool:
    """Whether an answer to an alert is a word of thanks or good wishes and says nothing about the person."""
    if NOTHING_TO_ADD.fullmatch(text):
        return True
    return len(text) <= LONGEST_WISH and _WISHES.search(text) is not None and not (_SEEN.search(text) or "在" in text)


def asks_if_genuine(text: str) -> bool:
    """Whether an answer to what we sent asks if it is true."""
    return _GENUINE.search(text) is not None


def asks_if_over(text: str) -> bool:
    """Whether an answer to an alert asks if the person was found."""
    return len(text) <= LONGEST_WISH and _STILL.search(text) is not None


def nearest(text: str, alerts: Sequence[str]) -> int:
    """Which of some alerts, the newest first, shares most with a clue; the newest when none shares more."""
    pairs = {text[at : at + 2] for at in range(len(text) - 1)}
    shared = [sum(pair in alert for pair in pairs) for alert in alerts]
    return shared.index(max(shared))

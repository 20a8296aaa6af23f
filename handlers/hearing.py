"""What people say about what they brought: solved or not and why, how many stars; where and when, how far is it, never mind."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

from bot.understanding.meaning import Intent, Meaning
from content.spelling import simplified

# What follows a report without quoting it. Whole texts, bounded, since a group's talk is held against them.
_NUMBER = r"[\dA-Za-z一二三四五六七八九十]{1,5}\s*"
ADDRESS = (
    rf"(?:就|是|在|我家|我们?|住){{0,3}}{_NUMBER}(?:号楼|号院|栋|幢|单元|弄|座)\s*"
    rf"(?:{_NUMBER}(?:号楼|单元|栋|楼|层|号|室|户)?\s*){{0,3}}(?:那边|这边|门口|附近|的){{0,2}}[。.!！~]{{0,3}}"
)
FREE = (
    r"(?:(?:周末|周[一二三四五六日天]|上午|下午|晚上|中午|白天|今天|明天|后天|随时|平时)[、，,和或]?){1,4}"
    r"[都也]?(?:行|可以|有空|方便|在家|在)[的啊呀]?[。.!！~]{0,3}"
)
REGRET = (
    r"(?:(?:不好意思|对不起|抱歉)[，,\s]?)?(?:(?:发|写|搞|弄|说)错(?:群|人)?|不用(?:你们)?(?:来|管|处理|派人|麻烦)"
    r"|(?:不用了[，,\s]?)?(?:我|我们)?(?:自己|已经){1,2}(?:弄|修|处理|解决|搞)好)(?:人|你们)?[了啦吧]{0,2}"
    r"(?:[，,\s]?撤[回销][吧了]?)?[。.!！~]{0,3}"
)
_SUBJECT = (
    r"(?:请问|那|我们?|你们?|上次|昨天|前天|刚才|之前|反映|报修?|说|的|个|这|件|事情?|儿|问题|情况|现在|到底|都|还是|已经"
    r"|[,，\s]){0,12}"
)
_WORK = "(?:办理?|处理|解决|弄|修|搞)"
PROGRESS = (
    rf"(?=.{{2,30}}$){_SUBJECT}(?:"
    rf"{_WORK}[得的]?(?:怎么?样|咋样|如何)|{_WORK}到哪|{_WORK}[好完]?了?(?:吗|没有?|么)|(?:还)?没有?{_WORK}好?[吗么]"
    r"|(?:到底)?(?:有没有|有|还有|没有?)人(?:在)?(?:管|来|处理|理)了?(?:吗|没有?|么)?"
    r"|(?:什么时候|啥时候|多久|几时|何时)(?:能|可以|才|会){0,2}(?:有人)?(?:来|办好|修好|处理|解决|弄好|好)"
    r"|怎么还?(?:没有?人|不|没有?)(?:来|管|理我?|回我?|回复|处理|动静|消息)"
    r"|没有?人?(?:理我|回我|回复|消息|动静)|收到了?(?:吗|没有?|么)|有(?:进展|结果|消息|回复|答复)了?(?:吗|没有?|么)"
    r"|(?:进展|结果)(?:怎么?样|如何)"
    r")(?:一?步|儿|里)?(?:了|啊|呀|呢|哦|啦|吗|么|人|一下){0,3}[\s?？!！。.…~]{0,4}"
)

# What a lost or found thing looks like or holds; the model, which knows no question, hears a tip in 里面有身份证.
_THING = re.compile(
    r"(?:.{0,6}?(?:里面?|里头|上面?|背面|反面|正面|外面|内侧|夹层|下面|底下|角上?|拉链))?(?:还|也|另外|应该|好像|是){0,2}"
    r"(?:有|装着?|夹着?|贴着?|挂着?|刻着?|印着?|写着?|带着?)[^，,。]{1,20}(?:[，,、和还有。].{0,40})?"
)
SURELY = 0.7  # of a tip
_NO_THING = re.compile(
    r"有(?:个|几个|一个|好多|很多|一?[群伙帮])?(?:人|男|女|家伙|老板|邻居)|他们|她们|租客|租户|住户|房东|业主|举报|检举|线索|保密|匿名"
    r"|[?？吗呢]|什么|怎么|多少|哪|赌|毒|偷|贼|黄|嫖|传销|诊所|作坊|窝点|黑|假|非法|\d+(?:号|室|栋|幢|楼|单元)|店|厂"
)

# That one's own lost thing has turned up. A whole text, bounded, like those above.
TURNED_UP = (
    r"(?:不用(?:再)?找了|谢谢|感谢|大家|各位|我的?|那个|这个|东西|钱包|包|手机|钥匙|身份证|证件|证|银行卡|卡|伞|眼镜|耳机|首饰|猫|狗|已经|刚刚?|终于|总算|自己|在家|[，,。！!~\s]){0,8}"
    r"(?:找到|找着|找回来?)[了啦](?:谢谢|感谢|大家|各位|你们|[，,。！!~\s]){0,5}"
)

# That whoever was looked for is found; alone, or with a word about who it is. "找到了吗" and "找到了就好" say nothing.
_FOUND = re.compile("(?:找到|找着|寻到)(?:人)?[了啦](?!吗|么|没|就好|就行|再|的话|[?？])")
_BACK = re.compile("(?:回来|到家|回家)[了啦](?!吗|么|没|就好|就行|再|的话|[?？])")
_WHO = re.compile(
    r"[谢感]谢|大家|各位|邻居们?|好消息|报告|不用再?找了|别找了|人|已经|刚刚?|终于|总算|都|已|自己|平安|(?:找到|找着|寻到|回来|到家|回家)人?[了啦]|[，。,！!～~\s]"
)

# That it was not so, or was somebody else. A whole text, bounded.
_KIN = "奶奶|爷爷|外婆|外公|妈妈?|爸爸?|老人|老伴|孩子|儿子|女儿|弟弟|妹妹|哥哥|姐姐"
_PERSON = rf"(?:人|(?:我们?家?(?:的)?)?(?:{_KIN}|她|他))"
_ERROR = rf"(?:我|是|他们)?(?:搞|弄|认|看|找|说|听|传)错(?:人)?[了啦]|(?:这|那)?不是(?:同一个人|{_PERSON})"
_NOT_YET = (
    rf"{_PERSON}?(?:还是|还|都|仍|一直|到现在|根本){{0,2}}(?:没有?|未)(?:能)?(?:找到|找着|寻到|见到)(?:{_PERSON})?[呢啊呀]?"
)
NOT_FOUND = (
    r"(?:不好意思|对不起|抱歉|刚才|刚刚|大家|各位|[，,。.!！\s]){0,6}"
    rf"(?:(?:{_ERROR}|{_NOT_YET})[，,。.!！\s]{{0,2}}){{1,3}}"
    r"(?:继续|接着|还在|大家|请|再|帮忙|帮我们?|找|留意|一下|吧|麻烦|谢谢|[，,。.!！~\s]){0,10}"
)
_NOT_FOUND = re.compile(NOT_FOUND)
# Of these what speaks of an error, or names nobody, is surely about whoever was said to be found; "孩子还没找到" may be another.
NO_CRY = rf"(?=.*(?:{_ERROR})|(?!.*(?:{_KIN})))(?:{NOT_FOUND})"
_NO_CRY = re.compile(NO_CRY)

# What begins a talk and is no matter yet. Anchored: for `Router.keyword`.
_POLITE = r"^[\s,，.。]*(?:(?:你好|您好|请问|同志|民警|警官|喂|那)[\s,，.。!！]*){0,3}"
_END = r"[啊呀呢吧哦啦嘛]{0,2}[\s?？!！。.…~]*$"
WHO = (
    rf"{_POLITE}(?:你(?:们)?(?:是|叫)(?:谁|啥|什么名字|什么人|干什么的|做什么的|干嘛的|哪里的?|不是(?:机器|真)人|机器人|真人|人工|人)[吗么]?"
    rf"|你(?:们)?(?:都|到底)?(?:能|会|可以)(?:帮我|帮忙)?(?:干|做|办|帮)?(?:些)?(?:什么|啥|嘛)(?:事情?)?|怎么用你?|你怎么用|有什么(?:用|功能)){_END}"
)
PERSON = (
    rf"{_POLITE}(?:我|帮我|请|给我){{0,2}}(?:想|要)?(?:(?:转|找|要|换|接)(?:一?下|个)?(?:人工|真人)(?:客服|服务)?|人工(?:客服|服务)?"
    r"|(?:找|联系|见|叫)(?:一?下|个)?(?:民警|警察|警官|片警|社区(?:的人|民警|工作人员)?|网格员|居委会|工作人员|负责人|领导|物业))"
    rf"{_END}"
)
MATTER = (
    rf"{_POLITE}(?:我|我们)?(?:有(?:个|件|点)?(?:事情?|问题|情况)(?:想|要)?(?:跟|和|向|找)?(?:你们?|您)?(?:说|反映|讲|问)?(?:一下)?"
    r"|(?:想|要|来)(?:反映|投诉|报案|报警|求助|报修|说)(?:一?下|个|一个|一件|点|你们?)?(?:事情?|问题|情况)?"
    r"|投诉(?:物业|你们|居委会|社区|派出所)?|物业不作为|(?:能|可以|请)?(?:你们?|您)?(?:帮|帮帮)(?:我|一?下)?(?:个|一个)?忙?(?:一下)?[吗么]?"
    rf"|(?:能|可以)(?:不能|不可以)?帮(?:我|帮我)?(?:个|一个)?忙[吗么]?|(?:请)?(?:你们?|您)?看(?:看|一下|下)?(?:这个|这里)?){_END}"
)
VAGUE = (
    rf"{_POLITE}(?:(?:都|还|需)?(?:要|得)?带(?:些|点)?(?:什么|啥|哪些)(?:材料|东西|证件|资料)?(?:去)?|(?:要|得)?(?:花|交)?多少钱|收费[吗么]|要钱[吗么]"
    r"|在?(?:哪里?|哪儿|什么地方)(?:办|弄|交|领)?|去哪里?(?:办|弄|交|领)?|几点(?:钟)?(?:上班|下班|开门|关门)?|找谁|怎么(?:办理?|弄|搞)|为什么|真的[吗么]"
    rf"|什么时候|要多久|多久|(?:改天|明天|后天)?(?:行|可以|能行)[吗么]|能不能|行不行){_END}"
)
RECEIPT = r"^[\s\d０-９\-－—]{20,40}$"  # of a tip, in digits
WORDLESS = r"^[\s?？!！。.…,，~～]+$"
_OPENING = re.compile(f"{WHO}|{PERSON}|{MATTER}|{VAGUE}|{WORDLESS}")


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
    text = _FINE.sub("好了", simplified(unicodedata.normalize("NFKC", text)).strip(" .。!！~～"))
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
    plain = simplified(unicodedata.normalize("NFKC", text))
    rest = _NO_FIRST.sub("", plain, count=1) if _NO_FIRST.match(plain) else plain
    rest = re.sub(_FILLER, "", rest, count=1)
    return text if len(rest) >= 3 else ""


def stars_in(text: str) -> int | None:
    """1 to 5 for "5", "5分" or "五星"; None for anything else."""
    found = re.fullmatch(r"\s*([1-5一二三四五])\s*[分星]?\s*", unicodedata.normalize("NFKC", text))
    return None if found is None else "一二三四五".find(found[1]) + 1 or int(found[1])


def says_found(text: str) -> bool:
    """Whether it says that somebody is found or has come back."""
    plain = simplified(text)
    return _FOUND.search(plain) is not None or _BACK.search(plain) is not None


def says_only_found(text: str) -> bool:
    """The same without a word about who or what it was."""
    return says_found(text) and _WHO.sub("", simplified(text)).strip() == ""


def says_only_back(text: str) -> bool:
    """That somebody came back, without a word about who: only whoever looked for somebody means them by it."""
    return says_only_found(text) and _FOUND.search(simplified(text)) is None


def says_not_found(text: str) -> bool:
    """Whether it says, and nothing else, that who was said to be found is not, or was somebody else."""
    return _NOT_FOUND.fullmatch(simplified(text.strip())) is not None


def says_without_cry(text: str) -> bool:
    """Whether it says so of the one who was said to be found, and surely of nobody else."""
    return _NO_CRY.fullmatch(simplified(text.strip())) is not None


def is_opening(text: str) -> bool:
    """Whether it only begins a talk, and is nothing about a matter that is known."""
    return _OPENING.search(text) is not None


def describes_thing(text: str, meaning: Meaning) -> bool:
    """Whether it says what a lost or found thing looks like or holds, although by itself it would be another matter. It speaks of
    nobody; and what is surely a tip is one, whatever was asked."""
    if meaning.intent is Intent.TIP and meaning.confidence >= SURELY:
        return False
    plain = simplified(text.strip())
    return _THING.fullmatch(plain) is not None and _NO_THING.search(plain) is None


def calls_a_person(text: str) -> bool:
    """Whether it asks for a person instead of the machine, and says no more."""
    return re.search(PERSON, text) is not None

"""What people say to a post, quoting it: no more of them, or that it is wrong."""

from __future__ import annotations

from sqlmodel import Session

from bot.campaigns.echo import campaign_quoted, count_opt_out
from bot.campaigns.steps import officers_for
from bot.messages import Inbound
from bot.permissions import Role
from bot.router import Router
from bot.say import Say
from bot.turn import NotMine
from cases.dispatch import dispatchers, officers_with
from content.masking import mask
from storage.tables import Campaign, Group, Officer

router = Router("echoes")

LONGEST = 300
WRONG = (
    "(?:写|说|弄|搞|发|号码|电话|地址|时间|日期|内容)[得的]?(?:都)?(?:错|不对|有误)"
    "|错了|有误|打不通|空号|过期了|失效|不属实|早就?(?:改|取消|没)了"
)


@router.keyword(r"(?:别|不要|不用|少|停止)(?:再|老|总|天天)?(?:给我们)?(?:发|推)|退订|不想(?:再)?(?:收|看)")
def no_more(message: Inbound, group: Group | None, say: Say, session: Session) -> None:
    """Somebody who answers a post wants no more of them: counted, told to whoever can decide it for the group."""
    quoted = campaign_quoted(session, message.address, message.quote.message_id) if message.quote else None
    if quoted is None or group is None:
        raise NotMine
    count_opt_out(session, quoted)
    say.reply("posts.heard_no_more")
    officers = officers_with(session, (Role.OFFICER, Role.GRID_WORKER), "grid", (group.grid_id,)) or dispatchers(session, None)
    say.to_officers(officers, "posts.wish_no_more", group=group.name, number=quoted[0])


@router.keyword(WRONG)
def mistaken(message: Inbound, group: Group | None, say: Say, session: Session) -> None:
    """Somebody says that a post is wrong: whoever sent it looks, and can mend it everywhere with /更正."""
    quoted = campaign_quoted(session, message.address, message.quote.message_id) if message.quote else None
    if quoted is None or group is None or message.copied:
        raise NotMine
    campaign = session.get_one(Campaign, quoted[0])
    planner = session.get(Officer, campaign.officer_id) if campaign.officer_id else None
    editors = [planner] if planner is not None and planner.active else officers_for(session, "post.send")
    say.reply("posts.heard_mistake")
    say.to_officers(editors, "posts.said_mistaken", group=group.name, number=campaign.id, text=mask(message.text[:LONGEST]))

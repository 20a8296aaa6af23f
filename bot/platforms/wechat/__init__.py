"""WeChat: `WechatPlatform` and what it is told from outside. docs/wechat.md says how to connect it."""

from bot.platforms.wechat.adapter import WechatPlatform
from bot.platforms.wechat.book import Caution, Gap
from bot.platforms.wechat.look import Known, look
from bot.platforms.wechat.safety import Severity
from bot.platforms.wechat.settings import WechatSettings

__all__ = ["Caution", "Gap", "Known", "Severity", "WechatPlatform", "WechatSettings", "look"]

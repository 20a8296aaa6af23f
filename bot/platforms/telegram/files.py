"""Files that people sent, fetched through getFile with a cap on size and time."""

from __future__ import annotations

from urllib.parse import quote

from telegram import Bot
from telegram.error import BadRequest, TelegramError

from bot.errors import RefusedInput, RetryLater
from bot.messages import Attachment
from bot.platforms.telegram.failures import SlowDown, TooLarge
from bot.platforms.telegram.fields import Fields, Malformed
from bot.platforms.telegram.limiter import Limits
from bot.platforms.telegram.request import ApiRequest


class Files:
    """Fetches through `pool`. The server's own limit is 20 MB."""

    def __init__(self, bot: Bot, pool: ApiRequest, limits: Limits) -> None:
        self._bot = bot
        self._pool = pool
        self._limits = limits

    async def fetch(self, attachment: Attachment, limit: int) -> bytes:
        """The bytes, at most `limit` of them. Raises RefusedInput `photo.too_large` or `photo.gone`, RetryLater."""
        too_large = RefusedInput("photo.too_large", megabytes=max(1, limit // 1_000_000))
        if attachment.size > limit:
            raise too_large
        try:
            path = await self._path(attachment.id)
            return await self._pool.download(f"{self._bot.base_file_url}/{quote(path)}", limit)
        except TooLarge:
            raise too_large from None
        except BadRequest as problem:
            if "too big" in problem.message.lower():
                raise too_large from None
            raise RefusedInput("photo.gone") from None
        except SlowDown as problem:
            raise RetryLater(problem.seconds, "message", "Telegram asks for a pause") from None
        except (TelegramError, Malformed) as problem:
            raise RetryLater(2.0, "message", type(problem).__name__) from None

    async def _path(self, file_id: str) -> str:
        """Where the file lies below the file root; nothing else is followed."""
        url, read = f"{self._bot.base_url}/getFile", self._pool.read_timeout or 20.0
        answer = await self._limits.ask("getFile", None, lambda: self._pool.call(url, {"file_id": file_id}, read))
        path = Fields(answer, "file").text("file_path")
        if not path or path.startswith("/") or "://" in path or ".." in path.split("/"):
            raise Malformed("file without a path")
        return path

"""A Bot API server for tests: what a real one does with updates and messages, and every way in which it can fail.

    async with FakeBotApi() as api:
        api.say("张阿姨", "好邻居群", "3号楼有人在楼道充电")        # an update that waits for getUpdates
        api.fail("sendMessage", TooFast(3))                          # the next sendMessage is refused
        api.sent                                                     # every message that is in a chat, in order

The base url is `api.root`. What was asked is in `api.calls`. With `path` the history (updates, confirmations, messages) is a file
of JSON lines that outlives the server's own process. Of two pollers the newer one wins, as with the real server.
"""

from __future__ import annotations

import json
from collections import deque
from types import TracebackType

from aiohttp import web

from tests.kit.fake_bot_api.methods import Methods
from tests.kit.fake_bot_api.wire import Answer, Call, Cut, Dropped, Fault, Hang, TooFast, out, read, refusal


class FakeBotApi(Methods):
    """One bot on one server."""

    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> FakeBotApi:
        app = web.Application(client_max_size=60_000_000)
        app.router.add_route("*", "/bot{token}/{method}", self._called)
        app.router.add_get("/file/bot{token}/{path:.+}", self._download)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.root = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        async with self._news:
            self._news.notify_all()
        if self._runner is not None:
            await self._runner.cleanup()

    def fail(self, method: str, *faults: Fault, chat: int | None = None) -> None:
        """The next calls of `method` (for `chat`, or any) meet these faults, one each."""
        self.faults.setdefault(method, deque()).extend((fault, chat) for fault in faults)

    async def until_failed(self, method: str) -> None:
        """Return once every fault that was asked for has been met."""
        await self.until(lambda: not self.faults.get(method))

    async def _called(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["token"] != self.token:
            return out(refusal(401, "Unauthorized"))
        method = request.match_info["method"]
        given, files = await read(request)
        call = Call(method, given, tuple(files))
        self.calls.append(call)
        work = getattr(self, f"_do_{method.lower()}", None)
        if work is None:
            return out(refusal(404, "Not Found"))
        fault = self._next_fault(method, given)
        if fault is not None:
            self._tell()
        if isinstance(fault, TooFast):
            wait = {} if fault.seconds is None else {"retry_after": fault.seconds}
            return out(refusal(429, f"Too Many Requests: retry after {fault.seconds}", **wait))
        if isinstance(fault, Answer):
            return out(fault)
        if fault is None or isinstance(fault, Cut) or fault.delivered:
            answer = await work(given, files)
        else:
            answer = {"ok": True, "result": True}
        self._tell()
        if isinstance(fault, Hang):
            await self._stop.wait()
        if isinstance(fault, Dropped):
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        if isinstance(answer, Answer):
            return out(answer)
        body = json.dumps(answer)
        return web.Response(text=body[: len(body) // 2] if isinstance(fault, Cut) else body, content_type="application/json")

    def _next_fault(self, method: str, given: dict[str, str]) -> Fault | None:
        waiting = self.faults.get(method, deque())
        for index, (fault, chat) in enumerate(waiting):
            if chat is None or str(chat) == given.get("chat_id"):
                del waiting[index]
                return fault
        return None

    async def _download(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["token"] != self.token:
            return web.Response(status=401)
        fault = self._next_fault("download", {})
        if isinstance(fault, Answer):
            return out(fault)
        if fault is not None:
            await self._stop.wait()
        data = self.files.get(request.match_info["path"].removeprefix("photos/").removesuffix(".jpg"))
        return web.Response(status=404) if data is None else web.Response(body=data)

"""Chat servers on loopback that record what arrives: a Telegram Bot API and a Discord webhook, on one port.

`async with ChatServer() as server:` then `server.telegram_url`, `server.discord_webhook_url`, `server.messages()`.
They keep the published rules and misbehave on request (see `chat_faults`). They keep no secrets and must not be
exposed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from bot.clock import Clock, SystemClock
from bot.sim.chat_discord import WEBHOOK_ID, WEBHOOK_TOKEN, DiscordServer
from bot.sim.chat_faults import CALL, Received
from bot.sim.chat_log import Happening
from bot.sim.chat_rooms import ChatMessage
from bot.sim.chat_telegram import TelegramServer

_STOP_S: Final = 0.2
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ChatServer:
    """Both servers. Times and long polls go by `clock`."""

    def __init__(
        self, *, clock: Clock | None = None, host: str = "127.0.0.1", port: int = 0, enforce_limits: bool = False
    ) -> None:
        """`enforce_limits`: the Bot API answers 429 to who is too fast. Discord's bucket always holds."""
        clock = clock if clock is not None else SystemClock()
        self._host, self._port = host, port
        self._clock = clock
        self.received: list[Received] = []
        """Every request to either server, in order."""
        self.on_answer: Callable[[Received, int, bytes], None] = lambda *_: None
        """Called with each request, the status and the body of its answer."""
        self.happenings: list[Happening] = []
        """What people saw the bot do in their chats, in order over both servers."""
        happened = self.happenings.append
        self.telegram = TelegramServer(clock, self._record, happened, enforce_limits=enforce_limits)
        self.discord = DiscordServer(clock, self._record, happened)
        self._runner: web.AppRunner | None = None
        self._wakers: set[asyncio.Event] = set()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/bot{token}/{method}", self._served(self.telegram.handle))
        webhook = "/api/webhooks/{id}/{token}"
        app.router.add_get(webhook, self._served(self.discord.look))
        app.router.add_post(webhook, self._served(self.discord.handle))
        for method in ("PATCH", "DELETE"):
            app.router.add_route(method, webhook + "/messages/{message}", self._served(self.discord.handle))
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=_STOP_S, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self._host, self._port = str(host), int(port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def telegram_url(self) -> str:
        """The server without `/bot`."""
        return f"http://{self._host}:{self._port}"

    @property
    def telegram_token(self) -> str:
        return self.telegram.token

    @property
    def discord_webhook_url(self) -> str:
        return f"http://{self._host}:{self._port}/api/webhooks/{WEBHOOK_ID}/{WEBHOOK_TOKEN}"

    def new_webhook(self) -> str:
        """The address of one more webhook."""
        hook = self.discord.add()
        return f"http://{self._host}:{self._port}/api/webhooks/{hook.id}/{hook.token}"

    def messages(self, chat_id: int | None = None) -> list[ChatMessage]:
        """What the Telegram bot said, in order, as it stands now."""
        return [m for m in self.telegram.messages if chat_id in {None, m.chat_id}]

    def requests(self, method: str) -> list[Received]:
        """Requests of one method: `sendMessage`, `POST` …"""
        return [r for r in self.received if r.method == method]

    async def until(self, is_true: Callable[[], object], *, within_s: float = 10.0) -> None:
        """Wait until something holds, looking after each answer; `TimeoutError` when it does not in time."""
        waker = asyncio.Event()
        self._wakers.add(waker)
        try:
            async with self._clock.timeout(within_s):
                while not is_true():
                    await waker.wait()
                    waker.clear()
        finally:
            self._wakers.discard(waker)

    def _record(self, request: Received) -> None:
        self.received.append(request)

    def _served(self, handle: Handler) -> Handler:
        async def serve(request: web.Request) -> web.StreamResponse:
            try:
                response = await handle(request)
            except ConnectionResetError:
                # The client died within its request: nobody reads the answer.
                return web.Response()
            else:
                received = request.get(CALL)
                if received is not None and isinstance(response, web.Response):
                    body = response.body if isinstance(response.body, bytes) else b""
                    self.on_answer(received, response.status, body)
                return response
            finally:
                for waker in self._wakers:
                    waker.set()

        return serve

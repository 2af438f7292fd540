"""A small Bot API on loopback that records calls, keeps updates like the real one, and fails on request."""

import asyncio
import contextlib
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from aiohttp import web

from bot.app.moves import Moves
from bot.chat.actions import Actions
from bot.chat.alert_actions import AlertActions
from bot.chat.buttons import Buttons
from bot.chat.telegram_app import TelegramChat
from bot.chat.watchlists import Watchlists
from bot.clock import SystemClock
from bot.model.cards import CARD_WINDOWS_MS, BotStatus, InstrumentCard
from bot.model.chat_alert import ChatAlert
from bot.model.instrument import Instrument
from bot.model.news import News
from bot.model.view import Move
from bot.storage.memory import MemoryAlertStore, MemoryButtonStore, MemoryChatAlertStore, MemoryOutbox
from bot.storage.memory_watchlists import MemoryWatchlistStore
from tests.support.chat_actions import looking
from tests.support.hand_alerts import HandChatRules, HandRehearsals

OWNER, GROUP = 71, -100_500
TOKEN = "123456:" + "c" * 35


class BotApi:
    """What Telegram's server does, as far as chat needs it."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.failures: dict[str, deque[tuple[int, object]]] = defaultdict(deque)
        self.updates: list[dict] = []
        self.is_forgetful = False
        """Deliver from the start on every poll, whatever the offset says."""
        self.n_hanging = 0
        """So many polls are never answered."""
        self._changed = asyncio.Condition()
        self._n_sent = 0

    def fail(self, method: str, status: int, description: str, **parameters: object) -> None:
        body = {"ok": False, "error_code": status, "description": description}
        self.failures[method].append((status, {**body, "parameters": parameters} if parameters else body))

    def answer_raw(self, method: str, result: object) -> None:
        self.failures[method].append((200, {"ok": True, "result": result}))

    async def add(self, *updates: dict) -> None:
        async with self._changed:
            self.updates += updates
            self._changed.notify_all()

    def of(self, method: str) -> list[dict[str, str]]:
        return [params for name, params in self.calls if name == method]

    async def wait_for(self, is_true: Callable[[], object], seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            while not is_true():
                await asyncio.sleep(0.01)

    async def handle(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        params = {key: str(value) for key, value in (await request.post()).items()}
        self.calls.append((method, params))
        if request.match_info["token"] != TOKEN:
            return web.json_response({"ok": False, "error_code": 401, "description": "Unauthorized"}, status=401)
        if self.failures[method]:
            status, body = self.failures[method].popleft()
            return web.json_response(body, status=status)
        if method == "getUpdates":
            if self.n_hanging:
                self.n_hanging -= 1
                await asyncio.Event().wait()
            return web.json_response({"ok": True, "result": await self._poll(params)})
        return web.json_response({"ok": True, "result": self._result(method, params)})

    async def _poll(self, params: dict[str, str]) -> list[dict]:
        offset = 0 if self.is_forgetful else int(params.get("offset", 0))
        self.updates = [one for one in self.updates if one["update_id"] >= offset]
        if not self.updates:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(int(params["timeout"])), self._changed:
                    await self._changed.wait()
        return self.updates[: int(params["limit"])]

    def _result(self, method: str, params: dict[str, str]) -> object:
        if method == "getMe":
            return {"id": 123456, "is_bot": True, "first_name": "OI", "username": "my_bot"}
        if method in {"sendMessage", "editMessageText"}:
            self._n_sent += 1
            chat = {"id": int(params["chat_id"]), "type": "private", "first_name": "x"}
            return {"message_id": 9_000 + self._n_sent, "date": 1_767_225_600, "chat": chat, "text": "x"}
        return True


class MemoryValues:
    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.is_broken = False

    async def get(self, key: str) -> str | None:
        return self.values.get(key)

    async def put(self, key: str, value: str) -> None:
        if self.is_broken:
            raise OSError("disk full")
        self.values[key] = value


class OneMarket:
    """BTC alone; its open interest moves with every look, so that a refresh has something new."""

    n_looks = 0
    hold: asyncio.Event | None = None

    def instruments(self) -> list[Instrument]:
        return [Instrument("binance", "BTCUSDT", "perpetual", "BTC", "USDT", "TRADING")]

    def largest(self, n: int) -> list[str]:
        return [one.key for one in self.instruments()][:n]

    def card(self, key: str) -> InstrumentCard:
        self.n_looks += 1
        moves = tuple(Move(window, 0.01, None, None) for window in CARD_WINDOWS_MS)
        return InstrumentCard(
            "binance", "BTCUSDT", "BTC", "USDT", "TRADING", 0, 1.0, 1, 1.0, 0.0, 8.0, None,
            float(self.n_looks), 1.0, 1, 1, 1.0, 1.0, 1.0, moves, moves,
        )  # fmt: skip

    async def status(self) -> BotStatus:
        if self.hold is not None:
            await self.hold.wait()
        raise RuntimeError("a secret detail")


class NoDesk:
    """Nothing lives and nothing is known."""

    def add(self, alert: ChatAlert) -> None: ...

    def remove(self, alert_id: str) -> None: ...

    def life(self, alert_id: str) -> None:
        return None

    def why_unknown(self, instrument: str, measure: str) -> str:
        return ""

    def value(self, instrument: str, measure: str) -> None:
        return None


class Chat:
    """A running TelegramChat and its counterpart."""

    def __init__(self, api: BotApi, store: MemoryValues) -> None:
        self.api, self.store = api, store
        self.clock = SystemClock(speed=100.0)
        self.market = OneMarket()
        self.seen: list[int] = []
        self.heard: list[News] = []
        """What the owner should know."""
        self.lists = Watchlists(MemoryWatchlistStore(), self.clock)
        self.alert_store = MemoryChatAlertStore(MemoryAlertStore(MemoryOutbox()))
        self.alerts = AlertActions(
            market=self.market,
            store=self.alert_store,
            desk=NoDesk(),
            rules=HandChatRules(),
            rehearsals=HandRehearsals(),
            clock=self.clock,
            max_per_chat=9,
        )
        self.button_store = MemoryButtonStore()
        self.buttons = self.registry()
        self.moves: Moves | None = None
        self._n = 100

    def registry(self) -> Buttons:
        """Of a process that has just started."""
        return Buttons(self.button_store, secret=b"a secret of this installation", clock=self.clock)

    async def data(
        self, command: str, *, chat_id: int = OWNER, user: str = "", place: str = "", origin: str = ""
    ) -> str:
        """What stands behind a button that the bot put below a message."""
        chat = f"telegram:{chat_id}"
        return (await self.buttons.issue([command], chat=chat, user=user, place=place, origin=origin))[0]

    def make(self, *, owner_id: int | None = OWNER, token: str = TOKEN, actions: Actions | None = None) -> TelegramChat:
        usual = looking(
            self.alerts, market=self.market, status=self.market, why=self.market, clock=self.clock, lists=self.lists
        )
        return TelegramChat(
            token=token,
            api_url=self.api.url,
            owner_id=owner_id,
            chat_ids=[GROUP],
            actions=actions or usual,
            buttons=self.buttons,
            store=self.store,
            clock=self.clock,
            on_seen=self.seen.append,
            moves=self.moves,
            report=self.heard.append,
        )

    @contextlib.asynccontextmanager
    async def running(self, **more: object) -> AsyncIterator[TelegramChat]:
        chat = self.make(**more)
        task = asyncio.create_task(chat.run())
        try:
            yield chat
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def message(
        self, text: str, *, user_id: int = OWNER, chat_id: int | None = None, age_s: float = 0, **more: object
    ) -> dict:
        self._n += 1
        chat_id = user_id if chat_id is None else chat_id
        kind = {"type": "private", "first_name": "A"} if chat_id > 0 else {"type": "supergroup", "title": "G"}
        return {
            "update_id": self._n,
            "message": {
                "message_id": self._n,
                "date": int(self.clock.wall_ms() / 1000 - age_s),
                "chat": {"id": chat_id, **kind},
                "from": {"id": user_id, "is_bot": False, "first_name": "A"},
                "text": text,
                **more,
            },
        }

    def press(
        self,
        data: str,
        *,
        user_id: int = OWNER,
        chat_id: int = OWNER,
        message_id: int = 9_001,
        shown: Sequence[dict[str, str]] = (),
    ) -> dict:
        """`shown`: the buttons below the message, one in each row."""
        self._n += 1
        kind = {"type": "private", "first_name": "A"} if chat_id > 0 else {"type": "supergroup", "title": "G"}
        message = {"message_id": message_id, "date": 1_767_225_600, "chat": {"id": chat_id, **kind}, "text": "old"}
        if shown:
            message["reply_markup"] = {"inline_keyboard": [[one] for one in shown]}
        query = {"id": str(self._n), "from": {"id": user_id, "is_bot": False, "first_name": "A"}, "chat_instance": "1"}
        return {"update_id": self._n, "callback_query": {**query, "message": message, "data": data}}


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    double = BotApi()
    app = web.Application()
    app.router.add_post("/bot{token}/{method}", double.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    double.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield double
    await runner.cleanup()


@pytest.fixture
def chat(api: BotApi) -> Chat:
    return Chat(api, MemoryValues())


@pytest.fixture
def buttons() -> Callable[[dict[str, str]], list[str]]:
    """Callback data of the buttons of a recorded call."""

    def read(params: dict[str, str]) -> list[str]:
        rows = json.loads(params["reply_markup"])["inline_keyboard"]
        return [one["callback_data"] for row in rows for one in row if "callback_data" in one]

    return read

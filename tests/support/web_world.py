"""The dashboard's server on loopback over a reader made by hand, and a browser without a screen to ask it."""

import asyncio
import re
from dataclasses import dataclass, field, replace

import aiohttp
from yarl import URL

from bot.clock import SystemClock
from bot.model.cards import BotStatus, FeedHealth
from bot.model.charts import ChartData, Columns, Curve, NoPicture
from bot.model.dashboard import (
    TABLE_WINDOWS_MS,
    MarketTable,
    Receipt,
    RuleLine,
    RuleList,
    Said,
    ToldAlert,
    Tried,
    WhyLine,
    WhyPage,
)
from bot.model.explanation import AlertSeen, Glance
from bot.model.overview import LaneGlance, Overview
from bot.model.readiness import Readiness
from bot.web.door import Door, Visitor
from bot.web.server import Server
from bot.web.site import Access, Site

T0 = 1_795_000_000_000
OWNER = Visitor("telegram:71", "telegram:71")
ADMIN = Visitor("telegram:72", "telegram:72")
STATUS = BotStatus(
    version="0.1.0",
    uptime_s=4_000.0,
    n_instruments=2,
    n_price_fresh=2,
    price_age_ms=400,
    n_oi_fresh=2,
    oi_slowest_ms=9_000,
    weight_share=0.25,
    banned_until_ms=None,
    feeds=(FeedHealth("mark price", True, ""), FeedHealth("open interest", True, "")),
    n_rules=2,
    n_firing=1,
    n_pending=0,
    n_alerts_today=3,
    n_outbox=0,
    rss_mb=120.0,
    disk_free_gb=70.0,
    warming="",
)


def table(symbols: tuple[str, ...], *, at_ms: int = T0, firing: frozenset[str] = frozenset()) -> MarketTable:
    n = len(symbols)
    columns = {
        "price": [100.0] * n,
        "oi_usd": [5e9 - i for i in range(n)],
        "volume_24h": [1e9] * n,
        "funding_8h": [1e-4] * n,
    }
    for w in TABLE_WINDOWS_MS:
        columns |= {f"price_{w}": [0.01] * n, f"oi_{w}": [0.03, *[-0.03] * (n - 1)][:n]}
    return MarketTable(at_ms, symbols, tuple(f"binance:{s}" for s in symbols), columns, firing)


@dataclass
class HandReader:
    """The `DashboardReader` port with what a test puts there."""

    symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")
    at_ms: int = T0
    told: list[ToldAlert] = field(default_factory=list)
    rule_list: RuleList = field(default_factory=lambda: RuleList((), ()))
    lines: tuple[str, ...] = ("bot.started",)
    status_now: BotStatus = STATUS
    why_page: WhyPage | None = None
    glance_list: tuple[Glance, ...] = ()
    asked: list = field(default_factory=list)
    trouble: Exception | None = None

    def table(self) -> MarketTable:
        return table(self.symbols, at_ms=self.at_ms, firing=frozenset(self.symbols[:1]))

    def sparks(self):
        return {f"binance:{s}": [1.0, 2.0, None, 1.5] for s in self.symbols}

    def key_of(self, symbol: str) -> str | None:
        return next((f"binance:{s}" for s in self.symbols if symbol.upper() in {s, s.removesuffix("USDT")}), None)

    async def status(self) -> BotStatus:
        return self.status_now

    async def overview(self, window_ms: int, n: int) -> Overview:
        lanes = (LaneGlance("main", 3, 0, 0, 0.0, ""),)
        return Overview(self.at_ms, window_ms, self.status_now, (), (), (), lanes)

    async def chart(self, key: str, span_ms: int) -> ChartData | NoPicture:
        symbol = key.partition(":")[2]
        times = tuple(self.at_ms - 60_000 * n for n in range(30, -1, -1))
        return ChartData(
            symbol=symbol,
            venue="binance",
            base=symbol.removesuffix("USDT"),
            quote="USDT",
            from_ms=times[0],
            to_ms=times[-1],
            price=Curve(times, tuple(100.0 + n for n in range(31)), 150_000),
            oi=Curve(times, tuple(float("nan") if n in {3, 4} else 7e4 + n for n in range(31)), 150_000),
            volume=Columns(times, tuple(1e6 for _ in times)),
        )

    async def glances(self, key: str, *, chat: str):
        self.asked.append(("glances", chat, key))
        return self.glance_list, 0

    async def why(self, rule_id: str, key: str, *, chat: str) -> WhyPage | None:
        self.asked.append(("why", rule_id, key, chat))
        return self.why_page

    async def alerts(self, *, limit: int, chat: str, symbol: str = ""):
        self.asked.append(("alerts", chat, symbol))
        if self.trouble is not None:
            raise self.trouble
        return self.told[:limit]

    async def rules(self) -> RuleList:
        return self.rule_list

    async def tried(self, rule_id: str, number: float, key: str) -> Tried | None:
        return Tried(number, f"pct(oi, 15m) >= {number:.2%}", 4, 86_400_000, self.at_ms)

    def log_tail(self, n: int):
        return self.lines[-n:]


def alert(**changes) -> ToldAlert:
    made = ToldAlert(
        short_id="7q4mk2px",
        rule_id="oi_surge",
        title="OI surge",
        key="binance:BTCUSDT",
        symbol="BTCUSDT",
        severity="warning",
        fired_ms=T0 - 600_000,
        ended_ms=None,
        value_text="pct(oi, 15m)",
        value=0.061,
        is_ratio=True,
        reason="",
        receipts=(Receipt("main", "delivered", 320), Receipt("discord", "waiting", None)),
        later=(0.004, None, None),
    )
    return replace(made, **changes)


def rule(**changes) -> RuleLine:
    made = RuleLine("oi_surge", "OI surge", "pct(oi, 15m) >= 5%", "warning", True, 1, 0, 3, 9, 0.05, True)
    return replace(made, **changes)


def glance(**changes) -> Glance:
    made = Glance(
        "oi_surge", "OI surge", False, "inactive", "false", 0.02, "ratio", None, 1.0, "", AlertSeen("inactive"), T0
    )
    return replace(made, **changes)


def why(**changes) -> WhyPage:
    lines = (WhyLine(0, "false", "pct(oi, 15m) >= 5%", ("+2.00%, 3.00 points to go (60%)",)),)
    ends = WhyLine(0, "true", "pct(oi, 15m) < 2.5%")
    made = WhyPage("BTCUSDT · OI surge", "oi_surge", T0, "inactive", "inactive", "", (), "", lines, ends, ())
    return replace(made, **changes)


class ShiftedClock(SystemClock):
    """Its wall clock can be moved."""

    def __init__(self) -> None:
        super().__init__(speed=20.0)
        self.shift_ms = 0

    def wall_ms(self) -> int:
        return super().wall_ms() + self.shift_ms


class WebWorld:
    """A server with pages. `roles`: who may look."""

    def __init__(self, *, is_open: bool = False, hosts=(), origin: str = "") -> None:
        self.clock = ShiftedClock()
        self.door = Door()
        self.reader = HandReader()
        self.admitted = {OWNER, ADMIN}
        self.said: list[tuple[Visitor, str]] = []
        self.answer = Said(True, ("Done.",))
        self.site = Site(
            reader=self.reader,
            door=self.door,
            access=Access(
                may_look=lambda who: who in self.admitted,
                is_owner=lambda who: who == OWNER,
                say=self._say,
                origin=origin,
                open_as=OWNER if is_open else None,
            ),
            clock=self.clock,
        )
        self.server = Server(
            host="127.0.0.1",
            port=0,
            hosts=hosts,
            readiness=Readiness,
            metrics=self._metrics,
            clock=self.clock,
            site=self.site,
        )

    async def _metrics(self, _accept: str) -> tuple[bytes, str]:
        return b"x 1\n", "text/plain"

    async def _say(self, who: Visitor, text: str) -> Said:
        self.said.append((who, text))
        return self.answer

    async def __aenter__(self):
        self.task = asyncio.create_task(self.server.run())
        async with asyncio.timeout(20):
            while self.server.port is None:
                await asyncio.sleep(0.01)
        self.url = f"http://127.0.0.1:{self.server.port}"
        self.browser = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        return self

    async def __aexit__(self, *_):
        await self.browser.close()
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def get(self, path: str, **headers: str):
        async with self.browser.get(
            URL(self.url + path, encoded=True), headers=headers, allow_redirects=False
        ) as answer:
            return answer.status, await answer.text(), answer.headers

    async def post(self, path: str, data: dict[str, str] | bytes, **headers: str):
        url = URL(self.url + path, encoded=True)
        async with self.browser.post(url, data=data, headers=headers, allow_redirects=False) as answer:
            return answer.status, await answer.text(), answer.headers

    async def login(self, who: Visitor = OWNER) -> str:
        """As somebody who was told a link; the mark that forms must carry."""
        ticket = self.door.issue(who, now_ms=self.clock.wall_ms())
        status, _, _ = await self.post("/enter", {"ticket": ticket})
        assert status == 303
        _, text, _ = await self.get("/system")
        return re.search(r'data-csrf="(\w+)"', text)[1]

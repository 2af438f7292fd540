"""A small market made by hand."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from bot.chat.actions import Actions
from bot.chat.watchlists import Watchlists
from bot.clock import ManualClock
from bot.engine.engine import Engine
from bot.engine.explaining import explain, glances, in_order
from bot.engine.explaining_alerts import alert_glance, explain_alert
from bot.engine.inputs import Listed, Placed
from bot.model.alert import Transition, key_range
from bot.model.cards import CARD_WINDOWS_MS, BotStatus, InstrumentCard
from bot.model.chat_alert import ChatAlert
from bot.model.explanation import Explanation, Glance, Hush, RuleName
from bot.model.instrument import Instrument
from bot.model.rankings import FundingTable, Ranked, TopBy, TopList
from bot.model.updates import InstrumentList, MarkPrices
from bot.model.view import Move
from bot.rules.schema import Rule
from bot.storage.memory_watchlists import MemoryWatchlistStore
from tests.support.chat_actions import looking

NOW_MS = 1_767_225_600_000


def contract(base: str, quote: str = "USDT", *, status: str = "TRADING", venue: str = "binance") -> Instrument:
    return Instrument(venue, base + quote, "perpetual", base, quote, status)


def moves(changes: Sequence[float | None]) -> tuple[Move, ...]:
    return tuple(Move(w, change, None, None) for w, change in zip(CARD_WINDOWS_MS, changes, strict=True))


def card(instrument: Instrument, **more: object) -> InstrumentCard:
    full = InstrumentCard(
        venue=instrument.venue,
        symbol=instrument.symbol,
        base=instrument.base,
        quote=instrument.quote,
        status=instrument.status,
        at_ms=NOW_MS,
        price=93_183.0,
        price_age_ms=400,
        index=93_172.75,
        funding=0.000081,
        funding_interval_h=8.0,
        next_funding_ms=NOW_MS + 89 * 60_000,
        oi=93_600.0,
        oi_usd=8.72e9,
        oi_age_ms=12_000,
        oi_rank=1,
        volume_24h=2e10,
        low_24h=92_000.0,
        high_24h=94_000.0,
        price_moves=moves((0.0041, 0.0089, 0.0061, -0.0022, -0.0121)),
        oi_moves=moves((0.0182, 0.0606, 0.0642, 0.0590, 0.0793)),
    )
    return replace(full, **more)


class HandMarket:
    def __init__(self, cards: dict[Instrument, InstrumentCard | None]) -> None:
        self.cards = {instrument.key: found for instrument, found in cards.items()}
        self._instruments = list(cards)

    def instruments(self) -> Sequence[Instrument]:
        return self._instruments

    def card(self, key: str) -> InstrumentCard | None:
        return self.cards.get(key)

    def largest(self, n: int) -> Sequence[str]:
        trading = [one.key for one in self._instruments if one.is_trading and self.cards.get(one.key)]
        sizes = {key: self.cards[key].oi_usd for key in trading if self.cards[key].oi_usd is not None}
        return sorted(sizes, key=sizes.__getitem__, reverse=True)[:n]


class HandStatus:
    def __init__(self, status: BotStatus) -> None:
        self.now = status

    async def status(self) -> BotStatus:
        return self.now


@pytest.fixture
def make_contract() -> Callable[..., Instrument]:
    return contract


@pytest.fixture
def make_card() -> Callable[..., InstrumentCard]:
    return card


@pytest.fixture
def make_moves() -> Callable[..., tuple[Move, ...]]:
    return moves


@pytest.fixture
def healthy() -> BotStatus:
    return BotStatus(
        version="1.4.0",
        uptime_s=532_800.0,
        n_instruments=532,
        n_price_fresh=532,
        price_age_ms=400,
        n_oi_fresh=530,
        oi_slowest_ms=41_000,
        weight_share=0.38,
        banned_until_ms=None,
        feeds=(),
        n_rules=8,
        n_firing=1,
        n_pending=2,
        n_alerts_today=14,
        n_outbox=0,
        rss_mb=143.2,
        disk_free_gb=2.1,
        warming="",
    )


@pytest.fixture
def market() -> HandMarket:
    """Seven contracts of falling size; SOL has no open interest yet, LUNA has ended, 牛来 has no data at all."""
    sizes = {"BTC": 8.72e9, "ETH": 5.1e9, "1000PEPE": 3.2e8, "DOGE": 9.1e8, "币安人生": 1.1e8}
    found: dict[Instrument, InstrumentCard | None] = {}
    for base, size in sizes.items():
        found[contract(base)] = card(contract(base), oi_usd=size)
    sol = contract("SOL")
    unknown = moves((None,) * 5)
    found[sol] = card(
        sol,
        oi=None,
        oi_usd=None,
        oi_age_ms=None,
        oi_rank=None,
        oi_moves=unknown,
        price=None,
        price_age_ms=None,
        index=None,
        funding=None,
        next_funding_ms=None,
        low_24h=None,
        high_24h=None,
        price_moves=unknown,
    )
    luna = contract("LUNA", status="SETTLING")
    found[luna] = card(luna, oi_usd=9e12)
    found[contract("牛来")] = None
    return HandMarket(found)


@pytest.fixture
def status(healthy: BotStatus) -> HandStatus:
    return HandStatus(healthy)


class HandWhy:
    """Explanations made by a real engine over BTC, ETH and 1000PEPE; transitions by hand."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.off: list[RuleName] = []
        self.alerts: list[ChatAlert] = []
        self.transitions: list[Transition] = []
        self.hushed: tuple[Hush, ...] = ()

    def rules(self, chat: str | None = None) -> Sequence[RuleName]:
        return [*(RuleName(r.id, r.title) for r in self.engine.rules), *self.off]

    async def explain(self, rule_id: str, instrument: str, *, chat: str | None = None) -> Explanation | None:
        found = explain(self.engine, rule_id, instrument)
        mine = tuple(t for t in self.transitions if t.rule_id == rule_id)
        return None if found is None else replace(found, history=mine[:5], hushed=self.hushed)

    async def explain_alert(self, prefix: str, chat: str) -> Explanation | None:
        found = [one for one in self.alerts if one.chat == chat and one.id.startswith(prefix)]
        return explain_alert(self.engine, found[0]) if len(found) == 1 else None

    async def glances(self, instrument: str, *, chat: str | None = None) -> tuple[Sequence[Glance], int]:
        found, n_more = glances(self.engine, instrument)
        own = [one for one in self.alerts if one.chat == chat and one.instrument == instrument]
        return in_order([*found, *filter(None, (alert_glance(self.engine, one) for one in own))]), n_more

    async def firing(self, prefix: str, chat: str) -> Sequence[Transition]:
        wanted = key_range(prefix)
        return [t for t in self.transitions if wanted is not None and wanted[0] <= t.key < wanted[1]]


WHY_RULES = """
- {id: oi_surge, name: OI surge, when: 'pct(oi, 10s) >= 5%', clear: 'pct(oi, 10s) < 2.5%', for: 5s}
- {id: cheap, when: price < 80}
- {id: high, when: price >= 100, escalate: 5}
- {id: breadth, name: Broad move, per: market, when: 'count(pct(price, 10s) >= 3%) >= 2'}
- {id: small, scope: {symbols: [ETHUSDT]}, when: price > 1_000}
"""


@pytest.fixture
def why(rules_of) -> HandWhy:
    return HandWhy(surged(rules_of(WHY_RULES)))


def surged(rules: tuple[Rule, ...]) -> Engine:
    """Twenty seconds of BTC at 100 with one surge of open interest; ETH has no data, 1000PEPE falls."""
    engine = Engine(rules)
    listed = tuple(contract(base) for base in ("BTC", "ETH", "1000PEPE"))
    engine.consume(Listed(InstrumentList("binance", listed), NOW_MS))
    for second in range(20):
        now = NOW_MS + second * 1_000
        prices = np.array([100.0 if second < 15 else 102.0, 9.0 - second / 10])
        rows, zeros = np.array([0, 2], dtype=np.int32), np.zeros(2, dtype=np.int64)
        engine.consume(MarkPrices(rows, prices, prices, np.full(2, 1e-4), zeros, np.full(2, now), 0.0))
        engine.consume(Placed(0, 1_000.0 if second < 18 else 1_038.0, now, now, 15_000))
        engine.tick(now)
    return engine


@pytest.fixture
def engine_of(rules_of) -> Callable[[str], Engine]:
    """An engine after the same twenty seconds, with other rules."""
    return lambda text: surged(rules_of(text))


class HandRanks:
    """Lists as they were put here; what was asked for last."""

    def __init__(self, rows: Sequence[Ranked]) -> None:
        self.rows = list(rows)
        self.asked: tuple[object, ...] = ()
        self.n_known = 0

    def top(self, by: TopBy, window_ms: int, *, offset: int, n: int) -> TopList:
        self.asked = (by, window_ms, offset, n)
        return TopList(
            NOW_MS, by, window_ms, offset, len(self.rows), tuple(self.rows[offset : offset + n]), self.n_known
        )

    def funding(self, n: int) -> FundingTable:
        known = [row for row in self.rows if row.funding_8h is not None]
        by_rate = sorted(known, key=lambda row: -(row.funding_8h or 0.0))
        high = tuple(row for row in by_rate if row.funding_8h > 0)[:n]
        low = tuple(row for row in reversed(by_rate) if row.funding_8h < 0)[:n]
        return FundingTable(NOW_MS, NOW_MS + 89 * 60_000, len(known), 0.0001, high, low, tuple(known[:2]))


def ranked(base: str, **more: object) -> Ranked:
    row = Ranked(f"binance:{base}USDT", f"{base}USDT", base, "USDT", 0.031, 0.112, 0.0001, 3e7, 5e8)
    return replace(row, **more)


@pytest.fixture
def make_ranked() -> Callable[..., Ranked]:
    return ranked


@pytest.fixture
def ranks() -> HandRanks:
    return HandRanks(())


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(wall_ms=NOW_MS)


@pytest.fixture
def store() -> MemoryWatchlistStore:
    return MemoryWatchlistStore()


@pytest.fixture
def lists(store: MemoryWatchlistStore, clock: ManualClock) -> Watchlists:
    return Watchlists(store, clock)


@pytest.fixture
def actions(
    market: HandMarket,
    status: HandStatus,
    why: HandWhy,
    ranks: HandRanks,
    lists: Watchlists,
    clock: ManualClock,
) -> Actions:
    return looking(market=market, status=status, why=why, ranks=ranks, lists=lists, clock=clock)

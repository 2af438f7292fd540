"""`/risk`, `/stop`, `/stops` as people see them."""

import asyncio
from dataclasses import replace

import pytest

from bot.chat.asker import Asker, in_telegram
from bot.chat.commands import Command, parse
from bot.chat.risk_actions import MAX_PER_CHAT, RiskActions
from bot.chat.risk_text import StopWish, read_risk, read_stop
from bot.chat.spec import Problem
from bot.chat.telegram_html import to_plain
from bot.clock import ManualClock
from bot.model.instrument import Instrument
from bot.model.risk import RiskFigures, RiskSettings
from tests.support.chat_actions import looking

NOW_MS = 1_767_225_600_000
ME, GROUP = in_telegram(7, 7, is_owner=True), in_telegram(-1001, 7, is_owner=True)
GUEST = in_telegram(-1001, 8, is_owner=False)
FIGURES = RiskFigures(93_183.0, 400, 391.0, 3_600_000, 0.0606, 12_000, 0.000081)


class HandRisks:
    def __init__(self):
        self.now = FIGURES

    def price(self, key):
        return None if self.now.price is None else (self.now.price, self.now.price_age_ms)

    def instrument(self, key):
        return None

    def figures(self, key, window_ms):
        return replace(self.now, window_ms=window_ms)


class HandDesk:
    def __init__(self):
        self.settings, self.watches = {}, []

    def settings_of(self, person):
        return self.settings.get(person)

    async def set(self, person, settings):
        await asyncio.sleep(0)
        self.settings[person] = settings

    def watches_of(self, chat):
        return [w for w in self.watches if w.chat == chat]

    async def watch(self, watch):
        await asyncio.sleep(0)
        if any(w.id == watch.id for w in self.watches):
            return False
        self.watches.append(watch)
        return True

    async def unwatch(self, watch_id):
        self.watches = [w for w in self.watches if w.id != watch_id]


@pytest.fixture
def risks():
    return HandRisks()


@pytest.fixture
def desk():
    return HandDesk()


@pytest.fixture
def ask(market, status, why, risks, desk):
    family = RiskActions(market=market, risks=risks, desk=desk, venue_now=lambda: NOW_MS)
    actions = looking(family, market=market, status=status, why=why, clock=ManualClock(wall_ms=NOW_MS))

    async def ask(text, asker: Asker = ME):
        asked = parse(text)
        assert asked is not None
        reply = await actions.answer(asked, asker=asker)
        for row in reply.buttons:
            assert all(isinstance(parse(button.command), Command) for button in row)
        return to_plain(reply)

    return ask


async def test_a_stop_without_settings_is_a_distance_with_its_reasons(ask):
    assert await ask("/stop btc long") == (
        "BTCUSDT long · stop idea\n"
        "Entry  93,183 (mark price now)\n"
        "Stop   92,525  −0.71%\n"
        "       1.7 x the usual 1h range, 391.00 (0.42%)\n"
        "· wider by 12%: open interest rose 6.1% in 1h, swings tend to be larger\n"
        "Size   /risk 10000 1% in a private chat gives one\n"
        "By mark price; your exchange may trigger on last. Data, not advice."
    )


async def test_with_settings_it_says_size_risk_cost_and_liquidation(ask):
    assert "Equity $10,000, risk 1% per trade" in await ask("/risk 10000")
    await ask("/risk 2% 10x")
    text = await ask("/stop BTC short 93200 15m")
    assert "Entry  93,200\n" in text
    assert "Size   0.304" in text
    assert "Risk   $200, 2% allowed" in text
    assert "Hold   you get about" in text
    assert "At 10x the exchange would close it near" in text
    assert await ask("/risk off") == "Forgotten: no sizes from now on."
    assert "no sizes" not in await ask("/stop BTC short")


async def test_what_the_exchange_would_never_close_has_no_such_price(ask):
    await ask("/risk 10000 1% 1x")
    assert "would close it" not in await ask("/stop BTC long")
    assert "would close it near" in await ask("/stop BTC short")


async def test_of_two_settings_at_once_neither_is_lost(ask, desk):
    await ask("/risk 10000 1%")
    await asyncio.gather(ask("/risk 20000"), ask("/risk 2%"))
    assert desk.settings_of(ME.user) == RiskSettings(20_000.0, 0.02)


async def test_equity_stays_in_private_chats(ask):
    await ask("/risk 10000 1%")
    assert "private chat" in await ask("/risk", GROUP)
    text = await ask("/stop BTC long", GROUP)
    assert "x equity" not in text
    assert "in a private chat gives one" in text


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        ("/stop BTC", "expected long or short"),
        ("/stop BTC sideways", "not sideways"),
        ("/stop BTC long 3m", "5m to 24h"),
        ("/stop BTCUDST long", "I don't know the symbol"),
        ("/stop BTC long 9", "far from the price"),
        ("/risk 1%", "need your equity"),
        ("/risk 10000 0%", "risk per trade"),
        ("/risk equity 10000 risk 2", "a risk per trade such as 1%, not 2."),
        ("/risk risk of 0.5 equity 10000", "a risk per trade such as 1%, not 0.5."),
        ("/risk 10000 500x", "leverage from 1x to 125x"),
        ("/risk banana", "not banana"),
        ("/risk 10.000 1%", "not 10.000."),
        ("/stop all", "/silence 2h is for quiet"),
        ("/stop alerts please!", "/silence 2h is for quiet"),
        ("/risk 10000,50,1 1%", "not 10000,50,1"),
        ("/stops on", "expected nothing, or off"),
        ("/stops off w-abcd", "know no such stop"),
    ],
)
async def test_what_cannot_be_understood_is_said(ask, typed, part):
    assert part in await ask(typed)


async def test_stale_prices_and_missing_ranges_are_refused(ask, risks):
    risks.now = replace(FIGURES, price_age_ms=90_000)
    assert "no stop on old prices" in await ask("/stop BTC long")
    risks.now = replace(FIGURES, atr=None)
    assert "usual range of 1h" in await ask("/stop BTC long")


async def test_a_stop_that_follows_is_listed_and_ended_by_who_made_it(ask, desk):
    text = await ask("/stop BTC long watch", GROUP)
    [watch] = desk.watches
    assert (watch.side, watch.chat, watch.person, watch.stop) == ("long", "telegram:-1001", "telegram:7", watch.told)
    assert watch.id in text
    assert f"{watch.id} BTCUSDT long from 93,183: stop" in await ask("/stops", GUEST)
    assert await ask("/stops") == ("No stop follows the market here. /stop BTC long watch lets one.")
    assert await ask(f"/stops off {watch.id}", GUEST) == "Only who made it may end it."
    assert watch.id in await ask(f"/stops off {watch.id[2:6]}", GROUP)
    assert not desk.watches


async def test_there_is_a_limit_and_ids_never_collide(ask, desk):
    for _ in range(MAX_PER_CHAT):
        await ask("/stop BTC long watch")
    assert len({w.id for w in desk.watches}) == MAX_PER_CHAT
    assert "follow here already" in await ask("/stop BTC long watch")


async def test_the_limit_holds_for_those_that_come_at_once(ask, desk):
    await asyncio.gather(*(ask("/stop BTC long watch") for _ in range(MAX_PER_CHAT + 3)))
    assert len(desk.watches) == MAX_PER_CHAT


def test_words_in_any_order():
    assert read_stop(("BTC", "sell", "$70,000", "15m", "watch")) == StopWish(
        "BTC", "short", 70_000.0, 900_000, watches=True
    )
    assert read_risk(("equity", "10k", "leverage", "3"), None) == RiskSettings(10_000.0, 0.01, 3.0)
    assert read_risk(("risk", "of", "2%", "with", "equity", "9k"), None) == RiskSettings(9_000.0, 0.02)
    assert read_risk(("1%", "risk", "of", "10000", "equity"), None) == RiskSettings(10_000.0, 0.01)
    assert read_risk(("10k", "with", "1%", "risk", "at", "3x", "leverage"), None) == RiskSettings(10_000.0, 0.01, 3.0)
    assert read_risk(("$1,250,000.50",), None) == RiskSettings(1_250_000.5)
    assert isinstance(read_stop(("BTC", "long", "5", "6")), Problem)


async def test_a_contract_that_does_not_trade_is_refused(ask, market):
    broken = Instrument("binance", "OLDUSDT", "perpetual", "OLD", "USDT", "SETTLING")
    market.instruments().append(broken)
    assert "does not trade now" in await ask("/stop OLDUSDT long")


@pytest.mark.parametrize(
    "typed",
    [
        "10000 1% 5x",
        "$10,000 1% x5",
        "10000$ 1 % 5 x",
        "10000 usd, 1 percent, 5x leverage.",
        "10 000 USDT 1% risk and 5x",
        "10k risk 1% per trade max leverage 5",
        "1% of 10k at 5x please",
        "my equity is 10000, risk 1%, leverage 5x",
        "10.000,00 1,0% 5x",
    ],
)
def test_what_may_be_lost_is_read_as_people_write_it(typed):
    assert read_risk(tuple(typed.split()), None) == RiskSettings(10_000.0, 0.01, 5.0)


async def test_of_two_amounts_it_is_asked_which_is_which(ask, desk):
    assert await ask("/risk 10000 usdt 1% 5") == (
        "Two amounts, 10000 and 5: one is the equity; a leverage has an x. Write it like /risk 10000 1% 5x."
    )
    assert "Write it like /risk 10000 1%." in await ask("/risk 10000 20000")
    assert desk.settings_of(ME.user) is None
    assert "risk 1.5% per trade" in await ask("/risk 10000 1,5%")
    assert "Equity $10,000, risk 1.5%" in await ask("/risk 10000,50"), "that of a decimal, not of thousands"
    assert "Equity $2,500, risk 1.5% per trade" in await ask("/risk 2,5k")
    assert "Entry  93,184\n" in await ask("/stop BTC long 93183,5")
    assert "Write it like /risk 10000 1% 5x." in await ask("/risk 10.000 1% 5x")


@pytest.mark.parametrize(
    ("typed", "wish"),
    [
        ("btc long", StopWish("btc", "long")),
        ("long btc", StopWish("btc", "long")),
        ("Short on ETH.", StopWish("ETH", "short")),
        ("for btc longs", StopWish("btc", "long")),
        ("loss btc long", StopWish("btc", "long")),
        ("btc long, 15 min", StopWish("btc", "long", None, 900_000)),
        ("btc long 70 000 1 hour", StopWish("btc", "long", 70_000.0)),
        ("15m btc long", StopWish("btc", "long", None, 900_000)),
        ("btc long from 70k", StopWish("btc", "long", 70_000.0)),
        ("btc long @70000", StopWish("btc", "long", 70_000.0)),
        ("btc long @ 70000 over 4h", StopWish("btc", "long", 70_000.0, 14_400_000)),
        ("$btc buy 70000 usd", StopWish("$btc", "long", 70_000.0)),
        ("LONG short", StopWish("LONG", "short")),
        ("S long", StopWish("S", "long")),
        ("loss long", StopWish("loss", "long")),
    ],
)
def test_a_stop_is_asked_for_as_people_say_it(typed, wish):
    assert read_stop(tuple(typed.split())) == wish

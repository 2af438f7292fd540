"""What would have fired, against the real engine second by second and against plain loops."""

from dataclasses import replace

import numpy as np
import pytest

from bot.engine.past import Past, past_of
from bot.history.rehearsal import rehearse
from bot.model.chat_alert import ChatAlert
from bot.model.instrument import Instrument
from bot.model.updates import Bars

T0 = 1_767_225_600_000
MINUTE_MS = 60_000
BTC = Instrument("binance", "BTCUSDT", "perpetual", "BTC", "USDT", "TRADING")


def alert(measure="pct(oi, 15m)", op=">=", level=0.05, **more) -> ChatAlert:
    return ChatAlert("a-00000000", "c", "u", "binance:BTCUSDT", measure, op, level, True, T0, **more)


def past(oi, price=None) -> Past:
    times = T0 + np.arange(1, len(oi) + 1) * MINUTE_MS
    prices = np.full(len(oi), 100.0) if price is None else np.array(price)
    samples = {"oi": (times, np.array(oi)), "price": (times, prices)}
    return Past(BTC, samples, T0, int(times[-1]), MINUTE_MS)


def of(symbol, samples) -> Past:
    instrument = Instrument("binance", symbol, "perpetual", symbol.removesuffix("USDT"), "USDT", "TRADING")
    n = len(next(iter(samples.values())))
    times = T0 + np.arange(1, n + 1) * MINUTE_MS
    series = {name: (times, np.array(values)) for name, values in samples.items()}
    return Past(instrument, series, T0, T0 + n * MINUTE_MS, MINUTE_MS)


def by_hand(oi, level):
    """Rising edges of pct(oi, 15m) >= level by loops, after the first false."""
    fired, was_true = [], True
    for k in range(15, len(oi)):
        now = np.float32(oi[k]) / np.float32(oi[k - 15]) - 1 >= level
        if now and not was_true:
            fired.append(k)
        was_true = now
    return fired


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_counts_what_plain_loops_count(seed):
    rng = np.random.default_rng(seed)
    oi = 1000 * np.exp(np.cumsum(rng.normal(0, 0.015, 400)))
    expected = by_hand(oi, 0.05)
    found = rehearse([alert(cooldown_ms=0)], [], [past(oi)])["a-00000000"]
    assert len(expected) > 3
    assert (found.n_fired, found.last_ms) == (len(expected), T0 + (expected[-1] + 1) * MINUTE_MS)
    assert found.span_ms == (400 - 15) * MINUTE_MS, "the first quarter of an hour cannot be judged"


def test_what_is_true_from_the_beginning_is_not_counted(rules_of):
    oi = [1000.0 * 1.01**k for k in range(60)]
    assert rehearse([alert()], [], [past(oi)])["a-00000000"].n_fired == 0
    [rule] = rules_of("- {id: surge, when: 'pct(oi, 15m) >= 5%', scope: {symbols: [BTCUSDT]}}\n")
    assert rehearse([], [rule], [past(oi)])["surge"].n_fired == 0


@pytest.mark.parametrize("life", ["for: 30s", "for: 5m", "for: 20m"])
def test_nor_where_it_has_to_hold_for_a_while(rules_of, life):
    [rule] = rules_of(f"- {{id: high, when: price > 50, {life}, scope: {{symbols: [BTCUSDT]}}, cooldown: 0s}}\n")
    prices = [100.0] * 60 + [10.0] * 30 + [100.0] * 30
    assert rehearse([], [rule], [past([1000.0] * 60, prices[:60])])["high"].n_fired == 0
    assert rehearse([], [rule], [past([1000.0] * 120, prices)])["high"].n_fired == 1


def test_nor_where_the_first_sample_comes_later_than_what_else_is_held(rules_of):
    [rule] = rules_of("- {id: surge, when: 'pct(oi, 15m) >= 5%', scope: {symbols: [BTCUSDT]}}\n")
    held = past([1000.0 * 1.01**k for k in range(60)])
    times, values = held.samples["oi"]
    rows = slice(7, None, 5)
    late = replace(held, samples={**held.samples, "oi": (times[rows], values[rows])}, oi_interval_ms=5 * MINUTE_MS)
    assert rehearse([], [rule], [late])["surge"].n_fired == 0


@pytest.mark.parametrize("n_known", [0, 1])
def test_an_instrument_of_which_nothing_is_known_yet_fires_nothing_and_hinders_no_other(rules_of, n_known):
    rules = rules_of("- {id: high, when: price > 50, scope: {symbols: ['*USDT']}, cooldown: 0s}\n")
    none = of("NEWUSDT", {"price": []})
    known = [of("BTCUSDT", {"price": [100.0] * 20 + [10.0] * 20 + [100.0] * 20})] * n_known
    pasts = [replace(none, now_ms=T0 + 60 * MINUTE_MS), *known]
    assert rehearse([], rules, pasts)["high"].n_fired == n_known


def test_rules_and_several_alerts_run_together(rules_of):
    oi = [1000.0] * 30 + [1100.0] * 30 + [1000.0] * 30 + [1100.0] * 30
    [rule] = rules_of(
        "- {id: surge, when: 'pct(oi, 15m) >= 5% and price > 1', scope: {symbols: [BTCUSDT]}, cooldown: 0s}\n"
    )
    other = ChatAlert("a-00000001", "c", "u", "binance:BTCUSDT", "pct(oi, 15m)", ">=", 0.2, True, T0)
    found = rehearse([alert(cooldown_ms=0), other], [rule], [past(oi)])
    assert {id_: one.n_fired for id_, one in found.items()} == {"a-00000000": 2, "a-00000001": 0, "surge": 2}
    assert found["a-00000000"].last_value == pytest.approx(0.1)


def test_several_instruments_are_counted_together_as_each_alone(rules_of):
    [rule] = rules_of("- {id: surge, when: 'pct(oi, 15m) >= 5%', cooldown: 0s, scope: {symbols: ['*']}}\n")
    rng = np.random.default_rng(7)
    walks = {f"C{k}USDT": 1000 * np.exp(np.cumsum(rng.normal(0, 0.015, 300))) for k in range(4)}
    pasts = [of(symbol, {"oi": oi, "price": np.full(300, 1.0)}) for symbol, oi in walks.items()]
    alone = [rehearse([], [rule], [one])["surge"] for one in pasts]
    together = rehearse([], [rule], pasts)["surge"]
    assert together.n_fired == sum(one.n_fired for one in alone) > 4
    assert together.n_symbols == sum(one.n_fired > 0 for one in alone) > 1
    last = max((one for one in alone if one.n_fired), key=lambda one: one.last_ms)
    assert (together.last_ms, together.last_symbol) == (last.last_ms, last.last_symbol)


def test_traded_volume_is_run_over_as_well():
    """24 hours of which 80 % have to be known before anything is usual; then twice a quarter of an hour of much."""
    volume = np.full(1_440, 100.0)
    volume[1_200:1_215] = volume[1_300:1_315] = 1_000.0
    one = of("BTCUSDT", {"price": np.full(1_440, 1.0), "volume": volume})
    found = rehearse([alert("ratio(volume, 15m)", ">", 3.0, cooldown_ms=0)], [], [one])["a-00000000"]
    assert found.n_fired == 2
    assert found.span_ms == 1_440 * MINUTE_MS // 5
    assert found.last_value > 3


def test_memory_of_a_running_engine_is_enough(rules_of, live_market):
    feed = live_market(rules_of("- {id: far, when: 'pct(oi, 24h) > 900% and pct(price, 24h) > 900%'}\n"), "BTC", "ETH")
    for minute in range(120):
        for second in range(0, 60, 15):
            feed.prices({"BTCUSDT": 100.0, "ETHUSDT": 1.0})
            feed.oi("BTCUSDT", 1000.0 if minute % 40 < 20 else 1100.0)
            feed.tick(seconds=15)
        del second
    held = past_of(feed.engine, "binance:BTCUSDT", ["oi"], span_ms=86_400_000)
    found = rehearse([alert(cooldown_ms=0)], [], [held])["a-00000000"]
    assert found.n_fired == 3
    assert held.now_ms - held.start_ms <= 120 * MINUTE_MS, "two hours are held, not the day that the ring could hold"
    assert found.span_ms <= 120 * MINUTE_MS
    assert past_of(feed.engine, "binance:NOUSDT", ["oi"], span_ms=86_400_000) is None
    assert past_of(feed.engine, "binance:BTCUSDT", ["volume"], span_ms=86_400_000) is None, "no rule holds it"
    assert past_of(feed.engine, "binance:BTCUSDT", ["liq_long"], span_ms=86_400_000) is None


def test_memory_holds_minutes_of_volume_where_a_rule_needs_them(rules_of, live_market):
    feed = live_market(rules_of("- {id: loud, when: 'ratio(volume, 15m) > 900'}\n"), "BTC", "ETH")
    first_ms = None
    for minute in range(40):
        feed.prices({"BTCUSDT": 100.0, "ETHUSDT": 1.0})
        close_ms = feed.engine.now_ms // MINUTE_MS * MINUTE_MS
        first_ms = first_ms or close_ms
        amounts = np.array([float(minute), 1.0])
        feed.engine.consume(
            Bars(np.arange(2, dtype=np.int32), np.full(2, close_ms), amounts, amounts / 2, MINUTE_MS, 0.0)
        )
        feed.tick(seconds=60)
    held = past_of(feed.engine, "binance:BTCUSDT", ["volume"], span_ms=86_400_000)
    times, values = held.samples["volume"]
    assert times.tolist() == [first_ms + k * MINUTE_MS for k in range(len(times))]
    assert values.tolist()[-1] == 39.0

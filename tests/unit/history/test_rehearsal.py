"""What would have fired, against the real engine second by second and against plain loops."""

import numpy as np
import pytest

from bot.engine.past import Past, past_of
from bot.history.rehearsal import rehearse
from bot.model.chat_alert import ChatAlert
from bot.model.instrument import Instrument

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
    found = rehearse([alert(cooldown_ms=0)], [], past(oi))["a-00000000"]
    assert len(expected) > 3
    assert (found.n_fired, found.last_ms) == (len(expected), T0 + (expected[-1] + 1) * MINUTE_MS)
    assert found.span_ms == 400 * MINUTE_MS


def test_what_is_true_from_the_beginning_is_not_counted(rules_of):
    oi = [1000.0 * 1.01**k for k in range(60)]
    assert rehearse([alert()], [], past(oi))["a-00000000"].n_fired == 0
    [rule] = rules_of("- {id: surge, when: 'pct(oi, 15m) >= 5%', scope: {symbols: [BTCUSDT]}}\n")
    assert rehearse([], [rule], past(oi))["surge"].n_fired == 0


def test_rules_and_several_alerts_run_together(rules_of):
    oi = [1000.0] * 30 + [1100.0] * 30 + [1000.0] * 30 + [1100.0] * 30
    [rule] = rules_of(
        "- {id: surge, when: 'pct(oi, 15m) >= 5% and price > 1', scope: {symbols: [BTCUSDT]}, cooldown: 0s}\n"
    )
    other = ChatAlert("a-00000001", "c", "u", "binance:BTCUSDT", "pct(oi, 15m)", ">=", 0.2, True, T0)
    found = rehearse([alert(cooldown_ms=0), other], [rule], past(oi))
    assert {id_: one.n_fired for id_, one in found.items()} == {"a-00000000": 2, "a-00000001": 0, "surge": 2}
    assert found["a-00000000"].last_value == pytest.approx(0.1)


def test_memory_of_a_running_engine_is_enough(rules_of, live_market):
    feed = live_market(rules_of("- {id: far, when: 'pct(oi, 24h) > 900% and pct(price, 24h) > 900%'}\n"), "BTC", "ETH")
    for minute in range(120):
        for second in range(0, 60, 15):
            feed.prices({"BTCUSDT": 100.0, "ETHUSDT": 1.0})
            feed.oi("BTCUSDT", 1000.0 if minute % 40 < 20 else 1100.0)
            feed.tick(seconds=15)
        del second
    held = past_of(feed.engine, "binance:BTCUSDT", ["oi"], span_ms=86_400_000)
    found = rehearse([alert(cooldown_ms=0)], [], held)["a-00000000"]
    assert found.n_fired == 3
    assert past_of(feed.engine, "binance:NOUSDT", ["oi"], span_ms=86_400_000) is None
    assert past_of(feed.engine, "binance:BTCUSDT", ["volume"], span_ms=86_400_000) is None

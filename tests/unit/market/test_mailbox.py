"""The hand-over is bounded and loses only what is worthless."""

import numpy as np

from bot.market.mailbox import MAX_GAUGE_BATCHES, Mailbox
from bot.model.updates import Bars, Liquidations, MarkPrices, OpenInterest


def marks(price, rows=(0, 1), second=0):
    n = len(rows)
    return MarkPrices(
        rows=np.array(rows, dtype=np.int32),
        price=np.full(n, float(price)),
        index=np.full(n, float(price)),
        funding=np.zeros(n),
        next_funding_ms=np.zeros(n, dtype=np.int64),
        event_ms=np.full(n, second, dtype=np.int64),
        received_ms=float(second),
    )


def test_mark_prices_conflate_per_instrument_and_the_newest_wins():
    box = Mailbox()
    box.put(marks(1, rows=(7,)))
    for i in range(2, MAX_GAUGE_BATCHES + 3):
        box.put(marks(i, second=i))

    batches = box.drain()

    merged = batches[0]
    assert isinstance(merged, MarkPrices)
    assert box.n_conflated == MAX_GAUGE_BATCHES
    assert dict(zip(merged.rows.tolist(), merged.price.tolist(), strict=True)) == {0: 17.0, 1: 17.0, 7: 1.0}
    assert batches[-1].price[0] == MAX_GAUGE_BATCHES + 2


def test_open_interest_never_conflates():
    box = Mailbox()
    samples = [OpenInterest(0, float(i), i, 15_000, float(i)) for i in range(1_000)]
    for sample in samples:
        box.put(sample)

    assert box.drain() == samples


def bars(second):
    return Bars(
        rows=np.array([0], dtype=np.int32),
        close_ms=np.array([second * 60_000]),
        volume=np.ones(1),
        taker_buy=np.ones(1),
        span_ms=60_000,
        received_ms=float(second),
    )


def orders(second):
    return Liquidations(
        rows=np.array([0], dtype=np.int32),
        event_ms=np.array([second]),
        usd=np.ones(1),
        is_long=np.ones(1, dtype=np.bool_),
        received_ms=float(second),
    )


def test_bars_and_liquidations_never_conflate():
    box = Mailbox()
    sent = [make(second) for second in range(500) for make in (bars, orders)]
    for update in sent:
        box.put(update)
    assert [id(update) for update in box.drain()] == [id(update) for update in sent]
    assert box.n_conflated == box.n_dropped == 0


def test_past_the_bound_bars_go_before_liquidations(monkeypatch):
    monkeypatch.setattr("bot.market.mailbox.MAX_OTHER", 10)
    box = Mailbox()
    for second in range(10):
        box.put((bars if second < 3 else orders)(second))
    for second in range(10, 15):
        box.put(orders(second))
    kept = box.drain()
    assert [u.event_ms[0] for u in kept] == list(range(5, 15)), "the three bars, then the oldest two orders"
    assert box.n_dropped == 5


async def test_wait_returns_at_once_when_something_is_there():
    box = Mailbox()
    box.put(marks(1))

    await box.wait()

    assert len(box.drain()) == 1
    assert len(box) == 0

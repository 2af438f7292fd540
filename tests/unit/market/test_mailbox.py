"""The hand-over is bounded and loses only what is worthless."""

import numpy as np

from bot.market.mailbox import MAX_GAUGE_BATCHES, Mailbox
from bot.model.updates import MarkPrices, OpenInterest


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


async def test_wait_returns_at_once_when_something_is_there():
    box = Mailbox()
    box.put(marks(1))

    await box.wait()

    assert len(box.drain()) == 1
    assert len(box) == 0

"""The past on request: the right call, in our units, asked once."""

import asyncio
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.clock import ManualClock
from bot.feeds.binance.past import DEADLINE_S, PastReader
from bot.feeds.client import Priority
from bot.feeds.gate import Failure
from bot.model.charts import DAY_MS, HOUR_MS, MINUTE_MS, Columns, Curve

NOW_MS = 1_770_129_060_000


class Venue:
    def __init__(self):
        self.clock = ManualClock(wall_ms=NOW_MS)
        self.calls = []
        self.answer = []
        self.takes_s = 0.0
        self.past = PastReader(client=self, clock=self.clock, venue_now=lambda: NOW_MS)

    async def get(self, request, *, priority, attempts=3):
        query = {key: values[0] for key, values in parse_qs(urlsplit(request.target).query).items()}
        self.calls.append((request.path.rpartition("/")[2], request.pool, priority, query))
        await self.clock.sleep(self.takes_s)
        return self.answer if isinstance(self.answer, Failure | bytes) else json.dumps(self.answer).encode()


@pytest.fixture
def venue():
    return Venue()


def bar(open_ms, close, quote):
    return [open_ms, "1", "1", "1", str(close), "9", open_ms + MINUTE_MS - 1, str(quote), 5, "1", "1", "0"]


async def ask(venue, series="price", *, step_ms=MINUTE_MS, n=3, urgent=True):
    return await venue.past.curve("币安人生USDT", series, step_ms=step_ms, n=n, urgent=urgent)


async def test_prices_are_closes_at_the_end_of_their_bars(venue):
    first = NOW_MS // MINUTE_MS * MINUTE_MS - 2 * MINUTE_MS
    venue.answer = [bar(first, 5.0, 1), bar(first + MINUTE_MS, 6.0, 1), bar(first + 2 * MINUTE_MS, 7.0, 1)]
    found = await ask(venue)
    assert found == Curve((first + MINUTE_MS, first + 2 * MINUTE_MS), (5.0, 6.0), 150_000)
    path, pool, priority, query = venue.calls[0]
    assert (path, pool, priority) == ("markPriceKlines", "weight", Priority.QUESTION)
    assert query == {"symbol": "币安人生USDT", "interval": "1m", "limit": "3"}


async def test_open_interest_by_days(venue):
    venue.answer = [
        {"symbol": "X", "sumOpenInterest": "12.5", "sumOpenInterestValue": "1", "timestamp": NOW_MS - DAY_MS},
        {"symbol": "X", "sumOpenInterest": "13.5", "sumOpenInterestValue": "1", "timestamp": str(NOW_MS)},
    ]
    found = await ask(venue, "oi", step_ms=DAY_MS, n=30, urgent=False)
    assert found == Curve((NOW_MS - DAY_MS, NOW_MS), (12.5, 13.5), 5 * DAY_MS // 2)
    assert venue.calls[0][:3] == ("openInterestHist", "data", Priority.POLL)
    assert venue.calls[0][3]["period"] == "1d"


async def test_funding_leaves_special_payments_out(venue):
    rows = [("Regular", "0.0001", 0), ("Special", "0.5", 1), ("Regular", "-0.0002", 8 * HOUR_MS)]
    venue.answer = [
        {"symbol": "X", "fundingRate": rate, "fundingTime": NOW_MS + at, "rateType": kind} for kind, rate, at in rows
    ]
    found = await ask(venue, "funding", step_ms=HOUR_MS, n=100)
    assert found.value == (0.0001, -0.0002)
    assert venue.calls[0][:2] == ("fundingRate", "funding")


async def test_the_ratio_of_top_traders(venue):
    venue.answer = [{"symbol": "X", "longShortRatio": "1.5", "timestamp": NOW_MS}]
    found = await ask(venue, "long_short", step_ms=2 * HOUR_MS, n=9)
    assert found.value == (1.5,)
    assert venue.calls[0][0] == "topLongShortPositionRatio"
    assert venue.calls[0][3]["period"] == "2h"


async def test_volume_keeps_the_running_bar_and_weeks_begin_on_mondays(venue):
    monday = 1_769_990_400_000 // DAY_MS * DAY_MS
    venue.answer = [bar(monday, 1, 70.5), bar(monday + 7 * DAY_MS, 1, 10.0), [1, 2], bar(monday + 5, 1, 1.0)]
    found = await venue.past.volume("X", step_ms=7 * DAY_MS, n=4, urgent=True)
    assert found == Columns((monday, monday + 7 * DAY_MS), (70.5, 10.0), 7 * DAY_MS)
    assert venue.calls[0][3]["interval"] == "1w"


async def test_an_answer_is_kept_for_a_while(venue):
    venue.answer = [bar(NOW_MS // MINUTE_MS * MINUTE_MS - MINUTE_MS, 5.0, 1)]
    await ask(venue)
    await ask(venue)
    assert len(venue.calls) == 1
    await ask(venue, n=4)
    assert len(venue.calls) == 2
    await venue.clock.advance(31)
    await ask(venue)
    assert len(venue.calls) == 3


async def test_what_is_kept_no_longer_takes_no_memory(venue):
    venue.answer = [bar(NOW_MS // MINUTE_MS * MINUTE_MS - MINUTE_MS, 5.0, 1)]
    for n in range(2, 12):
        await ask(venue, n=n)
    await ask(venue, step_ms=DAY_MS)
    assert len(venue.past._kept) == 11
    await venue.clock.advance(31)
    await ask(venue, n=20)
    # Of the day's bars the answer is good for longer.
    assert [key[2:] for key in venue.past._kept] == [(DAY_MS, 3), (MINUTE_MS, 20)]


async def test_asked_twice_at_a_time_it_is_sent_once(venue):
    venue.answer = [bar(NOW_MS // MINUTE_MS * MINUTE_MS - MINUTE_MS, 5.0, 1)]
    venue.takes_s = 1.0
    both = asyncio.gather(ask(venue), ask(venue))
    await venue.clock.advance(2)
    one, other = await both
    assert one == other
    assert len(venue.calls) == 1


async def test_what_does_not_come_in_time_is_none_and_asked_again(venue):
    venue.answer = []
    venue.takes_s = DEADLINE_S + 60
    asking = asyncio.ensure_future(ask(venue))
    await venue.clock.advance(DEADLINE_S + 1)
    assert await asking is None
    venue.takes_s = 0.0
    assert await ask(venue) == Curve((), (), 150_000)


@pytest.mark.parametrize("answer", [Failure("ban", "banned"), b"<html>", b'{"code": -1121, "msg": "Invalid symbol."}'])
async def test_a_refusal_is_none(venue, answer):
    venue.answer = answer
    assert await ask(venue) is None
    assert await venue.past.volume("X", step_ms=MINUTE_MS, n=4, urgent=True) is None


async def test_a_step_that_the_venue_does_not_know_is_our_mistake(venue):
    with pytest.raises(ValueError, match="expected a step among"):
        await ask(venue, step_ms=7 * MINUTE_MS)
    venue.answer = []
    assert await ask(venue) == Curve((), (), 150_000)

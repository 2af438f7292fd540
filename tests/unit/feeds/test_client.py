import asyncio
from random import Random

import pytest

from bot.clock import ManualClock
from bot.feeds.binance import rest
from bot.feeds.client import Priority, RestClient
from bot.feeds.gate import Failure
from bot.feeds.transport import Answer
from bot.storage.memory import MemoryKeyValues

OK = Answer(200, {"X-MBX-USED-WEIGHT-1M": "1"}, b'{"ok":1}')
BAN_BODY = b'{"code":-1003,"msg":"Way too many requests; IP(1.2.3.4) banned until %d."}'


class Host:
    """A transport that answers from a script; what it was asked stands in `calls` with its time."""

    def __init__(self, clock: ManualClock, *answers, latency_s: float = 0.05) -> None:
        self.clock = clock
        self.answers = list(answers)
        self.latency_s = latency_s
        self.calls: list[tuple[float, str]] = []
        self.at_once = self.most_at_once = 0

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def get(self, target: str) -> Answer:
        self.calls.append((self.clock.monotonic_ms() / 1000.0, target))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.clock.sleep(self.latency_s)
        finally:
            self.at_once -= 1
        answer = self.answers.pop(0) if self.answers else OK
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.calls]


def client_of(clock: ManualClock, host: Host, store: MemoryKeyValues | None = None, **kwargs) -> RestClient:
    return RestClient(
        venue=rest.BinanceRest(),
        base_url="http://fapi.example",
        clock=clock,
        store=store or MemoryKeyValues(),
        random=Random(3),
        venue_now=clock.wall_ms,
        transport=host,
        **kwargs,
    )


async def run(clock: ManualClock, seconds: float, *jobs, step_s: float = 1.0) -> list:
    """Run jobs side by side for that long; what is not over then is None."""
    tasks = [asyncio.create_task(job) for job in jobs]
    gone = 0.0
    while gone < seconds:
        await clock.advance(step_s)
        gone += step_s
    results = [task.result() if task.done() else None for task in tasks]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return results


def most_in_any(times: list[float], window_s: float) -> int:
    return max((sum(1 for t in times if start <= t < start + window_s) for start in times), default=0)


async def test_an_answer_comes_back_as_bytes_and_its_weight_is_read() -> None:
    clock = ManualClock()
    host = Host(clock, Answer(200, {"x-mbx-used-weight-1m": "600"}, b"[]"))
    async with client_of(clock, host) as client:
        assert await run(clock, 1, client.get(rest.open_interest("币安USDT"), priority=Priority.POLL)) == [b"[]"]
        assert client.used_share == pytest.approx(0.25)
        assert client.counters.by_status == {200: 1}
    assert host.calls[0][1] == "/fapi/v1/openInterest?symbol=%E5%B8%81%E5%AE%89USDT"


class Door(Host):
    """A transport that answers only between opening and closing, as the real one does."""

    is_open = False

    async def open(self) -> None:
        self.is_open = True

    async def close(self) -> None:
        self.is_open = False

    async def get(self, target: str) -> Answer:
        assert self.is_open
        return await super().get(target)


async def test_who_asks_before_the_feed_has_begun_or_while_it_begins_anew_is_answered_when_it_has() -> None:
    """A chart that is asked for at the start, or in the seconds after a crash of the feed."""
    clock = ManualClock()
    host = Door(clock)
    client = client_of(clock, host)
    for _ in range(2):
        asked = asyncio.create_task(client.get(rest.server_time(), priority=Priority.QUESTION))
        await clock.advance(2.0)
        assert not asked.done()
        async with client:
            await clock.advance(2.0)
            assert await asked == OK.body
    assert len(host.calls) == 2


async def test_a_ban_costs_one_call_and_is_waited_out() -> None:
    clock = ManualClock()
    until_ms = clock.wall_ms() + 120_000
    host = Host(clock, OK, Answer(418, {"Retry-After": "120"}, BAN_BODY % until_ms))
    async with client_of(clock, host) as client:
        await run(clock, 1, client.get(rest.server_time(), priority=Priority.POLL))
        jobs = [client.get(rest.open_interest(f"S{n}"), priority=Priority.POLL) for n in range(1)]
        (failure,) = await run(clock, 1, *jobs)
        assert isinstance(failure, Failure)
        assert failure.kind == "ban"
        jobs = [client.get(rest.open_interest(f"S{n}"), priority=Priority.QUESTION) for n in range(20)]
        assert await run(clock, 110, *jobs) == [None] * 20
        assert len(host.calls) == 2
        assert client.banned_until_ms is not None
        jobs = [client.get(rest.open_interest(f"S{n}"), priority=Priority.POLL) for n in range(20)]
        assert await run(clock, 30, *jobs) == [b'{"ok":1}'] * 20
        assert client.banned_until_ms is None
    assert host.times[2] >= 121.0


async def test_after_a_pause_one_call_goes_alone_and_the_others_wait_for_its_answer() -> None:
    clock = ManualClock()
    ban = Answer(418, {"Retry-After": "100"}, b"")
    host = Host(clock, ban, ban, OK, latency_s=2.0)
    async with client_of(clock, host) as client:
        jobs = [client.get(rest.open_interest(f"S{n}"), priority=Priority.POLL) for n in range(8)]
        await run(clock, 320, *jobs)
    assert [round(t) for t in host.times[:3]] == [0, 103, 206]
    assert len(host.times) == 8  # two were told of the ban, six answered
    assert host.times[3] >= 208


async def test_a_ban_is_stored_before_anything_else_is_sent_and_obeyed_after_a_restart() -> None:
    clock, store = ManualClock(), MemoryKeyValues()
    host = Host(clock, Answer(418, {"Retry-After": "600"}, b""))
    async with client_of(clock, host, store) as client:
        jobs = [client.get(rest.server_time(), priority=Priority.POLL) for _ in range(3)]
        await run(clock, 0.2, *jobs, step_s=0.1)
        assert '"ban"' in await store.get("feeds.binance.rest")
        assert len(host.calls) == 1
    later = ManualClock(wall_ms=clock.wall_ms() + 60_000)
    host = Host(later)
    async with client_of(later, host, store) as client:
        assert client.banned_until_ms is not None
        assert await run(later, 500, client.get(rest.server_time(), priority=Priority.QUESTION), step_s=10) == [None]
        assert host.calls == []
        assert await run(later, 60, client.get(rest.server_time(), priority=Priority.QUESTION)) == [b'{"ok":1}']


@pytest.mark.parametrize("set_s", [8 * 3600, -8 * 3600])
async def test_a_ban_is_obeyed_after_a_restart_also_where_the_machine_slept_or_its_clock_was_set_before(set_s) -> None:
    clock, store = ManualClock(), MemoryKeyValues()
    host = Host(clock, OK, OK, Answer(418, {"Retry-After": "600"}, b""))
    async with client_of(clock, host, store) as client:
        clock._wall0_ms += set_s * 1000
        await run(clock, 1, client.get(rest.open_interest_history("A"), priority=Priority.BACKGROUND))
        await run(clock, 1, client.get(rest.open_interest_history("A"), priority=Priority.BACKGROUND))
        await run(clock, 1, client.get(rest.server_time(), priority=Priority.POLL))
        assert client.banned_until_ms == pytest.approx(clock.wall_ms() + 600_000, abs=2000)
    later = ManualClock(wall_ms=clock.wall_ms() + 60_000)
    host = Host(later)
    async with client_of(later, host, store) as client:
        assert client._calls["data"].used(later.wall_ms()) == 2
        assert await run(later, 530, client.get(rest.server_time(), priority=Priority.QUESTION), step_s=10) == [None]
        assert await run(later, 30, client.get(rest.server_time(), priority=Priority.QUESTION)) == [b'{"ok":1}']


async def test_429_pauses_everything_for_retry_after() -> None:
    clock = ManualClock()
    host = Host(clock, Answer(429, {"Retry-After": "30"}, b'{"code":-1003,"msg":"Too many requests"}'))
    async with client_of(clock, host) as client:
        (failure, *_) = await run(clock, 1, client.get(rest.server_time(), priority=Priority.POLL))
        assert failure.kind == "limit"
        await run(
            clock,
            60,
            client.get(rest.open_interest("A"), priority=Priority.POLL),
            client.get(rest.open_interest_history("A"), priority=Priority.BACKGROUND),
            client.get(rest.funding_info(), priority=Priority.BACKGROUND),
        )
    assert len(host.calls) == 4
    assert host.times[1] >= 31


@pytest.mark.parametrize(("status", "kind"), [(403, "firewall"), (451, "region")])
async def test_403_and_451_are_tried_once_an_hour(status, kind) -> None:
    clock = ManualClock()
    page = Answer(status, {"Content-Type": "text/html"}, b"<html><body>no</body></html>")
    host = Host(clock, page, page, page, page)
    async with client_of(clock, host) as client:

        async def insist() -> None:
            while True:
                assert (await client.get(rest.server_time(), priority=Priority.POLL)).kind == kind

        await run(clock, 3 * 3600 + 60, insist(), insist(), insist(), step_s=60)
        assert client.failure is not None
        assert "once an hour" in client.failure.text
    assert [round(t / 3600, 1) for t in host.times] == [0, 1, 2, 3]


async def test_failures_that_may_pass_are_tried_again_a_bounded_number_of_times() -> None:
    clock = ManualClock()
    html = Answer(200, {}, b"<html>captive portal</html>")
    cut = Answer(200, {}, b'[{"symbol":"BTC')
    host = Host(clock, Answer(503, {}, b"Service Unavailable."), html, OK, cut, OSError("reset"), Answer(500, {}, b""))
    async with client_of(clock, host) as client:
        assert await run(clock, 60, client.get(rest.server_time(), priority=Priority.POLL)) == [b'{"ok":1}']
        (failure,) = await run(clock, 60, client.get(rest.server_time(), priority=Priority.POLL))
        assert failure.kind == "server"
    assert len(host.calls) == 6


async def test_refusals_of_one_call_are_never_repeated() -> None:
    clock = ManualClock()
    host = Host(clock, Answer(400, {}, b'{"code":-1121,"msg":"Invalid symbol."}'))
    async with client_of(clock, host) as client:
        (failure,) = await run(clock, 60, client.get(rest.open_interest("X"), priority=Priority.POLL))
        assert failure.kind == "unknown_symbol"
    assert len(host.calls) == 1


async def test_no_answer_within_ten_seconds_is_a_failure_in_plain_words() -> None:
    clock = ManualClock()
    host = Host(clock, latency_s=1e6)
    async with client_of(clock, host) as client:
        (failure,) = await run(clock, 12, client.get(rest.server_time(), priority=Priority.POLL, attempts=1))
    assert failure == Failure("unreachable", "fapi.example did not answer in time")


async def test_an_unreachable_host_is_not_hammered_by_many_callers() -> None:
    clock = ManualClock()
    host = Host(clock, *[ConnectionRefusedError(111, "refused")] * 5000, latency_s=0.001)
    async with client_of(clock, host) as client:

        async def insist() -> None:
            while True:
                await client.get(rest.server_time(), priority=Priority.POLL)

        await run(clock, 300, *[insist() for _ in range(8)])
        assert client.failure is not None
        assert client.failure.text == "fapi.example refused the connection"
    assert len(host.calls) < 80


async def test_nine_hundred_and_fifty_callers_never_pass_the_budget_in_any_minute() -> None:
    clock = ManualClock()
    host = Host(clock)
    async with client_of(clock, host) as client:

        async def keep_asking(n: int) -> None:
            while True:
                await client.get(rest.open_interest(f"S{n}"), priority=Priority.POLL)

        await run(clock, 180, *[keep_asking(n) for n in range(950)], step_s=5)
    assert most_in_any(host.times[::4], 60) * 4 <= 1200 + 8
    assert len(host.times) > 3 * 1100
    assert host.most_at_once <= 8


async def test_history_calls_leave_at_ten_a_second_then_three_and_never_over_nine_hundred_in_five_minutes() -> None:
    clock = ManualClock()
    host = Host(clock)
    async with client_of(clock, host) as client:
        jobs = [client.get(rest.open_interest_history(f"S{n}"), priority=Priority.BACKGROUND) for n in range(950)]
        results = await run(clock, 330, *jobs, step_s=5)
    assert results == [b'{"ok":1}'] * 950
    assert 19 <= host.times[199] <= 22
    assert 250 <= host.times[899] <= 260
    assert host.times[900] >= 300
    assert most_in_any(host.times[::3], 300) * 3 <= 903


async def test_a_question_goes_before_polls_and_polls_before_the_background() -> None:
    clock = ManualClock()
    host = Host(clock, OK)
    async with client_of(clock, host, weight_share=0.02) as client:  # 48 a minute
        kinds = [("b", Priority.BACKGROUND), ("p", Priority.POLL), ("q", Priority.QUESTION)]
        jobs = [client.get(rest.open_interest(name), priority=p) for name, p in kinds for _ in range(10)]
        await run(clock, 120, *jobs)
    names = "".join(target[-1] for _, target in host.calls)
    assert names[-20:].rstrip("b").endswith("p")
    assert names.index("p") > names.rindex("q")


async def test_background_calls_leave_connections_free() -> None:
    clock = ManualClock()
    host = Host(clock, OK, latency_s=5.0)
    async with client_of(clock, host) as client:
        jobs = [client.get(rest.mark_price_klines(f"S{n}"), priority=Priority.BACKGROUND) for n in range(50)]
        await run(clock, 60, *jobs)
    assert host.most_at_once == 6


async def test_a_quick_host_is_asked_one_call_at_a_time_so_that_a_ban_meets_one() -> None:
    clock = ManualClock()
    host = Host(clock, latency_s=0.02)
    async with client_of(clock, host) as client:
        await run(
            clock,
            30,
            *[client.get(rest.open_interest(f"S{n}"), priority=Priority.POLL) for n in range(300)],
            *[client.get(rest.open_interest_history(f"S{n}"), priority=Priority.BACKGROUND) for n in range(100)],
        )
    assert len(host.calls) == 400
    assert host.most_at_once == 1


async def test_one_call_that_hangs_does_not_hold_up_the_others() -> None:
    clock = ManualClock()
    host = Host(clock, latency_s=0.02)
    async with client_of(clock, host) as client:
        await run(clock, 1, client.get(rest.server_time(), priority=Priority.POLL))
        host.latency_s = 9.0
        hanging = asyncio.create_task(client.get(rest.open_interest("SLOW"), priority=Priority.POLL))
        await clock.advance(0.1)
        host.latency_s = 0.02
        jobs = [client.get(rest.open_interest(f"S{n}"), priority=Priority.POLL) for n in range(10)]
        assert await run(clock, 4, *jobs) == [b'{"ok":1}'] * 10
        await run(clock, 6)
        assert hanging.done()


async def test_a_cancelled_call_gives_its_place_back() -> None:
    clock = ManualClock()
    host = Host(clock, OK, latency_s=1.0)
    async with client_of(clock, host) as client:
        await run(clock, 3, client.get(rest.server_time(), priority=Priority.POLL))
        await run(clock, 0.5, *[client.get(rest.server_time(), priority=Priority.POLL) for _ in range(8)], step_s=0.5)
        assert await run(clock, 3, client.get(rest.server_time(), priority=Priority.POLL)) == [b'{"ok":1}']
    assert host.at_once == 0


async def test_what_was_used_is_stored_every_few_seconds_and_at_the_end() -> None:
    clock, store = ManualClock(), MemoryKeyValues()
    async with client_of(clock, Host(clock), store) as client:
        await run(clock, 6, client.keep_saved(), client.get(rest.ticker_24h(), priority=Priority.POLL))
        assert '"own":40' in await store.get("feeds.binance.rest")
        await run(clock, 1, client.get(rest.open_interest_history("A"), priority=Priority.POLL))
        assert '"data":[]' in await store.get("feeds.binance.rest")
    assert '"data":[[' in await store.get("feeds.binance.rest")


async def test_a_store_that_fails_or_holds_rubbish_stops_nothing() -> None:
    class Broken(MemoryKeyValues):
        async def put(self, key: str, value: str) -> None:
            raise OSError("disk full")

    clock, store = ManualClock(), Broken()
    await MemoryKeyValues.put(store, "feeds.binance.rest", '{"minute": "x"')
    async with client_of(clock, Host(clock), store) as client:
        _, got = await run(clock, 11, client.keep_saved(), client.get(rest.server_time(), priority=Priority.POLL))
        assert got == b'{"ok":1}'

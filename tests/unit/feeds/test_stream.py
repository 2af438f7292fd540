"""The shell of a connection, as far as no socket is needed."""

import asyncio
from random import Random
from ssl import CERT_REQUIRED, SSLContext, create_default_context

import pytest

from bot.clock import ManualClock
from bot.feeds.binance.flows import FlowCounters
from bot.feeds.binance.klines import KlineProtocol
from bot.feeds.binance.protocol import Protocol
from bot.feeds.stream import Pace, Stream


@pytest.fixture
def stream(rows):
    def made(url, **given):
        return Stream(url=url, protocol=Protocol(rows), sink=None, clock=ManualClock(), random=Random(0), **given)

    return made


class Sink:
    def __init__(self, kept: list) -> None:
        self.put = kept.append


class Rows:
    generation = 1

    def row(self, symbol): ...

    def instruments(self):
        return []


@pytest.fixture
def rows():
    return Rows()


def test_all_connections_share_the_certificates_of_the_machine(stream):
    """Reading them takes 25 ms, in which nothing else is done, and each copy nearly a megabyte."""
    one, other = stream("wss://one.example/ws"), stream("wss://other.example/ws")
    assert isinstance(one.ssl, SSLContext)
    assert one.ssl is other.ssl
    assert (one.ssl.check_hostname, one.ssl.verify_mode) == (True, CERT_REQUIRED)
    own = create_default_context()
    assert stream("wss://one.example/ws", ssl=own).ssl is own
    assert stream("ws://one.example/ws").ssl is None


async def test_bars_of_a_few_contracts_left_of_many_are_given_the_time_that_a_few_may_take(rows):
    sink, clock, pace = [], ManualClock(), Pace()
    protocol = KlineProtocol(rows, FlowCounters())
    protocol.wanted.update(f"S{n}USDT" for n in range(40))
    stream = Stream(
        url="ws://one.example/ws", protocol=protocol, sink=Sink(sink), clock=clock, random=Random(0), pace=pace
    )
    pace.hold(float("inf"))
    stream.heard(1, "klines", 0.0)
    protocol.wanted.clear()
    protocol.wanted.add("S1USDT")
    async with asyncio.TaskGroup() as tasks:
        stream._look(1_000.0, tasks)
        stream._look(100_000.0, tasks)
        assert [status.live for status in sink] == [True]
        stream._look(152_000.0, tasks)
        assert [status.live for status in sink] == [True, False]

"""The shell of a connection, as far as no socket is needed."""

from random import Random
from ssl import CERT_REQUIRED, SSLContext, create_default_context

import pytest

from bot.clock import ManualClock
from bot.feeds.binance.protocol import Protocol
from bot.feeds.stream import Stream


@pytest.fixture
def stream(rows):
    def made(url, **given):
        return Stream(url=url, protocol=Protocol(rows), sink=None, clock=ManualClock(), random=Random(0), **given)

    return made


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

"""The past of a demo: the real command against the simulated exchange."""

import asyncio
import io
import socket
import subprocess
from dataclasses import dataclass, field
from types import SimpleNamespace

from rich.console import Console

from bot.app.history_store import open_store
from bot.app.options import Options
from bot.cli.demo_past import N_CONTRACTS, Past
from bot.clock import SystemClock
from bot.market.universe import Universe
from bot.model.instrument import Instrument
from bot.sim.venue import Venue


@dataclass
class DemoBot:
    """What is looked at of a bot."""

    symbols: tuple[str, ...]
    fired_ms: list[int] = field(default_factory=list)

    @property
    def live(self):
        return self

    @property
    def engine(self):
        universe = Universe()
        bases = [symbol.removesuffix("USDT") for symbol in self.symbols]
        listed = [Instrument("binance", f"{base}USDT", "perpetual", base, "USDT", "TRADING") for base in bases]
        universe.apply_list("binance", listed)
        return SimpleNamespace(market=SimpleNamespace(universe=universe))


def fills(folder):
    """Processes that fill this folder."""
    found = subprocess.run(["pgrep", "-f", "history fill"], capture_output=True, text=True, check=False).stdout.split()
    return [pid for pid in found if str(folder) in environment_of(pid)]


def environment_of(pid):
    try:
        with open(f"/proc/{pid}/environ", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


async def until(is_true, within_s=60):
    async with asyncio.timeout(within_s):
        while not is_true():
            await asyncio.sleep(0.05)


def watching(past, bot, heard=None):
    on_ready = (lambda _: None) if heard is None else heard.append
    past.watch(Options(console=Console(file=io.StringIO()), on_ready=on_ready)).on_ready(bot)
    return past


async def test_once_something_was_told_a_few_contracts_get_their_past(tmp_path):
    out, heard, bot = io.StringIO(), [], DemoBot(("BTCUSDT", "ETHUSDT"))
    async with Venue(clock=SystemClock(), seed=5, n_instruments=12, script=False) as venue:
        past = Past(Console(file=out, width=200), folder=tmp_path, rest_url=venue.rest_url)
        with watching(past, bot, heard):
            assert heard == [bot]
            await asyncio.sleep(1.5)
            assert not fills(tmp_path), "the first alert goes first"
            bot.fired_ms.append(1)
            await until(out.getvalue)
    assert "3 days of BTC, ETH are in the history: try /backtest" in out.getvalue()
    with open_store(tmp_path / "history") as store:
        assert set(store.keys(0, 2**53)) == {"binance:BTCUSDT", "binance:ETHUSDT"}


async def test_it_ends_with_the_demo_and_says_nothing(tmp_path):
    out, bot = io.StringIO(), DemoBot(tuple(f"A{n}USDT" for n in range(2 * N_CONTRACTS)), fired_ms=[1])
    # Connected to and never answered.
    with socket.create_server(("127.0.0.1", 0)) as held:
        past = Past(Console(file=out), folder=tmp_path, rest_url=f"http://127.0.0.1:{held.getsockname()[1]}")
        with watching(past, bot):
            await until(lambda: fills(tmp_path))
        assert not fills(tmp_path)
    assert out.getvalue() == ""


async def test_where_the_exchange_is_gone_there_is_no_past(tmp_path):
    out = io.StringIO()
    past = Past(Console(file=out), folder=tmp_path, rest_url="http://127.0.0.1:9")
    with watching(past, DemoBot(("BTCUSDT",), fired_ms=[1])):
        await until(lambda: not past._thread.is_alive())
    assert out.getvalue() == ""

"""Every way in which a venue or the network to it fails, against the real process: one bot, one fault after the other.

All faults are lived through once, by two bots: one whose streams misbehave, and one whose REST does. Each test then says
what is to be said of its fault. `pytest -s` prints the table of docs/reliability.md.
"""

import asyncio
import os
import shutil
import signal
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.feed_faults import OWNER, Outcome, Station, table, write_docs
from tests.support.harness import ROOT, SPEED, Harness

pytestmark = pytest.mark.acceptance

DENSE_S = 15.0
POLLS_S = 2.5 * 15.0 + 2.0
"""Two and a half polls of the market's fastest interval, and how often the poller looks."""
SLACK_S = 0.5
"""Real seconds that the machine may be late in all, which count as many times as the clock is faster."""
MOST_UNDER_WAY = 3
MARK, TICKER = "!markPrice@arr@1s", "!miniTicker@arr"
CLOSE_CODES = (1000, 1001, 1008, 1011, 1012, 4000)
Run = Callable[[Station, Outcome], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """One fault of one row of the catalogue."""

    row: str
    fault: str
    run: Run
    promise: str | None = None


STREAMS: list[Case] = []
REST: list[Case] = []
BAN: list[Case] = []
"""On a clock that is only twice as fast: on a faster one, more calls are under way at once than in life."""


def case(cases: list[Case], row: str, fault: str, promise: str | None = None) -> Callable[[Run], Run]:
    def add(run: Run) -> Run:
        cases.append(Case(row, fault, run, promise))
        return run

    return add


async def calm(station: Station) -> None:
    """Wait until everything is as it was."""
    await station.until(lambda: all(station.is_live(feed) for feed in station.feeds), 200)


async def outage(
    station: Station,
    out: Outcome,
    feed: str,
    begin: Callable[[], Awaitable[None]],
    end: Callable[[], Awaitable[None]],
    *,
    limit_s: float,
    lasts_s: float = 34.0,
    during: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """A loss from beginning to end; `during` follows its noticing. It lasts long enough to be told also if something was
    lost shortly before.
    """
    n_told, n_back = station.told("Market data is lost"), station.told("Market data is back")
    began_s = station.now_s()
    await begin()
    await station.until(lambda: not station.is_live(feed), limit_s + 60)
    out.noticed_s = station.now_s() - began_s
    if during is not None:
        await during()
    await station.until(lambda: station.told("Market data is lost") > n_told, lasts_s + 60)
    await station.sleep(max(0.0, lasts_s - (station.now_s() - began_s)))
    await end()
    out.recovered_s = await station.until(lambda: station.is_live(feed), 120)
    await station.until(lambda: station.told("Market data is back") > n_back, 200)
    await calm(station)
    await station.sleep(2)
    out.n_told = station.told("Market data is lost") - n_told
    out.n_back = station.told("Market data is back") - n_back
    if out.noticed_s > limit_s + SLACK_S * station.harness.speed:
        out.problems.append(f"noticed after {out.noticed_s:.1f} s, expected {limit_s} s at most")
    if (out.n_told, out.n_back) != (1, 1):
        texts = [m.text for m in station.chats.messages(OWNER) if "Market data" in m.text][-out.n_told - out.n_back :]
        out.problems.append(
            f"told {out.n_told} times and {out.n_back} times that it is over, expected once each: {texts}"
        )


def healing(station: Station) -> Callable[[], Awaitable[None]]:
    return lambda: station.ask("heal")


async def unharmed(station: Station, out: Outcome, seconds: float, *feeds: str) -> None:
    """For that long nothing of these feeds is lost and nobody is told of anything."""
    n, n_told = len(station.events_of_feeds()), station.told("Market data")
    await station.sleep(seconds)
    fresh = [e for e in station.events_of_feeds()[n:] if e["event"] == "feed.lost" and e["feed"] in feeds]
    # A calm market has few liquidations; that none comes for five minutes is no fault here.
    lost = [f"{e['feed']}: {e['reason']}" for e in fresh if "no event of the whole market" not in e["reason"]]
    if lost:
        out.problems.append(f"lost: {lost}")
    if station.told("Market data") != n_told:
        out.problems.append("the owner was told of something")


# -- streams -----------------------------------------------------------------------------------------------------------


@case(STREAMS, "Silent / half-open", "the venue's process is stopped (SIGSTOP) for 60 s", "P6")
async def stopped(station: Station, out: Outcome) -> None:
    n = station.n_lines()

    async def stop() -> None:
        station.sim.signal(signal.SIGSTOP)

    async def go_on() -> None:
        station.sim.signal(signal.SIGCONT)

    async def ask() -> None:
        await station.sleep(20)
        station.chats.telegram.say("/why BTC up", chat_id=OWNER)
        await station.until(lambda: station.told("price > 0"), 60)

    await outage(station, out, "mark price", stop, go_on, limit_s=DENSE_S, lasts_s=60, during=ask)
    answer = next(m.text for m in station.chats.messages(OWNER) if "price > 0" in m.text)
    if "? price > 0" not in answer:
        out.problems.append(f"the rule is not unknown: {answer}")
    await station.until(lambda: station.events("prices.back", n), 60)
    gap_s = station.events("prices.back", n)[0]["gap_s"]
    out.note = f"a gap of {gap_s} s is filled from history"
    if not 40 <= gap_s <= 100:
        out.problems.append(f"the gap is recorded as {gap_s} s")


@case(STREAMS, "Connected, no data", "all streams are mute", "P6")
async def mute(station: Station, out: Outcome) -> None:
    await outage(station, out, "mark price", lambda: station.fault("silence", 3600), healing(station), limit_s=DENSE_S)


@case(STREAMS, "Connected, no data", "mark prices are mute among live streams", "P6")
async def one_dead(station: Station, out: Outcome) -> None:
    begin = lambda: station.fault("silence", 3600, stream=MARK)  # noqa: E731
    n = len(station.events_of_feeds())
    await outage(station, out, "mark price", begin, healing(station), limit_s=DENSE_S)
    others = {e["feed"] for e in station.events_of_feeds()[n:] if e["event"] == "feed.lost"} - {"mark price"}
    out.note = "the other streams stay live"
    if others & {"ticker", "open interest"}:
        out.problems.append(f"lost as well: {others}")


@case(STREAMS, "Connected, no data", "tickers are mute among live streams", "P6")
async def ticker_dead(station: Station, out: Outcome) -> None:
    begin = lambda: station.fault("silence", 3600, stream=TICKER)  # noqa: E731
    await outage(station, out, "ticker", begin, healing(station), limit_s=DENSE_S)


@case(STREAMS, "Connected, no data", "connections are cut and new ones lead to an unrouted path", "P6")
async def wrong_route(station: Station, out: Outcome) -> None:
    async def begin() -> None:
        await station.fault("wrong_route", 3600)
        await station.fault("reset", 1)

    before = (await station.stats())["n_connected"]
    await outage(station, out, "mark price", begin, healing(station), limit_s=DENSE_S)
    out.n_calls = (await station.stats())["n_connected"] - before


@case(STREAMS, "Connected, no data", "one symbol of the arrays is mute for 25 s")
async def one_symbol(station: Station, out: Outcome) -> None:
    before = (await station.stats())["n_connected"]
    await station.fault("mute_symbol", 25, stream="SOLUSDT")
    await unharmed(station, out, 27, "mark price", "ticker")
    out.n_calls = (await station.stats())["n_connected"] - before
    out.note = "no new connection"
    if out.n_calls:
        out.problems.append(f"{out.n_calls} new connections")


@case(STREAMS, "RST, FIN, close codes", "closed or reset whenever it is open, for 40 s")
async def closes(station: Station, out: Outcome) -> None:
    n = station.n_lines()
    began_s = station.now_s()
    k = 0
    while station.now_s() - began_s < 40:
        if k % 4 == 3:
            await station.fault("reset", 1)
        else:
            await station.ask("close", code=CLOSE_CODES[k % len(CLOSE_CODES)])
        k += 1
        await station.sleep(0.5)
    attempts = len(station.events("stream.connecting", n))
    seconds = station.now_s() - began_s
    out.n_calls = attempts
    out.recovered_s = await station.until(lambda: station.is_live("mark price"), 90)
    await calm(station)
    out.note = f"{attempts / seconds:.2f} attempts a second"
    if attempts > seconds + 1:
        out.problems.append(f"{attempts} attempts in {seconds:.0f} s")


@case(STREAMS, "24 h close, serverShutdown", "the end is announced 75 s ahead")
async def announced(station: Station, out: Outcome) -> None:
    n = station.n_lines()
    await station.ask("shutdown", seconds=75)
    await unharmed(station, out, 85, "mark price", "ticker", "liquidations", "klines")
    renewals = station.events("stream.connected", n, purpose="renewal")
    out.note = f"{len(renewals)} connections renewed before, no second missing"
    if not renewals or station.events("stream.failed", n):
        out.problems.append("a connection was lost before its renewal")


def rss_mb(station: Station, key: str = "VmRSS") -> float:
    lines = Path(f"/proc/{station.bot.pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


@case(STREAMS, "Slow consumer", "every frame a hundred times for 10 s")
async def flood(station: Station, out: Outcome) -> None:
    before = rss_mb(station)
    await station.fault("flood", 10)
    await unharmed(station, out, 16, "mark price", "ticker", "liquidations")
    grown = rss_mb(station) - before
    out.note = f"memory grew by {grown:.0f} MB"
    if grown > 32:
        out.problems.append(out.note)


@case(STREAMS, "Malformed data", "bad rows and unknown events among good ones for 20 s")
async def odd(station: Station, out: Outcome) -> None:
    await station.fault("odd", 20)
    await unharmed(station, out, 22, "mark price", "ticker")
    out.note = "only the bad rows are dropped"


@case(STREAMS, "Malformed data", "nothing but cut, broken and binary frames", "P6")
async def garbage(station: Station, out: Outcome) -> None:
    await outage(station, out, "mark price", lambda: station.fault("garbage", 3600), healing(station), limit_s=DENSE_S)


@case(STREAMS, "Malformed data", "frames leave 64 bytes a second", "P6")
async def trickle(station: Station, out: Outcome) -> None:
    await outage(station, out, "mark price", lambda: station.fault("trickle", 3600), healing(station), limit_s=DENSE_S)


@case(STREAMS, "Huge frame", "frames of 16 MB for two seconds")
async def huge(station: Station, out: Outcome) -> None:
    Path(f"/proc/{station.bot.pid}/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    n, before = station.n_lines(), rss_mb(station, "VmHWM")
    await station.fault("huge", 2, stream=TICKER)
    await station.until(lambda: station.events("stream.failed", n), 30)
    out.recovered_s = await station.until(lambda: station.events("stream.connected", n), 60)
    await calm(station)
    text = station.events("stream.failed", n)[0]["text"]
    grown = rss_mb(station, "VmHWM") - before
    out.note = f"closed with 1009; memory peaked {grown:.0f} MB higher"
    if "1009" not in text or grown > 32:
        out.problems.append(f"{text}; {out.note}")


@case(STREAMS, "Duplicate, out of order, late", "frames twice, in pairs of wrong order, and two seconds late")
async def order(station: Station, out: Outcome) -> None:
    for kind, amount in (("duplicate", 0), ("reorder", 0), ("late", 2)):
        await station.fault(kind, 8, amount=amount)
        await unharmed(station, out, 10, "mark price", "ticker")


@case(STREAMS, "Duplicate, out of order, late", "every fifth second is dated a day ahead")
async def ahead(station: Station, out: Outcome) -> None:
    n = station.n_lines()
    await station.fault("ahead", 20)
    await unharmed(station, out, 22, "mark price", "ticker")
    out.note = "time stays what it was"
    if station.events("venue_time.anchored", n):
        out.problems.append("a single date moved the clock")


@case(STREAMS, "Clock of the venue", "all its times are 20 s ahead for 20 s, then right again")
async def skew(station: Station, out: Outcome) -> None:
    n = station.n_lines()
    await station.fault("skew", 20, amount=20)
    await unharmed(station, out, 34, "mark price", "ticker")
    how = [e["how"] for e in station.events("venue_time.anchored", n)]
    out.note = f"taken as the time after three pushes ({', '.join(how)})"
    if how != ["jumped", "reset"]:
        out.problems.append(f"anchored: {how}")


@case(STREAMS, "Spike, zero, halt, delisting, listing", "a price of 0, BREAK, SETTLING, a delisting and a listing")
async def contracts(station: Station, out: Outcome) -> None:
    n = station.n_lines()
    await station.fault("zero", 15, stream="SOLUSDT")
    await station.ask("halt", symbol="DOGEUSDT", status="BREAK")
    await station.ask("halt", symbol="XRPUSDT", status="SETTLING")
    await station.ask("delist", symbol="ADAUSDT")
    await station.ask("list", base="NOVELTY", price=2.5)
    await unharmed(station, out, 35, "mark price", "ticker", "open interest")
    await station.ask("settle", symbol="ADAUSDT")
    await station.ask("resume", symbol="DOGEUSDT")
    await station.ask("resume", symbol="XRPUSDT")
    station.chats.telegram.say("/oi NOVELTY", chat_id=OWNER)
    await station.until(lambda: station.told("NOVELTYUSDT"), 60)
    await unharmed(station, out, 20, "mark price", "ticker", "open interest")
    out.note = "halted ones are left alone, the new one is watched"
    if station.events("update.failed", n) or station.events("rule.failed", n):
        out.problems.append("something raised")


@case(STREAMS, "Refused handshake", "new connections are answered 503, then 429 with Retry-After")
async def handshake(station: Station, out: Outcome) -> None:
    async def begin() -> None:
        await station.fault("ws_503", 3600)
        await station.fault("reset", 1)

    before = (await station.stats())["n_refused"]
    await outage(station, out, "mark price", begin, healing(station), limit_s=DENSE_S)
    refused = (await station.stats())["n_refused"]
    out.n_calls = refused - before
    await station.fault("ws_429", 20)
    await station.fault("reset", 1)
    await station.sleep(21)
    out.note = f"{(await station.stats())['n_refused'] - refused} attempts while Retry-After held"
    await calm(station)


# -- REST --------------------------------------------------------------------------------------------------------------


async def calls_during(station: Station, seconds: float) -> int:
    before = await station.n_requests()
    await station.sleep(seconds)
    return await station.n_requests() - before


async def paused(station: Station, out: Outcome, kind: str, *, lasts_s: float, pause_s: float) -> None:
    """A refusal after which nothing may be sent for a while; prices stream on."""
    n = station.n_lines()
    await station.fault(kind, lasts_s)
    out.noticed_s = await station.until(lambda: station.events("rest.paused", n), 30)
    out.n_calls = await calls_during(station, pause_s)
    before = (await station.stats())["requests"].get("/fapi/v1/openInterest", 0)
    began_s = station.now_s()
    while (await station.stats())["requests"].get("/fapi/v1/openInterest", 0) < before + 10:
        assert station.now_s() - began_s < 120, station.bot.output[-3000:]
        await station.sleep(0.5)
    out.recovered_s = station.now_s() - began_s
    if out.n_calls > 1:
        out.problems.append(f"{out.n_calls} calls inside the pause")
    if not station.is_live("mark price"):
        out.problems.append("prices stopped")


@case(REST, "Open interest late", "no call is answered", "P6")
async def no_answers(station: Station, out: Outcome) -> None:
    before = await station.n_requests()
    begin = lambda: station.fault("timeout", 3600)  # noqa: E731
    await outage(station, out, "open interest", begin, healing(station), limit_s=POLLS_S, lasts_s=75)
    out.n_calls = await station.n_requests() - before
    out.note = "prices stream on"


@case(REST, "429", "with Retry-After 30 s", "P7")
async def limited(station: Station, out: Outcome) -> None:
    await paused(station, out, "429", lasts_s=30, pause_s=28)


@case(REST, "429", "without Retry-After", "P7")
async def limited_plain(station: Station, out: Outcome) -> None:
    await paused(station, out, "429_plain", lasts_s=4, pause_s=55)


@case(REST, "-1003", "HTTP 400 with code -1003", "P7")
async def too_many(station: Station, out: Outcome) -> None:
    await paused(station, out, "1003", lasts_s=4, pause_s=55)


@case(BAN, "418", "a ban of 40 s", "P7")
async def banned(station: Station, out: Outcome) -> None:
    """A busy machine answers slowly, so that a second call may be under way when the ban begins; none is sent after its answer."""
    before = (await station.stats())["n_in_ban"]
    known = 0

    async def count() -> None:
        nonlocal known
        await station.sleep(1)
        known = (await station.stats())["n_in_ban"]

    begin = lambda: station.fault("418", 40)  # noqa: E731
    end = lambda: station.sleep(0)  # noqa: E731
    await outage(station, out, "open interest", begin, end, limit_s=POLLS_S, lasts_s=41, during=count)
    out.n_calls = (await station.stats())["n_in_ban"] - before
    out.note = "none after its answer; prices stream on"
    if out.n_calls > known - before or out.n_calls > MOST_UNDER_WAY:
        out.problems.append(f"{out.n_calls} calls inside the ban, {known - before} of them before its answer")


@case(REST, "5xx", "500 for 20 s, then 503 without a code for 20 s")
async def server_errors(station: Station, out: Outcome) -> None:
    before = await station.n_requests()
    began_s = station.now_s()
    for kind in ("500", "503"):
        await station.fault(kind, 20)
        await station.sleep(20)
    out.n_calls = await station.n_requests() - before
    await calm(station)
    out.recovered_s = station.now_s() - began_s - 40
    if out.n_calls > 60:
        out.problems.append(f"a storm of {out.n_calls} calls")


@case(REST, "-1121, -1130, -4108", "for one symbol each")
async def bad_symbols(station: Station, out: Outcome) -> None:
    n = station.n_lines()
    path = "/fapi/v1/openInterest?symbol="
    await station.fault("1121", 40, stream=f"{path}SOLUSDT")
    await station.fault("1130", 40, stream=f"{path}DOGEUSDT")
    await station.fault("4108", 40, stream=f"{path}XRPUSDT")
    await unharmed(station, out, 42, "open interest", "mark price")
    dropped = {e["symbol"] for e in station.events("symbol.dropped", n)}
    out.note = f"left alone: {', '.join(sorted(dropped))}"
    if dropped != {"SOLUSDT", "XRPUSDT"}:
        out.problems.append(out.note)


@case(REST, "Cut body, bad JSON", "halves of answers, cut or whole, for 15 s each")
async def broken_bodies(station: Station, out: Outcome) -> None:
    for kind in ("cut", "bad_json"):
        await station.fault(kind, 15)
        await unharmed(station, out, 16, "mark price")
    out.recovered_s = await station.until(lambda: station.is_live("open interest"), 60)


@case(REST, "Slow body", "a byte a second for 30 s")
async def slow_body(station: Station, out: Outcome) -> None:
    before = await station.n_requests()
    await station.fault("trickle", 30)
    await station.sleep(30)
    out.n_calls = await station.n_requests() - before
    await calm(station)
    if out.n_calls > 30:
        out.problems.append(f"{out.n_calls} calls")


@case(REST, "Captive portal, proxy page", "HTTP 200 with a page, and a redirect to one, for 15 s each")
async def portal(station: Station, out: Outcome) -> None:
    for kind in ("page", "redirect"):
        await station.fault(kind, 15)
        await unharmed(station, out, 16, "mark price")
    out.recovered_s = await station.until(lambda: station.is_live("open interest"), 60)


@case(REST, "403", "the firewall's page, and a restart within the hour", "P7")
async def firewall(station: Station, out: Outcome) -> None:
    await shut_out(station, out, "403", "firewall")


@case(REST, "451", "a restricted location as a page, and a restart within the hour", "P7")
async def region(station: Station, out: Outcome) -> None:
    await station.start(OIBOT_DATA_DIR=str(station.harness.folder / "elsewhere"))
    await station.until(lambda: station.is_live("open interest"), 200)
    await shut_out(station, out, "451_html", "does not serve this location")


async def shut_out(station: Station, out: Outcome, kind: str, words: str) -> None:
    """Told once in plain words, one call, and none after a restart; the bot is stopped at the end."""
    n_told = station.told(words)
    await station.fault(kind, 3600)
    before = await station.n_requests()
    out.noticed_s = await station.until(lambda: not station.is_live("open interest"), 60)
    await station.until(lambda: station.told(words) > n_told, 30)
    await station.sleep(20)
    n_calls = await station.n_requests() - before
    out.n_told = station.told(words) - n_told
    env = {"OIBOT_DATA_DIR": str(station.harness.folder / "elsewhere")} if kind == "451_html" else {}
    await station.stop()
    before = await station.n_requests()
    await station.start(**env)
    await station.until(lambda: station.is_live("mark price"), 120)
    await station.sleep(15)
    n_again = await station.n_requests() - before
    out.n_calls = n_calls + n_again
    out.note = f"{n_calls} calls, {n_again} after the restart; prices stream on"
    await station.stop()
    await station.ask("heal")
    if n_again or n_calls > 2 or out.n_told != 1:
        out.problems.append(f"{out.note}; told {out.n_told} times")


# -- no venue at all -----------------------------------------------------------------------------------------------------


async def no_name(harness: Harness) -> Outcome:
    """The names of the venue do not resolve."""
    out = Outcome("DNS", "the venue's names do not resolve")
    nowhere = ("https://no-such-venue.invalid", "wss://no-such-venue.invalid")
    return await _alone(harness, out, nowhere, "could not be resolved")


async def no_trust(harness: Harness) -> Outcome:
    """The certificate is nobody's."""
    out = Outcome("TLS", "a certificate that nobody signed")
    if shutil.which("openssl") is None:
        out.note = "openssl is not installed"
        return out
    key, cert = harness.folder / "key.pem", harness.folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", cert], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    n_spoken = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal n_spoken
        n_spoken += bool(await reader.read(1))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # handshakes that fail are what is wanted
    async with server:
        out = await _alone(
            harness, out, (f"https://127.0.0.1:{port}", f"wss://127.0.0.1:{port}"), "no trusted connection"
        )
    if n_spoken:
        out.problems.append("it spoke to whom it does not trust")
    return out


async def _alone(harness: Harness, out: Outcome, venue: tuple[str, str], words: str) -> Outcome:
    clock = harness.clock()
    harness.rules("version: 1\nrules:\n  - {id: up, when: 'price > 0'}\n")
    env = harness.env(venue, OIBOT_RULES_DIR=str(harness.folder / "rules"))
    bot = await harness.start("run", env=env)
    began_ms = clock.monotonic_ms()
    while words not in bot.output:
        assert clock.monotonic_ms() - began_ms < 200_000, bot.output[-3000:]
        await asyncio.sleep(0.05)
    await clock.sleep(30)
    out.n_calls = bot.output.count('"event": "stream.connecting"')
    bot.terminate()
    assert await bot.exit_code() == 0, bot.output
    out.note = f"said: {words}"
    if "Traceback" in bot.output:
        out.problems.append("a traceback")
    if out.n_calls > 35:
        out.problems.append(f"{out.n_calls} attempts")
    return out


ALONE = {"DNS": no_name, "TLS": no_trust}

# -- running them ------------------------------------------------------------------------------------------------------


async def live_through(
    folder: Path, cases: list[Case], *, speed: float = SPEED, flows: bool = True
) -> tuple[list[Outcome], dict]:
    """All cases on one bot; returns what came of each, and the venue's counters."""
    folder.mkdir()
    harness = Harness(folder)
    harness.speed = speed
    found = []
    try:
        async with Station.open(harness, flows=flows) as station:
            await station.start()
            await calm(station)
            await station.until(lambda: not station.alert_problems(), 400)
            for one in cases:
                out = Outcome(one.row, one.fault)
                found.append(out)
                began_s = station.now_s()
                try:
                    await one.run(station, out)
                except AssertionError as error:  # the others are still worth looking at
                    out.problems.append(str(error))
                    station.sim.signal(signal.SIGCONT)
                    await station.ask("heal")
                out.problems += station.alert_problems()
                took_s = station.now_s() - began_s
                print(
                    f"{one.row} | {' | '.join(out.cells())} | {took_s / harness.speed:.1f} real s {out.problems or ''}"
                )
            stats = await station.stats()
            if station.bot.process.returncode is None:
                await station.stop()
            output = "\n".join(child.output for child in harness.children[1:])
            assert "Traceback" not in output, output[output.index("Traceback") - 2000 :][:6000]
            return found, stats
    finally:
        await harness.close()


async def live_alone(folder: Path) -> list[Outcome]:
    found = []
    for name, run in ALONE.items():
        (folder / name).mkdir(parents=True)
        harness = Harness(folder / name)
        try:
            found.append(await run(harness))
            print(" | ".join((found[-1].row, *found[-1].cells())))
        finally:
            await harness.close()
    return found


@dataclass(frozen=True)
class Lived:
    """What came of everything."""

    outcomes: dict[tuple[str, str], Outcome]
    stats: dict


@pytest.fixture(scope="module")
def lived(tmp_path_factory) -> Lived:
    folder = tmp_path_factory.mktemp("faults")

    async def streams() -> list[Outcome]:
        found, _ = await live_through(folder / "streams", STREAMS)
        return found

    async def rest() -> tuple[list[Outcome], dict]:
        found, stats = await live_through(folder / "rest", REST)
        ban, _ = await live_through(folder / "ban", BAN, speed=2.0, flows=False)
        return [*found, *ban, *await live_alone(folder / "alone")], stats

    async def everything() -> Lived:
        # Two at a time, as many as there are cores in the smallest place where this runs.
        of_streams, (others, stats) = await asyncio.gather(streams(), rest())
        return Lived({(o.row, o.fault): o for o in (*of_streams, *others)}, stats)

    found = asyncio.run(everything())
    figures = table(list(found.outcomes.values())) + "\n" + limits_of(found.stats) + "\n"
    print(figures)
    if os.environ.get("OIBOT_WRITE_DOCS"):
        write_docs(ROOT / "docs" / "reliability.md", figures)
    return found


def limits_of(stats: dict) -> str:
    return (
        f"Highest weight in a minute: {stats['max_used_weight']} of 2,400; most calls of `/futures/data` in five minutes: "
        f"{stats['max_data_5m']} of 1,000; of funding: {stats['max_funding_5m']} of 500."
    )


def _parameters(cases: list[Case], promise: str | None) -> list:
    return [pytest.param(c, id=f"{c.row}: {c.fault}") for c in cases if c.promise == promise]


@pytest.mark.promise("P6")
@pytest.mark.parametrize("one", _parameters([*STREAMS, *REST], "P6"))
def test_a_dead_or_lying_feed_is_noticed_told_once_and_recovers(lived, one):
    assert lived.outcomes[one.row, one.fault].problems == []


@pytest.mark.promise("P7")
@pytest.mark.parametrize("one", _parameters([*REST, *BAN], "P7"))
def test_what_the_venue_asks_for_is_obeyed(lived, one):
    assert lived.outcomes[one.row, one.fault].problems == []


@pytest.mark.promise("P7")
def test_the_venues_limits_were_never_exceeded(lived):
    assert lived.stats["max_used_weight"] <= 1_200
    assert lived.stats["max_data_5m"] <= 900
    assert lived.stats["max_funding_5m"] <= 100


@pytest.mark.parametrize("one", _parameters([*STREAMS, *REST], None))
def test_other_faults_cost_what_they_must_and_cause_no_alert(lived, one):
    assert lived.outcomes[one.row, one.fault].problems == []


@pytest.mark.parametrize("name", ALONE)
def test_a_venue_that_cannot_be_trusted_or_found_is_named(lived, name):
    assert [o.problems for o in lived.outcomes.values() if o.row == name] == [[]]

"""Faults of streams, in the order in which one bot lives through them."""

import signal
from pathlib import Path

from tests.support.fault_cases import CLOSE_CODES, DENSE_S, MARK, TICKER, Case, calm, case, healing, outage, unharmed
from tests.support.feed_faults import OWNER, Outcome, Station

STREAMS: list[Case] = []


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
    failed = [event["text"] for event in station.events("stream.failed", n)]
    if not renewals or failed:
        out.problems.append(f"a connection was lost before its renewal: {len(renewals)} renewals, {failed}")


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
    n = (await station.stats())["n_refused"] - refused
    out.note = f"{n} attempt{'s'[: n != 1]} while Retry-After held"
    # One may have been under way to the same venue when the other was refused.
    if not 1 <= n <= 2:
        out.problems.append(f"{n} attempts while Retry-After held, expected one")
    await calm(station)

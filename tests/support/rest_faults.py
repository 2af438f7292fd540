"""Faults of REST, in the order in which one bot lives through them."""

from tests.support.fault_cases import MOST_UNDER_WAY, POLLS_S, Case, calm, case, healing, outage, unharmed
from tests.support.feed_faults import Outcome, Station

REST: list[Case] = []
BAN: list[Case] = []
"""On a clock that is only twice as fast: on a faster one, more calls are under way at once than in life."""


async def calls_until(station: Station, end_s: float) -> int:
    """From now on. An answer that comes after the end, on a machine that is busy, does not count."""
    before = last = await station.n_requests()
    while station.now_s() < end_s:
        await station.sleep(max(0.0, min(1.0, end_s - station.now_s())))
        found = await station.n_requests()
        if station.now_s() < end_s:
            last = found
    return last - before


async def paused(station: Station, out: Outcome, kind: str, *, lasts_s: float, pause_s: float) -> None:
    """A refusal after which nothing may be sent for a while; prices stream on."""
    n = station.n_lines()
    fault_s = station.now_s()
    await station.fault(kind, lasts_s)
    out.noticed_s = await station.until(lambda: station.events("rest.paused", n), 30)
    out.n_calls = await calls_until(station, fault_s + pause_s)
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
        # Open interest may rightly be late by then.
        await unharmed(station, out, 16, "mark price", quiet=False)
    began_s = station.now_s()
    await calm(station)
    out.recovered_s = station.now_s() - began_s


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
        # Open interest may rightly be late by then.
        await unharmed(station, out, 16, "mark price", quiet=False)
    began_s = station.now_s()
    await calm(station)
    out.recovered_s = station.now_s() - began_s


@case(REST, "403", "the firewall's page, and a restart within the hour", "P7")
async def firewall(station: Station, out: Outcome) -> None:
    await shut_out(station, out, "403", "firewall")


@case(REST, "451", "a restricted location as a page, and a restart within the hour", "P7")
async def region(station: Station, out: Outcome) -> None:
    if station.bot.process.returncode is None:  # lived through without the case before it
        await station.stop()
    await station.start(OIBOT_DATA_DIR=str(station.harness.folder / "elsewhere"))
    await station.until(lambda: station.is_live("open interest"), 200)
    await shut_out(station, out, "451_html", "does not serve this location")


async def shut_out(station: Station, out: Outcome, kind: str, words: str) -> None:
    """Told once in plain words, no call but what was under way, and none after a restart; the bot is stopped at the end."""
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
    if n_again or n_calls > MOST_UNDER_WAY or out.n_told != 1:
        out.problems.append(f"{out.note}; told {out.n_told} times")

"""One fault after the other: what a case is, and what most of them do.

Times are seconds of the clock, which runs faster than life.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.support.feed_faults import OWNER, Outcome, Station

DENSE_S = 15.0
POLLS_S = 2.5 * 15.0 + 2.0
"""Two and a half polls of the market's fastest interval, and how often the poller looks."""
SLACK_S = 0.5
"""Real seconds that everybody may be late in all on an idle machine; they count as many times as the clock is faster. What the
machine made this test wait comes on top, since the bot waited as well.
"""
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
    began_s, late_s = station.now_s(), station.late_s
    await begin()
    await station.until(lambda: not station.is_live(feed), limit_s + 60)
    out.noticed_s = station.now_s() - began_s
    slack_s = (SLACK_S + 2 * (station.late_s - late_s)) * station.harness.speed
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
    if out.noticed_s > limit_s + slack_s:
        out.problems.append(f"noticed after {out.noticed_s:.1f} s, expected {limit_s} s at most")
    if (out.n_told, out.n_back) != (1, 1):
        texts = [m.text for m in station.chats.messages(OWNER) if "Market data" in m.text][-out.n_told - out.n_back :]
        out.problems.append(
            f"told {out.n_told} times and {out.n_back} times that it is over, expected once each: {texts}"
        )


def healing(station: Station) -> Callable[[], Awaitable[None]]:
    return lambda: station.ask("heal")


async def unharmed(station: Station, out: Outcome, seconds: float, *feeds: str, quiet: bool = True) -> None:
    """For that long nothing of these feeds is lost and, if `quiet`, nobody is told of anything."""
    n, n_told = len(station.events_of_feeds()), station.told("Market data")
    await station.sleep(seconds)
    fresh = [e for e in station.events_of_feeds()[n:] if e["event"] == "feed.lost" and e["feed"] in feeds]
    # A calm market has few liquidations; that none comes for five minutes is no fault here.
    lost = [f"{e['feed']}: {e['reason']}" for e in fresh if "no event of the whole market" not in e["reason"]]
    if lost:
        out.problems.append(f"lost: {lost}")
    if quiet and station.told("Market data") != n_told:
        out.problems.append("the owner was told of something")

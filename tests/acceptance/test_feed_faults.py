"""Every way in which a venue or the network to it fails, against the real process: one bot, one fault after the other.

All faults are lived through once, by two bots: one whose streams misbehave, and one whose REST does. Each test then says
what is to be said of its fault. `pytest -s` prints the table of docs/reliability.md.
"""

import asyncio
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.fault_cases import Case, calm
from tests.support.feed_faults import Outcome, Station, table, write_docs
from tests.support.harness import ROOT, SPEED, Harness
from tests.support.no_venue import ALONE
from tests.support.rest_faults import BAN, REST
from tests.support.stream_faults import STREAMS

pytestmark = [pytest.mark.acceptance, pytest.mark.alone]


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


async def live_again(folder: Path, outcomes: dict[tuple[str, str], Outcome]) -> None:
    """What went wrong is lived through once more, alone and at half the speed: a machine that had no time for the bot may
    spoil a moment, a fault of the bot comes again.
    """
    for name, cases, speed in (("streams", STREAMS, SPEED), ("rest", REST, SPEED), ("ban", BAN, 2.0)):
        wrong = [c for c in cases if outcomes[c.row, c.fault].problems]
        if wrong:
            print(f"once more, slower: {', '.join(f'{c.row}: {c.fault}' for c in wrong)}")
            found, _ = await live_through(folder / f"{name}-again", wrong, speed=speed / 2, flows=name != "ban")
            outcomes |= {(o.row, o.fault): o for o in found}


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
        outcomes = {(o.row, o.fault): o for o in (*of_streams, *others)}
        await live_again(folder, outcomes)
        return Lived(outcomes, stats)

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

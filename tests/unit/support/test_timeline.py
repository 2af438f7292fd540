"""A timeline finds what is missing, late, of another kind, in another chat, or unwanted."""

import asyncio

import pytest

from bot.clock import ManualClock
from bot.sim.chat_log import Happening, What
from tests.support.timeline import Timeline, Told, between

CHAT, OTHER = ("telegram", "5"), ("discord", "9")


async def played(*seen, want=(between(1, 2), CHAT, "BTC", Told.FIRE)):
    """A timeline in which these things (second, text, what) are seen."""
    clock, happenings = ManualClock(), []
    line = Timeline(clock, happenings)
    for second, text, what, chat in seen:
        line.at(
            second,
            lambda t=text, w=what, c=chat: happenings.append(Happening(*c, w, "1", t, clock.monotonic_ms())),
        )
    line.want(*want)
    task = asyncio.create_task(line.run(until_s=10))
    await clock.advance(11)
    await task
    return line.problems()


async def test_what_is_wanted_and_comes_is_well():
    assert await played((1.5, "🟠 BTC", What.NEW, CHAT)) == []


@pytest.mark.parametrize(
    "seen",
    [
        (2.5, "🟠 BTC", What.NEW, CHAT),
        (1.5, "🟠 ETH", What.NEW, CHAT),
        (1.5, "🟠 BTC", What.NEW, OTHER),
        (1.5, "🟠 BTC Price now 9% (was 5%)", What.NEW, CHAT),
        (1.5, "✅ BTC", What.EDIT, CHAT),
    ],
)
async def test_anything_else_is_missing_and_unwanted(seen):
    problems = await played(seen)
    assert [text.split(":")[0] for text in problems] == ["missing", "unwanted"]


async def test_nothing_else_may_come():
    problems = await played((1.5, "🟠 BTC", What.NEW, CHAT), (1.6, "🟠 BTC", What.NEW, CHAT))
    assert [text.split(":")[0] for text in problems] == ["unwanted"]

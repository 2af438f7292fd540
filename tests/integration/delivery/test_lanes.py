"""Lanes over sockets and faults: nothing lost, duplicates only where the outcome was unknown."""

import asyncio
import contextlib
import io
import re

import pytest
from rich.console import Console

from bot.clock import SystemClock
from bot.delivery.console import ConsoleDestination
from bot.delivery.limits import TelegramLimits
from bot.delivery.manners import UNBOUNDED
from bot.delivery.telegram import TelegramDestination
from bot.sim import chat_faults as faults
from bot.sim.chatserver import ChatServer


@pytest.fixture
def fast():
    """Fifty clock seconds a second."""
    return SystemClock(speed=50)


@pytest.fixture
def fresh(row, fast):
    """A row that was made now."""

    def make(kind="fire", **changes):
        changes.setdefault("at_ms", make.at_ms)
        return row(kind, **changes)

    make.at_ms = fast.wall_ms()
    return make


def ids(messages):
    return [found for m in messages for found in re.findall(r"#([0-9a-hjkmnp-tv-z]{8})", m.text)]


async def test_transient_errors_are_retried_until_it_arrives_once(server, telegram, running, fresh):
    server.telegram.fail(faults.too_many_requests(2))
    server.telegram.fail(faults.server_error())
    async with running(telegram) as room:
        await room.commit(fresh())
        counts = await room.settled()
    assert counts["delivered"] == 1
    assert len(server.messages()) == 1
    assert len(server.requests("sendMessage")) == 3


@pytest.mark.promise("P3")
async def test_a_lost_answer_repeats_the_same_id(server, telegram, running, fresh):
    server.telegram.fail(faults.dropped(accepted=True))
    async with running(telegram) as room:
        await room.commit(fresh())
        await room.settled()
        [status] = room.lanes.status()
    assert len(server.messages()) == 2, "nobody can know whether the first arrived"
    assert len(set(ids(server.messages()))) == 1
    assert status.ambiguous == 1


@pytest.mark.promise("P10")
async def test_a_blocked_chat_stops_at_once_and_goes_on_when_its_person_writes(server, telegram, running, fresh):
    server.telegram.fail(faults.blocked())
    async with running(telegram) as room:
        await room.commit(fresh(), fresh(symbol="ETHUSDT"))
        await server.until(lambda: server.requests("sendMessage"))
        await asyncio.sleep(0.3)
        assert len(server.requests("sendMessage")) == 1
        [status] = room.lanes.status()
        assert "blocked" in status.dead_reason
        room.lanes.revive("telegram")
        assert (await room.settled())["delivered"] == 2


@pytest.mark.promise("P4")
async def test_the_whole_life_is_a_message_a_reply_and_an_edit(server, telegram, discord, running, fresh):
    async with running(telegram, discord) as room:
        for kind, n, after_s in (("fire", 0, 0), ("escalate", 1, 60), ("end", 0, 120)):
            await room.commit(
                *(fresh(kind, n=n, after_s=after_s, destination=d, value=0.09) for d in ("telegram", "discord"))
            )
            await room.settled()
    first, second = server.messages()
    assert first.text.startswith("✅ ended after 2m")
    assert "🟠 BTCUSDT · OI surge" in first.text
    assert second.reply_to == first.message_id
    assert [r.method for r in server.received if r.service == "discord"] == ["POST", "POST", "PATCH"]
    assert "ended after 2m" in server.discord.messages[0].text


async def test_an_end_that_overtakes_its_firing_is_told_in_one_message(server, telegram, running, fresh):
    server.telegram.fail(faults.too_many_requests(20))
    async with running(telegram) as room:
        await room.commit(fresh())
        await server.until(lambda: server.requests("sendMessage"))
        await room.commit(fresh("end", after_s=120))
        assert (await room.settled())["delivered"] == 2
    [message] = server.messages()
    assert message.text.startswith("✅ BTCUSDT · OI surge <b>&  fired ")
    assert ", ended " in message.text


async def test_an_end_of_a_deleted_message_is_a_new_one(server, telegram, running, fresh):
    async with running(telegram) as room:
        await room.commit(fresh())
        await room.settled()
        server.telegram.messages.clear()
        await room.commit(fresh("end", after_s=60))
        await room.settled()
    [message] = server.messages()
    assert message.text.startswith("✅")


async def test_refused_markup_arrives_as_plain_text(server, telegram, running, fresh):
    server.telegram.fail(faults.bad_request("can't parse entities: Unsupported start tag"))
    async with running(telegram) as room:
        await room.commit(fresh())
        assert (await room.settled())["delivered"] == 1
    assert "parse_mode" not in server.requests("sendMessage")[-1].params


@pytest.mark.promise("P9")
async def test_one_hanging_chat_delays_no_other(server, telegram, discord, running, fresh):
    server.telegram.fail(faults.Fault(hang_s=30), times=1000)
    async with running(telegram, discord) as room:
        rows = [fresh(symbol=f"C{n}USDT", destination=d) for n in range(4) for d in ("telegram", "discord")]
        await room.commit(*rows)
        await server.until(lambda: len(server.discord.messages) == 4, within_s=100)
        assert len(server.messages()) == 0


@pytest.mark.promise("P8")
@pytest.mark.parametrize("severity", ["critical", "warning"])
async def test_a_thousand_alerts_at_once_to_fifty_chats_break_no_limit(row, running, severity):
    """Ten of the chats are groups. Critical ones are told one by one, the others mostly in digests."""
    clock = SystemClock(speed=4)
    chats = [*range(1, 41), *range(-10, 0)]
    async with ChatServer(clock=clock, enforce_limits=True) as server, contextlib.AsyncExitStack() as stack:
        limits = TelegramLimits(clock)
        sinks = [
            await stack.enter_async_context(
                TelegramDestination(
                    name=f"telegram:{chat_id}",
                    token=server.telegram_token,
                    api_url=server.telegram_url,
                    chat_id=chat_id,
                    clock=clock,
                    limits=limits,
                )
            )
            for chat_id in chats
        ]
        at_ms = clock.wall_ms()
        rows = [
            row(symbol=f"C{n}USDT", destination=sink.name, at_ms=at_ms, severity="critical" if n == 19 else severity)
            for n in range(20)
            for sink in sinks
        ]
        async with running(*sinks, clock=clock) as room:
            await room.commit(*rows)
            counts = await room.settled(within_s=60)
        assert server.telegram.n_flooded == 0
        assert counts["delivered"] == 1_000
        for chat_id, sink in zip(chats, sinks, strict=True):
            told = ids(server.messages(chat_id))
            assert sorted(told) == sorted(r.view.short_id for r in rows if r.destination == sink.name)
        if severity == "warning":
            firsts = [server.messages(chat_id)[0].text for chat_id in chats]
            assert all(text.startswith("🔴 C19USDT") for text in firsts), "critical first"


@pytest.mark.promise("P1")
async def test_over_a_storm_of_faults_nothing_is_lost_and_duplicates_are_accounted_for(
    server, telegram, running, fresh
):
    kinds = [
        faults.dropped(accepted=True),
        faults.server_error(),
        faults.too_many_requests(1),
        faults.dropped(accepted=False),
        faults.bad_gateway(),
        faults.broken_json(),
    ]
    for n, fault in enumerate(kinds):
        server.telegram.fail(fault, skip=n * 2)
    rows = [fresh(symbol=f"C{n}USDT") for n in range(12)]
    async with running(telegram, manners=UNBOUNDED) as room:
        await room.commit(*rows)
        counts = await room.settled(within_s=20)
        [status] = room.lanes.status()
    assert counts["delivered"] == 12
    wanted = {r.view.short_id for r in rows}
    arrived = ids(server.messages())
    assert set(arrived) == wanted, "lost or unexpected"
    assert len(arrived) - len(wanted) <= 2, "duplicates only where the server took it and did not say so"
    assert status.ambiguous == 4


async def test_without_any_token_alerts_go_to_the_terminal(running, fresh):
    out = io.StringIO()
    console = ConsoleDestination(console=Console(file=out, width=120))
    async with running(console) as room:
        await room.commit(fresh(destination="console"))
        await room.settled()
        await room.commit(fresh("end", destination="console", after_s=60))
        await room.settled()
    text = out.getvalue()
    assert "▌ 🟠 BTCUSDT · OI surge" in text
    assert "▌ ✅ BTCUSDT · OI surge" in text

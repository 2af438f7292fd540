"""Venue, bot, Telegram and Discord over sockets: what is planted in the market arrives as a message."""

import json
import re
import signal

import pytest

from bot.clock import SystemClock
from bot.rules.loader import load_folder
from bot.sim.chatserver import ChatServer
from tests.support.harness import ROOT

pytestmark = pytest.mark.acceptance

OWNER = 4711
SHORT_ID = re.compile(r"#([0-9a-hjkmnp-tv-z]{8})\b")


@pytest.fixture
async def chats(harness):
    async with ChatServer(clock=SystemClock(speed=harness.speed, epoch_ms=harness.epoch_ms)) as server:
        yield server


def with_chats(harness, venue, chats) -> dict[str, str]:
    return harness.env(
        venue,
        OIBOT_TELEGRAM__TOKEN=chats.telegram_token,
        OIBOT_TELEGRAM__API_URL=chats.telegram_url,
        OIBOT_TELEGRAM__OWNER_ID=str(OWNER),
        OIBOT_TELEGRAM__CHAT_ID=str(OWNER),
        OIBOT_DISCORD__WEBHOOK_URL=chats.discord_webhook_url,
    )


def texts(chats) -> str:
    return "\n".join(m.text for m in chats.messages(OWNER))


async def test_the_planted_events_arrive_on_both_channels_and_questions_are_answered(harness, chats, until):
    venue = await harness.venue()
    bot = await harness.start("run", env=with_chats(harness, venue, chats))

    await until(lambda: "OI surge" in texts(chats), within_s=60, why=lambda: bot.output)
    await until(lambda: "Broad OI surge" in texts(chats), within_s=60, why=lambda: bot.output)
    chats.telegram.say("/oi BTC", chat_id=OWNER)
    await until(lambda: "BTCUSDT open interest" in texts(chats), within_s=20, why=lambda: bot.output)
    chats.telegram.say("/status", chat_id=OWNER)
    await until(
        lambda: "Binance limit" in texts(chats) or "Weight" in texts(chats), within_s=20, why=lambda: texts(chats)
    )
    chats.telegram.say("/oi BTC", chat_id=99)
    bot.signal(signal.SIGTERM)

    assert await bot.exit_code() == 0, bot.output
    assert "Traceback" not in bot.output, bot.output
    # News of the bot itself have ids too; alerts name their rule.
    titles = {rule.title for rule in load_folder(ROOT / "rules", destinations={"main"}).rules}
    of_alerts = [m.text for m in chats.messages(OWNER) if any(title in m.text for title in titles)]
    told = {i for text in of_alerts for i in SHORT_ID.findall(text)}
    fired = harness.rows("SELECT key FROM transitions WHERE state = 'firing'")
    assert len(told) >= 2
    assert len(fired) >= len(told)
    discord = "\n".join(m.text for m in chats.discord.messages)
    assert "OI surge" in discord
    assert "BTCUSDT" not in "\n".join(m.text for m in chats.messages(99))
    secrets = (chats.telegram_token, chats.discord_webhook_url.rsplit("/", 1)[-1])
    assert not any(s in bot.output for s in secrets)


async def test_the_venues_limits_hold_and_the_start_fills_the_windows(harness, chats, until):
    import aiohttp

    venue = await harness.venue(instruments=60)
    bot = await harness.start("run", env=with_chats(harness, venue, chats))
    await until(lambda: "OI surge" in texts(chats), within_s=60, why=lambda: bot.output)

    async with aiohttp.ClientSession() as session, session.get(f"{venue[0]}/sim/stats") as answer:
        stats = await answer.json()
    bot.signal(signal.SIGTERM)

    assert await bot.exit_code() == 0
    assert stats["n_429"] == stats["n_418"] == 0
    assert stats["max_used_weight"] <= 1_200


async def test_a_venue_that_refuses_is_named_and_the_bot_keeps_trying(harness, until):
    nowhere = ("http://127.0.0.1:9", "ws://127.0.0.1:9")
    bot = await harness.start("run", env=harness.env(nowhere))

    await until(lambda: "refused" in bot.output, within_s=30, why=lambda: bot.output)
    # The hint is printed a moment after the log line.
    await until(lambda: "make demo" in bot.output, within_s=10, why=lambda: bot.output)
    bot.signal(signal.SIGTERM)

    assert await bot.exit_code() == 0, bot.output
    assert "Traceback" not in bot.output


async def test_two_bots_cannot_share_a_folder(harness, until):
    venue = await harness.venue(instruments=20)
    first = await harness.start("run", env=harness.env(venue))
    await until(lambda: "bot.started" in first.output, within_s=30, why=lambda: first.output)

    second = await harness.start("run", env=harness.env(venue))

    assert await second.exit_code() == 1
    assert "another oibot is running" in second.output


async def test_health_tells_whether_prices_flow(harness, until):
    venue = await harness.venue(instruments=20)
    before = await harness.start("health", env=harness.env(venue))
    assert await before.exit_code() == 1

    bot = await harness.start("run", env=harness.env(venue))
    await until(lambda: "feed.live" in bot.output, within_s=30, why=lambda: bot.output)
    healthy = None
    for _ in range(20):
        healthy = await harness.start("health", env=harness.env(venue))
        if await healthy.exit_code() == 0:
            break
    assert "ok: newest price" in healthy.output


async def test_check_passes_on_a_good_set_up_and_names_what_is_wrong(harness, chats):
    venue = await harness.venue(instruments=20)

    good = await harness.start("check", env=with_chats(harness, venue, chats))
    assert await good.exit_code(60) == 0, good.output
    assert "0 failed" in good.output

    wrong = {**with_chats(harness, ("http://127.0.0.1:9", "ws://127.0.0.1:9"), chats), "OIBOT_RULES_DIR": "nowhere"}
    bad = await harness.start("check", env=wrong)
    assert await bad.exit_code(60) == 1
    assert "OIBOT_RULES_DIR" in bad.output
    assert "refused" in bad.output


async def test_a_recording_replays_to_the_same_transitions(harness, until):
    venue = await harness.venue()
    bot = await harness.start("record", env=harness.env(venue))
    fired = "SELECT id FROM transitions WHERE state = 'firing'"
    await until(lambda: "bot.started" in bot.output, within_s=60, why=lambda: bot.output)
    await until(lambda: harness.rows(fired.replace("id", "key")), within_s=60, why=lambda: bot.output)
    bot.signal(signal.SIGTERM)
    assert await bot.exit_code() == 0, bot.output

    journals = sorted((harness.folder / "data" / "journal").glob("*.oij"))
    replay = await harness.start("replay", *map(str, journals))
    assert await replay.exit_code(60) == 0, replay.output
    again = [json.loads(line) for line in replay.lines if line.startswith("{")]
    stored = harness.rows("SELECT rule_id, symbol, state, at_ms, value FROM transitions ORDER BY seq")
    assert [(t["rule"], t["instrument"], t["state"], t["at_ms"], t["value"]) for t in again] == stored


@pytest.mark.alone
async def test_the_first_alerts_of_a_demo_sized_market_come_when_the_readme_says(harness, until):
    """Default size, shipped rules: an ordinary alert within 60 s of the start, a market-wide one within three minutes.

    At twice real speed, so that a slow machine's start-up does not count much.
    """
    harness.speed = 2.0
    venue = await harness.venue(instruments=120)
    bot = await harness.start("run", env=harness.env(venue))
    await until(lambda: "bot.started" in bot.output, within_s=30, why=lambda: bot.output)
    clock = SystemClock(speed=harness.speed, epoch_ms=harness.epoch_ms)
    started_ms = clock.wall_ms()
    fired = "SELECT min(at_ms) FROM transitions WHERE state = 'firing' AND symbol {} '*'"

    def first(which: str) -> int | None:
        return harness.rows(fired.format(which))[0][0]

    await until(lambda: first("<>"), within_s=40, why=lambda: bot.output)
    await until(lambda: first("="), within_s=90, why=lambda: bot.output)
    bot.signal(signal.SIGTERM)

    assert await bot.exit_code() == 0
    assert first("<>") - started_ms <= 60_000
    assert first("=") - started_ms <= 180_000


async def test_a_folder_that_cannot_be_used_is_one_line(harness):
    nowhere = harness.env(("http://127.0.0.1:9", "ws://127.0.0.1:9"), OIBOT_DATA_DIR="/proc/nowhere")
    for command in (["run"], ["run", "--for", "2s"], ["demo", "--for", "2s", "--data-dir", "/proc/nowhere"]):
        bot = await harness.start(*command, env=nowhere)
        assert await bot.exit_code(30) == 1, bot.output
        assert "cannot write in /proc/nowhere" in bot.output
        assert "Traceback" not in bot.output


async def test_a_bad_rule_costs_only_itself_live_and_in_the_journal(harness, until):
    """An unknown destination and an unreadable file: told, left out, and left out again by the replay."""
    rules = harness.folder / "rules"
    rules.mkdir()
    (rules / "a.yaml").write_text(
        "version: 1\nrules:\n"
        "  - {id: good, when: 'price > 0', per: symbol}\n"
        "  - {id: lost, when: 'price > 0', notify: [nowhere]}\n",
        encoding="utf-8",
    )
    (rules / "b.yaml").symlink_to(rules / "missing.yaml")
    venue = await harness.venue(instruments=20)
    env = harness.env(venue, OIBOT_RULES_DIR=str(rules))
    lint = await harness.start("lint", env=env)
    assert await lint.exit_code() == 1
    assert "nowhere" in lint.output

    bot = await harness.start("record", env=env)
    await until(lambda: "alert.firing" in bot.output, within_s=60, why=lambda: bot.output)
    bot.signal(signal.SIGTERM)
    assert await bot.exit_code() == 0, bot.output
    assert "Errors in the rules: 2; rules that watch: 1" in bot.output

    replay = await harness.start("replay", *map(str, sorted((harness.folder / "data" / "journal").glob("*.oij"))))
    assert await replay.exit_code(60) == 0
    assert {json.loads(line)["rule"] for line in replay.lines if line.startswith("{")} == {"good"}


async def test_lint_asks_the_venue_which_symbols_there_are(harness):
    rules = harness.folder / "rules"
    rules.mkdir()
    (rules / "a.yaml").write_text(
        "rules:\n  - {id: a, when: oi > 1, scope: {symbols: [BTCUSDT]}}\n"
        "  - {id: b, when: oi > 1, scope: {symbols: [BTCUSTD]}}\n",
        encoding="utf-8",
    )
    venue = await harness.venue(instruments=20)
    env = harness.env(venue, OIBOT_RULES_DIR=str(rules))

    live = await harness.start("lint", "--live", "--strict", env=env)
    assert await live.exit_code() == 3, live.output
    assert 'a.yaml:3:45: warning[W311]: the venue lists no "BTCUSTD" now' in live.output
    assert 'did you mean "BTCUSDT"?' in live.output

    away = await harness.start("lint", "--live", env={**env, "OIBOT_BINANCE__REST_URL": "http://127.0.0.1:1"})
    assert await away.exit_code() == 1
    assert "oibot: --live: binance rest" in away.output
    assert "Traceback" not in away.output


async def test_sim_says_when_it_cannot_listen(harness):
    sim = await harness.start("sim", "--host", "192.0.2.1")

    assert await sim.exit_code() == 1
    assert "cannot listen on 192.0.2.1" in sim.output
    assert "Traceback" not in sim.output

"""Windows survive the process: killed or stopped, the next one has them within seconds."""

import asyncio
import json
import signal
import stat

import pytest

from bot.history import snapshot
from bot.market.state import NEWEST

pytestmark = pytest.mark.acceptance

N = 40
RULES = (
    "version: 1\nrules:\n"
    "- {{id: hour, when: 'avg(price, 1h) > {threshold}', cooldown: 0s, severity: info}}\n"
    "- {{id: day, when: 'avg(oi, 23h) > {threshold}', cooldown: 0s, severity: info}}\n"
)
"""True as soon as they are known; another threshold makes other rules of them, which start afresh."""


def logged(bot, event):
    lines = [line for line in bot.lines if f'"{event}"' in line]
    return [json.loads(line) for line in lines]


def known(bot, rule):
    return len([e for e in logged(bot, "alert.firing") if e["rule"] == rule])


def write_rules(folder, threshold):
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "r.yaml").write_text(RULES.format(threshold=threshold), encoding="utf-8")


@pytest.fixture
async def filled(harness, until):
    """A bot whose windows are filled and on the disk; its environment, and the file."""
    venue = await harness.venue(instruments=N)
    env = harness.env(venue, OIBOT_RULES_DIR=str(harness.folder / "rules"))
    write_rules(harness.folder, "0")
    bot = await harness.start("run", env=env)
    file = harness.folder / "data" / "snapshot" / "windows.ois"

    def is_on_disk():
        if not file.exists() or known(bot, "day") < 0.8 * N or known(bot, "hour") < 0.8 * N:
            return False
        held = snapshot.read(file).state.rings["60000:oi"].planes[0]
        return (held == held).mean() > 0.8

    await until(is_on_disk, within_s=90, why=lambda: bot.output)
    return bot, env, file


async def test_after_a_kill_windows_of_an_hour_and_a_day_are_known_within_seconds(harness, until, filled):
    bot, env, file = filled
    bot.signal(signal.SIGKILL)
    await bot.exit_code()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    write_rules(harness.folder, "1e-12")
    again = await harness.start("run", env=env)
    await until(lambda: logged(again, "snapshot.restored"), within_s=15, why=lambda: again.output)
    assert logged(again, "snapshot.restored")[0]["instruments"] > 0.8 * N
    # Before the venue could have been asked for the past: that begins after a sweep of open interest.
    await until(
        lambda: known(again, "day") >= 0.6 * N and known(again, "hour") >= 0.6 * N,
        within_s=4,
        why=lambda: again.output,
    )


async def test_a_stop_writes_what_the_last_minute_brought(harness, filled):
    bot, _, file = filled
    before = snapshot.read(file).state.now_ms
    await asyncio.sleep(1.0)
    bot.signal(signal.SIGTERM)
    assert await bot.exit_code() == 0, bot.output
    found = snapshot.read(file)
    assert found.state.now_ms >= before + 2_000, bot.output
    assert found.n_ignored == 0
    assert found.state.now_ms - found.state.tables[NEWEST][1].max() < 5_000
    assert not file.with_name("windows.ois.new").exists()
    assert "snapshot.abandoned" not in bot.output


async def test_a_damaged_file_is_set_aside_and_the_bot_starts(harness, until, filled):
    bot, env, file = filled
    bot.signal(signal.SIGKILL)
    await bot.exit_code()
    raw = bytearray(file.read_bytes())
    raw[200] ^= 0xFF
    file.write_bytes(raw)

    again = await harness.start("run", env=env)
    await until(lambda: "feed.live" in again.output, within_s=40, why=lambda: again.output)
    (told,) = logged(again, "snapshot.set_aside")
    assert "expected a whole copy" in told["reason"]
    assert [p.name for p in file.parent.glob("*.bad-*")]
    await until(file.exists, within_s=40, why=lambda: again.output)
    snapshot.read(file)

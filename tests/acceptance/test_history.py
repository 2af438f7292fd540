"""What the bot sees is on the disk minute by minute: after a kill the commands show it, and the next run goes on."""

import csv
import io
import json
import signal

import pytest

pytestmark = pytest.mark.acceptance

N = 30


@pytest.fixture
def said(harness):
    """What a command prints."""

    async def run(*arguments, env):
        process = await harness.start(*arguments, env=env)
        assert await process.exit_code(within_s=60) == 0, process.output
        return process.output

    return run


async def test_minutes_survive_a_kill_and_become_parts_in_a_process_of_their_own(harness, until, said):
    venue = await harness.venue(instruments=N)
    env = harness.env(venue)
    bot = await harness.start("run", env=env)
    folder = harness.folder / "data" / "history"

    def n_blocks():
        return sum(path.stat().st_size for path in (folder / "log").glob("*.oib"))

    await until(lambda: n_blocks() > 0, within_s=120, why=lambda: bot.output)
    size = n_blocks()
    await until(lambda: n_blocks() > size + 500, within_s=120, why=lambda: bot.output)
    bot.signal(signal.SIGKILL)
    await bot.exit_code()

    # A power cut in the middle of a block.
    (log,) = (folder / "log").glob("*.oib")
    with log.open("ab") as file:
        file.write(b"\x80\x00\x00\x00half")
    before = list(csv.DictReader(io.StringIO(await said("history", "export", env=env))))
    seen = {row["instrument"] for row in before}
    assert len(seen) > 0.8 * N
    whole = [row for row in before if row["close"] and row["oi"]]
    assert whole
    assert all(float(r["low"]) <= float(r["open"]) <= float(r["high"]) for r in whole)
    assert all(0 < int(r["close_ms"]) - int(r["oi_ms"]) + 60_000 <= 120_000 for r in whole)

    again = await harness.start("run", env=env)
    await until(lambda: '"history.tidied"' in again.output, within_s=180, why=lambda: again.output)
    (cut,) = [json.loads(line) for line in again.lines if '"history.log_cut_short"' in line]
    assert cut["bytes"] == 8
    assert not log.exists()
    found = json.loads(await said("history", "status", "--json", env=env))
    (live,) = found["holdings"]
    assert live["kind"] == "live"
    assert live["instruments"] >= len(seen)
    assert live["rows"] >= len(before)
    after = list(csv.DictReader(io.StringIO(await said("history", "export", env=env))))
    known = {(row["instrument"], row["close_ms"]): row for row in after}
    assert all(known[row["instrument"], row["close_ms"]] == row for row in before)
    assert len(after) > len(before)
    again.terminate()
    assert await again.exit_code() == 0, again.output

"""`oibot explain` asks the bot that runs, from another process."""

import json
import signal

import pytest

pytestmark = pytest.mark.acceptance


async def explain(harness, env, *words: str) -> tuple[int, str]:
    asked = await harness.start("explain", *words, env=env)
    return await asked.exit_code(30), asked.output


async def test_a_running_bot_explains_a_rule_in_a_second_process(harness, until):
    venue = await harness.venue(instruments=40)
    env = harness.env(venue)
    socket = harness.folder / "data" / "control.sock"
    code, text = await explain(harness, env, "oi_surge", "BTCUSDT")
    assert code == 1
    assert "no bot is running on" in text

    bot = await harness.start("run", env=env)
    await until(lambda: "alert.firing" in bot.output, within_s=90, why=lambda: bot.output)
    assert socket.stat().st_mode & 0o777 == 0o600

    code, text = await explain(harness, env, "oi_surge", "BTCUSDT")
    assert code == 0, text
    assert text.startswith("BTCUSDT · OI surge  oi_surge")
    assert "pct(oi, 15m) >= 5%" in text
    assert "then: oi " in text

    fired = next(json.loads(line) for line in bot.lines if '"alert.firing"' in line)
    symbol = [] if fired["symbol"] == "*" else [fired["symbol"]]
    code, text = await explain(harness, env, fired["rule"], *symbol, "--json")
    assert code == 0, text
    found = json.loads(text)
    assert fired["id"] == found["alert"]["short_id"]
    assert found["history"], "the transitions come from the store"

    code, text = await explain(harness, env, "oi_srge", "BTC")
    assert (code, text) == (1, "oibot: there is no rule 'oi_srge'; did you mean oi_surge?")

    bot.signal(signal.SIGTERM)
    assert await bot.exit_code() == 0, bot.output
    assert not socket.exists()
    assert "Traceback" not in bot.output, next(x for x in bot.lines if "Traceback" in x)


async def test_a_demo_can_be_asked_too(harness, until):
    folder = harness.folder / "kept"
    demo = await harness.start("demo", "--for", "40s", "--instruments", "20", "--data-dir", str(folder))
    await until((folder / "control.sock").exists, within_s=30, why=lambda: demo.output)
    env = {"OIBOT_DATA_DIR": str(folder)}
    answers: list[str] = []

    async def decided() -> bool:
        code, text = await explain(harness, env, "oi_surge", "BTCUSDT")
        answers.append(text)
        return code == 0

    for _ in range(20):
        if await decided():
            break
    assert "oi_surge" in answers[-1], answers
    demo.signal(signal.SIGINT)
    assert await demo.exit_code(30) in {0, 130}

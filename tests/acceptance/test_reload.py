"""Rules and destinations change under the running bot: bad files never, good ones at once."""

import json
import signal

import pytest

from bot.clock import SystemClock
from bot.sim.chatserver import ChatServer

pytestmark = pytest.mark.acceptance

OWNER, GROUP = 4711, -100_200_300
FIRST = "- {id: first, name: First one, scope: {symbols: [BTCUSDT]}, when: price > 0}\n"
SECOND = "- {id: second, name: Second one, scope: {symbols: [ETHUSDT]}, when: 'pct(price, 10s) > -90%'}\n"
THIRD = "- {id: third, name: Third one, scope: {symbols: [BTCUSDT]}, when: price > 1e-9, notify: [group]}\n"
HEAD = "version: 1\nrules:\n"
PLACES = f"""destinations:
  mine: {{kind: telegram, chat: {OWNER}, default: true}}
  group: {{kind: telegram, chat: {GROUP}}}
"""
BAD = {
    "a key": HEAD + FIRST.replace("when", "whne"),
    "yaml": HEAD + FIRST + "- {id: [",
    "bomb": "a: &a [x,x,x,x]\n" + "".join(f"{b}: &{b} [*{a},*{a},*{a},*{a}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)),
    "binary": "\x00\x01\x02",
    "empty": "",
    "huge": HEAD + FIRST * 9_000,
}  # fmt: skip


@pytest.mark.promise("P11")
async def test_bad_files_change_nothing_and_good_ones_are_taken_while_it_runs(harness, until):
    def said(event):
        return [line for line in bot.lines if event in line]

    def texts(chat=OWNER):
        return "\n".join(m.text for m in chats.messages(chat))

    async def ask_reload():
        asked = await harness.start("reload", env=env)
        return await asked.exit_code(60), asked.output

    folder = harness.rules(HEAD + FIRST)
    rules = folder / "rules.yaml"
    async with ChatServer(clock=SystemClock(speed=harness.speed, epoch_ms=harness.epoch_ms)) as chats:
        env = harness.env(
            await harness.venue(instruments=12, script=False),
            OIBOT_TELEGRAM__TOKEN=chats.telegram_token,
            OIBOT_TELEGRAM__API_URL=chats.telegram_url,
            OIBOT_TELEGRAM__OWNER_ID=str(OWNER),
            OIBOT_TELEGRAM__CHAT_ID=str(OWNER),
            OIBOT_RULES_DIR=str(folder),
            OIBOT_RECORD__ENABLED="true",
        )
        bot = await harness.start("run", env=env)
        await until(lambda: "First one" in texts(), within_s=60, why=lambda: bot.output)

        for n, (name, text) in enumerate(BAD.items(), start=1):
            rules.write_text(text, encoding="utf-8")
            if n % 2:
                await until(lambda n=n: len(said("rules.not_reloaded")) == n, within_s=60, why=lambda: bot.output)
            else:
                code, output = await ask_reload()
                assert code == 1, (name, output)
                assert "rules.yaml:" in output, (name, output)
        await until(lambda: "whne" in texts(), within_s=60, why=texts)
        chats.telegram.say("/status", chat_id=OWNER)
        await until(lambda: "The rules on disk have an error since" in texts(), within_s=60, why=texts)
        assert bot.process.returncode is None
        assert "reloaded" not in texts()

        rules.write_text(HEAD + FIRST + SECOND, encoding="utf-8")
        bot.signal(signal.SIGHUP)
        await until(lambda: "+1 ~0 -0 rules" in texts(), within_s=60, why=lambda: bot.output)
        await until(lambda: "Second one" in texts(), within_s=60, why=lambda: bot.output)
        assert "First one" in texts()

        (folder / "destinations.yaml").write_text(PLACES, encoding="utf-8")
        rules.write_text(HEAD + SECOND + THIRD, encoding="utf-8")
        chats.telegram.say("/reload", chat_id=OWNER)
        await until(lambda: "+1 ~0 -1 rules, +2 ~0 -1 destinations" in texts(), within_s=60, why=texts)
        await until(lambda: "Third one" in texts(GROUP), within_s=60, why=lambda: bot.output)
        await until(lambda: "its rule was removed" in texts(), within_s=60, why=texts)
        code, output = await ask_reload()
        assert (code, output) == (0, "Nothing changed: 2 rules.")

        bot.signal(signal.SIGTERM)
        assert await bot.exit_code() == 0, bot.output
        assert "Traceback" not in bot.output, bot.output

    journals = sorted((harness.folder / "data" / "journal").glob("*.oij"))
    replay = await harness.start("replay", *map(str, journals))
    assert await replay.exit_code(60) == 0, replay.output
    again = [json.loads(line) for line in replay.lines if line.startswith("{")]
    stored = harness.rows("SELECT rule_id, state FROM transitions ORDER BY rowid")
    assert [(t["rule"], t["state"]) for t in again] == stored
    assert [t for t in stored if t[1] in {"firing", "closed"}] == [
        ("first", "firing"), ("second", "firing"), ("first", "closed"), ("third", "firing"),
    ]  # fmt: skip

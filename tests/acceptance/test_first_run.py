"""From nothing to the first alert, the way a person goes: init, run, open the link, be told."""

import json
import re
import signal

import pytest

from bot.sim.chatserver import ChatServer

pytestmark = pytest.mark.acceptance

OWNER, STRANGER = 4711, 99
LINK = re.compile(r"https://t\.me/oi_sim_bot\?start=(claim_[\w-]+)")


@pytest.fixture
async def chats(harness):
    async with ChatServer(clock=harness.clock()) as server:
        yield server


def said(chats, chat_id=OWNER) -> str:
    return "\n".join(m.text for m in chats.messages(chat_id))


async def answer(harness, env, *words) -> tuple[int, str]:
    asked = await harness.start(*words, env=env)
    return await asked.exit_code(120), asked.output


@pytest.mark.promise("P12")
async def test_from_init_to_the_first_alert(harness, chats, until):
    venue = await harness.venue(instruments=40)
    env = harness.env(venue, OIBOT_TELEGRAM__API_URL=chats.telegram_url)
    del env["OIBOT_RULES_DIR"]
    token = harness.folder / "token"
    token.write_text(chats.telegram_token + "\n")

    code, text = await answer(harness, env, "init", "--token-file", str(token), "--yes")
    assert code == 0, text
    assert "token works: @oi_sim_bot" in text
    assert (harness.folder / ".env").stat().st_mode & 0o777 == 0o600
    assert (harness.folder / "rules" / "default.yaml").exists()
    first = LINK.search(text)[1]
    bot = await harness.start("run", env=env)
    await until(lambda: "feed.live" in bot.output, within_s=120, why=lambda: bot.output)
    chats.telegram.say("/oi BTC", chat_id=OWNER)
    chats.telegram.say("/start claim_thatisnotthecodeyouknow", chat_id=STRANGER)
    await until(lambda: "opens nothing" in said(chats, STRANGER), within_s=120, why=lambda: bot.output)
    assert said(chats) == "", "nobody owns it yet, so nobody is answered"
    # At this speed a link lives two minutes, which a busy machine may need to come here: a fresh one.
    code, text = await answer(harness, env, "claim", "--no-wait")
    assert code == 0, text
    claim = LINK.search(text)[1]
    chats.telegram.say(f"/start {claim}", chat_id=OWNER)
    await until(lambda: "You are my owner now" in said(chats), within_s=120, why=lambda: bot.output)
    await until(lambda: re.search(r"Rule \w+", said(chats)), within_s=240, why=lambda: bot.output)

    chats.telegram.say(f"/start {claim}", chat_id=STRANGER)
    await until(lambda: "has been used" in said(chats, STRANGER), within_s=120, why=lambda: said(chats, STRANGER))
    code, text = await answer(harness, env, "status", "--json")
    assert code == 0, text
    assert json.loads(text)["n_alerts_today"] >= 1
    code, text = await answer(harness, env, "top", "-n", "3")
    assert code == 0, text
    assert "telegram " in next(line for line in text.splitlines() if line.startswith("Queue"))
    code, text = await answer(harness, env, "check", "--json")
    found = json.loads(text)
    assert code == 0, text
    assert {"subject": "telegram", "level": "ok"}.items() <= next(
        f for f in found if f["subject"] == "telegram"
    ).items()

    bot.signal(signal.SIGTERM)
    assert await bot.exit_code() == 0, bot.output
    assert not [secret for secret in (first, claim) if secret.removeprefix("claim_") in bot.output]
    assert chats.telegram_token not in bot.output

    # Once more: nothing is lost, nothing asked, the owner stays.
    code, text = await answer(harness, env, "init", "--yes")
    assert code == 0, text
    assert f"the owner is {OWNER}" in text
    assert "wrote" not in text


async def test_init_waits_for_the_owner_and_sends_a_test_message(harness, chats, until):
    env = {"OIBOT_TELEGRAM__API_URL": chats.telegram_url}
    token = harness.folder / "token"
    token.write_text(chats.telegram_token)
    asked = await harness.start("init", "--token-file", str(token), env=env)
    await until(lambda: "waiting for" in asked.output, within_s=120, why=lambda: asked.output)
    claim = LINK.search(asked.output)[1]
    chats.telegram.say("hello", chat_id=STRANGER)
    chats.telegram.say(f"/start {claim}", chat_id=-77, user_id=STRANGER)
    chats.telegram.say(f"/start {claim}", chat_id=OWNER)
    assert await asked.exit_code(120) == 0, asked.output
    assert f"claimed by Owner (id {OWNER})" in asked.output
    assert "test message to telegram delivered" in asked.output
    assert "a test message to telegram" in said(chats)
    assert said(chats, STRANGER) == ""
    assert chats.telegram.n_unread == 0, "a bot that starts now does not see the link again"

"""A silence from the chat, a process that is killed in it, and what is told when it is ended."""

import re
import signal

import pytest

from bot.clock import SystemClock
from bot.sim.chatserver import ChatServer

pytestmark = pytest.mark.acceptance

OWNER = 4711
MUTED = "SELECT count(DISTINCT key) FROM outbox WHERE kind = 'fire' AND state = 'muted'"


@pytest.fixture
async def chats(harness):
    async with ChatServer(clock=SystemClock(speed=harness.speed, epoch_ms=harness.epoch_ms)) as server:
        yield server


def said(chats) -> str:
    return "\n".join(m.text for m in chats.messages(OWNER))


@pytest.mark.promise("P5")
async def test_what_is_muted_over_a_kill_is_told_once_when_the_silence_is_ended(harness, chats, until):
    venue = await harness.venue()
    env = harness.env(
        venue,
        OIBOT_TELEGRAM__TOKEN=chats.telegram_token,
        OIBOT_TELEGRAM__API_URL=chats.telegram_url,
        OIBOT_TELEGRAM__OWNER_ID=str(OWNER),
    )
    first = await harness.start("run", env=env)
    chats.telegram.say("/silence all critical 5h quiet please", chat_id=OWNER)
    await until(lambda: "Quiet everywhere" in said(chats), within_s=60, why=lambda: first.output)
    await until(lambda: harness.rows(MUTED)[0][0] >= 2, within_s=90, why=lambda: first.output)
    told_before = len(re.findall(r"Rule ", said(chats)))
    first.signal(signal.SIGKILL)
    await first.exit_code()

    second = await harness.start("run", env=env)
    await until(lambda: "muting.restored" in second.output, within_s=60, why=lambda: second.output)
    chats.telegram.say("/silences", chat_id=OWNER)
    await until(lambda: "quiet please" in said(chats).split("What fires")[-1], within_s=60, why=lambda: said(chats))
    assert len(re.findall(r"Rule ", said(chats))) == told_before, "still silent after the restart"
    keys = {key for (key,) in harness.rows(MUTED.replace("count(DISTINCT key)", "DISTINCT key"))}
    chats.telegram.say("/unsilence all", chat_id=OWNER)
    await until(lambda: "Ended 1 silence" in said(chats), within_s=30, why=lambda: said(chats))
    await until(lambda: harness.rows(MUTED)[0][0] == 0, within_s=30, why=lambda: second.output)
    open_rows = "SELECT count(*) FROM outbox WHERE state IN ('waiting', 'sending')"
    await until(lambda: harness.rows(open_rows)[0][0] == 0, within_s=60, why=lambda: second.output)
    second.signal(signal.SIGTERM)
    assert await second.exit_code() == 0, second.output

    fires = harness.rows("SELECT key, state, told_by FROM outbox WHERE kind = 'fire'")
    summaries = {i for (i,) in harness.rows("SELECT id FROM outbox WHERE kind = 'summary' AND state = 'delivered'")}
    assert keys <= {key for key, _, _ in fires}
    assert len(fires) == len({key for key, _, _ in fires})
    assert all(state == "delivered" or (state == "folded" and by in summaries) for _, state, by in fires)
    assert ("While muted" in said(chats)) == bool(summaries)
    assert "Traceback" not in first.output + second.output

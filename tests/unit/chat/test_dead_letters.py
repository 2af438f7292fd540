"""`/deadletters`: for the owner alone; what could not be told, why, and telling it after all."""

import pytest

from bot.chat.asker import AT_TERMINAL, in_telegram
from bot.chat.commands import Command, UsageError, parse
from bot.chat.dead_letters import DeadLetters
from bot.chat.telegram_html import to_plain
from bot.clock import ManualClock
from bot.model.alert import TellKind, alert_key, short_id
from bot.model.outbox import Message, OutboxRow, Rejected, row_id
from bot.model.outbox_ports import Commit
from bot.model.view import AlertView
from bot.storage.memory import MemoryAlertStore, MemoryOutbox
from tests.support.chat_actions import looking

AT_MS = 1_795_444_260_000


def row(n):
    key = alert_key("oi_surge", f"binance:C{n}USDT", AT_MS)
    view = AlertView(
        *("oi_surge", "OI surge", f"C{n}USDT", "binance", "C", "warning", short_id(key), "fire", AT_MS, AT_MS),
        *("c", "x", 1.0, False),
    )
    return OutboxRow(row_id(key, TellKind.FIRE, 0, "main"), key, TellKind.FIRE, "main", "warning", AT_MS, view)


ROWS = [row(n) for n in range(12)]


@pytest.fixture
async def outbox():
    outbox = MemoryOutbox()
    await MemoryAlertStore(outbox).commit(Commit((), (), tuple(ROWS)))
    return outbox


@pytest.fixture
async def buried(outbox):
    for one in ROWS:
        await outbox.settle(Message(one.id, "main", (one.id,), 1), Rejected("text refused"), now_ms=AT_MS)


@pytest.fixture
def ask(outbox, market, status, why):
    actions = looking(DeadLetters(outbox), market=market, status=status, why=why, clock=ManualClock())

    async def ask(text, asker=AT_TERMINAL):
        asked = parse(text)
        assert isinstance(asked, Command)
        return to_plain(await actions.answer(asked, asker=asker))

    return ask


async def test_when_everything_was_told_it_says_so(ask):
    assert await ask("/deadletters") == "Everything could be told."


@pytest.mark.usefixtures("buried")
async def test_the_newest_are_shown_with_their_reasons(ask):
    text = await ask("/deadletters")
    assert text.startswith("12 could not be told:")
    assert f"#{short_id(ROWS[11].key)} Mon 23 Nov 14:31 UTC C11USDT OI surge, fire, main: text refused" in text
    assert "and 2 more" in text


@pytest.mark.usefixtures("buried")
async def test_one_or_all_are_told_after_all(ask, outbox):
    assert await ask(f"/deadletters retry #{short_id(ROWS[3].key)}") == "1 will be told within half a minute."
    assert (await outbox.counts())["waiting"] == 1
    assert await ask("/deadletters retry all") == "11 will be told within half a minute."
    assert (await outbox.counts())["waiting"] == 12


@pytest.mark.usefixtures("buried")
async def test_an_id_that_names_nothing_changes_nothing(ask, outbox):
    assert (await ask("/deadletters retry zzzz")).startswith("I know no such message")
    assert (await outbox.counts())["waiting"] == 0


@pytest.mark.usefixtures("buried")
@pytest.mark.promise("P12")
@pytest.mark.parametrize("text", ["/deadletters", "/deadletters retry all", "/dead"])
async def test_only_the_owner_is_answered(ask, outbox, text):
    assert await ask(text, in_telegram(-5, 7, is_owner=False)) == "Only the owner may do that."
    assert (await outbox.counts())["waiting"] == 0


@pytest.mark.parametrize("text", ["/deadletters retry", "/deadletters now", "/deadletters retry a b", "/dead retry ü"])
def test_other_words_are_refused(text):
    assert isinstance(parse(text), UsageError)

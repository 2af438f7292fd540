"""What ends with a chat, and what with a person."""

from bot.chat.ending import Ending
from bot.clock import ManualClock
from bot.model.chat_rule import ChatRule
from bot.storage.memory import MemoryAlertStore, MemoryChatAlertStore, MemoryOutbox
from tests.support.chat_world import NoDesk
from tests.support.hand_alerts import HandChatRules

ANN, GROUP, OTHER = "telegram:71", "telegram:-5", "telegram:-6"


async def made():
    alerts, rules = MemoryChatAlertStore(MemoryAlertStore(MemoryOutbox())), HandChatRules()
    for n, chat in enumerate((GROUP, GROUP, OTHER)):
        await rules.add(ChatRule(f"c_0000000{n}", chat, ANN, ("BTCUSDT",), None, "oi > 1", n))
    gone = []

    async def also(chat):
        gone.append(chat)

    return Ending(alerts, NoDesk(), NoDesk(), rules, ManualClock(), also, also), rules, gone


async def test_conditions_and_all_else_end_with_the_chat():
    ending, rules, gone = await made()
    assert await ending.end(GROUP) == 2
    assert list(rules.rules) == ["c_00000002"]
    assert gone == [GROUP, GROUP]


async def test_conditions_end_with_whoever_made_them():
    ending, rules, _ = await made()
    await ending.end_these([], ["c_00000000", "c_00000002"], [])
    assert list(rules.rules) == ["c_00000001"]

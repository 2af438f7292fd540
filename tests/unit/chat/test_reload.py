"""`/reload`: for the owner alone; what came of it, with the caret below its place."""

import pytest

from bot.chat.actions import Actions
from bot.chat.asker import in_telegram
from bot.chat.commands import parse
from bot.chat.reload_actions import ReloadActions
from bot.model.reload import ReloadReport

OWNER = in_telegram(1, 1, is_owner=True)
GUEST = in_telegram(1, 2, is_owner=False)


class Reloads:
    def __init__(self, report):
        self.report = report
        self.n = 0

    async def reload(self):
        self.n += 1
        return self.report


@pytest.fixture
def ask():
    async def do(reloads, asker=OWNER):
        actions = Actions() if reloads is None else Actions(ReloadActions(reloads).handlers)
        reply = await actions.answer(parse("/reload"), asker=asker)
        return ["".join(span.text if hasattr(span, "text") else span for span in block.spans) for block in reply.blocks]

    return do


async def test_what_changed_is_said(ask):
    assert await ask(Reloads(ReloadReport(True, ("Rules were reloaded: +1 ~0 -0 rules.",)))) == [
        "✅ Rules were reloaded: +1 ~0 -0 rules."
    ]


async def test_an_error_is_shown_with_its_spaces(ask):
    lines = (
        "Rules on disk were not taken.",
        "rules.yaml:4:5: error[E102]: no",
        "    4 |   whne: x",
        "      |   ^^^^ hint",
    )
    assert await ask(Reloads(ReloadReport(False, lines))) == [
        "⚠️ Rules on disk were not taken.",
        "rules.yaml:4:5: error[E102]: no",
        "4 |   whne: x",
        "  |   ^^^^ hint",
    ]


async def test_scripts_and_the_audit_log_are_told_whether_it_was_taken():
    replies = [
        await ReloadActions(Reloads(ReloadReport(is_taken, ("x",)))).answer(parse("/reload"), OWNER)
        for is_taken in (True, False)
    ]
    assert [(one.is_refusal, one.did) for one in replies] == [(False, "took the rules folder anew"), (True, "")]


async def test_nobody_else_may(ask):
    reloads = Reloads(ReloadReport(True, ("x",)))
    assert await ask(reloads, GUEST) == ["Only the owner may do that."]
    assert reloads.n == 0


async def test_a_bot_whose_rules_are_fixed_says_so(ask):
    assert await ask(None) == ["The rules of this bot are fixed."]

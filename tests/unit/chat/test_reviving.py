"""`/revive`: what is dead, and trying it again; for the owner alone."""

import pytest

from bot.chat.asker import AT_TERMINAL, in_telegram
from bot.chat.commands import parse
from bot.chat.reviving import Reviving
from bot.chat.telegram_html import to_plain


class Hand:
    def __init__(self, **dead):
        self.found = dead

    def dead(self):
        return dict(self.found)

    def revive(self, name):
        return self.found.pop(name, None) is not None


@pytest.fixture
def ask():
    async def act(text, hand, asker=AT_TERMINAL):
        return await Reviving(hand).answer(parse(text), asker)

    return act


async def test_the_dead_are_listed_with_a_button_each(ask):
    reply = await ask("/revive", Hand(discord="unknown webhook", hook="it answers 401"))
    assert to_plain(reply) == "discord: unknown webhook\nhook: it answers 401"
    assert [button.command for row in reply.buttons for button in row] == ["/revive discord", "/revive hook"]
    assert to_plain(await ask("/revive", Hand())) == "Every destination takes messages."


async def test_one_is_tried_again_and_an_unknown_name_is_no_guess(ask):
    hand = Hand(discord="unknown webhook")
    assert "is not among those that are dead" in to_plain(await ask("/revive discrod", hand))
    assert "is tried again now" in to_plain(await ask("/revive discord", hand))
    assert hand.found == {}


@pytest.mark.promise("P12")
async def test_nobody_else_may(ask):
    hand = Hand(discord="unknown webhook")
    for text in ("/revive", "/revive discord"):
        reply = await ask(text, hand, in_telegram(-5, 7, is_owner=False))
        assert to_plain(reply) == "Only the owner may do that."
    assert hand.found


async def test_many_fit_into_one_message(ask):
    reply = await ask("/revive", Hand(**{f"d{n}": "x" * 500 for n in range(40)}))
    assert to_plain(reply).endswith("and 30 more")
    assert len(reply.buttons) == 10

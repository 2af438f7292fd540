import pytest

from bot.chat.asker import AT_TERMINAL, in_telegram
from bot.chat.commands import Command
from bot.chat.dashboard_actions import DashboardActions
from bot.chat.telegram_html import to_plain

OWNER = in_telegram(71, 71, is_owner=True)
HERE = "http://127.0.0.1:8310"


class World:
    def __init__(self, *, origin: str = "", here: str = HERE) -> None:
        self.askers = []
        self.actions = DashboardActions(path_for=self._path, origin=origin, here=lambda: here)

    def _path(self, asker) -> str:
        self.askers.append(asker)
        return "/enter?t=secret"

    async def ask(self, asker=OWNER):
        return await self.actions.handlers["dashboard"](Command("dashboard"), asker)


async def test_with_an_address_there_is_a_button():
    world = World(origin="https://oibot.example.org")
    reply = await world.ask()
    assert [(b.label, b.url) for row in reply.buttons for b in row] == [
        ("Open the dashboard", "https://oibot.example.org/enter?t=secret")
    ]
    assert "secret" not in to_plain(reply)
    assert world.askers == [OWNER]


async def test_without_one_it_tells_how_to_reach_the_machine():
    text = to_plain(await World(here="http://127.0.0.1:9000").ask())
    assert "ssh -N -L 9000:127.0.0.1:9000" in text
    assert "http://127.0.0.1:9000/enter?t=secret" in text
    assert "OIBOT_WEB__URL" in text


async def test_in_the_terminal_the_link_stands_alone_on_its_line():
    assert to_plain(await World().ask(AT_TERMINAL)).splitlines()[0] == f"{HERE}/enter?t=secret"


@pytest.mark.parametrize(
    ("world", "asker", "said"),
    [
        (World(), in_telegram(-100, 71, is_owner=True), "private chat"),
        (World(here=""), OWNER, "The pages are not there"),
    ],
)
async def test_no_link_is_made_where_it_must_not_or_cannot_be_used(world, asker, said):
    reply = await world.ask(asker)
    assert reply.is_refusal
    assert said in to_plain(reply)
    assert world.askers == []

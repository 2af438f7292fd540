"""What only looks may be repeated to draw a message anew; nothing else."""

import pytest

from bot.chat.commands import COMMANDS, Command, parse
from bot.chat.redrawing import drawn_by, is_look
from bot.model.members import Role


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("/oi BTC", "/oi BTC"),
        (" oi btc", "/oi btc"),
        ("/alerts 2", "/alerts 2"),
        ("/rules oi_surge", "/rules oi_surge"),
        ("/settings", "/settings"),
        ("/rules off oi_surge", ""),
        ("/settings zone Asia/Taipei", ""),
        ("/alert BTC oi > 5% 15m", ""),
        ("/new BTC oi", ""),
        ("/pin BTC", ""),
        ("/forget", ""),
        ("/watch " + "x" * 1_000, ""),
    ],
)
def test_only_what_looks_draws_a_message_anew(typed, expected):
    asked = parse(typed, is_slash_optional=True)
    assert (drawn_by(asked, typed) if isinstance(asked, Command) else "") == expected


def test_whoever_may_only_look_may_have_everything_drawn_anew_that_they_were_shown():
    looks = {spec.name for spec in COMMANDS if spec.needs is Role.VIEWER and is_look(Command(spec.name))}
    assert {spec.name for spec in COMMANDS if spec.needs is Role.VIEWER} - looks == {"forget"}

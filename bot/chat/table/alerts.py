"""Commands about alerts on demand."""

from typing import Final

from bot.chat.grammars import alert, alert_prefix, page
from bot.chat.spec import CommandSpec
from bot.model.members import Role

ROWS: Final[tuple[CommandSpec, ...]] = (
    CommandSpec(
        "alert",
        ("a",),
        alert,
        "/alert BTC oi > 5% 15m",
        "make an alert",
        "Alerts",
        True,
        (
            "/alert BTC oi > 5% 15m · a change over a window",
            "/alert BTC price > 70000 · a level",
            "/alert ETH funding < -0.05%",
            "Figures: price, oi, oi_usd, funding, funding_8h, basis, index, volume_24h.",
            "Behind it: once · for 2m · every 30m (again while true) · cooldown 1h.",
            "One that is true already waits until it was false once.",
        ),
        without="I take no alerts here.",
        needs=Role.MEMBER,
    ),
    CommandSpec(
        "alerts",
        ("al",),
        page,
        "/alerts",
        "alerts of this chat",
        "Alerts",
        True,
        ("/alerts · what this chat has asked for, and how far it is", "/alerts 2 · the second page"),
        without="I take no alerts here.",
        needs=Role.VIEWER,
    ),
    CommandSpec(
        "delete",
        ("del",),
        alert_prefix,
        "/delete a-7q4m",
        "delete an alert",
        "Alerts",
        True,
        ("/delete a-7q4m · four characters of its id are enough", "/delete all · all alerts of this chat"),
        is_minor=True,
        without="I take no alerts here.",
        needs=Role.MEMBER,
    ),
)

"""Commands about alerts on demand."""

from typing import Final

from bot.chat.grammars import alert, alert_or_page, alert_prefix, few_words, tuning, undoing
from bot.chat.spec import CommandSpec
from bot.model.members import Role
from bot.texts import mark

ROWS: Final[tuple[CommandSpec, ...]] = (
    CommandSpec(
        "alert",
        ("a",),
        alert,
        "/alert BTC oi > 5% 15m",
        mark("make an alert"),
        mark("Alerts"),
        True,
        (
            mark("/alert BTC oi > 5% 15m · a change over a window; btc,eth and top50 as well"),
            mark("/alert SOL price drops 3% 5m · up, down, ±4%, moves"),
            mark("/alert ETH 4000 · a level, told once from either side"),
            mark("/alert DOGE vol > 3x 15m · against the usual of a day"),
            mark("/alert BTC when pct(oi, 15m) > 5% and funding > 0.01% · anything of the rule language"),
            mark(
                "Figures: price, oi, oi_usd, funding, funding_8h, basis, index, volume, volume_24h, liq_long, liq_short."
            ),
            mark(
                "Behind it: once · silent · for 2m · every 30m (again while true) · cooldown 1h · until 18:00 · note my bag."
            ),
            mark("One that is true already waits until it was false once."),
        ),
        without=mark("I take no alerts here."),
        needs=Role.MEMBER,
    ),
    CommandSpec(
        "alerts",
        ("al",),
        alert_or_page,
        "/alerts",
        mark("alerts of this chat"),
        mark("Alerts"),
        True,
        (
            mark("/alerts · what this chat has asked for, and how far it is"),
            mark("/alerts 2 · the second page"),
            mark("/alerts a-7q4m · one of them, with what may be done to it; /alerts BTC those of BTC"),
        ),
        without=mark("I take no alerts here."),
        needs=Role.VIEWER,
    ),
    CommandSpec(
        "delete",
        ("del",),
        alert_prefix,
        "/delete a-7q4m",
        mark("delete an alert"),
        mark("Alerts"),
        True,
        (
            mark("/delete a-7q4m · four characters of its id are enough; several ids as well"),
            mark("/delete all · all alerts of this chat, after a question"),
        ),
        is_minor=True,
        without=mark("I take no alerts here."),
        needs=Role.MEMBER,
    ),
    CommandSpec(
        "tune",
        (),
        tuning,
        "/tune a-7q4m 8% 1h",
        mark("change an alert"),
        mark("Alerts"),
        True,
        (
            mark("/tune a-7q4m 8% 1h · another size, another window"),
            mark("also: both, oneway, once, again, silent, loud"),
        ),
        is_minor=True,
        without=mark("I take no alerts here."),
        needs=Role.MEMBER,
    ),
    CommandSpec(
        "undo",
        (),
        undoing,
        "/undo a-7q4mk2px",
        mark("bring back an alert"),
        mark("Alerts"),
        True,
        (mark("/undo a-7q4mk2px · brings back what was deleted within a day, or takes back what was made"),),
        is_minor=True,
        without=mark("I take no alerts here."),
        needs=Role.MEMBER,
    ),
    CommandSpec(
        "new",
        (),
        few_words,
        "/new",
        mark("an alert by buttons"),
        mark("Alerts"),
        True,
        is_minor=True,
        without=mark("I take no alerts here."),
        needs=Role.MEMBER,
    ),
)

"""Commands about what one chat is told, and how."""

from typing import Final

from bot.chat.grammars import few_words
from bot.chat.spec import CommandSpec, bare
from bot.model.members import Role
from bot.model.subscriptions import LEVELS
from bot.texts import mark

CHANGES: Final = frozenset({"on", "off", "set", "reset", *LEVELS})
"""First words behind `/rules` that change something; anything else is the name of a rule, or a page."""
_WITHOUT: Final = mark("I have no settings here.")

ROWS: Final[tuple[CommandSpec, ...]] = (
    CommandSpec(
        "rules",
        (),
        few_words,
        "/rules",
        mark("rules of this chat: on, off, how often"),
        mark("Alerts"),
        True,
        (
            mark("/rules · the list; /rules oi_surge shows one"),
            mark("/rules off oi_surge · not told here; on tells it again"),
            mark("/rules fewer · less often, all rules; normal and more as well, with a rule behind it for that one"),
            mark("/rules set oi_surge 8% · another number for this chat"),
            mark("/rules reset · all as the files say, or reset oi_surge"),
        ),
        without=_WITHOUT,
        needs=Role.MEMBER,
        needs_in_group=Role.ADMIN,
        looks=lambda words: not words or words[0].casefold() not in CHANGES,
    ),
    CommandSpec(
        "backtest",
        (),
        few_words,
        "/backtest oi_surge 30d",
        mark("a rule over the recorded history"),
        mark("Alerts"),
        True,
        (
            mark(
                "/backtest oi_surge 30d · how often it would have fired, and what prices did then beside random moments"
            ),
            mark("/backtest oi_surge BTC ETH 7d · on some contracts alone"),
            mark("/backtest · how far it is, or the last answer; /backtest cancel ends it"),
        ),
        without=mark("I keep no history here."),
        needs=Role.MEMBER,
    ),
    CommandSpec(
        "settings",
        (),
        few_words,
        "/settings",
        mark("time zone, detail, charts, quiet hours"),
        mark("Bot"),
        True,
        (
            mark("/settings zone Europe/Berlin · in which times are told; berlin is enough"),
            mark("/settings detail short · first line and figures; normal; full folds nothing away"),
            mark("/settings charts off · alerts without pictures"),
        ),
        without=_WITHOUT,
        needs=Role.MEMBER,
        needs_in_group=Role.ADMIN,
    ),
    CommandSpec(
        "language",
        (),
        few_words,
        "/language zh",
        mark("the language of this chat"),
        mark("Bot"),
        True,
        (
            mark("/language · which one is spoken here, and which there are"),
            mark("/language zh · answers and alerts of this chat in that language; its name works as well"),
            mark("Commands, names and numbers are the same in each."),
        ),
        is_minor=True,
        without=_WITHOUT,
        needs=Role.MEMBER,
        needs_in_group=Role.ADMIN,
        looks=bare,
    ),
    CommandSpec(
        "here",
        (),
        few_words,
        "/here oi_surge",
        mark("tell this here, in this topic"),
        mark("Alerts"),
        True,
        (
            mark(
                "/here whale · inside a topic of a group: what has that tag is told here, and not in the group beside it"
            ),
            mark("/here oi_surge · a rule; /here all · everything that the group is told"),
            mark("/here · what goes where"),
            mark("/here off · nothing comes here any more"),
        ),
        is_minor=True,
        without=_WITHOUT,
        needs=Role.ADMIN,
    ),
)

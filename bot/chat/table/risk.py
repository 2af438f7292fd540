"""Commands that help with risk."""

from typing import Final

from bot.chat.grammars import few_words, stop_care, stop_words
from bot.chat.spec import CommandSpec, bare
from bot.model.members import Role
from bot.texts import mark

FOLLOW_WORDS: Final = frozenset({"watch", "follow", "trail"})
"""Behind `/stop`: the stop shall follow the market."""
_WITHOUT: Final = mark("I give no stops here.")

ROWS: Final[tuple[CommandSpec, ...]] = (
    CommandSpec(
        "stop",
        (),
        stop_words,
        "/stop BTC long",
        mark("stop and size ideas"),
        mark("Risk"),
        True,
        (
            mark("/stop BTC long · from the mark price now, over the usual range of 1h"),
            mark("/stop BTC short 70000 15m · from an entry, over another window"),
            mark("/stop BTC long watch · lets the stop follow the market, and tells when it moves or is touched"),
            mark("By mark price. Data, not advice."),
        ),
        without=_WITHOUT,
        needs=Role.MEMBER,
        looks=lambda words: not any(word.casefold() in FOLLOW_WORDS for word in words),
    ),
    CommandSpec(
        "stops",
        (),
        stop_care,
        "/stops",
        mark("stops that follow"),
        mark("Risk"),
        True,
        (mark("/stops · those of this chat"), mark("/stops off w-7q4m · end one"), "/stops off all"),
        is_minor=True,
        without=_WITHOUT,
        needs=Role.MEMBER,
        looks=bare,
    ),
    CommandSpec(
        "risk",
        (),
        few_words,
        "/risk 10000 1% 5x",
        mark("what you may lose"),
        mark("Risk"),
        True,
        (
            mark("/risk 10000 1% 5x · equity, risk per trade, most leverage; each alone changes just that"),
            mark("/risk · what is set"),
            mark("/risk off · forget it"),
        ),
        without=_WITHOUT,
        needs=Role.MEMBER,
    ),
)

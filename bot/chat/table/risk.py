"""Commands that help with risk."""

from typing import Final

from bot.chat.grammars import few_words, some_words, stop_care
from bot.chat.spec import CommandSpec, bare
from bot.model.members import Role

FOLLOW_WORDS: Final = frozenset({"watch", "follow", "trail"})
"""Behind `/stop`: the stop shall follow the market."""
_WITHOUT: Final = "I give no stops here."

ROWS: Final[tuple[CommandSpec, ...]] = (
    CommandSpec(
        "stop",
        (),
        some_words,
        "/stop BTC long",
        "stop and size ideas",
        "Risk",
        True,
        (
            "/stop BTC long · from the mark price now, over the usual range of 1h",
            "/stop BTC short 70000 15m · from an entry, over another window",
            "/stop BTC long watch · lets the stop follow the market, and tells when it moves or is touched",
            "By mark price. Data, not advice.",
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
        "stops that follow",
        "Risk",
        True,
        ("/stops · those of this chat", "/stops off w-7q4m · end one", "/stops off all"),
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
        "what you may lose",
        "Risk",
        True,
        (
            "/risk 10000 1% 5x · equity, risk per trade, most leverage; each alone changes just that",
            "/risk · what is set",
            "/risk off · forget it",
        ),
        without=_WITHOUT,
        needs=Role.MEMBER,
    ),
)

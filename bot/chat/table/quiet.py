"""Commands that keep alerts quiet."""

from typing import Final

from bot.chat.grammars import few_words, nothing, silence_prefix, some_words
from bot.chat.spec import CommandSpec, bare
from bot.model.members import Role

ROWS: Final[tuple[CommandSpec, ...]] = (
    CommandSpec(
        "silence",
        ("mute",),
        some_words,
        "/silence BTC 2h",
        "keep alerts quiet for a while",
        "Quiet",
        True,
        (
            "/silence BTC 2h · a symbol; oi_surge, oi_*, #7q4m, a-7q4m, tag:NAME, severity:info as well",
            "/silence oi_surge BTC until 18:00 moving house · both must match; a comment comes last",
            "/silence all 2h · everything but critical alerts; with all critical 2h these too",
            "here behind the target: in this chat alone.",
            "What fires meanwhile is kept: told at the end if it still fires, else in a summary.",
        ),
        without="I keep nothing quiet here.",
        needs=Role.MEMBER,
        needs_in_group=Role.ADMIN,
    ),
    CommandSpec(
        "silences",
        (),
        nothing,
        "/silences",
        "what is quiet now",
        "Quiet",
        True,
        is_minor=True,
        without="I keep nothing quiet here.",
        needs=Role.VIEWER,
    ),
    CommandSpec(
        "unsilence",
        ("unmute",),
        silence_prefix,
        "/unsilence s-7q4m",
        "end a silence now",
        "Quiet",
        True,
        ("/unsilence s-7q4m · the first characters of its id are enough", "/unsilence all · all that you may end"),
        is_minor=True,
        without="I keep nothing quiet here.",
        needs=Role.MEMBER,
    ),
    CommandSpec(
        "ack",
        (),
        few_words,
        "/ack #7q4m for 4h",
        "I have seen it: no repeats",
        "Quiet",
        True,
        ("/ack #7q4m · no repeats and escalations until it ends", "/ack #7q4m for 4h · for that long at most"),
        without="I keep nothing quiet here.",
        needs=Role.MEMBER,
    ),
    CommandSpec(
        "quiet",
        (),
        few_words,
        "/quiet 23:00-07:00 Europe/Berlin",
        "hours for critical alerts only",
        "Quiet",
        True,
        (
            "/quiet 23:00-07:00 Europe/Berlin · info and warnings of this chat are kept until they end",
            "/quiet · what is set",
            "/quiet off",
        ),
        without="I keep nothing quiet here.",
        needs=Role.MEMBER,
        needs_in_group=Role.ADMIN,
        looks=bare,
    ),
)

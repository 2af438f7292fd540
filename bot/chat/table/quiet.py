"""Commands that keep alerts quiet."""

from typing import Final

from bot.chat.grammars import few_words, nothing, silence_prefix
from bot.chat.spec import CommandSpec, bare
from bot.model.members import Role
from bot.texts import mark

ROWS: Final[tuple[CommandSpec, ...]] = (
    CommandSpec(
        "silence",
        ("mute",),
        few_words,
        "/silence BTC 2h",
        mark("keep alerts quiet for a while"),
        mark("Quiet"),
        True,
        (
            mark("/silence BTC 2h · a symbol; oi_surge, oi_*, #7q4m, a-7q4m, tag:NAME, severity:info as well"),
            mark("/silence oi_surge BTC until 18:00 moving house · both must match; a comment comes last"),
            mark("/silence BTC ETH for 2 hours · one for each; @majors as well"),
            mark("/silence all 2h · everything but critical alerts; with all critical 2h these too"),
            mark("/silence off · ends all that you may end; /silence BTC off those of BTC"),
            mark("here behind the target: in this chat alone."),
            mark("What fires meanwhile is kept: told at the end if it still fires, else in a summary."),
        ),
        without=mark("I keep nothing quiet here."),
        needs=Role.MEMBER,
        needs_in_group=Role.ADMIN,
    ),
    CommandSpec(
        "silences",
        (),
        nothing,
        "/silences",
        mark("what is quiet now"),
        mark("Quiet"),
        True,
        is_minor=True,
        without=mark("I keep nothing quiet here."),
        needs=Role.VIEWER,
    ),
    CommandSpec(
        "unsilence",
        ("unmute",),
        silence_prefix,
        "/unsilence s-7q4m",
        mark("end a silence now"),
        mark("Quiet"),
        True,
        (
            mark("/unsilence s-7q4m · the first characters of its id are enough"),
            mark("/unsilence s-7q4m s-2k8x · several"),
            mark("/unsilence all · all that you may end"),
        ),
        is_minor=True,
        without=mark("I keep nothing quiet here."),
        needs=Role.MEMBER,
    ),
    CommandSpec(
        "ack",
        (),
        few_words,
        "/ack #7q4m for 4h",
        mark("I have seen it: no repeats"),
        mark("Quiet"),
        True,
        (
            mark("/ack #7q4m · no repeats and escalations until it ends"),
            mark("/ack #7q4m for 4h · for that long at most"),
        ),
        without=mark("I keep nothing quiet here."),
        needs=Role.MEMBER,
    ),
    CommandSpec(
        "quiet",
        (),
        few_words,
        "/quiet 23:00-07:00 Europe/Berlin",
        mark("hours for critical alerts only"),
        mark("Quiet"),
        True,
        (
            mark("/quiet 23:00-07:00 Europe/Berlin · info and warnings of this chat are kept until they end"),
            mark("/quiet · what is set"),
            "/quiet off",
        ),
        without=mark("I keep nothing quiet here."),
        needs=Role.MEMBER,
        needs_in_group=Role.ADMIN,
        looks=bare,
    ),
)

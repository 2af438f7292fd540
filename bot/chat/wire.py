"""Answers on their way over the control socket: the blocks of a reply as JSON, without layout.

`{"blocks": [{"kind": "line", "spans": [["BTCUSDT", "bold"], [" up", "plain"]]}, {"kind": "table", "header": [...],
"rows": [[...]]}], "buttons": [[{"label": "Chart", "command": "/chart BTC"}, {"label":
"TradingView", "url": "https://…"}]]}`. A chart and a file travel as lines.
"""

from typing import Final

import msgspec

from bot.chat.reply import Button, Line, Reply, Span, Style, Table
from bot.chat.text_chart import rows

MAX_SYMBOLS: Final = 5_000
"""More are not offered for completion."""


class WireLine(msgspec.Struct, frozen=True, tag_field="kind", tag="line"):
    """Spans of text and their style."""

    spans: tuple[tuple[str, Style], ...] = ()


class WireTable(msgspec.Struct, frozen=True, tag_field="kind", tag="table"):
    """As `Table`."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right_label: bool = False


class WireButton(msgspec.Struct, frozen=True, omit_defaults=True):
    """As `Button`."""

    label: str
    command: str = ""
    url: str = ""


class WireReply(msgspec.Struct, frozen=True):
    """As `Reply`."""

    blocks: tuple[WireLine | WireTable, ...]
    buttons: tuple[tuple[WireButton, ...], ...] = ()


class Words(msgspec.Struct, frozen=True):
    """What may be typed beside commands."""

    symbols: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    """Ids of the alerts made in the terminal."""


def _packed(block: Line | Table) -> WireLine | WireTable:
    if isinstance(block, Table):
        return WireTable(block.header, block.rows, block.right_label)
    return WireLine(tuple((span.text, span.style) for span in block.spans))


def pack(reply: Reply) -> WireReply:
    """As it is sent."""
    chart = rows(reply.chart) if reply.chart is not None else ()
    file = reply.file.content.decode(errors="replace").splitlines() if reply.file is not None else ()
    return WireReply(
        (*(_packed(block) for block in reply.blocks), *(WireLine(((text, Style.PLAIN),)) for text in (*chart, *file))),
        tuple(tuple(WireButton(one.label, one.command, one.url) for one in row) for row in reply.buttons),
    )


def _unpacked(block: WireLine | WireTable) -> Line | Table:
    if isinstance(block, WireTable):
        return Table(block.header, block.rows, block.right_label)
    return Line(tuple(Span(text, style) for text, style in block.spans))


def unpack(wire: WireReply) -> Reply:
    """As it was before it was sent, a chart as lines."""
    return Reply(
        tuple(_unpacked(block) for block in wire.blocks),
        tuple(tuple(Button(one.label, one.command, one.url) for one in row) for row in wire.buttons),
    )

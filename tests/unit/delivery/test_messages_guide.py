"""The guide to messages shows what is really sent."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from bot.delivery import console, digest, layout, markup
from bot.delivery.destination import Order
from bot.model.outbox import Layout
from bot.model.view import Affected, Breadth, Member, Move

GUIDE = (Path(__file__).parents[3] / "docs" / "messages.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"<!-- (\w+) -->\n```text\n(.*?)\n```", GUIDE, re.DOTALL))
HOUR_MS, DAY_MS, MINUTE_MS = 3_600_000, 86_400_000, 60_000


def fire(make):
    return make.view(
        oi_moves=(Move(HOUR_MS, 0.064, 87_970.0, 93_600.0), Move(DAY_MS, 0.079, 86_747.0, 93_600.0)),
        price_moves=(Move(HOUR_MS, 0.006, 92_627.0, 93_183.0), Move(DAY_MS, -0.012, 94_315.0, 93_183.0)),
        volume_ratio=2.5,
        volume_window_ms=15 * MINUTE_MS,
        oi_rank=1,
        oi_change_rank=3,
        n_ranked=532,
        oi_unusual=0.974,
        price_unusual=0.61,
    )


def market(make):
    figures = (
        ("BTCUSDT", 0.041, 0.012, 357e6),
        ("ETHUSDT", 0.052, 0.021, 251e6),
        ("SOLUSDT", 0.067, 0.031, 98e6),
        ("XRPUSDT", 0.033, -0.002, 41e6),
    )
    return make.view(
        rule_id="breadth_surge", title="Breadth surge", symbol="*", venue="", base="", severity="critical",
        condition="count(pct(oi, 15m) >= 3%) >= 12", value_text="count(pct(oi, 15m) >= 3%)", value=14.0,
        value_is_ratio=False, price=None, oi=None, oi_usd=None, funding=None, volume_24h=None, n_members=100, n_true=14,
        members=tuple(Member(symbol, oi, oi, price, usd) for symbol, oi, price, usd in figures),
        breadth=Breadth(96, 81, 12, 0.0121, 0.0084, 1.24e9, 0.0184, 2.31e9, 68.6e9),
    )  # fmt: skip


def feed(make, kind, minutes):
    affected = (Affected("OI surge", "BTCUSDT", "7q4mk2px"), Affected("OI flush", "ETHUSDT", "1kd93mfa"))
    return make.view(
        kind=kind, rule_id="feed:open interest", symbol="*", base="", value=None, value_text="", price=None, oi=None,
        at_ms=make.FIRED_MS + minutes * MINUTE_MS, short_id="3m8v0rta", feed="open interest",
        affected=affected if kind == "lost" else (), n_affected=2 if kind == "lost" else 0,
    )  # fmt: skip


def card(view, kind="fire", *, make, fired=None):
    return markup.plain_text(layout.compose([make.row(kind, view=view)], fire=fired, edit=fired is not None))


def terminal(view, *, make):
    out = io.StringIO()
    Console(file=out, width=100).print(console.block(Order(rows=(make.row(view=view),))), highlight=False)
    return out.getvalue().rstrip("\n")


def already(make):
    coins = (("BTCUSDT", 0.06, "7q4mk2px"), ("ETHUSDT", 0.112, "1kd93mfa"))
    rows = [
        make.row(symbol=symbol, view=make.view(symbol=symbol, value=value, short_id=short, is_already_true=True))
        for symbol, value, short in coins
    ]
    return markup.plain_text(digest.compose(Layout.ALREADY, rows, n_instruments=0))


EXAMPLES = {
    "fire": lambda make: card(fire(make), make=make),
    "end": lambda make: card(
        make.view(kind="end", at_ms=make.FIRED_MS + 22 * MINUTE_MS, peak=0.092, value=0.02),
        "end",
        make=make,
        fired=make.view(),
    ),
    "update": lambda make: card(
        make.view(
            kind="update",
            at_ms=make.FIRED_MS + 3 * MINUTE_MS,
            value=0.081,
            value_before=0.0606,
            oi=Move(15 * MINUTE_MS, 0.081, 88_300.0, 95_450.0),
            oi_usd=8.89e9,
        ),
        "update",
        make=make,
        fired=make.view(),
    ),
    "escalate": lambda make: card(
        make.view(
            kind="escalate",
            at_ms=make.FIRED_MS + 5 * MINUTE_MS,
            value=0.092,
            value_before=0.061,
            oi=Move(15 * MINUTE_MS, 0.092, 88_300.0, 96_424.0),
            oi_usd=8.99e9,
        ),
        "escalate",
        make=make,
    ),
    "market": lambda make: card(market(make), make=make),
    "lost": lambda make: card(feed(make, "lost", 10), "lost", make=make),
    "back": lambda make: card(feed(make, "back", 33), "back", make=make),
    "already": already,
    "terminal": lambda make: terminal(fire(make), make=make),
}


def test_every_example_is_one_of_these():
    assert set(BLOCKS) == set(EXAMPLES)
    assert GUIDE.count("```text") == len(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_what_is_sent(make, name):
    assert BLOCKS[name] == EXAMPLES[name](make)

"""The buttons below an alert: what they ask for, and where there are none."""

import pytest

from bot.chat.commands import Command, parse
from bot.chat.silence_text import read_ack, read_silence
from bot.delivery.destination import Form, Order
from bot.delivery.keys import keys_of
from bot.delivery.text import Card, line


def commands(order):
    return [key.command or key.url for row in keys_of(order) for key in row]


def test_a_firing_may_be_seen_explained_looked_at_and_muted(make):
    row = make.row()
    order = Order(rows=(row,))
    id_ = row.view.short_id
    assert commands(order) == [
        f"/ack #{id_}",
        f"/why #{id_}",
        "https://www.tradingview.com/chart/?symbol=BINANCE:BTCUSDT.P",
        *(f"/silence BTCUSDT here {span}" for span in ("1h", "4h", "24h")),
        *(f"/silence oi_surge here {span}" for span in ("1h", "4h", "24h")),
    ]
    labels = [[key.label for key in row] for row in keys_of(order)]
    assert labels == [["👍 Seen", "❓ Why", "Chart ↗"], ["💤 BTC 1h", "4h", "24h"], ["💤 OI surge 1h", "4h", "24h"]]


@pytest.mark.parametrize("kind", ["fire", "update", "escalate", "repeat", "ack"])
def test_all_of_them_are_commands_that_the_chat_reads(make, kind):
    for text in commands(Order(rows=(make.row(kind, symbol="币安人生USDT", base="币安人生"),))):
        if text.startswith("http"):
            continue
        found = parse(text)
        assert isinstance(found, Command), text
        if found.name == "silence":
            wish = read_silence(found.words)
            assert wish.is_here
            assert wish.duration_ms in {3_600_000 * h for h in (1, 4, 24)}
            assert wish.comment == ""
        if found.name == "ack":
            assert len(read_ack(found.words).prefix) == 8


def test_what_was_seen_is_not_asked_again_and_what_is_over_is_not_muted(make):
    assert [c.split()[0] for c in commands(Order(rows=(make.row("ack"),)))][:1] == ["/why"]
    for kind in ("end", "close"):
        order = Order(rows=(make.row(kind),), form=Form.EDIT, target="7")
        assert [key.label for row in keys_of(order) for key in row] == ["❓ Why", "Chart ↗"]


def test_a_rule_about_the_market_mutes_no_coin(make):
    labels = [key.label for row in keys_of(Order(rows=(make.row(symbol="*"),))) for key in row]
    assert labels == ["👍 Seen", "❓ Why", "💤 OI surge 1h", "4h", "24h"]


def test_none_below_digests_summaries_lost_data_news_and_plain_text(make):
    row = make.row()
    nothing = [
        Order(rows=(row,), card=Card(head=line("x"))),
        Order(rows=()),
        Order(rows=(row,), plain=True),
        Order(rows=(make.row(report="disk full"),)),
        *(Order(rows=(make.row(kind),)) for kind in ("summary", "lost", "back")),
    ]
    assert [keys_of(order) for order in nothing] == [()] * 7

"""The buttons below an alert: what they ask for, and where there are none."""

import pytest

from bot.chat.commands import Command, parse
from bot.chat.silence_text import read_ack, read_silence
from bot.delivery import digest
from bot.delivery.destination import Form, Order
from bot.delivery.keys import keys_of
from bot.delivery.markup import plain_text
from bot.delivery.text import Card, line
from bot.model.outbox import Layout
from bot.model.view import Move


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


def test_each_of_the_first_alerts_of_a_digest_has_a_button_with_its_number(make):
    rows = tuple(make.row(symbol=f"C{n}USDT", base=f"C{n}", value=0.5 - n / 100) for n in range(10))
    card = digest.compose(Layout.DIGEST, rows, n_instruments=100)
    keys = keys_of(Order(rows=rows, card=card))
    assert [[key.label for key in row] for row in keys] == [
        ["1 C0", "2 C1", "3 C2", "4 C3"],
        ["5 C4", "6 C5", "7 C6", "8 C7"],
    ]
    assert commands(Order(rows=rows, card=card)) == [f"/why #{row.view.short_id}" for row in rows[:8]]
    lines = plain_text(card).split("\n")
    for n, row in enumerate(rows[:8], start=1):
        assert any(one.startswith(f"{n} {row.view.symbol}") and row.view.short_id in one for one in lines)
    assert keys_of(Order(rows=rows, card=card, plain=True)) == ()


def test_a_market_card_offers_the_coins_that_moved_beyond_it(make):
    rows = tuple(
        make.row(symbol=f"C{n}USDT", base=f"C{n}", oi=Move(900_000, change, 1.0, 1.0 + change))
        for n, change in enumerate([0.04, 0.041, 0.042, 0.043, 0.044, 0.3])
    )
    card = digest.compose(Layout.MARKET, rows, n_instruments=100)
    assert [key.label for row in keys_of(Order(rows=rows, card=card)) for key in row] == ["C5"]


def test_none_below_cards_without_alerts_summaries_lost_data_news_and_plain_text(make):
    row = make.row()
    nothing = [
        Order(rows=(row,), card=Card(head=line("x"))),
        Order(rows=()),
        Order(rows=(row,), plain=True),
        Order(rows=(make.row(report="disk full"),)),
        *(Order(rows=(make.row(kind),)) for kind in ("summary", "lost", "back")),
    ]
    assert [keys_of(order) for order in nothing] == [()] * 7

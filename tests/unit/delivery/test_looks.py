"""How a chat wants its messages: its time zone and how much is told."""

from dataclasses import replace

import pytest

from bot.delivery import layout
from bot.delivery.markup import to_plain
from bot.delivery.text import Card, line
from bot.model import numbers
from bot.model.alert import TellKind
from bot.model.outbox import OutboxRow
from bot.model.view import AlertView, Move

T0 = 1_767_225_600_000  # 2026-01-01 00:00 UTC


@pytest.fixture
def view():
    return AlertView(
        "oi_surge", "OI surge", "BTCUSDT", "binance", "BTC", "warning", "7q4mk2px", "fire", T0, T0, "pct(oi, 15m) >= 5%",
        "pct(oi, 15m)", 0.06, value_is_ratio=True, oi=Move(900_000, 0.06, 1.0, 1.06), price=Move(900_000, 0.01, 1.0, 1.01),
        funding=0.0001, funding_interval_h=8.0,
    )  # fmt: skip


def text(view, kind=TellKind.FIRE, *, fire=None, edit=False):
    row = OutboxRow("i", "k", kind, "telegram", "warning", T0, replace(view, kind=kind.value))
    return to_plain(layout.compose([row], fire=fire, edit=edit))


def test_times_are_told_in_the_zone_of_the_chat(view):
    assert "00:00 UTC" in text(view)
    tokyo = replace(view, zone="Asia/Tokyo", at_ms=T0 + 60_000)
    assert text(replace(tokyo, at_ms=T0)).split("\n")[0].endswith("09:00 JST")
    ended = text(tokyo, TellKind.END)
    assert "fired 09:00, ended 09:01 JST" in ended
    assert "00:00 UTC" in text(replace(view, zone="Mars/Olympus"))


def test_clock_times_follow_summer_and_winter():
    july = 1_782_864_000_000
    assert numbers.clock_time(T0, zone="Europe/Berlin") == "01:00 CET"
    assert numbers.clock_time(july, zone="Europe/Berlin") == "02:00 CEST"
    assert numbers.clock_time(july, zone="Europe/Berlin", is_named=False, seconds=True) == "02:00:00"


def test_short_is_the_first_line_and_the_figures(view):
    said = text(replace(view, detail="short")).split("\n")
    assert [part for part in said if part] == [
        "🟠 BTCUSDT · OI surge  00:00 UTC",
        "OI +6.00% in 15m   1 → 1.06 BTC",
        "Price +1.00% in 15m   1.00 → 1.01",
        "#7q4mk2px · data, not advice",
    ]


def test_full_says_what_normal_folds_away_and_nothing_twice(view):
    cards = [
        layout.compose(
            [OutboxRow("i", "k", TellKind.FIRE, "t", "warning", T0, replace(view, detail=detail))],
            fire=None,
            edit=False,
        )
        for detail in ("normal", "full")
    ]
    normal, full = cards
    assert normal.details
    assert full.details == ()
    assert full.body == (*normal.body, (), *normal.details)


def test_a_card_without_gaps_or_details_stays():
    card = Card(line("a"), (line("b"),))
    assert layout.in_detail(card, "short") == layout.in_detail(card, "full") == card

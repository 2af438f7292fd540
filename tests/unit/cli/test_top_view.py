"""A frame of `oibot top`: complete without colour, fitted to its screen, safe to print."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from bot.cli.top_view import Frame
from bot.model.cards import BotStatus, FeedHealth
from bot.model.overview import Burning, LaneGlance, Mover, Overview

STATUS = BotStatus(
    version="1.2.3", uptime_s=3_700, n_instruments=540, n_price_fresh=538, price_age_ms=400, n_oi_fresh=530,
    oi_slowest_ms=41_000, weight_share=0.38, banned_until_ms=None,
    feeds=(FeedHealth("mark price", live=True, reason=""), FeedHealth("ticker", live=False, reason="refused")),
    n_rules=11, n_firing=30, n_pending=4, n_alerts_today=14, n_outbox=2, rss_mb=143.0, disk_free_gb=2.1, warming="",
    n_kept=1,
)  # fmt: skip
MOVERS = tuple(Mover("binance", f"C{n}USDT", 1.0, -0.01 * (n + 1), 1e9, 0.1 - 0.001 * n) for n in range(20))
FIRING = tuple(
    Burning("oi_surge", "OI surge", "*" if n == 0 else f"C{n}USDT", "7q4mk2px", 1_000, 0.0606, "ratio")
    for n in range(20)
)
SEEN = Overview(
    at_ms=61_000, window_ms=86_400_000, status=STATUS, by_oi=MOVERS, by_price=MOVERS[::-1], firing=FIRING,
    lanes=(LaneGlance("telegram", 12, 1, 0, 0.0, ""), LaneGlance("ops", 0, 0, 3, 0.0, "the webhook is gone")),
)  # fmt: skip


def drawn(seen=SEEN, *, width=110, height=None, **options):
    out = io.StringIO()
    Console(file=out, width=width, highlight=False, **options).print(Frame(seen, 0, height))
    return out.getvalue()


def test_it_says_all_without_colour():
    text = drawn(width=130)
    assert "\x1b" not in text
    for part in (
        "oibot 1.2.3 · up 1h 1m · 00:01:01 UTC · 11 rules · 143 MB",
        "● mark price  ○ ticker down",
        "! ticker is down: refused.",
        "538/540 prices, 0.4 s old · 530/540 open interest, slowest 41 s",
        "████████░░░░░░░░░░░░ 38% of the venue's limit",
        "Open interest · 24h",
        "Alerts · 30 firing, 4 pending · 14 today",
        "whole market",
        "+6.06%",
        "#7q4mk2px",
        "and 10 more",
        "2 waiting to be sent · 1 kept quiet · telegram 12 sent · ops 0 sent, 3 given up, dead: the webhook is gone",
    ):
        assert part in text


@pytest.mark.parametrize("height", [24, 30, 50, 80])
@pytest.mark.parametrize("width", [100, 120, 200])
def test_it_fits_the_screen(width, height):
    text = drawn(replace(SEEN, lanes=SEEN.lanes[:1]), width=width, height=height)
    assert len(text.splitlines()) <= height


@pytest.mark.parametrize("width", [40, 60, 87, 88])
def test_it_is_never_wider_than_the_screen(width):
    assert max(map(len, drawn(width=width).splitlines())) <= width


def test_colour_only_adds():
    assert "\x1b[32m" in drawn(force_terminal=True, color_system="standard")


def test_before_anything_is_known():
    empty = replace(STATUS, n_instruments=0, n_price_fresh=0, price_age_ms=None, n_oi_fresh=0, oi_slowest_ms=None,
                    weight_share=None, feeds=(), n_firing=0, n_pending=0, warming="prices 3/10")  # fmt: skip
    text = drawn(Overview(0, 900_000, empty, (), (), (), ()))
    assert "no prices yet" in text
    assert "warming up: prices 3/10" in text
    assert text.count("nothing known yet") == 2
    assert "none" in text


def test_names_from_outside_are_not_read_as_markup_or_codes():
    evil = replace(MOVERS[0], symbol="[red]\x1b[2J\u202eUSDT")
    text = drawn(replace(SEEN, by_oi=(evil,), firing=(replace(FIRING[1], title="[bold]x\x07"),)))
    assert "[red]" in text
    assert "[bold]x" in text
    assert not {"\x1b", "\u202e", "\x07"} & set(text)

"""Commands that look at the market."""

from typing import Final

from bot.chat.grammars import board, chart, symbols, why
from bot.chat.spec import CommandSpec

ROWS: Final[tuple[CommandSpec, ...]] = (
    CommandSpec(
        "oi",
        ("o",),
        symbols,
        "/oi BTC",
        "open interest, changes, funding",
        "Look",
        True,
        (
            "/oi BTC · one card: size, rank, changes over 5m to 24h",
            "/oi BTC ETH SOL · a table of several",
            "/oi · the five largest",
            "Symbols as you like: btc, BTC/USDT, $sol, bitcoin, BTCUSDT:binance.",
        ),
    ),
    CommandSpec(
        "price",
        ("p",),
        symbols,
        "/price BTC",
        "price and 24h range",
        "Look",
        True,
        (
            "/price BTC · mark price, 24h range, index, basis",
            "/price BTC ETH · a table of several",
            "/price · the five largest by open interest",
        ),
    ),
    CommandSpec(
        "chart",
        ("c",),
        chart,
        "/chart BTC 4h",
        "price, open interest, volume",
        "Look",
        True,
        (
            "/chart BTC · the last four hours",
            "/chart BTC 7d · any span from 15m to 365d; open interest goes back 30 days",
            "/chart BTC 24h all · with funding and the top traders' long/short ratio; or name one: funding, ratio",
            "The headlines say from, to and how much; hatched stretches have no data.",
        ),
        without="I draw no charts here.",
    ),
    CommandSpec(
        "why",
        ("w",),
        why,
        "/why BTC",
        "why a rule fires or does not",
        "Look",
        True,
        (
            "/why BTC · all rules that look at it, the nearest first",
            "/why BTC oi_surge · one rule in full: values, windows, ages, what is missing",
            "/why #7q4m · an alert by its id, or by four or more characters of it",
            "/why breadth_surge · a rule about the whole market",
            "✓ true, ✗ false, ? unknown; ● firing, ◐ pending, ◌ cooling, ○ inactive.",
        ),
    ),
    CommandSpec(
        "board",
        (),
        board,
        "/board on",
        "a pinned list of movers",
        "Look",
        True,
        (
            "/board · the strongest moves of open interest, once",
            "/board on · one message in this chat, pinned silently and kept up to date; in groups for the owner",
            "/board off · no more of it",
            "It changes once a minute at most, and stops after a day in which nobody presses or asks anything in the chat.",
        ),
        is_minor=True,
        without="I keep no board here.",
    ),
)

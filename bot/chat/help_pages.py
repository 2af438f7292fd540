"""What the bot can do, in short texts."""

from collections.abc import Mapping
from typing import Final

from bot.chat.commands import COMMANDS, shorten
from bot.chat.reply import BLANK, Button, Line, Reply, Table, bold, code, line, rows_of

_TOPICS: Final[Mapping[str, tuple[str, ...]]] = {
    "symbols": (
        "Type symbols as you like: btc, BTC/USDT, btc-perp, BTCUSDT.P, $sol, bitcoin, pepe (1000PEPEUSDT), BTCUSDT:binance.",
        "In this order: the symbol itself, with USDT, with USDC, the contract of 1000, the names of coins.",
        "What finds nothing is never guessed: the nearest are offered as buttons.",
        "Several: /oi BTC ETH SOL. A list of this chat: /watch majors BTC ETH SOL, then /oi @majors. @pins, @recent.",
    ),
    "windows": (
        "A window is a length of time before now: 5m, 15m, 1h, 4h, 24h; s, m, h and d are units.",
        "oi > 5% 15m compares with the value of 15 minutes ago. Longest is 24h; 7d for zscore and percentile.",
        "After a start the past is fetched first: until then a window is unknown, shown as –, and nothing fires by it.",
    ),
    "figures": (
        "price is the mark price, index the spot index, basis how far the mark price is from it.",
        "oi is open interest in coins, oi_usd in dollars. funding is a contract's own rate, funding_8h scaled to eight hours.",
        "– is unknown: no data, or data that is too old. It is never taken for zero.",
    ),
    "marks": (
        "↑L new longs: price up, open interest up",
        "↑S new shorts: price down, open interest up",
        "↓L longs leave: price down, open interest down",
        "↓S shorts leave: price up, open interest down",
        "Open interest cannot show who is behind a move; this is how it is usually read.",
    ),
    "quiet": (
        "/silence BTC 2h · a symbol; /silence all 2h · everything but critical alerts",
        "/quiet 23:00-07:00 Europe/Berlin · hours for critical alerts only",
        "/ack #7q4m · no repeats of an alert until it ends",
        "/silences · what is quiet now; /unsilence all · end it",
        "What fires meanwhile is kept: told at the end if it still fires, else in a summary.",
    ),
    "rules": (
        "/rules · the rules of the files, what fires now and did today",
        "/why BTC · how far each rule is; /whynot BTC oi_surge · what one of them still needs",
        "Rules are files of whoever runs me; oibot lint checks them. Alerts of your own: /help alert.",
    ),
    "risk": (
        "/risk 10000 1% 5x · what you may lose, in a private chat",
        "/stop BTC long · a stop and a size from the usual range; with watch it follows the market",
        "/funding BTC · what a position costs a day",
        "Data, not advice.",
    ),
}
_SAME: Final = {
    "symbol": "symbols", "lists": "symbols", "list": "symbols", "pins": "symbols", "window": "windows", "time": "windows",
    "figure": "figures", "data": "figures", "quadrant": "marks", "quadrants": "marks", "mark": "marks", "mute": "quiet",
    "risks": "risk",
}  # fmt: skip


def topic_page(word: str) -> Reply | None:
    """One topic; None for what is none, such as the name of a command that is no topic too."""
    name = _SAME.get(word, word)
    lines = _TOPICS.get(name)
    if lines is None or (name != word and any(word in (spec.name, *spec.aliases) for spec in COMMANDS)):
        return None
    return Reply((line(bold(name.capitalize())), *(line(text) for text in lines)), _topic_buttons())


def no_such_topic(word: str) -> Reply:
    return Reply((line("I have no help on ", code(shorten(word)), ". Topics:"),), _topic_buttons())


def _topic_buttons() -> tuple[tuple[Button, ...], ...]:
    return rows_of([Button(name, f"/help {name}") for name in ("alert", *_TOPICS)], 4)


def start_page(n_instruments: int) -> Reply:
    watched = f"I watch {n_instruments} perpetuals" if n_instruments else "I watch perpetuals"
    return Reply(
        (
            line("Open-interest alerts for crypto futures."),
            line(f"{watched} and message you when positions build up or unwind fast."),
            BLANK,
            line("Try one now:"),
            line("/oi BTC · open interest and price"),
            line("/top · biggest moves of open interest right now"),
            line("/alert BTC oi > 5% 15m · your own alert"),
            line("/help · all I can do"),
        ),
        (
            (Button("OI of BTC", "/oi BTC"), Button("Top movers", "/top")),
            (Button("Status", "/status"), Button("Help", "/help")),
        ),
    )


def help_page() -> Reply:
    """The table of commands by section; at most one screen."""
    blocks: list[Line | Table] = []
    for section in dict.fromkeys(spec.section for spec in COMMANDS):
        listed = [spec for spec in COMMANDS if spec.section == section and spec.is_listed]
        blocks += [BLANK] if blocks else []
        blocks += [line(bold(section)), *(line(f"{spec.usage} · {spec.does}") for spec in listed if not spec.is_minor)]
        if minor := [f"/{spec.name}" for spec in listed if spec.is_minor]:
            blocks.append(line(f"also {' '.join(minor)}"))
    return Reply(tuple(blocks), _topic_buttons())

"""What the bot can do, in short texts."""

from collections.abc import Callable, Mapping
from typing import Final

from bot.chat.commands import COMMANDS, shorten
from bot.chat.reply import BLANK, Button, Line, Reply, Table, bold, code, line, rows_of
from bot.chat.spec import CommandSpec
from bot.rules.language import did_you_mean
from bot.texts import mark, say

_TOPICS: Final[Mapping[str, tuple[str, ...]]] = {
    "symbols": (
        mark(
            "Type symbols as you like: btc, BTC/USDT, btc-perp, BTCUSDT.P, $sol, bitcoin, pepe (1000PEPEUSDT), BTCUSDT:binance."
        ),
        mark("In this order: the symbol itself, with USDT, with USDC, the contract of 1000, the names of coins."),
        mark("What finds nothing is never guessed: the nearest are offered as buttons."),
        mark(
            "Several: /oi BTC ETH SOL. A list of this chat: /watch majors BTC ETH SOL, then /oi @majors. @pins, @recent."
        ),
    ),
    "windows": (
        mark("A window is a length of time before now: 5m, 15m, 1h, 4h, 24h; s, m, h and d are units."),
        mark("oi > 5% 15m compares with the value of 15 minutes ago. Longest is 24h; 7d for zscore and percentile."),
        mark(
            "After a start the past is fetched first: until then a window is unknown, shown as –, and nothing fires by it."
        ),
    ),
    "figures": (
        mark("price is the mark price, index the spot index, basis how far the mark price is from it."),
        mark(
            "oi is open interest in coins, oi_usd in dollars. funding is a contract's own rate, funding_8h scaled to eight hours."
        ),
        mark("– is unknown: no data, or data that is too old. It is never taken for zero."),
    ),
    "marks": (
        mark("↑L new longs: price up, open interest up"),
        mark("↑S new shorts: price down, open interest up"),
        mark("↓L longs leave: price down, open interest down"),
        mark("↓S shorts leave: price up, open interest down"),
        mark("Open interest cannot show who is behind a move; this is how it is usually read."),
    ),
    "quiet": (
        mark("/silence BTC 2h · a symbol; /silence all 2h · everything but critical alerts"),
        mark("/quiet 23:00-07:00 Europe/Berlin · hours for critical alerts only"),
        mark("/ack #7q4m · no repeats of an alert until it ends"),
        mark("/silences · what is quiet now; /unsilence all · end it"),
        mark("What fires meanwhile is kept: told at the end if it still fires, else in a summary."),
    ),
    "rules": (
        mark("/rules · the rules of the files, what fires now and did today"),
        mark("/why BTC · how far each rule is; /whynot BTC oi_surge · what one of them still needs"),
        mark("Rules are files of whoever runs me; oibot lint checks them. Alerts of your own: /help alert."),
    ),
    "risk": (
        mark("/risk 10000 1% 5x · what you may lose, in a private chat"),
        mark("/stop BTC long · a stop and a size from the usual range; with watch it follows the market"),
        mark("/funding BTC · what a position costs a day"),
        mark("Data, not advice."),
    ),
}
_NAMES: Final = {
    "symbols": mark("Symbols"),
    "windows": mark("Windows"),
    "figures": mark("Figures"),
    "marks": mark("Marks"),
    "quiet": mark("Quiet"),
    "rules": mark("Rules"),
    "risk": mark("Risk"),
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
    return Reply((line(bold(say(_NAMES[name]))), *(line(say(text)) for text in lines)), _topic_buttons())


def no_such_topic(word: str) -> Reply:
    near = did_you_mean(word, {*_TOPICS, *(spec.name for spec in COMMANDS if spec.is_listed)})
    meant = ((Button(f"/help {near}", f"/help {near}"),),) if near else ()
    hint = say(". Did you mean {meant}? Topics:", meant=near) if near else say(". Topics:")
    text = line(say("I have no help on "), code(shorten(word)), hint)
    return Reply((text,), (*meant, *_topic_buttons()), is_refusal=True)


def _topic_buttons() -> tuple[tuple[Button, ...], ...]:
    return rows_of([Button(name, f"/help {name}") for name in ("alert", *_TOPICS)], 4)


def start_page(n_instruments: int, *, may_set: bool = False) -> Reply:
    """`may_set`: whether whoever asks may say how often this chat is told."""
    watched = say("I watch {n} perpetuals", n=n_instruments) if n_instruments else say("I watch perpetuals")
    return Reply(
        (
            line(say("Open-interest alerts for crypto futures.")),
            line(say("{watched} and message you when positions build up or unwind fast.", watched=watched)),
            BLANK,
            line(say("Try one now:")),
            line(say("/oi BTC · open interest and price")),
            line(say("/top · biggest moves of open interest right now")),
            line(say("/alert BTC oi > 5% 15m · your own alert")),
            line(say("/help · all I can do")),
            *(
                (BLANK, line(say("Rules watch for you already: /rules. Would you rather hear less of them, or more?")))
                if may_set
                else ()
            ),
        ),
        (
            (Button(say("OI of BTC"), "/oi BTC"), Button(say("Top movers"), "/top")),
            *(_how_often() if may_set else ()),
            (Button(say("Status"), "/status"), Button(say("Help"), "/help")),
        ),
    )


def _how_often() -> tuple[tuple[Button, ...], ...]:
    levels = (
        Button(say("Fewer"), "/rules fewer"),
        Button(say("Normal"), "/rules normal"),
        Button(say("More"), "/rules more"),
    )
    return levels, (Button(say("Quiet hours"), "/quiet"),)


def help_page(may: Callable[[CommandSpec], bool] = lambda _: True) -> Reply:
    """The table of commands by section, those that whoever asks may use; at most one screen."""
    blocks: list[Line | Table] = []
    for section in dict.fromkeys(spec.section for spec in COMMANDS):
        listed = [spec for spec in COMMANDS if spec.section == section and spec.is_listed and may(spec)]
        if not listed:
            continue
        blocks += [BLANK] if blocks else []
        blocks += [
            line(bold(say(section))),
            *(line(f"{spec.usage} · {say(spec.does)}") for spec in listed if not spec.is_minor),
        ]
        if minor := [f"/{spec.name}" for spec in listed if spec.is_minor]:
            blocks.append(line(say("also {commands}", commands=" ".join(minor))))
    return Reply(tuple(blocks), _topic_buttons())

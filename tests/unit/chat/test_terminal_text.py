import io

from rich.console import Console

from bot.chat.asker import AT_TERMINAL
from bot.chat.commands import Command
from bot.chat.reply import Button, Reply, code, line
from bot.chat.terminal_text import to_text


def shown(reply: Reply, *, colour: bool) -> str:
    out = io.StringIO()
    system = "standard" if colour else None
    Console(file=out, width=120, force_terminal=colour, color_system=system, legacy_windows=False).print(to_text(reply))
    return out.getvalue()


async def test_the_oi_card_in_the_terminal(actions):
    assert (
        shown(await actions.answer(Command("oi", ("BTC",)), asker=AT_TERMINAL), colour=False)
        == """\
BTCUSDT open interest
93.6k BTC · $8.72B · #1

         OI   Price
 5m  +1.82%  +0.41%
15m  +6.06%  +0.89%
 1h  +6.42%  +0.61%
 4h  +5.90%  −0.22%
24h  +7.93%  −1.21%

15m: Price up + OI up: new longs are opening.
Funding +0.0081% / 8h · 1h 29m to go
Binance · OI 12 s old
→ /oi BTCUSDT · /chart BTCUSDT · /new BTCUSDT oi · /price BTCUSDT · /funding BTCUSDT · /pin BTCUSDT
↗ https://www.tradingview.com/chart/?symbol=BINANCE:BTCUSDT.P
"""
    )


async def test_gains_are_green_and_losses_red(actions):
    text = shown(await actions.answer(Command("oi", ("BTC",)), asker=AT_TERMINAL), colour=True)
    assert "\x1b[32m+6.06%\x1b[0m" in text
    assert "\x1b[31m−1.21%\x1b[0m" in text


def test_nothing_from_outside_is_markup_or_a_control_code():
    reply = Reply((line("[red]x[/red] \x1b[31m", code("[/]")),), ((Button("b", "/oi [bold]"),),))
    assert shown(reply, colour=False) == "[red]x[/red] [31m[/]\n→ /oi [bold]\n"

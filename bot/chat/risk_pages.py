"""What is said of stops and sizes. Pure, as `pages`."""

from collections.abc import Sequence
from typing import Final

from bot.chat.reply import BLANK, Button, Line, Reply, bold, code, line
from bot.model import numbers
from bot.model.instrument import Instrument
from bot.model.risk import Refused, RiskFigures, RiskSettings, StopIdea
from bot.model.stop_watch import STEP_RATIO, StopWatch


def by_mark() -> str:
    return "By mark price; your exchange may trigger on last."


def not_advice() -> str:
    return "Data, not advice."


_WINDOWS: Final = ("15m", "1h", "4h")


def _examples() -> tuple[tuple[Button, ...], ...]:
    return ((Button("10,000 at 1%", "/risk 10000 1%"), Button("Forget it", "/risk off")),)


def no_settings() -> Reply:
    return Reply(
        (
            line("I do not know what you may lose, so I give distances without sizes."),
            line(
                "Tell me in a private chat: ", code("/risk 10000 1% 5x"), " is equity, risk per trade, most leverage."
            ),
        ),
        ((Button("10,000 at 1%", "/risk 10000 1%"),),),
    )


def only_private() -> Reply:
    return Reply((line("Equity and risk are for a private chat with me only."),))


def forgotten() -> Reply:
    return Reply((line("Forgotten: no sizes from now on."),))


def no_watches() -> Reply:
    return Reply(
        (line("No stop follows the market here. ", code("/stop BTC long watch"), " lets one."),),
        ((Button("/stop BTC long", "/stop BTC long"),),),
    )


def settings_page(settings: RiskSettings, *, is_new: bool) -> Reply:
    """What is set."""
    at_risk = settings.equity * settings.risk_ratio
    head = "Kept. " if is_new else ""
    return Reply(
        (
            line(head, "Equity ", bold(_money(settings.equity)), f", risk {_share(settings.risk_ratio)} per trade"),
            line(f"that is {_money(at_risk)} a trade, at most {settings.leverage:g}x the equity."),
            line("Alerts to you show a stop and a size; ", code("/stop BTC long"), " asks for one."),
        ),
        _examples(),
    )


def _money(amount: float) -> str:
    return f"${amount:,.0f}" if amount >= 100 else f"${amount:,.2f}"


def _share(ratio: float) -> str:
    return f"{ratio * 100:.4g}%"


def refused(instrument: Instrument, found: Refused) -> Reply:
    return Reply((line(code(instrument.symbol), ": ", found.text),))


def _size_lines(idea: StopIdea, instrument: Instrument, settings: RiskSettings | None) -> list[Line]:
    if settings is None:
        return [line("Size   ", code("/risk 10000 1%"), " in a private chat gives one")]
    if idea.size is None or idea.notional is None or idea.at_risk is None or idea.multiple is None:
        return [line(f"Size   none: {idea.why_no_size}")]
    capped = f", held down by {idea.capped_by}" if idea.capped_by else ""
    size = f"{idea.size:,.12g} {instrument.base}"
    lines = [
        line("Size   ", bold(size), f" = {_money(idea.notional)}, {idea.multiple:.2g}x equity{capped}"),
        line(f"Risk   {_money(idea.at_risk)}, {_share(settings.risk_ratio)} allowed; fees and slippage come on top"),
    ]
    if idea.cost_per_day is not None:
        word = "you pay" if idea.cost_per_day > 0 else "you get" if idea.cost_per_day < 0 else "nothing for"
        lines.append(line(f"Hold   {word} about {_money(abs(idea.cost_per_day))} a day at the present funding"))
    if idea.liquidation is not None:
        lines.append(
            line(f"At {settings.leverage:g}x the exchange would close it near {_price(idea.liquidation, instrument)}")
        )
    return lines


def _price(value: float, instrument: Instrument) -> str:
    return numbers.price(value, instrument.tick_size)


def stop_page(
    instrument: Instrument,
    idea: StopIdea,
    figures: RiskFigures,
    settings: RiskSettings | None,
    *,
    name: str,
    has_entry: bool,
) -> Reply:
    """One idea, with every reason."""
    window = numbers.window(figures.window_ms)
    atr = figures.atr or 0.0
    entry = f"Entry  {_price(idea.entry, instrument)}" + ("" if has_entry else " (mark price now)")
    away = numbers.percent(-idea.distance_ratio if idea.side == "long" else idea.distance_ratio, digits=2)
    blocks = [
        line(bold(f"{instrument.symbol} {idea.side} · stop idea")),
        line(entry),
        line("Stop   ", bold(_price(idea.stop, instrument)), f"  {away}"),
        line(f"       {idea.n_atr:.2g} x the usual {window} range, {_price(atr, instrument)} ({atr / idea.entry:.2%})"),
        *(line(f"· {reason}") for reason in idea.reasons),
        *_size_lines(idea, instrument, settings),
        line(by_mark(), " ", not_advice()),
    ]
    price = f" {idea.entry:.12g}" if has_entry else ""
    other = "short" if idea.side == "long" else "long"
    ask = f"/stop {name} {idea.side}{price}"
    return Reply(
        tuple(blocks),
        (
            (
                Button("Follow it", f"{ask} {window} watch"),
                Button(other.capitalize(), f"/stop {name} {other}{price} {window}"),
            ),
            tuple(Button(w, f"{ask} {w}") for w in _WINDOWS if w != window),
        ),
    )


def watching(watch: StopWatch, instrument: Instrument) -> Reply:
    """It follows from now on."""
    step = numbers.price(watch.distance * STEP_RATIO, instrument.tick_size)
    word = "up" if watch.side == "long" else "down"
    return Reply(
        (
            line(
                "👣 ", code(watch.id), bold(f" {instrument.symbol} {watch.side}: stop {_price(watch.stop, instrument)}")
            ),
            line(f"It follows the mark price {word} only, {_price(watch.distance, instrument)} away from the best."),
            line(f"I tell when it has moved by {step}, and when it is touched. {by_mark()}"),
        ),
        ((Button("Stop following", f"/stops off {watch.id}"), Button("All stops", "/stops")),),
    )


def watches_page(watches: Sequence[StopWatch]) -> Reply:
    """All that follow in a chat."""
    blocks: list[Line] = [
        line(bold(f"{len(watches)} stop{' follows' if len(watches) == 1 else 's follow'} the market"))
    ]
    for one in watches:
        symbol = one.instrument.partition(":")[2]
        stop = numbers.price(one.stop, one.tick_size)
        entry = numbers.price(one.entry, one.tick_size)
        blocks.append(line(code(one.id), f" {symbol} {one.side} from {entry}: stop ", bold(stop)))
    blocks += [BLANK, line(not_advice())]
    return Reply(tuple(blocks), tuple((Button(f"End {w.id}", f"/stops off {w.id}"),) for w in watches[:8]))


def news_text(before: StopWatch, after: StopWatch, price: float) -> str:
    """What is told when a stop moved or was touched."""
    tick = after.tick_size
    stop, mark = numbers.price(after.stop, tick), numbers.price(price, tick)
    sign = 1 if after.side == "long" else -1
    gain = numbers.percent(sign * (after.stop / after.entry - 1), digits=2)
    if after.touched_ms is not None:
        return f"Mark price {mark} reached the stop {stop}: {gain} from the entry.\nIt follows no more. {by_mark()}"
    return (
        f"Stop {numbers.price(before.told, tick)} → {stop}, {gain} from the entry. Mark price {mark}.\n{not_advice()}"
    )


def alert_lines(instrument: Instrument, figures: RiskFigures, ideas: Sequence[StopIdea | Refused]) -> tuple[str, ...]:
    """For the folded part of an alert; empty where nothing can be said."""
    known = [idea for idea in ideas if isinstance(idea, StopIdea)]
    if not known or figures.atr is None or figures.price is None:
        return ()
    window = numbers.window(figures.window_ms)
    lines = [f"Usual {window} range {figures.atr / figures.price:.2%} ({_price(figures.atr, instrument)})"]
    for idea in known:
        size = "" if idea.multiple is None else f", size at most {idea.multiple:.2g}x equity"
        lines.append(f"Stop idea {idea.side} {_price(idea.stop, instrument)}, {idea.distance_ratio:.2%} away{size}")
    reasons = dict.fromkeys(reason for idea in known for reason in idea.reasons)
    return (*lines, *(f"· {reason}" for reason in reasons), f"{by_mark()} {not_advice()}")

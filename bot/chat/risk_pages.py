"""What is said of stops and sizes. Pure, as `pages`."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from bot.chat.reply import BLANK, Button, Line, Reply, bold, code, line, refusal
from bot.model import numbers
from bot.model.instrument import Instrument
from bot.model.risk import Refused, RiskFigures, RiskSettings, StopIdea
from bot.model.stop_watch import STEP_RATIO, StopWatch
from bot.texts import say, say_as, say_n


def by_mark() -> str:
    return say("By mark price; your exchange may trigger on last.")


def not_advice() -> str:
    return say("Data, not advice.")


_WINDOWS: Final = ("15m", "1h", "4h")


def _examples() -> tuple[tuple[Button, ...], ...]:
    return ((Button(say("10,000 at 1%"), "/risk 10000 1%"), Button(say("Forget it"), "/risk off")),)


def no_settings() -> Reply:
    return Reply(
        (
            line(say("I do not know what you may lose, so I give distances without sizes.")),
            line(
                say("Tell me in a private chat: "),
                code("/risk 10000 1% 5x"),
                say(" is equity, risk per trade, most leverage."),
            ),
        ),
        ((Button(say("10,000 at 1%"), "/risk 10000 1%"),),),
    )


def only_private() -> Reply:
    return refusal(say("Equity and risk are for a private chat with me only."))


def forgotten() -> Reply:
    return Reply((line(say("Forgotten: no sizes from now on.")),))


def no_watches() -> Reply:
    return Reply(
        (line(say("No stop follows the market here. "), code("/stop BTC long watch"), say(" lets one.")),),
        ((Button("/stop BTC long", "/stop BTC long"),),),
    )


def settings_page(settings: RiskSettings, *, is_new: bool) -> Reply:
    """What is set."""
    at_risk = settings.equity * settings.risk_ratio
    head = say("Kept. ") if is_new else ""
    return Reply(
        (
            line(
                head,
                say("Equity "),
                bold(_money(settings.equity)),
                say(", risk {share} per trade", share=_share(settings.risk_ratio)),
            ),
            line(
                say(
                    "that is {loss} a trade, at most {leverage:g}x the equity.",
                    loss=_money(at_risk),
                    leverage=settings.leverage,
                )
            ),
            line(say("Alerts to you show a stop and a size; "), code("/stop BTC long"), say(" asks for one.")),
        ),
        _examples(),
    )


def in_short(settings: RiskSettings | None) -> str:
    """In a line of others: `equity $10,000, risk 1% per trade`."""
    if settings is None:
        return say("not set")
    equity, share = _money(settings.equity), _share(settings.risk_ratio)
    return say("equity {equity}, risk {share} per trade", equity=equity, share=share)


def side_name(side: str) -> str:
    return say_as("side of a position", "long") if side == "long" else say_as("side of a position", "short")


def _money(amount: float) -> str:
    return f"${amount:,.0f}" if amount >= 100 else f"${amount:,.2f}"


def _share(ratio: float) -> str:
    return f"{ratio * 100:.4g}%"


def refused(instrument: Instrument, found: Refused) -> Reply:
    return refusal(code(instrument.symbol), ": ", found.text)


def _size_lines(idea: StopIdea, instrument: Instrument, settings: RiskSettings | None) -> list[Line]:
    if settings is None:
        return [line(say("Size   "), code("/risk 10000 1%"), say(" in a private chat gives one"))]
    if idea.size is None or idea.notional is None or idea.at_risk is None or idea.multiple is None:
        return [line(say("Size   none: {reason}", reason=idea.why_no_size))]
    capped = say(", held down by {limit}", limit=idea.capped_by) if idea.capped_by else ""
    size = f"{idea.size:,.12g} {instrument.base}"
    lines = [
        line(
            say("Size   "),
            bold(size),
            say(
                " = {amount}, {multiple:.2g}x equity{capped}",
                amount=_money(idea.notional),
                multiple=idea.multiple,
                capped=capped,
            ),
        ),
        line(
            say(
                "Risk   {loss}, {share} allowed; fees and slippage come on top",
                loss=_money(idea.at_risk),
                share=_share(settings.risk_ratio),
            )
        ),
    ]
    if idea.cost_per_day is not None:
        lines.append(line(_hold(idea.cost_per_day)))
    if idea.liquidation:  # zero at 1x: all the way down the margin covers it
        lines.append(
            line(
                say(
                    "At {leverage:g}x the exchange would close it near {price}",
                    leverage=settings.leverage,
                    price=_price(idea.liquidation, instrument),
                )
            )
        )
    return lines


def _hold(per_day: float) -> str:
    amount = _money(abs(per_day))
    if per_day > 0:
        return say("Hold   you pay about {amount} a day at the present funding", amount=amount)
    if per_day < 0:
        return say("Hold   you get about {amount} a day at the present funding", amount=amount)
    return say("Hold   nothing for about {amount} a day at the present funding", amount=amount)


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
    entry = say("Entry  {price}", price=_price(idea.entry, instrument)) + (
        "" if has_entry else say(" (mark price now)")
    )
    away = numbers.percent(-idea.distance_ratio if idea.side == "long" else idea.distance_ratio, digits=2)
    blocks = [
        line(bold(say("{symbol} {side} · stop idea", symbol=instrument.symbol, side=side_name(idea.side)))),
        line(entry),
        line(say("Stop   "), bold(_price(idea.stop, instrument)), f"  {away}"),
        line(
            say(
                "       {n_atr:.2g} x the usual {window} range, {price} ({share:.2%})",
                n_atr=idea.n_atr,
                window=window,
                price=_price(atr, instrument),
                share=atr / idea.entry,
            )
        ),
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
                Button(say("Follow it"), f"{ask} {window} watch"),
                Button(side_name(other).capitalize(), f"/stop {name} {other}{price} {window}"),
            ),
            tuple(Button(w, f"{ask} {w}") for w in _WINDOWS if w != window),
        ),
    )


def watching(watch: StopWatch, instrument: Instrument) -> Reply:
    """It follows from now on."""
    step = numbers.price(watch.distance * STEP_RATIO, instrument.tick_size)
    away = _price(watch.distance, instrument)
    follows = (
        say("It follows the mark price up only, {distance} away from the best.", distance=away)
        if watch.side == "long"
        else say("It follows the mark price down only, {distance} away from the best.", distance=away)
    )
    return Reply(
        (
            line(
                "👣 ",
                code(watch.id),
                bold(
                    say(
                        " {symbol} {side}: stop {price}",
                        symbol=instrument.symbol,
                        side=side_name(watch.side),
                        price=_price(watch.stop, instrument),
                    )
                ),
            ),
            line(follows),
            line(
                say(
                    "I tell when it has moved by {step}, and when it is touched. {by_mark}",
                    step=step,
                    by_mark=by_mark(),
                )
            ),
        ),
        ((Button(say("Stop following"), f"/stops off {watch.id}"), Button(say("All stops"), "/stops")),),
    )


def watches_page(watches: Sequence[StopWatch]) -> Reply:
    """All that follow in a chat."""
    blocks: list[Line] = [line(bold(say_n("{n} stop follows the market", "{n} stops follow the market", len(watches))))]
    for one in watches:
        symbol = one.instrument.partition(":")[2]
        stop = numbers.price(one.stop, one.tick_size)
        entry = numbers.price(one.entry, one.tick_size)
        blocks.append(
            line(
                code(one.id),
                say(" {symbol} {side} from {entry}: stop ", symbol=symbol, side=side_name(one.side), entry=entry),
                bold(stop),
            )
        )
    blocks += [BLANK, line(not_advice())]
    return Reply(tuple(blocks), tuple((Button(say("End {id}", id=w.id), f"/stops off {w.id}"),) for w in watches[:8]))


def news_text(before: StopWatch, after: StopWatch, price: float) -> str:
    """What is told when a stop moved or was touched."""
    tick = after.tick_size
    stop, mark = numbers.price(after.stop, tick), numbers.price(price, tick)
    sign = 1 if after.side == "long" else -1
    gain = numbers.percent(sign * (after.stop / after.entry - 1), digits=2)
    if after.touched_ms is not None:
        return say(
            "Mark price {mark} reached the stop {stop}: {gain} from the entry.\nIt follows no more. {by_mark}",
            mark=mark,
            stop=stop,
            gain=gain,
            by_mark=by_mark(),
        )
    return say(
        "Stop {before} → {stop}, {gain} from the entry. Mark price {mark}.\n{not_advice}",
        before=numbers.price(before.told, tick),
        stop=stop,
        gain=gain,
        mark=mark,
        not_advice=not_advice(),
    )


def _at_most(multiple: float) -> float:
    """In two digits, and never more than it is: whoever takes it must not risk more than they said."""
    exact = Decimal(repr(multiple))
    return float(exact.quantize(Decimal(1).scaleb(exact.adjusted() - 1), ROUND_FLOOR))


def _holding(per_day: float | None) -> str:
    """Of the size that was named before."""
    if not per_day:
        return ""
    amount = _money(abs(per_day))
    if per_day > 0:
        return say(", costs about {amount} a day", amount=amount)
    return say(", earns about {amount} a day", amount=amount)


def alert_lines(instrument: Instrument, figures: RiskFigures, ideas: Sequence[StopIdea | Refused]) -> tuple[str, ...]:
    """For the folded part of an alert; empty where nothing can be said."""
    known = [idea for idea in ideas if isinstance(idea, StopIdea)]
    if not known or figures.atr is None or figures.price is None:
        return ()
    window = numbers.window(figures.window_ms)
    lines = [
        say(
            "Usual {window} range {share:.2%} ({price})",
            window=window,
            share=figures.atr / figures.price,
            price=_price(figures.atr, instrument),
        )
    ]
    for idea in known:
        most = None if idea.multiple is None else _at_most(idea.multiple)
        size = "" if most is None else say(", size at most {multiple:.2g}x equity", multiple=most)
        lines.append(
            say(
                "Stop idea {side} {price}, {distance:.2%} away{size}",
                side=side_name(idea.side),
                price=_price(idea.stop, instrument),
                distance=idea.distance_ratio,
                size=size + _holding(idea.cost_per_day),
            )
        )
    reasons = dict.fromkeys(reason for idea in known for reason in idea.reasons)
    return (*lines, *(f"· {reason}" for reason in reasons), f"{by_mark()} {not_advice()}")

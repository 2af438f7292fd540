"""Values to replies: one pure function per answer. Unknown is shown as a dash, never as zero.

Nothing here asks for anything; `actions` gathers what a page needs. Times are epoch ms, ages ms.
"""

from collections.abc import Sequence
from typing import Final

from bot.chat.commands import UsageError, shorten
from bot.chat.reply import BLANK, TABLE_COLUMNS, Button, Line, Reply, Table, bold, code, line, rows_of
from bot.chat.spec import CommandSpec
from bot.chat.symbols import NotFound
from bot.model import links, numbers
from bot.model.cards import READING_WINDOW_MS, InstrumentCard
from bot.model.instrument import Instrument
from bot.model.rankings import Ranked
from bot.model.view import Move
from bot.texts import say

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
PRICE_AGE_TOLD_MS: Final = 15_000
"""Mark prices arrive every second; from here on their age is news."""
EXAMPLE_USD: Final = 10_000.0
"""Of what a cost is told."""


def window_text(window_ms: int) -> str:
    return "24h" if window_ms == DAY_MS else numbers.window(window_ms)


def _change(moves: Sequence[Move], window_ms: int) -> float | None:
    return next((move.change for move in moves if move.window_ms == window_ms), None)


def label_of(card: InstrumentCard | Ranked) -> str:
    """Short for tables: the base alone where the quote goes without saying."""
    return card.base if card.quote == "USDT" else card.symbol


def _freshness(card: InstrumentCard, *parts: str) -> Line:
    return line(" · ".join((card.venue.capitalize(), *parts)))


def _price_age(card: InstrumentCard) -> tuple[str, ...]:
    if card.price_age_ms is None:
        return (say("price –"),)
    if card.price_age_ms <= PRICE_AGE_TOLD_MS:
        return ()
    return (say("price {duration} old", duration=numbers.duration(card.price_age_ms)),)


def _not_trading(card: InstrumentCard) -> tuple[Line, ...]:
    return () if card.status == "TRADING" else (line(say("Not trading now ({status}).", status=shorten(card.status))),)


def _funding(card: InstrumentCard) -> str:
    text = say("Funding {rate}", rate=numbers.percent(card.funding, digits=4))
    if card.funding is not None and card.funding_interval_h > 0:
        text += f" / {card.funding_interval_h:g}h"
    if card.next_funding_ms is not None and card.next_funding_ms > card.at_ms:
        text += say(" · {duration} to go", duration=numbers.duration(card.next_funding_ms - card.at_ms))
    return text


def change_text(ratio: float | None) -> str:
    """A change in a table: two decimals, so that columns line up."""
    return numbers.percent(ratio, digits=2 if ratio is None or abs(ratio) < 10 else 0)


def card_rows(
    card: InstrumentCard, shown: str, name: str, *, is_pinned: bool = False
) -> tuple[tuple[Button, ...], ...]:
    """Where to go from a card (`shown`: `oi`, `price` or `funding`): the same again, the others, a chart, an alert, a page elsewhere, a pin."""
    others = [
        (label, page)
        for label, page in ((say("OI"), "oi"), (say("Price"), "price"), (say("Funding"), "funding"))
        if page != shown
    ]
    url = links.tradingview(card.venue, card.symbol)
    pin = Button(say("📌 Unpin"), f"/unpin {name}") if is_pinned else Button(say("📌 Pin"), f"/pin {name}")
    return (
        (
            Button(say("↻ Refresh"), f"/{shown} {name}"),
            Button(say("📈 Chart"), f"/chart {name}"),
            Button(say("🔔 Alert me"), f"/new {name} {shown}"),
        ),
        (
            *(Button(label, f"/{page} {name}") for label, page in others),
            *([Button(say("TradingView ↗"), "", url)] if url else []),
            pin,
        ),
    )


def oi_card(card: InstrumentCard, *, name: str, is_pinned: bool = False) -> Reply:
    """The open-interest card. `name` is what a button must ask for to get the same card."""
    size = f"{numbers.amount(card.oi)} {card.base}" if card.oi is not None else numbers.UNKNOWN
    parts = [size, numbers.usd(card.oi_usd), *([f"#{card.oi_rank}"] if card.oi_rank is not None else [])]
    price_changes = {move.window_ms: move.change for move in card.price_moves}
    rows = tuple(
        (window_text(move.window_ms), change_text(move.change), change_text(price_changes.get(move.window_ms)))
        for move in card.oi_moves
    )
    oi_change = _change(card.oi_moves, READING_WINDOW_MS)
    reading = numbers.reading(price_changes.get(READING_WINDOW_MS), oi_change, usual_range=card.usual_range)
    oi_age = (
        say("OI –") if card.oi_age_ms is None else say("OI {duration} old", duration=numbers.duration(card.oi_age_ms))
    )
    blocks: tuple[Line | Table, ...] = (
        line(bold(card.symbol), say(" open interest")),
        line(" · ".join(parts)),
        *_not_trading(card),
        BLANK,
        Table(("", say("OI"), say("Price")), rows, right_label=True),
        BLANK,
        *([line(f"{window_text(READING_WINDOW_MS)}: {reading}")] if reading else []),
        line(_funding(card)),
        _freshness(card, oi_age, *_price_age(card)),
    )
    return Reply(blocks, card_rows(card, "oi", name, is_pinned=is_pinned))


def range_bar(low: float | None, high: float | None, price: float | None) -> str:
    """`24h 3,921 ──────●── 4,040` within a table's width; words where the ends are unknown."""
    if low is None or high is None:
        return say("24h range –")
    left, right = f"24h {numbers.price(low)} ", f" {numbers.price(high)}"
    if price is None or not high > low:
        return say("24h {low} to {high}", low=numbers.price(low), high=numbers.price(high))
    n_cells = max(5, min(14, TABLE_COLUMNS - len(left) - len(right)))
    at = round((n_cells - 1) * min(1.0, max(0.0, (price - low) / (high - low))))
    return f"{left}{'─' * at}●{'─' * (n_cells - 1 - at)}{right}"


def price_card(card: InstrumentCard, *, name: str, is_pinned: bool = False) -> Reply:
    """Price, range of the day, index and basis."""
    change = _change(card.price_moves, DAY_MS)
    arrow = "" if not change else "▲ " if change > 0 else "▼ "
    basis = None if card.price is None or not card.index else card.price / card.index - 1
    blocks = (
        line(bold(card.symbol), f" {numbers.price(card.price)}  {arrow}{numbers.percent(change)} 24h"),
        line(code(range_bar(card.low_24h, card.high_24h, card.price))),
        line(say("Index {index} · basis {basis}", index=numbers.price(card.index), basis=numbers.percent(basis))),
        *_not_trading(card),
        *([_freshness(card, *_price_age(card))] if _price_age(card) else []),
    )
    return Reply(blocks, card_rows(card, "price", name, is_pinned=is_pinned))


def funding_card(card: InstrumentCard, *, name: str, is_pinned: bool = False) -> Reply:
    """What a position pays, how often, and when next."""
    rate, hours = card.funding, card.funding_interval_h
    per_day = None if rate is None or hours <= 0 else rate * DAY_MS / (hours * HOUR_MS)
    left_ms = None if card.next_funding_ms is None else card.next_funding_ms - card.at_ms
    due = (
        say(" · next in {duration}", duration=numbers.duration(left_ms)) if left_ms is not None and left_ms > 0 else ""
    )
    every = say(" every {hours:g}h", hours=hours) if hours > 0 else ""
    basis = None if card.price is None or not card.index else card.price / card.index - 1
    year = None if per_day is None else per_day * 365
    blocks = (
        line(bold(card.symbol), " funding"),
        line(say("Now {rate}{every}{due}", rate=numbers.percent(rate, digits=4), every=every, due=due)),
        line(
            say(
                "Per day {day} · per year {year}",
                day=numbers.percent(per_day, digits=3),
                year=numbers.percent(year, digits=1),
            )
        ),
        *([line(cost)] if (cost := _cost(per_day)) else []),
        line(say("Basis {basis} · price {price}", basis=numbers.percent(basis), price=numbers.price(card.price))),
        *_not_trading(card),
        *([_freshness(card, *_price_age(card))] if _price_age(card) else []),
    )
    return Reply(blocks, card_rows(card, "funding", name, is_pinned=is_pinned))


def _cost(per_day: float | None) -> str:
    if per_day is None:
        return ""
    if round(abs(per_day) * EXAMPLE_USD, 2) == 0:
        return say("Neither side pays a cent a day.")
    cost = abs(per_day) * EXAMPLE_USD
    if per_day > 0:
        return say("A long of $10,000 pays the shorts ${cost:,.2f} a day.", cost=cost)
    return say("A short of $10,000 pays the longs ${cost:,.2f} a day.", cost=cost)


def oi_table(title: str, cards: Sequence[InstrumentCard]) -> tuple[Line | Table, ...]:
    rows = tuple(
        (
            label_of(card),
            numbers.usd(card.oi_usd),
            change_text(_change(card.oi_moves, READING_WINDOW_MS)),
            change_text(_change(card.oi_moves, DAY_MS)),
        )
        for card in cards
    )
    return (line(bold(title)), Table(("", say("OI"), "15m", "24h"), rows))


def price_table(title: str, cards: Sequence[InstrumentCard]) -> tuple[Line | Table, ...]:
    rows = tuple(
        (label_of(card), numbers.price(card.price), change_text(_change(card.price_moves, DAY_MS))) for card in cards
    )
    return (line(bold(title)), Table(("", say("Price"), "24h"), rows))


def funding_table(title: str, cards: Sequence[InstrumentCard]) -> tuple[Line | Table, ...]:
    rows = tuple(
        (
            label_of(card),
            numbers.percent(card.funding, digits=4),
            f"{card.funding_interval_h:g}h" if card.funding_interval_h > 0 else numbers.UNKNOWN,
            change_text(None if card.price is None or not card.index else card.price / card.index - 1),
        )
        for card in cards
    )
    return (line(bold(title)), Table(("", say("Funding"), say("Every"), say("Basis")), rows))


def card_buttons(command: str, named: Sequence[tuple[str, InstrumentCard]]) -> tuple[tuple[Button, ...], ...]:
    """One button per card. `named` pairs what to ask for with the card."""
    return rows_of([Button(label_of(card), f"/{command} {name}") for name, card in named], 5)


def near_buttons(command: str, names: Sequence[tuple[str, Instrument]]) -> tuple[tuple[Button, ...], ...]:
    """One button per suggestion."""
    return rows_of([Button(instrument.symbol, f"/{command} {name}") for name, instrument in names], 3)


def not_found(command: str, missing: NotFound, names: Sequence[tuple[str, Instrument]], *, example: str = "") -> Reply:
    """Never a guess: the nearest symbols as buttons."""
    example = example or f"/{command} BTC"
    hint = "" if names else say(" Try {command}.", command=example)
    return Reply(
        (line(say("I don't know the symbol "), code(shorten(missing.text) or "?"), "." + hint),),
        near_buttons(command, names),
        is_refusal=True,
    )


def help_topic(spec: CommandSpec) -> Reply:
    names = ", ".join(f"/{alias}" for alias in spec.aliases)
    short = say("Short: {names}", names=names)
    details = tuple(say(text) for text in spec.details) or (f"{spec.usage} · {say(spec.does)}",)
    return Reply(
        (line(bold(f"/{spec.name}")), *(line(text) for text in details), *([line(short)] if spec.aliases else []))
    )


def usage(error: UsageError) -> Reply:
    buttons = rows_of([Button(text, text) for text in error.try_instead], 3)
    return Reply((line(error.text),), buttons, is_refusal=True)

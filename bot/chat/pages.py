"""Values to replies: one pure function per answer. Unknown is shown as a dash, never as zero.

Nothing here asks for anything; `actions` gathers what a page needs. Times are epoch ms, ages ms.
"""

from collections.abc import Sequence
from typing import Final

from bot.chat.commands import COMMANDS, UsageError, shorten
from bot.chat.reply import BLANK, TABLE_COLUMNS, Button, Line, Reply, Table, bold, code, line
from bot.chat.spec import CommandSpec
from bot.chat.symbols import NotFound
from bot.model import numbers
from bot.model.cards import BotStatus, InstrumentCard
from bot.model.instrument import Instrument
from bot.model.view import Move

DAY_MS: Final = 86_400_000
READING_WINDOW_MS: Final = 900_000
PRICE_AGE_TOLD_MS: Final = 15_000
"""Mark prices arrive every second; from here on their age is news."""
ENOUGH_FRESH: Final = 0.9
"""Share of instruments; a few contracts are always settling."""


def _window(window_ms: int) -> str:
    return "24h" if window_ms == DAY_MS else numbers.window(window_ms)


def _change(moves: Sequence[Move], window_ms: int) -> float | None:
    return next((move.change for move in moves if move.window_ms == window_ms), None)


def _label(card: InstrumentCard) -> str:
    """Short for tables: the base alone where the quote goes without saying."""
    return card.base if card.quote == "USDT" else card.symbol


def _rows(buttons: Sequence[Button], per_row: int) -> tuple[tuple[Button, ...], ...]:
    return tuple(tuple(buttons[i : i + per_row]) for i in range(0, len(buttons), per_row))


def _freshness(card: InstrumentCard, *parts: str) -> Line:
    return line(" · ".join((card.venue.capitalize(), *parts)))


def _price_age(card: InstrumentCard) -> tuple[str, ...]:
    if card.price_age_ms is None:
        return ("price –",)
    if card.price_age_ms <= PRICE_AGE_TOLD_MS:
        return ()
    return (f"price {numbers.duration(card.price_age_ms)} old",)


def _not_trading(card: InstrumentCard) -> tuple[Line, ...]:
    return () if card.status == "TRADING" else (line(f"Not trading now ({shorten(card.status)})."),)


def _funding(card: InstrumentCard) -> str:
    text = f"Funding {numbers.percent(card.funding, digits=4)}"
    if card.funding is not None and card.funding_interval_h > 0:
        text += f" / {card.funding_interval_h:g}h"
    if card.next_funding_ms is not None and card.next_funding_ms > card.at_ms:
        text += f" · {numbers.duration(card.next_funding_ms - card.at_ms)} to go"
    return text


def oi_card(card: InstrumentCard, *, name: str) -> Reply:
    """The open-interest card. `name` is what a button must ask for to get the same card."""
    size = f"{numbers.amount(card.oi)} {card.base}" if card.oi is not None else numbers.UNKNOWN
    parts = [size, numbers.usd(card.oi_usd), *([f"#{card.oi_rank}"] if card.oi_rank is not None else [])]
    price_changes = {move.window_ms: move.change for move in card.price_moves}
    rows = tuple(
        (_window(move.window_ms), numbers.percent(move.change), numbers.percent(price_changes.get(move.window_ms)))
        for move in card.oi_moves
    )
    reading = numbers.reading(price_changes.get(READING_WINDOW_MS), _change(card.oi_moves, READING_WINDOW_MS))
    oi_age = "OI –" if card.oi_age_ms is None else f"OI {numbers.duration(card.oi_age_ms)} old"
    blocks: tuple[Line | Table, ...] = (
        line(bold(card.symbol), " open interest"),
        line(" · ".join(parts)),
        *_not_trading(card),
        BLANK,
        Table(("", "OI", "Price"), rows, right_label=True),
        BLANK,
        *([line(f"{_window(READING_WINDOW_MS)}: {reading}")] if reading else []),
        line(_funding(card)),
        _freshness(card, oi_age, *_price_age(card)),
    )
    return Reply(
        blocks,
        ((Button("↻ Refresh", f"/oi {name}"), Button("Price", f"/price {name}"), Button("Chart", f"/chart {name}")),),
    )


def range_bar(low: float | None, high: float | None, price: float | None) -> str:
    """`24h 3,921 ──────●── 4,040` within a table's width; words where the ends are unknown."""
    if low is None or high is None:
        return "24h range –"
    left, right = f"24h {numbers.price(low)} ", f" {numbers.price(high)}"
    if price is None or not high > low:
        return f"24h {numbers.price(low)} to {numbers.price(high)}"
    n_cells = max(5, min(14, TABLE_COLUMNS - len(left) - len(right)))
    at = round((n_cells - 1) * min(1.0, max(0.0, (price - low) / (high - low))))
    return f"{left}{'─' * at}●{'─' * (n_cells - 1 - at)}{right}"


def price_card(card: InstrumentCard, *, name: str) -> Reply:
    """Price, range of the day, index and basis."""
    change = _change(card.price_moves, DAY_MS)
    arrow = "" if not change else "▲ " if change > 0 else "▼ "
    basis = None if card.price is None or not card.index else card.price / card.index - 1
    blocks = (
        line(bold(card.symbol), f" {numbers.price(card.price)}  {arrow}{numbers.percent(change)} 24h"),
        line(code(range_bar(card.low_24h, card.high_24h, card.price))),
        line(f"Index {numbers.price(card.index)} · basis {numbers.percent(basis)}"),
        *_not_trading(card),
        *([_freshness(card, *_price_age(card))] if _price_age(card) else []),
    )
    return Reply(
        blocks,
        ((Button("↻ Refresh", f"/price {name}"), Button("OI", f"/oi {name}"), Button("Chart", f"/chart {name}")),),
    )


def oi_table(title: str, cards: Sequence[InstrumentCard]) -> tuple[Line | Table, ...]:
    rows = tuple(
        (
            _label(card),
            numbers.usd(card.oi_usd),
            numbers.percent(_change(card.oi_moves, READING_WINDOW_MS)),
            numbers.percent(_change(card.oi_moves, DAY_MS)),
        )
        for card in cards
    )
    return (line(bold(title)), Table(("", "OI", "15m", "24h"), rows))


def price_table(title: str, cards: Sequence[InstrumentCard]) -> tuple[Line | Table, ...]:
    rows = tuple(
        (_label(card), numbers.price(card.price), numbers.percent(_change(card.price_moves, DAY_MS))) for card in cards
    )
    return (line(bold(title)), Table(("", "Price", "24h"), rows))


def card_buttons(command: str, named: Sequence[tuple[str, InstrumentCard]]) -> tuple[tuple[Button, ...], ...]:
    """One button per card. `named` pairs what to ask for with the card."""
    return _rows([Button(_label(card), f"/{command} {name}") for name, card in named], 5)


def near_buttons(command: str, names: Sequence[tuple[str, Instrument]]) -> tuple[tuple[Button, ...], ...]:
    """One button per suggestion."""
    return _rows([Button(instrument.symbol, f"/{command} {name}") for name, instrument in names], 3)


def not_found(command: str, missing: NotFound, names: Sequence[tuple[str, Instrument]], *, example: str = "") -> Reply:
    """Never a guess: the nearest symbols as buttons."""
    hint = "" if names else f" Try {example or f'/{command} BTC'}."
    return Reply(
        (line("I don't know the symbol ", code(shorten(missing.text) or "?"), "." + hint),),
        near_buttons(command, names),
        is_refusal=True,
    )


def _is_enough(n_fresh: int, n: int) -> bool:
    return n_fresh >= ENOUGH_FRESH * n


def losses(status: BotStatus, *, now_ms: int) -> tuple[str, ...]:
    """What people lose right now, worst first; empty when all is well."""
    n = status.n_instruments
    prices_ok = n > 0 and _is_enough(status.n_price_fresh, n)
    rest = " Price alerts work." if prices_ok else ""
    found = []
    if status.banned_until_ms is not None and status.banned_until_ms > now_ms:
        left = numbers.duration(status.banned_until_ms - now_ms)
        until = numbers.clock_time(status.banned_until_ms)
        found.append(f"The venue has banned this address until {until} ({left}): OI alerts are paused.{rest}")
    found += [f"{feed.feed} is down: {feed.reason or 'no reason known'}." for feed in status.feeds if not feed.live]
    if status.warming:
        return tuple(found)
    if n == 0:
        found.append("No symbols are known: nothing is watched.")
    elif not prices_ok:
        if status.n_price_fresh == 0:
            age = "missing" if status.price_age_ms is None else f"{numbers.duration(status.price_age_ms)} old"
            found.append(f"Price data is {age}: alerts are paused.")
        else:
            found.append(f"Prices are fresh for {status.n_price_fresh} of {n} symbols: the others' alerts are paused.")
    if n > 0 and not _is_enough(status.n_oi_fresh, n):
        if status.n_oi_fresh == 0:
            age = "missing" if status.oi_slowest_ms is None else f"{numbers.duration(status.oi_slowest_ms)} old"
            found.append(f"OI data is {age}: OI alerts are paused.{rest}")
        else:
            found.append(f"OI is fresh for {status.n_oi_fresh} of {n} symbols: the others' OI alerts are paused.")
    return tuple(found)


def _behind(age_ms: int | None) -> str:
    if age_ms is None:
        return numbers.UNKNOWN
    return f"{age_ms / 1000:.1f} s" if age_ms < 10_000 else numbers.duration(age_ms)


def _quiet(status: BotStatus) -> str:
    """What is muted now; empty where nothing is."""
    n = status.n_silences
    parts = [f"{n} silence{'' if n == 1 else 's'}"] if n else []
    parts += [f"quiet hours at {', '.join(status.quiet)}"] if status.quiet else []
    parts += [f"{status.n_kept} alert{'' if status.n_kept == 1 else 's'} kept"] if status.n_kept else []
    return " · ".join(parts)


def status_page(status: BotStatus, *, now_ms: int) -> Reply:
    """First what people lose, in plain words; then figures."""
    up = f"up {numbers.duration(status.uptime_s * 1000)} · v{status.version}"
    lost = losses(status, now_ms=now_ms)
    lost = (*lost, *(f"Nothing can be sent to {dead}" for dead in status.dead_destinations), *status.troubles)
    warnings = [line(f"⚠️ {text}") for text in lost]
    if status.warming:
        warnings.append(line(f"⏳ Warming up: {status.warming}. Rules that need more history wait for it."))
    head = [*warnings, line(up[0].upper() + up[1:])] if warnings else [line(f"✅ All good · {up}")]
    n = status.n_instruments
    waiting = f" · {status.n_outbox} waiting to be sent" if status.n_outbox else ""
    figures: tuple[tuple[str, str], ...] = (
        ("Prices", f"{status.n_price_fresh} of {n} symbols, {_behind(status.price_age_ms)} behind"),
        ("OI", f"{status.n_oi_fresh} of {n} symbols, slowest {numbers.duration(status.oi_slowest_ms)}"),
        ("Weight", f"{numbers.percent(status.weight_share, sign=False, digits=0)} of the venue's limit"),
        ("Alerts", f"{status.n_alerts_today} today · {status.n_firing} firing · {status.n_pending} pending{waiting}"),
        *([("Quiet", quiet)] if (quiet := _quiet(status)) else []),
        ("Rules", f"{status.n_rules} loaded"),
        ("Memory", f"{status.rss_mb:.0f} MB · disk {status.disk_free_gb:.1f} GB free"),
    )
    if status.backup:
        figures = (*figures, ("Backup", status.backup))
    blocks = (*head, BLANK, *(line(bold(name), f" {text}") for name, text in figures))
    return Reply(blocks, ((Button("↻ Refresh", "/status"),),))


def start_page(n_instruments: int) -> Reply:
    watched = f"I watch {n_instruments} perpetuals" if n_instruments else "I watch perpetuals"
    return Reply(
        (
            line("Open-interest alerts for crypto futures."),
            line(f"{watched} and message you when positions build up or unwind fast."),
            BLANK,
            line("Try one now:"),
            line("/oi BTC · open interest and price"),
            line("/status · how I am"),
            line("/help · all I can do"),
        ),
        ((Button("OI of BTC", "/oi BTC"), Button("Status", "/status"), Button("Help", "/help")),),
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
    return Reply(tuple(blocks))


def help_topic(spec: CommandSpec) -> Reply:
    short = f"Short: {', '.join(f'/{alias}' for alias in spec.aliases)}"
    details = spec.details or (f"{spec.usage} · {spec.does}",)
    return Reply(
        (line(bold(f"/{spec.name}")), *(line(text) for text in details), *([line(short)] if spec.aliases else []))
    )


def usage(error: UsageError) -> Reply:
    buttons = _rows([Button(text, text) for text in error.try_instead], 3)
    return Reply((line(error.text),), buttons, is_refusal=True)

"""Lists over the whole market as replies. Pure. Tables are at most 30 columns wide."""

from collections.abc import Callable, Sequence
from typing import Final

from bot.chat.pages import label_of, window_text
from bot.chat.reply import Button, Line, Reply, Table, bold, cell, line, rows_of
from bot.model import numbers
from bot.model.cards import CARD_WINDOWS_MS
from bot.model.rankings import MIN_OI_USD, FundingTable, Ranked, TopBy, TopList
from bot.texts import mark, say

PAGE_ROWS: Final = 10
FUNDING_ROWS: Final = 5
HALF: Final = 14
"""Columns of a table that has two halves."""


def legend() -> tuple[Line, ...]:
    return (line(say("↑L new longs    ↑S new shorts")), line(say("↓L longs leave  ↓S shorts leave")))


_SWITCHES: Final[tuple[TopBy, ...]] = ("oi", "price", "funding", "volume")
_OF_PRICE: Final[tuple[TopBy, ...]] = ("price", "gainers", "losers")
"""A list of prices may be narrowed to one way."""
_NAMES: Final[dict[TopBy, str]] = {
    "oi": mark("OI"),
    "price": mark("Price"),
    "gainers": mark("Gainers"),
    "losers": mark("Losers"),
    "funding": mark("Funding"),
    "volume": mark("Volume"),
}
_TITLES: Final[dict[TopBy, str]] = {
    "oi": mark("Top OI moves"),
    "price": mark("Top price moves"),
    "gainers": mark("Top gainers"),
    "losers": mark("Top losers"),
    "funding": mark("Top funding per 8h"),
    "volume": mark("Top volume of 24h"),
}


def quadrant(price_change: float | None, oi_change: float | None) -> str:
    """`↑L`: open interest up or down, and who is behind it by the usual reading. Empty where either is unknown or flat."""
    if price_change is None or oi_change is None:
        return ""
    if abs(price_change) < numbers.PRICE_DEAD_ZONE or abs(oi_change) < numbers.OI_DEAD_ZONE:
        return ""
    return ("↑" if oi_change > 0 else "↓") + ("L" if (price_change > 0) == (oi_change > 0) else "S")


def _short(ratio: float | None) -> str:
    """A change in at most six columns or so: a tenth of a point is enough to compare."""
    return numbers.percent(ratio, digits=1 if ratio is None or abs(ratio) < 10 else 0)


def _measured(row: Ranked, by: TopBy) -> str:
    match by:
        case "funding":
            return numbers.percent(row.funding_8h, digits=3)
        case "volume":
            return numbers.usd(row.volume_24h)
    return _short(row.oi_change)


def top_page(found: TopList, name_of: Callable[[Ranked], str]) -> Reply:
    """One page. `name_of`: what a button must ask for to get the card of a row."""
    window = window_text(found.window_ms)
    over = say("price {window}", window=window) if found.by in {"funding", "volume"} else window
    title = say(
        "{title} · {over} · OI > ${least:.0f}M", title=say(_TITLES[found.by]), over=over, least=MIN_OI_USD / 1e6
    )
    blocks: list[Line | Table] = [line(bold(title))]
    if found.rows:
        header = (
            "",
            say("Vol") if found.by == "volume" else say("Fund") if found.by == "funding" else say("OI"),
            say("Price"),
            "",
        )
        rows = tuple(
            (
                f"{n:>2} {label_of(row)}",
                _measured(row, found.by),
                _short(row.price_change),
                quadrant(row.price_change, row.oi_change),
            )
            for n, row in enumerate(found.rows, found.offset + 1)
        )
        blocks += [Table(header, rows), *legend()]
    elif found.offset and found.n:
        blocks.append(line(say("The last page is {n}: there are ten contracts on each.", n=_n_pages(found))))
    elif found.n_known and found.by in _OF_PRICE[1:]:
        blocks.append(line(say("None of {n} moved that way.", n=found.n_known)))
    else:
        blocks.append(line(say("Nothing here yet: too little is known of this window.")))
    return Reply(tuple(blocks), _top_buttons(found, window, [name_of(row) for row in found.rows]))


def _top_buttons(found: TopList, window: str, names: Sequence[str]) -> tuple[tuple[Button, ...], ...]:
    page = found.offset // PAGE_ROWS + 1
    here = f"/top {found.by} {window}"
    numbered = [Button(str(n), f"/oi {name}") for n, name in enumerate(names, found.offset + 1)]
    turns = [Button(say("‹ Back"), f"{here} {min(page - 1, _n_pages(found))}")] if page > 1 and found.n else []
    turns += [Button("↻", f"{here} {page}")] if names or not found.n else []
    turns += [Button(say("Next ›"), f"{here} {page + 1}")] if found.offset + len(found.rows) < found.n else []
    switches = (_SWITCHES, _OF_PRICE[1:]) if found.by in _OF_PRICE else (_SWITCHES,)
    return (
        *(
            tuple(Button(_marked(say(_NAMES[by]), on=by == found.by), f"/top {by} {window}") for by in row)
            for row in switches
        ),
        tuple(
            Button(_marked(window_text(ms), on=ms == found.window_ms), f"/top {found.by} {window_text(ms)}")
            for ms in CARD_WINDOWS_MS
        ),
        *rows_of(numbered, 5),
        tuple(turns),
    )


def _n_pages(found: TopList) -> int:
    return -(-found.n // PAGE_ROWS)


def _marked(label: str, *, on: bool) -> str:
    return f"{label} ✓" if on else label


def funding_page(found: FundingTable, name_of: Callable[[Ranked], str]) -> Reply:
    """Both ends beside each other, the middle below. `name_of`: what a button must ask for to get the same instrument."""
    due = (
        ""
        if found.next_funding_ms is None
        else say(" · next in {duration}", duration=numbers.duration(found.next_funding_ms - found.at_ms))
    )
    head = line(bold(say("Funding per 8h")), due)
    if not found.n:
        return Reply((head, line(say("No rate is known yet. Try again in a minute."))), _funding_buttons())
    n = max(len(found.highest), len(found.lowest))
    high, low = (list(side) + [None] * (n - len(side)) for side in (found.highest, found.lowest))
    rows = tuple((_half(a), _half(b)) for a, b in zip(high, low, strict=True))
    middle = [f"{label_of(row)} {_rate(row.funding_8h)}" for row in found.largest]
    middle.append(say("median {rate}", rate=_rate(found.median_8h)))
    blocks: tuple[Line | Table, ...] = (
        head,
        *([Table((cell(say("Highest"), HALF), cell(say("Lowest"), HALF)), rows)] if rows else []),
        line(" · ".join(middle)),
        line(say("Rates of other intervals are scaled to 8h. Above zero longs pay shorts.")),
    )
    shown = (*found.highest[:2], *found.lowest[:2])
    return Reply(blocks, (*_funding_buttons(), tuple(Button(label_of(r), f"/funding {name_of(r)}") for r in shown)))


def _rate(ratio: float | None) -> str:
    return numbers.percent(ratio, digits=3 if ratio is None or abs(ratio) < 0.1 else 2)


def _half(row: Ranked | None) -> str:
    """A label and a rate, exactly as wide as half a table."""
    if row is None:
        return cell("", HALF)
    rate = _rate(row.funding_8h)
    return f"{cell(label_of(row), HALF - len(rate) - 1)} {rate}"


def _funding_buttons() -> tuple[tuple[Button, ...], ...]:
    by_size = Button(say("All by size"), "/top funding 15m")
    return ((Button("↻", "/funding"), by_size, Button(say("Alert on ±0.10%"), "/alert top100 funding ±0.10%")),)

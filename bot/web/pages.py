"""Values to HTML: the templates, what they may call, and what is sent to a page that is open. Pure.

Everything that a template prints is escaped; there is no inline script or style, which the pages' policy forbids.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import jinja2
import msgspec

from bot.model import numbers
from bot.model.charts import ChartData, Curve
from bot.model.dashboard import TABLE_WINDOWS_MS, MarketTable, ToldAlert
from bot.model.scorecard import HORIZONS_MS

STATIC: Final = Path(__file__).parent / "static"
READINGS: Final = (
    "",
    "new longs",
    "few new positions",
    "shorts close",
    "positions build",
    "",
    "positions close",
    "new shorts",
    "few new positions",
    "longs close",
)
"""By code: 0 unknown; then price up, flat, down, each with open interest up, flat, down."""
_SPARK_WIDTH: Final = 72
_SPARK_HEIGHT: Final = 18
_AT_ONCE: Final = 60
"""Rows of the table that are laid out before the first paint; the script adds the others right after it."""
_FIRST_PART: Final = 12_000
_PART: Final = 60_000

_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    auto_reload=False,
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def reading_code(price_change: float | None, oi_change: float | None) -> int:
    """Which of `READINGS` holds."""
    if price_change is None or oi_change is None:
        return 0
    price = 1 if abs(price_change) < numbers.PRICE_DEAD_ZONE else 0 if price_change > 0 else 2
    oi = 1 if abs(oi_change) < numbers.OI_DEAD_ZONE else 0 if oi_change > 0 else 2
    return 1 + 3 * price + oi


def render(template: str, **values: Any) -> str:
    """One page or part of a page."""
    return _environment.get_template(template).render(**values)


def stream(template: str, **values: Any) -> Iterator[bytes]:
    """A long page in parts of some size, the first of them small."""
    size, least, part = 0, _FIRST_PART, []
    for piece in _environment.get_template(template).generate(**values):
        part.append(piece)
        size += len(piece)
        if size >= least:
            yield "".join(part).encode()
            size, least, part = 0, _PART, []
    if part:
        yield "".join(part).encode()


def now_page(
    table: MarketTable, sparks: dict[str, Sequence[float | None]], shown: dict[str, Any], *, window_ms: int
) -> Iterator[bytes]:
    """All instruments, in parts."""
    rows = rows_of(table, window_ms, sparks)
    yield from stream("now.html", **shown, rows=rows, generation=generation(table))


def generation(table: MarketTable) -> int:
    """Changes when instruments come or go: then a page that is open has to be made anew."""
    return hash(table.symbols) & 0xFFFFFFFF


def update(table: MarketTable, window_ms: int, *, strip: str) -> bytes:
    """What a page that shows the market is sent, as JSON: columns in the order of the table."""
    columns = {
        "price": table.columns["price"],
        "oi_usd": table.columns["oi_usd"],
        "volume": table.columns["volume_24h"],
        "funding": table.columns["funding_8h"],
        "move": table.columns[f"price_{window_ms}"],
        **{f"oi{n}": table.columns[f"oi_{w}"] for n, w in enumerate(TABLE_WINDOWS_MS)},
        "reading": readings(table, window_ms),
    }
    firing = [n for n, symbol in enumerate(table.symbols) if symbol in table.firing]
    return msgspec.json.encode(
        {"at_ms": table.at_ms, "generation": generation(table), "columns": columns, "firing": firing, "strip": strip}
    )


def readings(table: MarketTable, window_ms: int) -> list[int]:
    price, oi = table.columns[f"price_{window_ms}"], table.columns[f"oi_{window_ms}"]
    return [reading_code(p, o) for p, o in zip(price, oi, strict=True)]


def rows_of(table: MarketTable, window_ms: int, sparks: dict[str, Sequence[float | None]]) -> list[dict[str, Any]]:
    """One mapping per instrument, the largest open interest first."""
    codes = readings(table, window_ms) if table.symbols else []
    columns = table.columns
    found = []
    for n, (symbol, key) in enumerate(zip(table.symbols, table.keys, strict=True)):
        found.append(
            {
                "n": n,
                "symbol": symbol,
                "price": columns["price"][n],
                "oi_usd": columns["oi_usd"][n],
                "volume": columns["volume_24h"][n],
                "funding": columns["funding_8h"][n],
                "move": columns[f"price_{window_ms}"][n],
                "oi": [columns[f"oi_{w}"][n] for w in TABLE_WINDOWS_MS],
                "reading": codes[n],
                "firing": symbol in table.firing,
                "spark": spark(sparks.get(key, ())),
            }
        )
    return sorted(found, key=lambda row: -(row["oi_usd"] or 0.0))


def spark(values: Sequence[float | None]) -> str:
    """Points of a small line; empty where fewer than two values are known."""
    known = [(n, v) for n, v in enumerate(values) if v is not None]
    if len(known) < 2:
        return ""
    low, high = min(v for _, v in known), max(v for _, v in known)
    across, up = _SPARK_WIDTH / (len(values) - 1), (_SPARK_HEIGHT - 2) / ((high - low) or 1.0)
    return " ".join(f"{n * across:.0f},{_SPARK_HEIGHT - 1 - (v - low) * up:.1f}" for n, v in known)


def chart_json(data: ChartData, marks: Sequence[tuple[int, str, str]]) -> bytes:
    """Columns for the chart of one instrument, times in s; a gap longer than a curve allows is a null. `marks`: time in ms,
    severity and title of alerts.
    """
    bars = data.volume
    return msgspec.json.encode(
        {
            "symbol": data.symbol,
            "from": data.from_ms // 1000,
            "to": data.to_ms // 1000,
            "price": _points(data.price),
            "oi": _points(data.oi),
            "funding": _points(None if data.funding is None else _held(data.funding, data)),
            "long_short": _points(data.long_short),
            "volume": None
            if bars is None
            else [[t // 1000 for t in bars.open_ms], [v if v == v else None for v in bars.amount]],  # noqa: PLR0124
            "marks": [{"at": at // 1000, "severity": severity, "title": title} for at, severity, title in marks],
        }
    )


def _held(curve: Curve, data: ChartData) -> Curve:
    """What holds until its next value, from one end of the chart to the other as far as it does."""
    known = [(at, value) for at, value in curve.known() if at <= data.to_ms]
    before = [(data.from_ms, value) for at, value in known if 0 < data.from_ms - at <= curve.gap_ms]
    shown = [*before[-1:], *(point for point in known if point[0] >= data.from_ms)]
    if known and 0 < data.to_ms - known[-1][0] <= curve.gap_ms:
        shown.append((data.to_ms, known[-1][1]))
    return replace(curve, time_ms=tuple(at for at, _ in shown), value=tuple(value for _, value in shown))


def _points(curve: Curve | None) -> list[list[float | None]] | None:
    if curve is None:
        return None
    times: list[float | None] = []
    values: list[float | None] = []
    before: int | None = None
    for at, value in curve.known():
        if before is not None and at - before > curve.gap_ms:
            times.append((before + 1000) // 1000)
            values.append(None)
        times.append(at // 1000)
        values.append(value)
        before = at
    return [times, values]


def _sign(value: float | None) -> str:
    return "" if value is None or value == 0 else "up" if value > 0 else "down"


def _span(alert: ToldAlert) -> str:
    """What chart still shows the alert, as far as anyone knows how late it is: its life, and four hours at least."""
    lasted_ms = (alert.ended_ms or alert.fired_ms) - alert.fired_ms
    return "4h" if lasted_ms < 3 * 3_600_000 else "24h" if lasted_ms < 20 * 3_600_000 else "7d"


def _moment(ms: int, at_ms: int) -> str:
    """A time of day, with the day where it is another than that of `at_ms`."""
    return numbers.other_day(ms, at_ms) + numbers.clock_time(ms)


def _share(value: float | None) -> str:
    return numbers.percent(value, digits=2)


_environment.filters.update(
    price=numbers.price,
    usd=numbers.usd,
    amount=numbers.amount,
    share=_share,
    percent=numbers.percent,
    rough=numbers.rough_percent,
    duration=numbers.duration,
    window=lambda ms: "24h" if ms == 86_400_000 else numbers.window(ms),
    clock=lambda ms: numbers.clock_time(ms, seconds=True),
    moment=_moment,
    quantity=numbers.quantity,
    sign=_sign,
    latency=lambda ms: f"{ms} ms" if ms < 1_000 else f"{ms / 1_000:.1f} s" if ms < 60_000 else numbers.duration(ms),
    span=_span,
)
_environment.globals.update(AT_ONCE=_AT_ONCE, READINGS=READINGS, WINDOWS=TABLE_WINDOWS_MS, OUTCOMES=HORIZONS_MS)

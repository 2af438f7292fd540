"""Which form a table has, and where in it what stands: from its header, its name, or the shape of its first row."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bot.errors import PayloadError
from bot.history.published.findings import excerpt
from bot.history.published.names import FormName, Named
from bot.history.published.numbers import time_of
from bot.history.published.table import Column, Kind, Layout, fields_of
from bot.model.history import BAR_MS

VENUE: Final = "binance"
BOM: Final = b"\xef\xbb\xbf"
_DELIMITERS: Final = (",", ";", "\t")

KLINES: Final = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count", "taker_buy_volume",
    "taker_buy_quote_volume", "ignore",
)  # fmt: skip
METRICS: Final = (
    "create_time", "symbol", "sum_open_interest", "sum_open_interest_value", "count_toptrader_long_short_ratio",
    "sum_toptrader_long_short_ratio", "count_long_short_ratio", "sum_taker_long_short_vol_ratio",
)  # fmt: skip
FUNDING: Final = ("calc_time", "funding_interval_hours", "last_funding_rate")
_HEADERS: Final[Mapping[FormName, Sequence[str]]] = {
    "klines": KLINES, "mark": KLINES, "index": KLINES, "metrics": METRICS, "funding": FUNDING,
}  # fmt: skip
"""As published; a file without its header has these columns in this order."""

_TIME_NAMES: Final[Mapping[FormName, frozenset[str]]] = {
    "klines": frozenset({"opentime"}),
    "mark": frozenset({"opentime"}),
    "index": frozenset({"opentime"}),
    "metrics": frozenset({"createtime"}),
    "funding": frozenset({"calctime", "fundingtime"}),
}
_NUMBERS: Final[Mapping[FormName, Sequence[tuple[str, frozenset[str], Kind, bool]]]] = {
    "klines": (
        ("open", frozenset({"open"}), "positive", False),
        ("high", frozenset({"high"}), "positive", False),
        ("low", frozenset({"low"}), "positive", False),
        ("close", frozenset({"close"}), "positive", True),
        ("volume", frozenset({"quotevolume", "quoteassetvolume"}), "amount", False),
        ("taker_buy", frozenset({"takerbuyquotevolume", "takerbuyquoteassetvolume"}), "amount", False),
        ("trades", frozenset({"count", "numberoftrades", "trades"}), "amount", False),
    ),
    "mark": (
        ("open", frozenset({"open"}), "positive", False),
        ("high", frozenset({"high"}), "positive", False),
        ("low", frozenset({"low"}), "positive", False),
        ("close", frozenset({"close"}), "positive", True),
    ),
    "index": (("index", frozenset({"close"}), "positive", True),),
    "metrics": (
        ("oi", frozenset({"sumopeninterest"}), "positive", False),
        # Positions, not accounts: what the live series asks the venue for (topLongShortPositionRatio).
        ("long_short", frozenset({"sumtoptraderlongshortratio"}), "positive", False),
    ),
    "funding": (("funding", frozenset({"lastfundingrate", "fundingrate"}), "rate", True),),
}
_MONEY: Final = frozenset({"value", "usd", "usdt", "usdc", "busd", "notional", "quote", "usdvalue"})
_OI_WORDS: Final = (("sum", "open", "interest"), ("open", "interest"), ("oi",))


@dataclass(frozen=True, slots=True)
class Told:
    """What the person who imports says of the files; None where they leave it to the files."""

    symbol: str | None = None
    form: FormName | None = None
    time_column: str | None = None
    oi_column: str | None = None
    lag_ms: int = 0
    """For logs of open interest: how much older each value is than the time beside it."""


@dataclass(frozen=True, slots=True)
class Form:
    """A table's form and layout."""

    name: FormName
    layout: Layout


def plain(name: str) -> str:
    """A column's name, whoever wrote it."""
    return "".join(c for c in name.lower() if c.isalnum())


def form_of(content: bytes, named: Named, told: Told) -> Form:
    """Find out. Raises `PayloadError`: `expected …, found …`."""
    first = content.split(b"\n", 1)[0].rstrip(b"\r").decode("utf-8", "replace")
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        fields = [f.strip() for f in fields_of(first, delimiter)]
    except csv.Error:
        raise PayloadError(f"expected a table of text, found {first[:40]!r} in its first line") from None
    is_header = not any(time_of(f) is not None for f in fields) and any(plain(f) for f in fields)
    if is_header and (told.time_column or told.oi_column or told.form == "oi"):
        return _log(fields, delimiter, named, told)
    if not is_header:
        return _without_header(fields, delimiter, named, told)
    is_prices = {"opentime", "close"} <= {plain(f) for f in fields}
    for name, times in _TIME_NAMES.items():
        columns = {plain(f) for f in fields}
        if columns & times and any(columns & aliases for _, aliases, _, _ in _NUMBERS[name]):
            wanted = told.form or (named.form if is_prices else None) or name
            return _of_columns(wanted, fields, delimiter, named, told, n_header=1)
    return _log(fields, delimiter, named, told)


def _without_header(fields: Sequence[str], delimiter: str, named: Named, told: Told) -> Form:
    form = told.form or named.form
    if form is None:
        by_shape: dict[int, FormName] = {len(KLINES): "klines", len(METRICS): "metrics"}
        form = by_shape.get(len(fields))
    if form is None or form == "oi" or len(_HEADERS[form]) != len(fields):
        expected = "a header line that names the columns" if form in {None, "oi"} else f"the columns of {form}"
        raise PayloadError(f"expected {expected}, found {excerpt(delimiter.join(fields))!r}")
    return _of_columns(form, _HEADERS[form], delimiter, named, told, n_header=0)


def _of_columns(
    form: FormName, fields: Sequence[str], delimiter: str, named: Named, told: Told, *, n_header: int
) -> Form:
    if form == "oi":
        return _log(fields, delimiter, named, told)
    places = {plain(f): k for k, f in reversed(list(enumerate(fields)))}
    time_place = next((places[t] for t in sorted(_TIME_NAMES[form]) if t in places), None)
    columns = tuple(
        Column(name, fields[places[alias]], places[alias], kind, is_required)
        for name, aliases, kind, is_required in _NUMBERS[form]
        for alias in sorted(aliases & set(places))[:1]
    )
    if time_place is None or not columns:
        raise PayloadError(f"expected the columns of {form} ({', '.join(_HEADERS[form])}), found {_shown(fields)}")
    layout = Layout(
        delimiter=delimiter,
        n_fields=len(fields),
        n_header=n_header,
        time_place=time_place,
        time_label=fields[time_place],
        grid_ms=BAR_MS if form in {"klines", "mark", "index"} else 1,
        columns=columns,
        symbol_place=places.get("symbol"),
        symbol=_symbol(named, told, has_own="symbol" in places),
    )
    return Form(form, layout)


def _shown(fields: Sequence[str]) -> str:
    return repr(excerpt(",".join(fields), 120))


def _symbol(named: Named, told: Told, *, has_own: bool) -> str | None:
    if told.symbol is not None and named.form is not None and named.symbol not in {None, told.symbol}:
        raise PayloadError(f"expected a file of {told.symbol} as --symbol says, found {named.symbol} in its name")
    symbol = told.symbol or (named.symbol if named.form is not None or not has_own else None)
    if symbol is None and not has_own:
        raise PayloadError("expected a symbol in the name or in a column, found none; give it with --symbol")
    return symbol


# Logs of open interest


def _log(fields: Sequence[str], delimiter: str, named: Named, told: Told) -> Form:
    """A table of any program with a time and an open interest in each row."""
    by_name = {plain(f): k for k, f in reversed(list(enumerate(fields)))}
    symbol_place = by_name.get("symbol")
    symbol = _symbol(named, told, has_own=symbol_place is not None)
    time_place = _one(
        fields, told.time_column, [k for k, f in enumerate(fields) if _is_time(f)], "time", "--time-column"
    )
    amounts = [k for k, f in enumerate(fields) if _is_amount(f, symbol)]
    oi_place = _one(fields, told.oi_column, amounts, "open interest in base units", "--oi-column")
    venue_place = next((by_name[n] for n in ("venue", "exchange") if n in by_name), None)
    if symbol_place is None and venue_place is not None and told.symbol is None:
        raise PayloadError(f"expected a column symbol beside those of a venue, found {_shown(fields)}; name --symbol")
    layout = Layout(
        delimiter=delimiter,
        n_fields=len(fields),
        n_header=1,
        time_place=time_place,
        time_label=fields[time_place],
        grid_ms=1,
        columns=(Column("oi", fields[oi_place], oi_place, "positive", is_required=True),),
        symbol_place=symbol_place,
        symbol=symbol,
        venue_place=venue_place,
        venue=VENUE,
    )
    return Form("oi", layout)


def _one(fields: Sequence[str], told: str | None, found: Sequence[int], what: str, option: str) -> int:
    if told is not None:
        found = [k for k, f in enumerate(fields) if f == told] or [
            k for k, f in enumerate(fields) if plain(f) == plain(told)
        ]
        if len(found) != 1:
            raise PayloadError(f"expected one column {told} as {option} says, found {_shown(fields)}")
    if len(found) != 1:
        which = " or ".join(fields[k] for k in found) or "none"
        raise PayloadError(f"expected one column with {what}, found {which} in {_shown(fields)}; name it with {option}")
    return found[0]


def _words(name: str) -> tuple[str, ...]:
    """`sumOpenInterest` and `sum_open_interest` alike."""
    spaced = "".join(
        f" {c.lower()}" if c.isupper() and k and name[k - 1].islower() else c.lower() for k, c in enumerate(name)
    )
    return tuple("".join(c if c.isalnum() else " " for c in spaced).split())


def _is_time(name: str) -> bool:
    words = _words(name)
    return bool({"time", "date", "datetime", "timestamp", "ts"} & set(words)) or plain(name) in {
        "createtime",
        "logtime",
    }


def _is_amount(name: str, symbol: str | None) -> bool:
    words = _words(name)
    for known in _OI_WORDS:
        if words[: len(known)] == known:
            unit = words[len(known) :]
            return not unit or (len(unit) == 1 and unit[0] not in _MONEY and _is_base(unit[0], symbol))
    return False


def _is_base(unit: str, symbol: str | None) -> bool:
    """Whether the unit is what the contract is counted in."""
    return unit in {"base", "coin", "coins"} or (symbol is not None and symbol.lower().startswith(unit))

"""What the name of a file tells: which contract, which kind of data, how long a bar is.

Published files are called `LINKUSDT-1m-2026-02.zip`, `LINKUSDT-metrics-2026-02-01.zip` or `LINKUSDT-fundingRate-2026-02.zip`
and lie in folders such as `futures/um/monthly/klines/LINKUSDT/1m`. Trades, mark prices and index prices have the same
names and differ in the folder alone.
"""

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final, Literal

from bot.history.published.table import symbol_of

FormName = Literal["klines", "mark", "index", "metrics", "funding", "oi"]
FORMS: Final[tuple[FormName, ...]] = ("klines", "mark", "index", "metrics", "funding", "oi")
_SUFFIXES: Final = (".gz", ".zip", ".csv", ".txt", ".log")
_DATE: Final = r"\d{4}-\d{2}(?:-\d{2})?"
_PUBLISHED: Final = re.compile(rf"(?P<symbol>.+?)-(?P<what>\d+(?:mo|[smhdwM])|metrics|fundingRate)-{_DATE}")
_IN_A_NAME: Final = re.compile(r"[A-Z0-9]{1,20}(?:USDT|USDC|BUSD)(?:_\d{6})?")
_COIN_MARGINED: Final = re.compile(r"[A-Z0-9]+USD_(?:PERP|\d{6})")
_UNIT_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_FOLDERS: Final[dict[str, FormName]] = {
    "klines": "klines",
    "markpriceklines": "mark",
    "indexpriceklines": "index",
    "metrics": "metrics",
    "fundingrate": "funding",
}


@dataclass(frozen=True, slots=True)
class Named:
    """What a name tells; None or 0 where it does not."""

    symbol: str | None = None
    form: FormName | None = None
    span_ms: int = 0
    """Of a bar."""
    problem: str = ""
    """Why such a file is not read: `expected …, found …`."""


def span_of(text: str) -> int:
    """Milliseconds of `15m`; 0 for months, which differ, and for what is none."""
    unit = _UNIT_MS.get(text[-1:])
    return int(text[:-1]) * unit if unit is not None and text[:-1].isdigit() and len(text) < 6 else 0


def stem_of(name: str) -> str:
    """A name without what tells how it is packed."""
    while name.lower().endswith(_SUFFIXES):
        name = name.rpartition(".")[0]
    return name


def named(path: PurePath, inside: str = "") -> Named:
    """What a path tells, and the name of a file inside an archive."""
    folders = [part.lower() for part in path.parts[:-1]]
    found = next((f for f in (_of_name(inside), _of_name(path.name)) if f.form is not None), None)
    if found is None:
        return Named(_symbol_in(path.name) or _symbol_in(inside))
    if found.problem:
        return found
    form = found.form
    if form == "klines":
        if "premiumindexklines" in folders:
            return Named(problem="expected prices, found the premium index, which nothing reads")
        form = next((_FOLDERS[f] for f in reversed(folders) if f in _FOLDERS), form)
    if "spot" in folders:
        return Named(problem="expected futures, found prices of the spot market (folder spot)")
    is_coin_margined = "cm" in folders or _COIN_MARGINED.fullmatch(found.symbol or "") is not None
    if is_coin_margined:
        return Named(problem="expected USDⓈ-M futures, found a COIN-M contract, whose amounts are in contracts")
    return Named(found.symbol, form, found.span_ms)


def _of_name(name: str) -> Named:
    match = _PUBLISHED.fullmatch(stem_of(PurePath(name).name))
    symbol = symbol_of(match["symbol"]) if match else None
    if match is None or symbol is None:
        return Named()
    what = match["what"]
    if what == "metrics":
        return Named(symbol, "metrics")
    if what == "fundingRate":
        return Named(symbol, "funding")
    span_ms = span_of(what)
    if span_ms < _UNIT_MS["m"] or span_ms % _UNIT_MS["m"]:
        return Named(symbol, "klines", problem=f"expected bars of 1m to 1w, found {what}")
    return Named(symbol, "klines", span_ms)


def _symbol_in(name: str) -> str | None:
    """The one symbol among the words of any name."""
    words = re.split(r"[^A-Za-z0-9]+(?!\d{6}(?:\D|$))", stem_of(PurePath(name).name))
    symbols = {word for word in words if _IN_A_NAME.fullmatch(word)}
    return symbols.pop() if len(symbols) == 1 else None

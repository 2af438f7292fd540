"""The case study of docs/case-study.md, from the files it names to its figures: `python docs/case_study.py FOLDER`.

FOLDER holds the source files, at any depth. They are brought into the form in which the exchange publishes such data, imported into a
history of their own, and the shipped rules run over them; nothing is kept but what is printed and `--picture FILE`.
"""

import argparse
import csv
import gzip
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

HOUR_MS: Final = 3_600_000
HOURLY: Final = (
    "xvenue_binance_1h_BTC_ETH_2025-03_2026-03.csv.gz",
    "xvenue_open_interest_1h_BTC_ETH_2025-12_2026-03.csv.gz",
    "xvenue_funding_BTC_ETH.csv.gz",
)
POLLED: Final = "beomsun_BTCUSDT_oi_5m_parsed_2024-11-19_21.csv.gz"
POLLED_LAG_MS: Final = 300_000
"""What is read at a full five minutes is the value of five minutes before."""
MINUTES: Final = "*USDT-1m-*.csv.gz"
ROOT: Final = Path(__file__).resolve().parent.parent
RULES: Final = ROOT / "rules"
CONTROLS: Final = """\
version: 1
defaults: {cooldown: 4h}
rules:
  - id: high_alone
    scope: {top: 50}
    when: price >= max(price, 24h)
    clear: price < 0.99 * max(price, 24h)
  - id: low_alone
    scope: {top: 50}
    when: price <= min(price, 24h)
    clear: price > 1.01 * min(price, 24h)
  - id: high_on_rising_oi
    scope: {top: 50}
    when: price >= max(price, 24h) and oi >= 0.99 * max(oi, 24h)
    clear: price < 0.99 * max(price, 24h) or oi < 0.98 * max(oi, 24h)
  - id: low_on_rising_oi
    scope: {top: 50}
    when: price <= min(price, 24h) and oi >= 0.99 * max(oi, 24h)
    clear: price > 1.01 * min(price, 24h) or oi < 0.98 * max(oi, 24h)
"""
"""oi_top and oi_bottom without their half about open interest, and with its contrary: what that half adds."""


def main() -> None:
    """Print the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the source files lie")
    parser.add_argument("--picture", type=Path, help="draw the rule that fired most over the three months")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        hourly = [_find(asked.folder, name) for name in HOURLY]
        _part(
            "Three months of BTC and ETH, hourly",
            work / "hourly",
            lambda to: _hourly(hourly, to),
            asked.picture,
            controls=True,
        )
        polled = _find(asked.folder, POLLED)
        _part("Two and a half days of BTC, five-minutely", work / "polled", lambda to: _polled(polled, to))
        minutes = sorted(asked.folder.rglob(MINUTES))
        _part("Minutes of six contracts, prices alone", work / "minutes", lambda to: _linked(minutes, to))


def _find(folder: Path, name: str) -> Path:
    found = next(iter(sorted(folder.rglob(name))), None)
    if found is None:
        sys.exit(f"expected {name} somewhere in {folder}, found none")
    return found


def _part(
    title: str, work: Path, make: Callable[[Path], None], picture: Path | None = None, *, controls: bool = False
) -> None:
    files = work / "files"
    files.mkdir(parents=True)
    make(files)
    _title(title)
    _oibot(work, RULES, "history", "import", str(files))
    _oibot(work, RULES, "backtest", *([] if picture is None else ["--picture", str(picture.resolve())]))
    if controls:
        (work / "controls").mkdir()
        (work / "controls" / "controls.yaml").write_text(CONTROLS, encoding="utf-8")
        _title("The same without the half about open interest")
        _oibot(work, work / "controls", "backtest")


def _title(text: str) -> None:
    sys.stdout.write(f"\n## {text}\n\n")
    sys.stdout.flush()


def _oibot(work: Path, rules: Path, *words: str) -> None:
    """In a folder of its own, so that the settings of whoever runs this stay out of it."""
    env = {**os.environ, "OIBOT_DATA_DIR": str(work / "data"), "OIBOT_RULES_DIR": str(rules), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "bot", *words], check=True, cwd=work, env=env)  # noqa: S603, ours


# -- into the form of published files ------------------------------------------------------------------------------------------------


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _ms(text: str) -> int:
    at = datetime.fromisoformat(text.replace(",", "."))
    return round((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _write(path: Path, header: str, rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(rows)


KLINES: Final = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)


def _hourly(sources: list[Path], to: Path) -> None:
    """Candles and settled funding of Binance, open interest of Hyperliquid in USD over Binance's price of that hour."""
    candles, interest, funding = sources
    for coin in ("BTC", "ETH"):
        bars = [row for row in _rows(candles) if row["coin"] == coin]
        close = {_ms(row["timestamp"]) + HOUR_MS: float(row["c"]) for row in bars}
        held = [
            (_ms(row["timestamp"]), float(row["oi_usd"]))
            for row in _rows(interest)
            if row["coin"] == coin and row["venue"] == "hyperliquid"
        ]
        known = [(at, usd / close[at]) for at, usd in held if at in close]
        first, last = known[0][0], known[-1][0]
        _write(
            to / f"{coin}USDT-1h-2026-03.csv",
            KLINES,
            (_candle(row) for row in bars if first <= _ms(row["timestamp"]) + HOUR_MS <= last),
        )
        _write(to / f"{coin}USDT-oi.csv", "symbol,time,oi", ((f"{coin}USDT", at, oi) for at, oi in known))
        _write(
            to / f"{coin}USDT-fundingRate-2026-03.csv",
            "calc_time,funding_interval_hours,last_funding_rate",
            (
                (at, 8, row["funding_rate"])
                for row in _rows(funding)
                if row["coin"] == coin and row["venue"] == "binance" and first <= (at := _ms(row["timestamp"])) <= last
            ),
        )


def _candle(row: dict[str, str]) -> list[object]:
    at = _ms(row["timestamp"])
    prices = [row[name] for name in ("o", "h", "l", "c", "v")]
    return [at, *prices, at + HOUR_MS - 1, float(row["v"]) * float(row["c"]), 0, 0, 0, 0]


def _polled(source: Path, to: Path) -> None:
    """Open interest as a bot read it, and the price by which the exchange valued it."""
    rows = []
    for row in _rows(source):
        at = _ms(row["log_time_local"]) // POLLED_LAG_MS * POLLED_LAG_MS - POLLED_LAG_MS
        rows.append((at, row["sum_open_interest_btc"], row["implied_price"]))
    _write(to / "BTCUSDT-oi.csv", "symbol,time,oi", (("BTCUSDT", at, oi) for at, oi, _ in rows))
    _write(
        to / "BTCUSDT-5m-2024-11.csv",
        KLINES,
        ((at - 300_000, price, price, price, price, 0, at - 1, 0, 0, 0, 0, 0) for at, _, price in rows),
    )


def _linked(sources: list[Path], to: Path) -> None:
    """They are in the published form already."""
    for source in sources:
        (to / source.name).symlink_to(source.resolve())


if __name__ == "__main__":
    main()

"""Files of the exchange's public data, written as it publishes them."""

import gzip
import hashlib
import io
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

T0 = 1_769_904_000_000
"""2026-02-01 00:00 UTC."""
MINUTE = 60_000
KLINES = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)
METRICS = (
    "create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,"
    "sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio"
)
FUNDING = "calc_time,funding_interval_hours,last_funding_rate"


def kline(minute, close=2.0, *, span_ms=MINUTE, unit=1, quote="500.5", taker="250.25", count=7):
    """One row; `unit`: 1000 for microseconds."""
    opened = T0 + minute * span_ms
    ended = (opened + span_ms) * unit - 1
    return f"{opened * unit},1.5,2.5,1.25,{close},100,{ended},{quote},{count},50,{taker},0"


def metric(step, oi="1000.5", *, symbol="LINKUSDT", ratio="1.5", as_number=False):
    """One five-minute row."""
    at = T0 + step * 300_000
    when = str(at) if as_number else f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S}"
    return f"{when},{symbol},{oi},4000000.25,1.1,{ratio},0.9,1.2"


def text_of(lines: Iterable[str], *, end="\n") -> bytes:
    return (end.join(lines) + end).encode()


def gz(content: bytes) -> bytes:
    return gzip.compress(content, 6, mtime=0)


def zipped(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, (2026, 2, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def put(path: Path, content: bytes, *, checksum=False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if checksum:
        digest = hashlib.sha256(content).hexdigest()
        path.with_name(f"{path.name}.CHECKSUM").write_text(f"{digest}  {path.name}\n")
    return path

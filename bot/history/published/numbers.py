"""Numbers and times of one field of a table, as people and programs write them."""

import math
import re
from datetime import UTC, datetime
from typing import Final

LARGEST: Final = 1e18
"""No price or amount of any contract comes near."""
EARLIEST_MS: Final = 1_230_768_000_000
"""2009: before that there was nothing to trade."""
LATEST_MS: Final = 4_102_444_800_000
"""2100."""
SECONDS_BELOW: Final = 10**11
MILLISECONDS_BELOW: Final = 10**14
MICROSECONDS_BELOW: Final = 10**17
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE: Final = re.compile(r"(\d{1,20})(\.0*)?", re.ASCII)
_DATED: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}\S*)?", re.ASCII)


def number_of(text: str) -> float:
    """The number, at most `LARGEST` either way; NaN for anything else."""
    text = text.strip()
    if _NUMBER.fullmatch(text) is None:
        return math.nan
    found = float(text)
    return found if abs(found) <= LARGEST else math.nan


def time_of(text: str) -> int | None:
    """Epoch milliseconds: from seconds, milli-, micro- or nanoseconds, or a date with a time, in UTC where it names no zone."""
    text = text.strip()
    if (whole := _WHOLE.fullmatch(text)) is not None:
        found = milliseconds(int(whole[1]))
    elif _DATED.fullmatch(text) is not None:
        try:
            read = datetime.fromisoformat(text)
        except (ValueError, OverflowError):
            return None
        utc = read.replace(tzinfo=UTC) if read.tzinfo is None else read
        since = utc - datetime(1970, 1, 1, tzinfo=UTC)
        found = since.days * 86_400_000 + since.seconds * 1_000 + since.microseconds // 1_000
    else:
        return None
    return found if EARLIEST_MS <= found < LATEST_MS else None


def milliseconds(count: int) -> int:
    """An epoch time in whatever unit its size tells."""
    if count < SECONDS_BELOW:
        return count * 1_000
    if count < MILLISECONDS_BELOW:
        return count
    return count // 1_000 if count < MICROSECONDS_BELOW else count // 1_000_000

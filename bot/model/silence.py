"""What keeps alerts quiet: silences, acknowledgements, and quiet hours. Values; who is quiet when is decided elsewhere.

All times are venue epoch ms.
"""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

from bot.model.alert import short_id
from bot.model.numbers import zone_of
from bot.model.view import AlertView

PREFIX: Final = "s-"
"""Of every silence's id."""
MAX_SILENCE_MS: Final = 30 * 86_400_000
DAY_MINUTES: Final = 24 * 60


def silence_id(author: str, text: str, created_ms: int) -> str:
    """`s-` and eight characters, derived from who, what and when."""
    return PREFIX + short_id(hashlib.sha256(f"{author}\n{text}\n{created_ms}".encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class Silence:
    """Alerts that match are kept, and told or summarised when it is over. Empty matchers match everything."""

    id: str
    starts_ms: int
    ends_ms: int
    """The first moment at which it holds no more."""
    author: str
    """Who made it: `terminal`, or `telegram:` and the number of the user."""
    created_ms: int
    comment: str = ""
    rule: str = ""
    """Glob over rule ids; those of chat alerts begin with `a-`."""
    symbol: str = ""
    """Glob over the venue's symbols; `[*]` is the market as a whole."""
    tag: str = ""
    severities: tuple[str, ...] = ()
    destination: str = ""
    expired_ms: int | None = None
    """When it was ended early; None where it was not."""

    def __post_init__(self) -> None:
        if self.ends_ms <= self.starts_ms:
            raise ValueError(f"{self.id}: expected an end after {self.starts_ms}, found {self.ends_ms}")

    @property
    def until_ms(self) -> int:
        """When it is over, whatever ended it."""
        return self.ends_ms if self.expired_ms is None else min(self.ends_ms, self.expired_ms)

    def is_active(self, now_ms: int) -> bool:
        return self.starts_ms <= now_ms < self.until_ms


@dataclass(frozen=True, slots=True)
class Ack:
    """Somebody has seen a firing: its repeats and escalations are kept, its end is told."""

    key: str
    """Of the firing."""
    destination: str
    """Where it counts; empty for everywhere."""
    by: str
    """Who, for people."""
    at_ms: int
    until_ms: int | None = None
    """None: until the firing ends."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """The hours of a day in which one destination is told critical alerts only."""

    destination: str
    starts_min: int
    """Minutes after local midnight, 0 to 1439."""
    ends_min: int
    """The same; before `starts_min` the range reaches into the next day."""
    zone: str
    """IANA name, such as `Europe/Berlin`."""
    author: str = ""

    def __post_init__(self) -> None:
        for minutes in (self.starts_min, self.ends_min):
            if not 0 <= minutes < DAY_MINUTES:
                raise ValueError(f"{self.destination}: expected minutes from 0 to 1439, found {minutes}")
        if self.starts_min == self.ends_min:
            raise ValueError(f"{self.destination}: expected an end other than the start")

    def until_ms(self, now_ms: int) -> int | None:
        """The end of the quiet hours under way; None when there are none.

        A local time that does not exist (clocks go forward) is read with the offset before the gap, one that comes twice
        is the first of the two, as in calendars. So every range has one beginning and one end, whatever the clocks do.
        """
        zone = zone_of(self.zone)
        today = datetime.fromtimestamp(now_ms / 1000, zone).date()
        for day in (today - timedelta(days=1), today):
            last = day if self.ends_min > self.starts_min else day + timedelta(days=1)
            end_ms = instant_ms(last, self.ends_min, zone)
            if instant_ms(day, self.starts_min, zone) <= now_ms < end_ms:
                return end_ms
        return None


def instant_ms(day: date, minutes: int, zone: tzinfo) -> int:
    """Epoch ms of a local time of day. One in a gap is as far behind the gap as it is into it, one in a fold its first."""
    local = datetime.combine(day, time(minutes // 60, minutes % 60), zone)
    return round(local.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Fired:
    """A firing that somebody may name by its short id."""

    key: str
    view: AlertView
    destinations: tuple[str, ...]
    """Where it is told, or kept."""
    ended: bool


def last_midnight_ms(zone: str, now_ms: int) -> int:
    """When the day that it is now in that zone began."""
    there = zone_of(zone)
    return instant_ms(datetime.fromtimestamp(now_ms / 1000, there).date(), 0, there)


def next_local_ms(minutes: int, zone: str, now_ms: int) -> int:
    """The next time at which a clock in that zone shows `minutes` after midnight."""
    there = zone_of(zone)
    today = datetime.fromtimestamp(now_ms / 1000, there).date()
    days = (today + timedelta(days=n) for n in range(3))
    return next(ms for day in days if (ms := instant_ms(day, minutes % DAY_MINUTES, there)) > now_ms)

"""What the REST shell has to know of a venue: its calls as values, its limits, and how to read its refusals.

Promises: venue-neutral values only. A protocol is pure: it waits for nothing, reads no clock and raises for no answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol
from urllib.parse import quote

from bot.feeds.budget import CallBudget

WEIGHT: Final = "weight"
"""The pool of calls that cost request weight; all other pools count calls."""

RefusalKind = Literal[
    "limit", "ban", "region", "firewall", "not_trading", "unknown_symbol", "bad_request", "server", "maintenance"
]


@dataclass(frozen=True, slots=True)
class Request:
    """One GET."""

    path: str
    params: tuple[tuple[str, str], ...]
    weight: int
    """What it costs in its pool: request weight in `WEIGHT`, one call in pools that count calls."""
    pool: str

    @property
    def target(self) -> str:
        """Path and query, percent-encoded: `/fapi/v1/openInterest?symbol=%E5%B8%81…`."""
        query = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in self.params)
        return f"{self.path}?{query}" if query else self.path


@dataclass(frozen=True, slots=True)
class VenueError:
    """A refusal. `until_ms` is UTC epoch milliseconds, `retry_after_s` the header; None where the venue gave none."""

    kind: RefusalKind
    until_ms: int | None
    retry_after_s: float | None
    code: int | None
    """The venue's own code, such as -1003."""
    text: str


class RestProtocol(Protocol):
    """One venue."""

    @property
    def name(self) -> str:
        """What its limits are stored under."""
        ...

    @property
    def weight_limit(self) -> int:
        """Per minute of the venue and address."""
        ...

    @property
    def longest_ban_s(self) -> float:
        """A ban that claims to be longer is a misprint."""
        ...

    def pools(self) -> Mapping[str, CallBudget]:
        """Fresh budgets of the pools that count calls, by the name that requests use."""
        ...

    def used_weight(self, headers: Mapping[str, str]) -> int | None:
        """Weight used in this minute by our address, as the venue counts it; None where it does not say."""
        ...

    def classify(self, status: int, headers: Mapping[str, str], body: bytes) -> VenueError:
        """What an answer means that cannot be used."""
        ...

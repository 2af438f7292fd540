"""Ports of charts: where their data comes from, and who draws."""

from collections.abc import Callable
from typing import Protocol

from bot.model.charts import ChartData, Columns, Curve, Drawing, NoPicture, Picture
from bot.model.view import AlertView


class ChartMaker(Protocol):
    """What draws charts."""

    async def draw(self, data: Drawing) -> Picture | NoPicture:
        """In bounded time; never raises but for cancellation."""
        ...


class AlertPictures(Protocol):
    """What delivery may ask for to put over an alert."""

    def want(self, view: AlertView, on_ready: Callable[[bytes | None], None]) -> None:
        """Never blocks or raises. `on_ready` is called once with a PNG, or with None where there will be none; perhaps
        at once. Asked for the same alert by several, it is drawn once.
        """
        ...


class ChartReader(Protocol):
    """What chat may ask for to draw."""

    async def chart(self, key: str, span_ms: int, *, extra: frozenset[str] = frozenset()) -> ChartData | NoPicture:
        """The last `span_ms` of an instrument, from memory and, where that does not reach, from the venue.

        `extra`: `funding` and `long_short`, each a panel more.
        """
        ...


class VenuePast(Protocol):
    """The past of a contract as its venue tells it. None where it cannot be had in time."""

    async def curve(self, symbol: str, series: str, *, step_ms: int, n: int, urgent: bool) -> Curve | None:
        """`price`, `oi`, `funding` or `long_short`; the newest `n` points. `urgent`: a person waits."""
        ...

    async def volume(self, symbol: str, *, step_ms: int, n: int, urgent: bool) -> Columns | None:
        """Quote amounts; the last bar may still run."""
        ...

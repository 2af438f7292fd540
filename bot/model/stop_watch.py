"""A stop that somebody lets follow the market. Frozen: each move makes a new value under the same id."""

import hashlib
from dataclasses import dataclass, replace
from typing import Final, Literal

from bot.model.alert import short_id
from bot.model.risk import Side, Trail

PREFIX: Final = "w-"
STEP_RATIO: Final = 0.25
"""Of its distance a stop moves before it is told again."""

News = Literal["", "moved", "touched"]


def watch_id(chat: str, instrument: str, created_ms: int) -> str:
    """`w-` and eight characters, derived from where, what and when."""
    return PREFIX + short_id(hashlib.sha256(f"{chat}\n{instrument}\n{created_ms}".encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class StopWatch:
    """One, as stored. Prices are mark prices in quote units; `created_ms` and `touched_ms` are venue time."""

    id: str
    chat: str
    """Where it was asked for and is told: `terminal`, or `telegram:` and the number of the chat."""
    person: str
    instrument: str
    """`Instrument.key`."""
    side: Side
    entry: float
    stop: float
    told: float
    """The level that was told last."""
    distance: float
    """Kept from the best price."""
    best: float
    """Best mark price for the position since it began."""
    tick_size: float
    n_told: int
    """How often it was told: makes each message one of its own."""
    created_ms: int
    touched_ms: int | None = None
    """When the stop was touched; then it follows no more."""

    def at(self, price: float, now_ms: int) -> tuple["StopWatch", News]:
        """Take one mark price, and say what is to be told of it."""
        if self.touched_ms is not None:
            return self, ""
        trail = Trail(self.side, self.stop, self.told, self.distance, self.best)
        moved, news = trail.at(price, tick=self.tick_size, step_ratio=STEP_RATIO)
        if moved == trail:
            return self, ""
        after = replace(self, stop=moved.stop, told=moved.told, best=moved.best)
        if news == "touched":
            after = replace(after, touched_ms=now_ms)
        return (replace(after, n_told=self.n_told + 1) if news else after), news

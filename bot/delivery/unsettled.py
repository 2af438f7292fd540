"""What only this process knows of one destination: rows that the database has not taken, outcomes that it has not noted, what
may have arrived. It belongs to the name and not to the lane: the lane that takes the place of another goes on with it.
"""

from dataclasses import dataclass
from typing import Self

from bot.clock import Clock
from bot.delivery.notebook import Notebook
from bot.delivery.orders import Orders
from bot.delivery.unstored import Unstored
from bot.model.outbox_ports import Outbox


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Used by one running lane at a time."""

    unstored: Unstored
    notebook: Notebook
    orders: Orders

    @classmethod
    def of(cls, destination: str, outbox: Outbox, clock: Clock) -> Self:
        """Nothing yet."""
        unstored = Unstored()
        return cls(unstored, Notebook(outbox, clock), Orders(outbox, unstored, destination=destination))

    def let_go(self) -> bool:
        """Nothing is told any more: what was not told is left to the database. Whether there is more that it does not know."""
        return self.unstored.let_go() or len(self.notebook) > 0

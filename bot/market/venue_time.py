"""Venue time: what "now" is to every rule.

now = monotonic time + running median of (event time - monotonic arrival) over the last 60 price pushes, and never
goes back. So silence ages data, and a jump of the machine's wall clock changes nothing. A push far off the estimate
is an outlier until three in a row agree; then the estimate is anchored anew.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum
from statistics import median

N_PUSHES = 60
AHEAD_MS = 2_000
"""A push stamped further ahead than this is held out; pushes in a row agree when they lie within it."""
WAIT_MS = 10_000
"""An anchor further back than this empties the windows instead of letting time stand still."""
FAR_MS = 10_000
"""What is no push may be stamped as far ahead: it comes over connections of its own, and the estimate may lag."""
N_AGREE = 3
APART_MS = 500
"""Outliers that arrive closer together than this count once."""


class Anchor(Enum):
    """What a push did to the estimate."""

    KEPT = "kept"
    JUMPED = "jumped"
    """Forward: the time between is missing data."""
    WAITING = "waiting"
    """Back by up to ten seconds: now stands still until the venue has caught up."""
    RESET = "reset"
    """Back by more: windows have to be emptied and filled as at a start."""


@dataclass(frozen=True, slots=True)
class Push:
    """How a push was taken. A held-out push must not reach the market."""

    accepted: bool
    anchor: Anchor


class VenueTime:
    """The estimate. All arguments and results in milliseconds."""

    def __init__(self) -> None:
        self._offsets: deque[float] = deque(maxlen=N_PUSHES)
        self._offset: float | None = None
        self._outliers: list[float] = []
        self._outlier_ms = 0.0
        self._floor_ms = 0
        self._is_asked = False
        self.n_held_out = 0

    @property
    def is_known(self) -> bool:
        return self._offset is not None

    def start(self, venue_ms: int, received_ms: float) -> None:
        """Before the first push: the venue's time endpoint. The first push replaces it."""
        if self._offset is None:
            self._offset = venue_ms - received_ms
            self._is_asked = True

    def at(self, monotonic_ms: float) -> int:
        """Venue time of a monotonic instant; does not advance the floor. Raises `ValueError` before any time is known."""
        if self._offset is None:
            raise ValueError("venue time is not known yet: no push and no answer of the time endpoint")
        return int(monotonic_ms + self._offset)

    def now(self, monotonic_ms: float) -> int:
        """Venue time now, never less than before."""
        self._floor_ms = max(self._floor_ms, self.at(monotonic_ms))
        return self._floor_ms

    def latest_ms(self, monotonic_ms: float) -> int:
        """The latest date that may be believed then, of whatever is no push."""
        return max(self._floor_ms, self.at(monotonic_ms)) + FAR_MS

    def push(self, event_ms: int, received_ms: float) -> Push:
        """Take the newest event time of one price message."""
        offset = event_ms - received_ms
        if self._offset is None or self._is_asked:
            was_asked, self._is_asked = self._is_asked, False
            self._anchor(offset)
            if was_asked and self._floor_ms - event_ms > WAIT_MS:
                # What was asked was not the venue's clock (or a wrong one); nothing built on it is worth keeping.
                self._floor_ms = event_ms
                return Push(accepted=True, anchor=Anchor.RESET)
            self._raise_floor(event_ms)
            return Push(accepted=True, anchor=Anchor.KEPT)
        off_by = offset - self._offset
        if abs(off_by) <= AHEAD_MS:
            self._outliers.clear()
            self._offsets.append(offset)
            self._offset = median(self._offsets)
            self._raise_floor(event_ms)
            return Push(accepted=True, anchor=Anchor.KEPT)
        return self._outlier(event_ms, received_ms, offset, off_by)

    def _outlier(self, event_ms: int, received_ms: float, offset: float, off_by: float) -> Push:
        if self._outliers and abs(offset - self._outliers[-1]) > AHEAD_MS:
            self._outliers.clear()
        # Messages read in one go (a burst after a stall) are one witness, not many.
        if not self._outliers or received_ms - self._outlier_ms >= APART_MS:
            self._outliers.append(offset)
            self._outlier_ms = received_ms
        if len(self._outliers) < N_AGREE:
            is_future = off_by > 0
            self.n_held_out += is_future
            return Push(accepted=not is_future, anchor=Anchor.KEPT)
        before_ms = max(self._floor_ms, self.at(received_ms))
        self._anchor(offset)
        if off_by > 0:
            self._raise_floor(event_ms)
            return Push(accepted=True, anchor=Anchor.JUMPED)
        if before_ms - event_ms <= WAIT_MS:
            return Push(accepted=True, anchor=Anchor.WAITING)
        self._floor_ms = event_ms
        return Push(accepted=True, anchor=Anchor.RESET)

    def _anchor(self, offset: float) -> None:
        self._offsets.clear()
        self._offsets.append(offset)
        self._offset = offset
        self._outliers.clear()

    def _raise_floor(self, event_ms: int) -> None:
        self._floor_ms = max(self._floor_ms, event_ms)

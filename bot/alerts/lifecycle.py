"""The life of one alert: inactive, pending, firing, and back.

Theory. At each tick a rule's condition `when` and its end `clear` are true, false or unknown for an instrument.

- `when` true makes an inactive alert pending. A pending alert fires once it has been held for `for` and the cooldown of
  the last episode is over; so a condition still true at the end of a cooldown fires then. `for: 0s` fires at once.
- `when` false drops a pending alert. A firing alert ends when `clear` is true and `when` is false; the cooldown
  runs from there.
- Unknown moves nothing: the `for` clock pauses, firing stays. Time in which nobody looked (a restart, a gap longer
  than `max_gap_ms`) does not count for `for` either.
- An instrument that leaves the rule's scope drops a pending alert; a firing one stays until it ends.
- What is told one time only is inactive from its end on, whatever its condition says.
- A crossing is an event: it fires and ends at the same tick, and one that comes during the cooldown is not told.
- A `for` shorter than the interval at which open interest is polled also waits for the next successful poll, since the
  same sample seen twice is no confirmation.

`NEXT` is the part of this that depends on truth alone. The clocks are in `step`, just below it.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from bot.model.alert import FOREVER_MS, State
from bot.model.truth import FALSE, TRUE, UNKNOWN

_INACTIVE, _PENDING, _FIRING = State.INACTIVE, State.PENDING, State.FIRING

NEXT: Final[dict[tuple[State, int], State]] = {
    (_INACTIVE, FALSE): _INACTIVE,
    (_INACTIVE, UNKNOWN): _INACTIVE,
    (_INACTIVE, TRUE): _PENDING,
    (_PENDING, FALSE): _INACTIVE,
    (_PENDING, UNKNOWN): _PENDING,
    (_PENDING, TRUE): _PENDING,
    (_FIRING, FALSE): _INACTIVE,
    (_FIRING, UNKNOWN): _FIRING,
    (_FIRING, TRUE): _FIRING,
}
"""(state, truth) -> state. For a firing alert "truth" is false only when `when` is false and `clear` is true."""


class Step(Enum):
    """What a tick did to an alert."""

    NOTHING = "nothing"
    PENDING = "pending"
    DROPPED = "dropped"
    FIRED = "fired"
    ENDED = "ended"
    FLASHED = "flashed"
    """Fired and ended at once."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The clocks of one rule. Milliseconds."""

    for_ms: int
    cooldown_ms: int
    repeat_ms: int | None
    escalate: float | None
    once: bool
    uses_oi: bool
    max_gap_ms: int
    """Ticks further apart than this were not one watch: the time between does not count."""
    is_event: bool = False
    """A crossing: true at one tick, over at once."""

    def pause_ms(self, until_ms: int) -> int:
        """Until when an alert pauses that did so under an earlier policy: for ever only where it is told one time only."""
        return 0 if until_ms >= FOREVER_MS and not self.once else until_ms

    def pause_from(self, now_ms: int, until_ms: int) -> int:
        """The same where the clock went back to now: no later than if the pause began now."""
        return until_ms if until_ms >= FOREVER_MS else min(until_ms, now_ms + self.cooldown_ms)


@dataclass(slots=True)
class Cell:
    """The state of one alert; mutable, owned by its book."""

    state: State = State.INACTIVE
    held_ms: int = 0
    pending_since_ms: int = 0
    fired_ms: int = 0
    cooldown_until_ms: int = 0
    seen_ms: int = 0
    """Last tick; 0 after a restart, so that the time down does not count."""
    seen_true: bool = False

    def copy(self) -> "Cell":
        return Cell(
            self.state,
            self.held_ms,
            self.pending_since_ms,
            self.fired_ms,
            self.cooldown_until_ms,
            self.seen_ms,
            self.seen_true,
        )


def step(
    cell: Cell,
    policy: Policy,
    *,
    now_ms: int,
    when: int,
    clear: int,
    member: bool,
    oi_ms: int,
    oi_interval_ms: int,
) -> Step:
    """Move one alert by one tick, in place. `oi_ms` is the time of the instrument's newest open-interest sample."""
    before = cell.state
    if policy.is_event:
        return _flash(cell, policy, now_ms) if when == TRUE and member else Step.NOTHING
    if before is State.INACTIVE and cell.cooldown_until_ms >= FOREVER_MS:
        return Step.NOTHING
    if before is State.FIRING:
        truth = FALSE if when == FALSE and clear == TRUE else TRUE
    else:
        truth = when if member else FALSE
    after = NEXT[before, truth]
    if before is State.PENDING and cell.seen_true and cell.seen_ms:
        elapsed_ms = now_ms - cell.seen_ms
        cell.held_ms += elapsed_ms if elapsed_ms <= policy.max_gap_ms else 0
    cell.seen_ms, cell.seen_true = now_ms, truth == TRUE
    if before is State.FIRING and after is State.INACTIVE:
        cell.state = after
        cell.cooldown_until_ms = FOREVER_MS if policy.once else now_ms + policy.cooldown_ms
        return Step.ENDED
    if after is State.INACTIVE:
        cell.state, cell.held_ms = after, 0
        return Step.DROPPED if before is State.PENDING else Step.NOTHING
    if before is State.INACTIVE:
        cell.state, cell.held_ms, cell.pending_since_ms = State.PENDING, 0, now_ms
    if cell.state is State.PENDING and truth == TRUE and _may_fire(cell, policy, now_ms, oi_ms, oi_interval_ms):
        cell.state, cell.fired_ms = State.FIRING, now_ms
        return Step.FIRED
    return Step.PENDING if before is State.INACTIVE else Step.NOTHING


def _flash(cell: Cell, policy: Policy, now_ms: int) -> Step:
    if now_ms < cell.cooldown_until_ms:
        return Step.NOTHING
    cell.state, cell.fired_ms = State.INACTIVE, now_ms
    cell.cooldown_until_ms = FOREVER_MS if policy.once else now_ms + policy.cooldown_ms
    return Step.FLASHED


def _may_fire(cell: Cell, policy: Policy, now_ms: int, oi_ms: int, oi_interval_ms: int) -> bool:
    if cell.held_ms < policy.for_ms or now_ms < cell.cooldown_until_ms:
        return False
    return is_confirmed(policy.for_ms, cell.pending_since_ms, oi_ms, oi_interval_ms, uses_oi=policy.uses_oi)


def is_confirmed(for_ms: int, pending_since_ms: int, oi_ms: int, oi_interval_ms: int, *, uses_oi: bool) -> bool:
    """Whether another open-interest sample has come since the condition became true, where one is wanted."""
    wanted = uses_oi and for_ms != 0 and for_ms < oi_interval_ms
    return not wanted or oi_ms > pending_since_ms

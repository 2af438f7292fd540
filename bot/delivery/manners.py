"""How much one destination is told at once, in a minute and in a day."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Manners:
    """Settings of a lane. The defaults suit people."""

    at_once: int = 3
    """So many alerts within `gather_s` are told one by one; what follows is told in one digest."""
    gather_s: float = 10.0
    ttl_s: float = 900.0
    """A firing that could not be told within this goes into the late digest."""
    update_every_s: float = 60.0
    """Of one alert, and of one message that is edited."""
    per_minute: int = 20
    per_day: int = 500
    critical_per_minute: int = 60
    critical_per_day: int = 2_000
    storm_share: float = 0.1
    """Share of all instruments from which on alerts of one rule and direction are one market card."""
    storm_least: int = 10


UNBOUNDED = Manners(at_once=10**9, per_minute=10**9, per_day=10**9, critical_per_minute=10**9, critical_per_day=10**9)
"""Everything at once and one by one, for measurements."""

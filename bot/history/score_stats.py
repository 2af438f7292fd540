"""What scores say about a rule: beside random moments of the same contracts on the same day. Pure.

One number decides: of the random moments of an alert, the share with smaller moves than the alert's. If alerts came at random
it would be one half on average, whatever the contract, the day or the length. Since each alert is compared within its own
contract and day, no unit has to be trusted.

Alerts are not independent: a storm fires hundreds at once, and what follows it follows all of them; and two alerts within one
horizon share part of their outcome. So alerts are put into *episodes*, and each episode counts once, with the mean of its alerts. The
interval is Student's, over episodes.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import NormalDist, median, stdev
from typing import Final

from bot.model.alert import short_id
from bot.model.scorecard import (
    ALERT,
    HORIZONS_MS,
    N_DRAWS,
    Extreme,
    HorizonTotals,
    Moment,
    Quadrant,
    QuadrantTotals,
    RuleTotals,
    Score,
    Scored,
    Totals,
    Verdict,
    times,
)

BLOCK_LENGTHS: Final = 4
"""An episode takes in all alerts within so many horizons of its first."""
STORM_GAP_MS: Final = 900_000
"""And goes on while alerts follow one another so closely."""
MAX_EPISODE_MS: Final = 86_400_000
MIN_BLOCKS: Final = 10
"""Of fewer episodes nothing is said."""
MIN_DRAWS: Final = N_DRAWS // 2
"""Fewer known random moments are no comparison."""
LEVEL: Final = 0.95
BETTER_LEVEL: Final = 1 - (1 - LEVEL) / len(HORIZONS_MS)
"""Whoever looks at three horizons finds one above chance by luck more easily, so each has to be surer."""
CHANCE: Final = 0.5
MARGIN: Final = 0.1
"""A rule whose moves are larger than random ones in less than 60 % of the cases adds nothing that one would notice."""
_QUADRANT_HORIZON: Final = 1


def t_quantile(p: float, df: int) -> float:
    """Of Student's distribution, by the series around the normal one (Abramowitz and Stegun 26.7.5); off by less than one in
    a thousand from nine degrees of freedom on.
    """
    z = NormalDist().inv_cdf(p)
    g1 = (z**3 + z) / 4
    g2 = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    g3 = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    g4 = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160
    return z + g1 / df + g2 / df**2 + g3 / df**3 + g4 / df**4


def episodes(fired_ms: Sequence[int], horizon_ms: int) -> list[int]:
    """The number of the episode of each alert; times in ascending order."""
    found: list[int] = []
    number, begun, last = -1, 0, 0
    for at_ms in fired_ms:
        is_within = at_ms - begun < BLOCK_LENGTHS * horizon_ms
        goes_on = at_ms - last < STORM_GAP_MS and at_ms - begun < MAX_EPISODE_MS
        if number < 0 or not (is_within or goes_on):
            number, begun = number + 1, at_ms
        last = at_ms
        found.append(number)
    return found


def smaller(own: float, others: Sequence[float]) -> float:
    """Share of the others that are smaller in size, ties half."""
    size = abs(own)
    return sum(1.0 if abs(x) < size else 0.5 if abs(x) == size else 0.0 for x in others) / len(others)


class _Outcomes:
    """The price after one horizon: of an alert, and of its random moments."""

    def __init__(self, one: Scored, horizon_ms: int) -> None:
        scores = [score for score in one.scores if score.horizon_ms == horizon_ms]
        self.moment: Moment = one.moment
        self.own: Score | None = next((s for s in scores if s.draw == ALERT), None)
        drawn = [s for s in scores if s.draw != ALERT]
        self.is_over = len(drawn) == N_DRAWS
        """Else those that are over would all lie before the alert."""
        self.drawn = [s.price for s in drawn if s.price is not None]


def _means(values: Sequence[float], blocks: Sequence[int]) -> list[float]:
    """Of each block, however many values it has."""
    groups: dict[int, list[float]] = {}
    for value, block in zip(values, blocks, strict=True):
        groups.setdefault(block, []).append(value)
    return [sum(group) / len(group) for group in groups.values()]


def interval(values: Sequence[float], blocks: Sequence[int], level: float = LEVEL) -> tuple[float, float, float] | None:
    """Mean over blocks and both ends of its interval, within 0 to 1; None for too few blocks."""
    means = _means(values, blocks)
    if len(means) < MIN_BLOCKS:
        return None
    mean = sum(means) / len(means)
    # Ties alone would give an interval without width; a single outcome more could not have been foreseen.
    spread = max(stdev(means), 0.5 / math.sqrt(len(means)) / N_DRAWS)
    half = t_quantile((1 + level) / 2, len(means) - 1) * spread / math.sqrt(len(means))
    return mean, max(0.0, mean - half), min(1.0, mean + half)


def _extreme(
    found: Sequence[tuple[Moment, float]], n: int, best: Callable[..., tuple[Moment, float]]
) -> Extreme | None:
    if not found:
        return None
    moment, change = best(found, key=lambda one: one[1])
    usual = moment.price_usual[n]
    return Extreme(moment.symbol, short_id(moment.key), moment.fired_ms, change, times(change, usual))


def _share(flags: Iterable[bool]) -> float | None:
    known = list(flags)
    return sum(known) / len(known) if known else None


def _middle(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def horizon_totals(alerts: Sequence[Scored], n: int) -> HorizonTotals:
    """Alerts in the order of their firing, after the horizon of that number."""
    horizon_ms = HORIZONS_MS[n]
    outcomes = [_Outcomes(one, horizon_ms) for one in alerts]
    known = [(o, o.own.price) for o in outcomes if o.own is not None and o.own.price is not None]
    compared = [(o, own) for o, own in known if o.is_over and len(o.drawn) >= MIN_DRAWS]
    shares = [smaller(own, o.drawn) for o, own in compared]
    blocks = episodes([o.moment.fired_ms for o, _ in compared], horizon_ms)
    means = _means(shares, blocks)
    found = interval(shares, blocks)
    changes = [(o.moment, own) for o, own in known]
    return HorizonTotals(
        horizon_ms=horizon_ms,
        n_known=len(known),
        typical_times=_middle(times(own, o.moment.price_usual[n]) for o, own in known),
        random_times=_middle(times(x, o.moment.price_usual[n]) for o, _ in compared for x in o.drawn),
        n_compared=len(compared),
        n_blocks=len(means),
        more=sum(means) / len(means) if means else None,
        low=found[1] if found else None,
        high=found[2] if found else None,
        verdict=_verdict(found, interval(shares, blocks, BETTER_LEVEL)),
        up=_share(own > 0 for _, own in known),
        random_up=_share(x > 0 for o, _ in compared for x in o.drawn),
        best=_extreme(changes, n, max),
        worst=_extreme(changes, n, min),
    )


def _verdict(found: tuple[float, float, float] | None, surer: tuple[float, float, float] | None) -> Verdict:
    if found is None or surer is None:
        return Verdict.UNCLEAR
    if surer[1] > CHANCE:
        return Verdict.BETTER
    return Verdict.NO_BETTER if found[2] < CHANCE + MARGIN else Verdict.UNCLEAR


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """Of all horizons: larger moves after one of them are something; nothing is added where none shows any."""
    if Verdict.BETTER in verdicts:
        return Verdict.BETTER
    return Verdict.NO_BETTER if all(v is Verdict.NO_BETTER for v in verdicts) else Verdict.UNCLEAR


def _quadrants(alerts: Sequence[Scored]) -> tuple[QuadrantTotals, ...]:
    horizon_ms = HORIZONS_MS[_QUADRANT_HORIZON]
    found = []
    for quadrant in Quadrant:
        mine = [_Outcomes(one, horizon_ms).own for one in alerts if one.moment.quadrant is quadrant]
        prices = [score.price for score in mine if score is not None and score.price is not None]
        if prices:
            n_up, n_down = sum(x > 0 for x in prices), sum(x < 0 for x in prices)
            found.append(QuadrantTotals(quadrant, len(prices), n_up, n_down, _middle(prices)))
    return tuple(found)


def totals(alerts: Sequence[Scored]) -> Totals:
    """Of alerts in the order of their firing."""
    horizons = tuple(horizon_totals(alerts, n) for n in range(len(HORIZONS_MS)))
    return Totals(
        n_alerts=len(alerts),
        since_ms=alerts[0].moment.fired_ms if alerts else None,
        horizons=horizons,
        quadrants=_quadrants(alerts),
        verdict=together([one.verdict for one in horizons]),
    )


def by_rule(alerts: Sequence[Scored]) -> list[RuleTotals]:
    """The rule with the most alerts first."""
    groups: dict[str, list[Scored]] = {}
    for one in alerts:
        groups.setdefault(one.moment.rule_id, []).append(one)
    ordered = sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return [RuleTotals(rule_id, group[-1].moment.title, totals(group)) for rule_id, group in ordered]

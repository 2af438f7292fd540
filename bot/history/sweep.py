"""The same rule with many numbers: which ones, and which of them is told as often as wanted. Pure."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from bot.errors import ConfigError
from bot.rules.ast import Compare, Neg, Number, number_text, text
from bot.rules.forms import MAX_FACTOR, measures_of, number_of, with_number
from bot.rules.literals import parse_number
from bot.rules.parse import parse_condition
from bot.rules.schema import Rule

MAX_STEPS: Final = 50
WANTED_STEPS: Final = 8
_NICE: Final = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
_RANGE: Final = re.compile(r"(?P<low>\S+?)\s*\.\.\s*(?P<high>\S+?)(?:\s+by\s+(?P<step>\S+))?")
_TARGET: Final = re.compile(r"(?P<n>[0-9]{1,6}(?:\.[0-9]{1,3})?)\s*(?:per|a|/)\s*(?P<unit>hour|day|week)")
_DAYS: Final = {"hour": 1 / 24, "day": 1.0, "week": 7.0}
N_AT_ONCE: Final = 16
N_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Sweep:
    """Numbers to try in the place of what a measure is compared with."""

    measure: str
    """Canonical text."""
    values: tuple[Number, ...]
    """Ascending."""


def read_sweep(asked: str) -> Sweep:
    """`pct(oi,15m)=3%..10%`, or with a step of one's own: `pct(oi,15m)=3%..10% by 0.5%`. Raises `ConfigError`."""
    left, _, right = asked.rpartition("=")
    found = _RANGE.fullmatch(right.strip())
    if not left.strip() or found is None:
        raise ConfigError(f"--sweep: expected such as pct(oi,15m)=3%..10%, found {asked!r}")
    low, high = _number(found["low"], asked), _number(found["high"], asked)
    step = None if found["step"] is None else _number(found["step"], asked)
    if low.unit != high.unit or (step is not None and step.unit != low.unit):
        raise ConfigError(f"--sweep: expected numbers of one unit, found {found[0]!r}")
    if not low.value < high.value:
        raise ConfigError(f"--sweep: expected a range from a smaller to a larger number, found {found[0]!r}")
    exact_low, exact_high = Decimal(repr(low.value)), Decimal(repr(high.value))
    by = _nice_step(exact_high - exact_low) if step is None else Decimal(repr(step.value))
    if by <= 0 or (exact_high - exact_low) / by > MAX_STEPS:
        raise ConfigError(f"--sweep: expected at most {MAX_STEPS} steps above zero, found {found[0]!r}")
    n = int((exact_high - exact_low) / by) + 1
    values = [exact_low + by * k for k in range(n)]
    if values[-1] != exact_high:
        values.append(exact_high)
    if any(value == 0 for value in values):
        raise ConfigError(f"--sweep: expected a range on one side of zero, found {found[0]!r}")
    return Sweep(_measure(left.strip(), asked), tuple(Number(float(value), low.unit) for value in values))


def _number(word: str, asked: str) -> Number:
    found = parse_number(word)
    if found is None:
        raise ConfigError(f"--sweep: expected numbers such as 3% or 20M, found {word!r} in {asked!r}")
    return found


def _nice_step(span: Decimal) -> Decimal:
    """The round number that cuts a span into about eight."""
    rough = span / WANTED_STEPS
    unit = Decimal(10) ** rough.adjusted()
    return next(unit * nice for nice in _NICE if unit * nice >= rough)


def _measure(written: str, asked: str) -> str:
    """Canonical text of what is compared, without sign or `abs`, as `bot.rules.forms` names it."""
    parsed = parse_condition(f"{written} > 1")
    if parsed.expr is None or not isinstance(parsed.expr, Compare):
        parsed = parse_condition(f"{written} > 1", per="market")
    if parsed.expr is None or not isinstance(parsed.expr, Compare):
        said = parsed.faults[0].message if parsed.faults else "no expression"
        raise ConfigError(f"--sweep: expected an expression of the rule language before '=' in {asked!r}: {said}")
    left = parsed.expr.left
    while isinstance(left, Neg) or getattr(left, "name", "") == "abs":
        left = left.operand if isinstance(left, Neg) else left.args[0]  # type: ignore[union-attr]
    return text(left)


def forms(rule: Rule, sweep: Sweep) -> tuple[Rule, ...]:
    """One rule per number, under ids of their own (see `form_id`). Raises `ConfigError` where the rule has no such number."""
    if number_of(rule, sweep.measure) is None:
        known = ", ".join(measures_of(rule)) or "none"
        raise ConfigError(f"--sweep: {rule.id} compares no {sweep.measure} with a number; it has: {known}")
    made = []
    for value in sweep.values:
        try:
            changed = with_number(rule, value.value, sweep.measure)
        except ValueError as error:
            raise ConfigError(f"--sweep: {error}") from None
        made.append(replace(changed, id=form_id(rule.id, value), inhibits=()))
    return tuple(made)


def form_id(rule_id: str, value: Number) -> str:
    """`oi_surge@5%`; no rule of a file is called so."""
    return f"{rule_id}@{number_text(value)}"


def written(value: Number) -> str:
    return number_text(value)


@dataclass(frozen=True, slots=True)
class Target:
    """How often a rule is to fire."""

    per_day: float
    text: str


def read_target(asked: str) -> Target:
    """`5 per day`, `1 per hour`, `3 per week`. Raises `ConfigError`."""
    found = _TARGET.fullmatch(asked.strip().casefold())
    if found is None or float(found["n"]) <= 0:
        raise ConfigError(f"--target: expected such as '5 per day', found {asked!r}")
    return Target(float(found["n"]) / _DAYS[found["unit"]], f"{found['n']} per {found['unit']}")


@dataclass(frozen=True, slots=True)
class Solved:
    """The number at which a rule fires at most as often as wanted, and nearest to it."""

    number: Number
    per_day: float
    tried: tuple[tuple[Number, float], ...]
    """Every number that was run, by what it asks for, and how often it fired a day."""
    is_met: bool
    """False where even the hardest number tried fires more often."""


RatesOf = Callable[[Sequence[Number]], Sequence[float]]
"""Firings a day for each of some numbers, of one run over the history."""


def solve(rule: Rule, target: Target, rates_of: RatesOf, *, measure: str | None = None) -> Solved:
    """Search between a tenth and ten times the rule's own number, each round between the two that enclose the target.

    A harder number fires less often but for cooldowns and hysteresis, which may turn that around by a firing or two; the
    answer is the easiest number tried that fires no more often than wanted, above which none tried fires more often.
    Raises `ConfigError` where the rule has no number.
    """
    found = number_of(rule, measure)
    if found is None:
        raise ConfigError(f"--target: {rule.id} has no number that could be moved")
    own = found.number
    harder = 1 if found.is_harder_far_off else -1
    rates: dict[float, float] = {}
    low, high = -1.0, 1.0
    """Powers of ten of the factor, by how much is asked for."""
    for _ in range(N_ROUNDS):
        powers = [low + (high - low) * k / (N_AT_ONCE - 1) for k in range(N_AT_ONCE)]
        numbers = {power: _rounded(own, 10 ** (power * harder)) for power in powers}
        rates.update(zip(powers, rates_of(list(numbers.values())), strict=True))
        ordered = sorted(rates)
        fine = _first_fine(ordered, rates, target.per_day)
        if fine is None or fine == ordered[0]:
            break
        low, high = ordered[ordered.index(fine) - 1], fine
    ordered = sorted(rates)
    fine = _first_fine(ordered, rates, target.per_day)
    chosen = ordered[-1] if fine is None else fine
    tried = tuple((_rounded(own, 10 ** (power * harder)), rates[power]) for power in ordered)
    return Solved(_rounded(own, 10 ** (chosen * harder)), rates[chosen], tried, fine is not None)


def _first_fine(ordered: Sequence[float], rates: dict[float, float], per_day: float) -> float | None:
    fine = None
    for power in reversed(ordered):
        if rates[power] > per_day:
            break
        fine = power
    return fine


def _rounded(own: Number, factor: float) -> Number:
    value = own.value * min(max(factor, 1 / MAX_FACTOR), MAX_FACTOR)
    digits = 3 - 1 - math.floor(math.log10(abs(value)))
    return Number(float(Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits))), own.unit)

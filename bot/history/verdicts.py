"""What came of a rule, in plain sentences. Text only: no colour, no markup."""

from collections.abc import Sequence

from bot.history.backtest import Look, RuleResult
from bot.history.chance import LEVEL, MIN_BLOCKS, MIN_FIRINGS, Comparison
from bot.history.outcomes import DAY_MS
from bot.model.numbers import MINUS, amount, window

BY_CHANCE = "no better than chance"
TOO_FEW = "too few to tell"


def verdict(result: RuleResult, n_looks: int) -> str:
    """One sentence about a rule, of `n_looks` comparisons that were made in all."""
    n = len(result.fired)
    if not n:
        return "never fired"
    enough = [look for look in result.looks if look.size.is_enough]
    if not enough:
        return _too_few(n, result.looks)
    said = [*_sizes(enough, n_looks), *_directions(enough, n_looks)]
    others = [span(look) for look in result.looks if not look.size.is_enough]
    rest = f"; after {_listed(others)} {TOO_FEW}" if others else ""
    if said:
        return "; ".join(said) + rest
    spans = _listed([span(look) for look in enough])
    return f"{BY_CHANCE}: after {spans} prices had moved neither more nor less nor in one direction" + rest


def _too_few(n: int, looks: Sequence[Look]) -> str:
    if not looks:
        return f"{TOO_FEW}: the history ends before anything could follow"
    known = max(looks, key=lambda look: look.size.n)
    blocks = known.size.n_blocks
    days = known.after.block_ms // DAY_MS
    of = "days" if days == 1 else f"stretches of {days} days"
    need = f"it takes {MIN_FIRINGS}, spread evenly over {MIN_BLOCKS:.0f} or more"
    # Worth so many equal ones: firings that crowd on one day are one event.
    return f"{TOO_FEW}: {n} firing{'s' * (n != 1)}, worth {blocks:.1f} {of} of evidence; {need}"


def _sizes(looks: Sequence[Look], n_looks: int) -> list[str]:
    said = []
    for sign, words in ((1, "moved more than usual"), (-1, "moved less than usual")):
        found = [look for look in looks if look.size.sign(n_looks) == sign]
        if not found:
            continue
        best = max(found, key=lambda look: abs(look.size.difference) / look.size.error)
        text = (
            f"{words} after {_listed([span(look) for look in found])}: over {span(best)} {best.size.at_firings:.1f} usual "
            f"moves, at random moments {best.size.at_random:.1f} (difference {interval_text(best.size)})"
        )
        if sign > 0 and not any(look.adjusted.sign(n_looks) > 0 for look in found):
            text += ", but not more than at other moments after an equally lively day"
        said.append(text)
    return said


def _directions(looks: Sequence[Look], n_looks: int) -> list[str]:
    said = []
    for sign, words in ((1, "rose"), (-1, "fell")):
        found = [look for look in looks if look.signed.sign(n_looks) == sign]
        if found:
            best = max(found, key=lambda look: abs(look.signed.difference) / look.signed.error)
            said.append(
                f"{words} after {_listed([span(look) for look in found])}: over {span(best)} "
                f"{signed(best.signed.difference)} usual moves against random moments ({interval_text(best.signed)})"
            )
    return said


def interval_text(found: Comparison, level: float = LEVEL) -> str:
    """`+0.70, 95% interval +0.31 to +1.09`."""
    low, high = found.interval(level)
    return f"{signed(found.difference)}, {level * 100:.0f}% interval {signed(low)} to {signed(high)}"


def signed(value: float) -> str:
    text = f"{abs(value):.2f}"
    return f"{MINUS if value < 0 and float(text) else '+'}{text}"


def rate(value: float, digits: int) -> str:
    """`16.7`; what is small in as many digits as tell it from nothing."""
    return f"{value:.{digits}f}" if not value or value >= 10**-digits else amount(value)


def span(look: Look) -> str:
    return span_text(look.after.after_ms)


def span_text(ms: int) -> str:
    """`24h` rather than `1d`."""
    return "24h" if ms == DAY_MS else window(ms)


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)

"""What somebody wants to be told, as a value, and how it is written canonically."""

from dataclasses import dataclass
from typing import Final

from bot.model import numbers
from bot.model.chat_alert import DIRECTIONS, ChatAlert, ThresholdOp
from bot.model.chat_rule import ChatRule
from bot.rules.ast import Compare, Expr, Number, duration_text, text
from bot.rules.schema import DEFAULT_COOLDOWN_MS
from bot.texts import say

PLAIN_OPS: Final[dict[str, ThresholdOp]] = {">": ">", ">=": ">=", "<": "<", "<=": "<="}

_PRICES: Final = frozenset({"price", "index"})
_MONEY: Final = frozenset({"oi_usd", "volume_24h"})


@dataclass(frozen=True, slots=True)
class Options:
    """What stands behind a condition. None means the usual."""

    for_ms: int = 0
    cooldown_ms: int | None = None
    repeat_ms: int | None = None
    once: bool = False
    silent: bool = False
    note: str = ""
    life_ms: int | None = None
    """How long it lives."""
    until_min: int | None = None
    """Minutes after local midnight at which it ends; None with `life_ms`, and for one that lives on."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """One comparison of a figure with a number: what the index of chat alerts can hold."""

    measure: str
    """Canonical text."""
    op: ThresholdOp
    level: float
    is_ratio: bool


@dataclass(frozen=True, slots=True)
class AlertWish:
    """A wish, not yet for any instrument."""

    symbols: tuple[str, ...]
    """As typed; none with `top`."""
    top: int | None
    """The largest so many by open interest."""
    condition: Expr
    """Sound in the language of rules."""
    options: Options = Options()
    assumed_window: bool = False
    """The window was left out, and 15 minutes were taken."""

    @property
    def threshold(self) -> Threshold | None:
        """The condition, where it is one comparison with a number."""
        found = self.condition
        if not isinstance(found, Compare) or not isinstance(found.right, Number) or found.op not in PLAIN_OPS:
            return None
        level = found.right
        return Threshold(text(found.left), PLAIN_OPS[found.op], level.value, level.unit == "%")


def condition_text(one: Threshold | ChatAlert) -> str:
    """Canonical text of the condition, such as `pct(oi, 15m) > 5%`."""
    return f"{one.measure} {one.op} {text(Number(one.level, '%' if one.is_ratio else ''))}"


def extras_text(one: Options | ChatAlert | ChatRule) -> str:
    """Its options as typed, such as `for 2m once`; empty without any. When it ends is not among them."""
    parts = [f"for {duration_text(one.for_ms)}"] if one.for_ms else []
    parts += [f"every {duration_text(one.repeat_ms)}"] if one.repeat_ms is not None else []
    cooldown_ms = one.cooldown_ms if one.cooldown_ms is not None else DEFAULT_COOLDOWN_MS
    parts += [f"cooldown {duration_text(cooldown_ms)}"] if cooldown_ms != DEFAULT_COOLDOWN_MS else []
    parts += ["once"] if one.once else []
    parts += ["silent"] if one.silent else []
    return " ".join(parts)


def symbol_of(alert: ChatAlert) -> str:
    return alert.instrument.partition(":")[2]


def holds(one: ChatAlert, value: float) -> bool:
    """Whether its condition is true at a value."""
    if value == one.level:
        return one.op in {">=", "<="}
    return (value > one.level) is (DIRECTIONS[one.op] > 0)


def figure(one: ChatAlert, value: float) -> str:
    """A value in the unit of what is measured."""
    if one.is_ratio:
        return numbers.percent(value)
    if one.measure in _PRICES:
        return numbers.price(value)
    return numbers.usd(value) if one.measure in _MONEY else numbers.amount(value)


def distance(one: ChatAlert, value: float) -> str:
    """How far the value still has to go: points between percentages, else a share of the value."""
    if one.is_ratio:
        points = numbers.percent(abs(one.level - value), sign=False).removesuffix("%")
        return say("{points} points to go", points=points)
    if value == 0:
        return ""
    return say("{share} to go", share=numbers.percent(abs(one.level / value - 1), sign=False))

"""The rule language read by plain recursion over one symbol at a time, on the slow market; and the plain life of a rule.

Numbers are floats, NaN is unknown; conditions are the three values of `bot.model.truth`.
"""

import math
import operator
from collections.abc import Callable, Sequence

from bot.market.slow import SlowMarket, corr, percentile_of_pct, zscore_of_pct
from bot.model.instrument import MARKET
from bot.model.truth import FALSE, TRUE, UNKNOWN
from bot.rules.ast import And, BinaryOp, Call, Compare, Expr, Neg, Not, Number, Or, Series, walk
from bot.rules.language import CROSSINGS

Within = Callable[[str], bool]
"""Which symbols a scope has."""
Transit = tuple[str, str, str, int]
"""(rule, symbol, state, time) of a transition."""

_COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def everybody(symbol: str) -> bool:
    return True


class Ranked:
    """A scope with `top`, `min_oi_usd` or `min_volume_24h` over everybody: taken each whole hour, with slack."""

    def __init__(self, *, top: int | None = None, by: str = "oi_usd", floors: dict[str, float] | None = None):
        """`floors`: `oi_usd` or `volume_24h` -> the least that a member has."""
        self._top, self._by, self._floors = top, by, floors or {}
        self._hour: int | None = None
        self._members: set[str] = set()

    @property
    def is_known(self) -> bool:
        return self._hour is not None

    def __call__(self, symbol: str) -> bool:
        return symbol in self._members

    def forget(self, symbol: str) -> None:
        self._members.discard(symbol)

    def update(self, market: SlowMarket) -> None:
        hour = market.now_ms // 3_600_000
        if hour == self._hour:
            return
        names = {*self._floors, *([self._by] if self._top is not None else [])}
        figures = {s: {name: _latest(market, name, s) for name in names} for s in market.instruments}
        inside = [s for s, found in figures.items() if all(math.isfinite(v) for v in found.values())]
        if not inside or len(inside) * 10 < len(figures) * 9:
            return
        order = sorted(inside, key=lambda s: -figures[s].get(self._by, 0.0))
        for symbol in figures:
            if symbol in inside:
                slack = (1.2, 0.8) if symbol in self._members else (1.0, 1.0)
                ranks = self._top is None or order.index(symbol) + 1 <= self._top * slack[0]
                if ranks and all(figures[symbol][name] >= v * slack[1] for name, v in self._floors.items()):
                    self._members.add(symbol)
                else:
                    self._members.discard(symbol)
        self._hour = hour


def _latest(market: SlowMarket, name: str, symbol: str) -> float:
    """The newest figure, however old."""
    parts = ("price", "oi") if name == "oi_usd" else (name,)
    samples = [market.instruments[symbol].gauges[part].newest(market.now_ms) for part in parts]
    return math.prod(s[1] for s in samples) if all(samples) else math.nan


class Twin(SlowMarket):
    """Reads expressions as of the last `tick`. Crossings are remembered for the conditions that were loaded."""

    def __init__(self, conditions: Sequence[tuple[Expr, Within]] = (), *, step_ms: int = 1_000, dtype: str = "float32"):
        super().__init__(step_ms=step_ms, dtype=dtype)
        self._crossings = {
            (part, within)
            for condition, within in conditions
            for part in walk(condition)
            if isinstance(part, Call) and part.name in CROSSINGS
        }
        self._scopes = {within for _, within in conditions if isinstance(within, Ranked)}
        self._sides: dict[tuple[Expr, Within, str], float] = {}
        self._crossed: dict[tuple[Expr, Within, str], int] = {}

    def remove(self, symbol: str) -> None:
        super().remove(symbol)
        for scope in self._scopes:
            scope.forget(symbol)
        self._sides = {key: side for key, side in self._sides.items() if key[2] != symbol}

    def tick(self, now_ms: int) -> None:
        self.now_ms = max(self.now_ms, now_ms)
        for scope in self._scopes:
            scope.update(self)
        self._crossed = {
            (call, within, symbol): self._crosses(call, within, symbol)
            for call, within in self._crossings
            for symbol in (*self.instruments, MARKET)
            if symbol != MARKET or is_of_market(call)
        }

    # -- conditions --------------------------------------------------------------------------------------------------

    def truth(self, expr: Expr, symbol: str, within: Within = everybody) -> int:
        """Of a symbol, or of `MARKET` for a condition about the whole scope."""
        match expr:
            case And(items=items):
                return min(self.truth(item, symbol, within) for item in items)
            case Or(items=items):
                return max(self.truth(item, symbol, within) for item in items)
            case Not(item=item):
                return TRUE - self.truth(item, symbol, within)
            case Compare(left=Call(name="count")):
                return self._compare_count(expr, within)
            case _ if symbol != MARKET and not self.instruments[symbol].is_trading and not is_of_market(expr):
                return UNKNOWN
            case Compare(op=op, left=left, right=right):
                a, b = self.value(left, symbol, within), self.value(right, symbol, within)
                return UNKNOWN if math.isnan(a) or math.isnan(b) else _tri(_COMPARE[op](a, b))
            case Call(name="stale", args=(Series(name=series),)):
                return _tri(self.instruments[symbol].is_stale(series, self.now_ms))
            case Call(name=name) if name in CROSSINGS:
                return self._crossed[expr, within, symbol]
            case _:
                raise TypeError(f"not a condition: {expr!r}")

    def _compare_count(self, expr: Compare, within: Within) -> int:
        assert isinstance(expr.left, Call)
        assert isinstance(expr.right, Number)
        truths = [self.truth(expr.left.args[0], symbol, within) for symbol in self.members(within)]
        if not truths:
            return UNKNOWN
        bound = expr.right.value
        if expr.right.unit == "%":
            bound = round(bound * len(truths), 9)
        possible = range(truths.count(TRUE), truths.count(TRUE) + truths.count(UNKNOWN) + 1)
        answers = {_COMPARE[expr.op](n, bound) for n in possible}
        return UNKNOWN if len(answers) == 2 else _tri(answers.pop())

    def _crosses(self, call: Call, within: Within, symbol: str) -> int:
        if symbol != MARKET and not self.instruments[symbol].is_trading:
            return UNKNOWN
        x, y = (self.value(arg, symbol, within) for arg in call.args)
        if math.isnan(x) or math.isnan(y):
            return UNKNOWN
        if x == y:
            return FALSE
        side = math.copysign(1, x - y)
        before = self._sides.get((call, within, symbol), side)
        self._sides[call, within, symbol] = side
        wanted = {"crosses": side != before, "crosses_above": side > before, "crosses_below": side < before}
        return _tri(wanted[call.name])

    # -- numbers -----------------------------------------------------------------------------------------------------

    def value(self, expr: Expr, symbol: str, within: Within = everybody) -> float:
        value = self._value(expr, symbol, within)
        return value if math.isfinite(value) else math.nan

    def _value(self, expr: Expr, symbol: str, within: Within) -> float:
        match expr:
            case Number(value=value):
                return value
            case Series(name=name):
                return self.level(name, symbol)
            case Neg(operand=operand):
                return -self.value(operand, symbol, within)
            case BinaryOp(op=op, left=left, right=right):
                a, b = self.value(left, symbol, within), self.value(right, symbol, within)
                if op == "/":
                    return a / b if b else math.nan
                return {"+": operator.add, "-": operator.sub, "*": operator.mul}[op](a, b)
            case Call(name="abs", args=(inner,)):
                return abs(self.value(inner, symbol, within))
            case Call(name="age", args=(Series(name=series),)):
                return float(self.instruments[symbol].age_ms(series, self.now_ms))
            case Call(name="rank" | "median" | "total", args=(inner,)):
                return self._over_scope(expr.name, inner, symbol, within)
            case Call():
                return self._windowed(expr, symbol)
            case _:
                raise TypeError(f"not a number: {expr!r}")

    def _windowed(self, call: Call, symbol: str) -> float:
        now_ms, window_ms = self.now_ms, call.window_ms
        match call.name, call.args:
            case (("sum" | "ratio"), (Series(name=series), _)):
                return getattr(self.instruments[symbol].flow(series), call.name)(now_ms, window_ms)
            case "corr", (Series(name=a), Series(name=b), _):
                return corr(self.windows(a, symbol), self.windows(b, symbol), now_ms, window_ms)
            case "zscore", (Call(name="pct", args=(Series(name=series), _)) as inner, _):
                return zscore_of_pct(self.windows(series, symbol), now_ms, inner.window_ms, window_ms)
            case "percentile", (Call(name="pct", args=(Series(name=series), _)) as inner, _):
                return percentile_of_pct(self.windows(series, symbol), now_ms, inner.window_ms, window_ms)
            case name, (Series(name=series), _):
                return getattr(self.windows(series, symbol), name)(now_ms, window_ms)
            case _:
                raise TypeError(f"no such function over these arguments: {call!r}")

    # -- scope -------------------------------------------------------------------------------------------------------

    def members(self, within: Within) -> list[str]:
        return [symbol for symbol in self.instruments if within(symbol)]

    def _over_scope(self, name: str, inner: Expr, symbol: str, within: Within) -> float:
        members = self.members(within)
        values = [self.value(inner, m, within) for m in members if self.instruments[m].is_trading]
        known = sorted(v for v in values if math.isfinite(v))
        if len(known) < 5 or len(known) * 5 < len(members) * 4:
            return math.nan
        if name == "total":
            return math.fsum(known)
        if name == "median":
            half = len(known) // 2
            return known[half] if len(known) % 2 else (known[half - 1] + known[half]) / 2
        own = self.value(inner, symbol, within)
        return math.nan if math.isnan(own) else 1.0 + sum(v > own for v in known)


def is_of_market(expr: Expr) -> bool:
    """Whether an expression says the same of every symbol: its series all stand inside functions over the scope."""
    match expr:
        case Series():
            return False
        case Call(name="median" | "total" | "count"):
            return True
        case Call(name="rank"):
            return False
        case Call(args=args):
            return all(is_of_market(arg) for arg in args)
        case Neg(operand=part) | Not(item=part):
            return is_of_market(part)
        case BinaryOp(left=left, right=right) | Compare(left=left, right=right):
            return is_of_market(left) and is_of_market(right)
        case And(items=items) | Or(items=items):
            return all(is_of_market(item) for item in items)
        case _:
            return True


def _tri(held: bool) -> int:
    return TRUE if held else FALSE


class Lives:
    """What a rule with `for: 0s` and `cooldown: 0s` does, for each symbol."""

    def __init__(self, rule_id: str, when: Expr, within: Within = everybody, *, per_market: bool = False):
        self._rule_id, self._when, self._within, self._per_market = rule_id, when, within, per_market
        self._is_event = any(isinstance(p, Call) and p.name in CROSSINGS for p in walk(when))
        self._firing: set[str] = set()

    def step(self, twin: Twin) -> list[Transit]:
        """Transitions at the twin's tick."""
        found: list[Transit] = []
        if isinstance(self._within, Ranked) and not self._within.is_known:
            return found
        for symbol in (MARKET,) if self._per_market else tuple(twin.instruments):
            truth = twin.truth(self._when, symbol, self._within)
            is_member = self._per_market or self._within(symbol)
            if symbol in self._firing:
                if truth == FALSE:
                    self._firing.discard(symbol)
                    found.append((self._rule_id, symbol, "resolved", twin.now_ms))
            elif truth == TRUE and is_member:
                found.append((self._rule_id, symbol, "firing", twin.now_ms))
                if self._is_event:
                    found.append((self._rule_id, symbol, "resolved", twin.now_ms))
                else:
                    self._firing.add(symbol)
        return found

    def close(self, symbol: str, at_ms: int) -> list[Transit]:
        """The instrument left the venue."""
        if symbol not in self._firing:
            return []
        self._firing.discard(symbol)
        return [(self._rule_id, symbol, "closed", at_ms)]

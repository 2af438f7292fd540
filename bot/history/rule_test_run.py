"""A rule test through the real engine, and what came of it beside what was expected.

The engine is the one of live runs; this module only feeds it, asks it at the moments of the expectations, and compares.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from bot.delivery.layout import compose
from bot.delivery.markup import to_plain
from bot.engine.engine import Engine
from bot.engine.explaining import explain
from bot.engine.result import Result
from bot.engine.tick_values import unit_of
from bot.history.rule_test_feed import Feed
from bot.model.alert import Notice, TellKind, Transition
from bot.model.explanation import Explanation, Unit
from bot.model.instrument import MARKET
from bot.model.numbers import quantity
from bot.model.outbox import OutboxRow
from bot.model.updates import F64
from bot.model.view import AlertView
from bot.rules.ast import Number, number_text, series_used, windows_used
from bot.rules.meter import is_ratio
from bot.rules.rule_test import ExpectedMessage, ExpectedState, Kind, RuleTest, RuleTestFile
from bot.rules.schema import Rule

N_BLOCK: Final = 512
"""Ticks evaluated at a time: it changes nothing but the time at which lost data is told."""
N_AROUND: Final = 5
"""Steps shown beside a window."""
N_STRIPS: Final = 3
"""Instruments whose series are shown where none is named."""
_KINDS: Final[dict[TellKind, Kind]] = {
    TellKind.FIRE: "fire",
    TellKind.ESCALATE: "escalate",
    TellKind.REPEAT: "repeat",
    TellKind.END: "end",
    TellKind.CLOSE: "end",
    TellKind.LOST: "lost",
    TellKind.BACK: "back",
}
_BEHIND: Final = {"oi_usd": ("price", "oi"), "basis": ("price", "index"), "funding_8h": ("funding",)}


@dataclass(frozen=True, slots=True)
class Told:
    """One message as people get it, or (`end`) the edit of one. Times are ms from the start of the test."""

    at_ms: int
    rule_id: str
    symbol: str
    kind: Kind
    text: str

    @property
    def is_alert(self) -> bool:
        """Else it tells that data is lost, or back."""
        return self.kind not in {"lost", "back"}

    @property
    def is_new(self) -> bool:
        """Whether a test has to name it; the others only may."""
        return self.is_alert and self.kind != "end"

    @property
    def first_line(self) -> str:
        return self.text.partition("\n")[0]


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """A series around a moment."""

    symbol: str
    series: str
    first: int
    """Step of the first value."""
    values: F64
    at: int
    """Step of the moment."""
    step_ms: int
    window: int
    """Steps that the rule looks back; 0 where it looks at the moment alone."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that was not met."""

    line: int
    """Of the file of tests."""
    at_ms: int | None
    about: str
    """Rule and instrument, or what else it is about."""
    expected: str
    found: str
    explanation: Explanation | None = None
    strips: tuple[Strip, ...] = ()


@dataclass(frozen=True, slots=True)
class Met:
    """One expectation that was met."""

    expected: ExpectedState
    symbol: str
    found: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one test."""

    test: RuleTest
    start_ms: int
    failures: tuple[Failure, ...]
    met: tuple[Met, ...]
    told: tuple[Told, ...]
    transitions: tuple[Transition, ...]
    units: Mapping[str, Unit]
    """How the values of each rule are read."""
    n_ticks: int

    @property
    def passed(self) -> bool:
        return not self.failures


def run_rule_test(file: RuleTestFile, test: RuleTest) -> Outcome:
    """Run it from its start to its last value or expectation."""
    return _Run(file, test).outcome()


def rules_tested(file: RuleTestFile) -> frozenset[str]:
    """Ids of the rules of which some test expects something."""
    return frozenset(rule_id for test in file.tests for rule_id in rules_of(test))


def rules_of(test: RuleTest) -> frozenset[str]:
    """Ids of the rules that a test names."""
    messages = (m.rule_id for m in test.messages or () if m.rule_id is not None)
    return frozenset([*(e.rule_id for e in test.expect), *messages])


def rules_that_matter(rules: Sequence[Rule], named: frozenset[str]) -> tuple[Rule, ...]:
    """Those that a test names and those that may mute them; all where it names none."""
    wanted = set(named)
    while more := {rule.id for rule in rules if wanted & set(rule.inhibits)} - wanted:
        wanted |= more
    return tuple(rule for rule in rules if not named or rule.id in wanted)


class _Run:
    """One test on its way."""

    def __init__(self, file: RuleTestFile, test: RuleTest) -> None:
        self._file, self._test = file, test
        self._named = rules_of(test)
        rules = rules_that_matter(file.rules, self._named)
        self._rules = {rule.id: rule for rule in rules}
        self._feed = Feed(test, start_ms=file.start_ms, interval_ms=file.interval_ms)
        self._asks_of_data = any(message.kind in {"lost", "back"} for message in test.messages or ())
        n_block = 1 if self._asks_of_data else N_BLOCK
        self._engine = Engine(rules, step_ms=file.interval_ms, n_block=n_block, dtype="float64")
        self._result = Result()
        self._failures: list[Failure] = []
        self._met: list[Met] = []

    def outcome(self) -> Outcome:
        test, interval_ms = self._test, self._file.interval_ms
        wanted: dict[int, list[ExpectedState]] = {}
        for expected in test.expect:
            wanted.setdefault(expected.at_ms // interval_ms, []).append(expected)
        last = max([m.at_ms or 0 for m in test.messages or ()], default=0) // interval_ms
        n_ticks = max(self._feed.n_steps, max(wanted, default=0) + 1, last + 1)
        for item in self._feed.begin():
            self._engine.consume(item)
        for step in range(n_ticks):
            for item in self._feed.at(step):
                self._engine.consume(item)
            self._result += self._engine.tick(self._file.start_ms + step * interval_ms)
            if step in wanted:
                self._result += self._engine.flush()
                for expected in wanted[step]:
                    self._look(expected, step)
        self._result += self._engine.flush()
        told = tuple(self._told())
        self._compare_messages(told)
        return Outcome(
            test,
            self._file.start_ms,
            tuple(self._failures),
            tuple(self._met),
            told,
            self._result.transitions,
            {rule.id: _unit(rule) for rule in self._file.rules},
            n_ticks,
        )

    # -- states --------------------------------------------------------------------------------------------------

    def _look(self, expected: ExpectedState, step: int) -> None:
        """Ask the engine what it says right after a tick."""
        rule = self._rules[expected.rule_id]
        if rule.per == "market":
            keys = [MARKET]
        else:
            named = [g.instrument for g in self._test.given if expected.symbol in {None, g.instrument.symbol}]
            keys = [instrument.key for instrument in named]
        for key in keys:
            explanation = explain(self._engine, rule.id, key)
            found = _found(explanation)
            symbol = key.rpartition(":")[2]
            if explanation is not None and _is_met(expected, explanation):
                self._met.append(Met(expected, symbol, found))
                continue
            self._failures.append(
                Failure(
                    line=expected.line,
                    at_ms=expected.at_ms,
                    about=rule.id if key == MARKET else f"{rule.id} {symbol}",
                    expected=_wanted(expected),
                    found=found,
                    explanation=explanation,
                    strips=tuple(self._strips(rule, symbol, step)),
                )
            )

    def _strips(self, rule: Rule, symbol: str, step: int) -> Iterator[Strip]:
        looked: dict[str, int] = {}
        for condition in (rule.when, rule.end):
            windows = windows_used(condition)
            for name in sorted(series_used(condition)):
                longest_ms = max((ms for series, ms, _ in windows if series == name), default=0)
                for part in _BEHIND.get(name, (name,)):
                    looked[part] = max(looked.get(part, 0), longest_ms // self._file.interval_ms)
        about = [g for g in self._test.given if symbol in {MARKET, g.instrument.symbol}][:N_STRIPS]
        for given in about:
            for name, window in looked.items():
                if name not in given.series:
                    continue
                first = max(0, step - window - N_AROUND)
                stop = step + N_AROUND + 1
                known = given.series[name][first:stop]
                shown = np.pad(known, (0, stop - first - len(known)), constant_values=np.nan)
                yield Strip(given.instrument.symbol, name, first, shown, step, self._file.interval_ms, window)

    # -- messages ------------------------------------------------------------------------------------------------

    def _told(self) -> Iterator[Told]:
        fires: dict[str, AlertView] = {}
        for notice in self._result.notices:
            kind = _KINDS.get(notice.kind)
            if kind is None or (kind in {"lost", "back"} and not self._asks_of_data):
                continue
            # What was true at the start is news to whoever wrote the test.
            row = _row(replace(notice, view=replace(notice.view, is_already_true=False)))
            if kind == "fire":
                fires[notice.key] = row.view
            card = compose([row], fire=fires.get(notice.key), edit=kind == "end" and notice.key in fires)
            symbol = notice.instrument.rpartition(":")[2]
            yield Told(notice.at_ms - self._file.start_ms, notice.rule_id, symbol, kind, to_plain(card))

    def _compare_messages(self, told: Sequence[Told]) -> None:
        test = self._test
        told = [message for message in told if self._is_asked_about(message)]
        new = [message for message in told if message.is_new]
        if test.n_messages is not None and len(new) != test.n_messages:
            listed = "".join(f"\n  {message_text(message)}" for message in new)
            many = f"{test.n_messages} message{'' if test.n_messages == 1 else 's'}"
            self._fail(test.line, None, "messages", many, f"{len(new)}{':' if new else ''}{listed}")
        if test.messages is None:
            return
        begin = 0
        for expected in test.messages:
            match = next((i for i in range(begin, len(told)) if _matches(expected, told[i])), None)
            if match is None:
                rest = [m for m in told[begin:] if m.kind == expected.kind] or told[begin:]
                found = message_text(rest[0], whole=bool(expected.text)) if rest else "no further message"
                self._fail(expected.line, expected.at_ms, "messages", _wanted_message(expected), found)
                continue
            self._unexpected(told[begin:match])
            begin = match + 1
        self._unexpected(told[begin:])

    def _is_asked_about(self, message: Told) -> bool:
        """Where a test names rules, what others tell is none of its business."""
        return not self._named or message.rule_id in self._named or not message.is_alert

    def _unexpected(self, told: Sequence[Told]) -> None:
        for message in told:
            # A missing one has been told already, and what stands in its place is shown there.
            if message.is_new and not any(message_text(message) in f.found for f in self._failures):
                self._fail(self._test.line, message.at_ms, "messages", "no other message", message_text(message))

    def _fail(self, line: int, at_ms: int | None, about: str, expected: str, found: str) -> None:
        self._failures.append(Failure(line, at_ms, about, expected, found))


def _unit(rule: Rule) -> Unit:
    measured = rule.value or next((comparison.left for comparison in rule.comparisons), None)
    if measured is None:
        return "number"
    return "ratio" if is_ratio(measured) else unit_of(measured)


def _row(notice: Notice) -> OutboxRow:
    return OutboxRow("", notice.key, notice.kind, "", notice.severity, notice.at_ms, notice.view)


def after(ms: int) -> str:
    """A time of a test: `32m`."""
    return number_text(Number(ms, "duration")) if ms else "0m"


def message_text(message: Told, *, whole: bool = False) -> str:
    """`31m fire: 🟠 BTCUSDT · OI surge  00:31 UTC`."""
    return f"{after(message.at_ms)} {message.kind}: {message.text if whole else message.first_line}"


def _states(explanation: Explanation) -> tuple[str, ...]:
    """All words for where an alert stands, the most telling first."""
    phase = explanation.alert.phase
    if phase in {"pending", "firing"}:
        return (phase,)
    word = "unknown" if explanation.verdict == "unknown" else "inactive"
    return ("cooling", word) if phase == "cooling" else (word,)


def _found(explanation: Explanation | None) -> str:
    if explanation is None:
        return "no such instrument"
    value = "" if explanation.value is None else f", value {quantity(explanation.value, explanation.unit)}"
    return " and ".join(_states(explanation)) + value


def _wanted(expected: ExpectedState) -> str:
    value = [] if expected.value is None else [f"value {expected.value.text}"]
    return ", ".join([*([expected.state] if expected.state else []), *value])


def _is_met(expected: ExpectedState, explanation: Explanation) -> bool:
    if expected.state is not None and expected.state not in _states(explanation):
        return False
    return expected.value is None or expected.value.matches(explanation.value)


def _wanted_message(expected: ExpectedMessage) -> str:
    when = "" if expected.at_ms is None else f"{after(expected.at_ms)} "
    about = "".join(f" {word}" for word in (expected.rule_id, expected.symbol) if word)
    texts = [f'"{text}"' for text in ((expected.first_line,) if expected.first_line else ()) + expected.text]
    return f"{when}{expected.kind}{about}{': ' if texts else ''}{', '.join(texts)}"


def _flat(text: str) -> str:
    return " ".join(text.split())


def _matches(expected: ExpectedMessage, told: Told) -> bool:
    return (
        expected.kind == told.kind
        and expected.at_ms in {None, told.at_ms}
        and expected.rule_id in {None, told.rule_id}
        and expected.symbol in {None, told.symbol}
        and (expected.first_line is None or _flat(expected.first_line) == _flat(told.first_line))
        and all(_flat(text) in _flat(told.text) for text in expected.text)
    )

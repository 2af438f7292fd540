"""One test of a file of rule tests: its series and what it expects."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bot.model.instrument import Kind, by_symbol
from bot.model.updates import F64
from bot.rules.ast import Number, number_text
from bot.rules.check import Fault
from bot.rules.language import FLOWS, did_you_mean
from bot.rules.literals import parse_duration_ms, parse_number
from bot.rules.loader import RuleSet
from bot.rules.nodes import Mapping as MappingNode
from bot.rules.nodes import Node, Scalar
from bot.rules.notation import MAX_STEPS, read_series
from bot.rules.readers import Reader
from bot.rules.rule_test import (
    DERIVED,
    GIVEN,
    KINDS,
    STATES,
    Expectable,
    ExpectedMessage,
    ExpectedState,
    Given,
    RuleTest,
    Written,
)
from bot.rules.rule_test import Kind as MessageKind
from bot.rules.schema import KINDS as TYPES
from bot.rules.schema import VENUES, Rule

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
TEST_KEYS: Final = ("name", "series", "expect", "expect_messages")
INSTRUMENT_KEYS: Final = (*GIVEN, "type", "funding_interval")
STATE_KEYS: Final = ("at", "rule", "symbol", "state", "value")
MESSAGE_KEYS: Final = ("at", "rule", "symbol", "kind", "first_line", "text")
MAX_INSTRUMENTS: Final = 500
MAX_EXPECTED: Final = 500
MAX_VALUES: Final = 2_000_000
"""Steps times instruments of one test."""
MAX_TEXT: Final = 1_000
MAX_TEXTS: Final = 50
ALSO: Final[Mapping[str, Expectable]] = {"normal": "inactive", "nodata": "unknown"}
"""Other words for states."""
_RANGE: Final = re.compile(r"\{([0-9]{1,6})\.\.([0-9]{1,6})\}", re.ASCII)
_SUFFIX: Final = re.compile(r"[+-]?[0-9_]*(?:\.([0-9_]*))?((?:[eE][+-]?[0-9]{1,2})?[%A-Za-z]?)", re.ASCII)
_ABOVE_ZERO: Final = frozenset({"price", "index", "oi", "long_short"})


@dataclass(frozen=True, slots=True)
class FileGrid:
    """What all tests of a file share."""

    interval_ms: int
    rules: tuple[Rule, ...]
    """Those that are switched on."""
    loaded: RuleSet


class ItemReader:
    """Reads one test; what is wrong is told to the reader of its file."""

    def __init__(self, reader: Reader, grid: FileGrid, names: dict[str, int]) -> None:
        self._reader = reader
        self._grid = grid
        self._names = names
        """Of the tests so far -> their lines."""
        self._rules = {rule.id: rule for rule in grid.rules}
        self._symbols: frozenset[str] = frozenset()

    def read(self, node: Node) -> RuleTest | None:
        reader = self._reader
        entries = reader.entries(node, TEST_KEYS, what="a test", required=("name", "series"))
        if entries is None:
            return None
        nodes = {name: value for name, (_, value) in entries.items()}
        name = self._name(nodes["name"]) if "name" in nodes else None
        given = self._series(nodes["series"]) if "series" in nodes else None
        expect = self._expected(nodes["expect"]) if "expect" in nodes else ()
        messages, n_messages = self._messages(nodes["expect_messages"]) if "expect_messages" in nodes else (None, None)
        if not {"expect", "expect_messages"} & set(nodes):
            reader.tell(nodes.get("name", node), "W501", "this test expects nothing", "add expect or expect_messages")
        if name is None or given is None:
            return None
        ordered = tuple(sorted(expect, key=lambda e: (e.at_ms, e.line)))
        return RuleTest(name, self._line(node), given, ordered, messages, n_messages)

    def _line(self, node: Node) -> int:
        return self._reader.source.at(node, "", "").line

    def _name(self, node: Node) -> str | None:
        word = self._reader.word(node, "name")
        if word is None:
            return None
        if not 0 < len(word) <= MAX_TEXT:
            self._reader.tell(node, "E114", f"a name has at most {MAX_TEXT:,} characters")
            return None
        line = self._line(node)
        first = self._names.setdefault(word, line)
        if first != line:
            self._reader.tell(node, "E506", f"another test has this name; first in line {first}")
            return None
        return word

    # -- series --------------------------------------------------------------------------------------------------

    def _series(self, node: Node) -> tuple[Given, ...] | None:
        reader = self._reader
        if not isinstance(node, MappingNode):
            reader.tell(node, "E107", '"series" is a mapping from symbols to their series')
            return None
        found: dict[str, Given] = {}
        for key, value in node.entries:
            symbols = self._expand(key)
            made = self._instrument(value)
            self._symbols |= set(symbols)
            if made is None:
                continue
            kind, interval_h, series = made
            for symbol in symbols:
                if symbol in found:
                    reader.tell(key, "E103", f'the symbol "{symbol[:40]}" is given twice', "keep one of them")
                    return None
                instrument = by_symbol(VENUES[0], symbol, kind=kind, funding_interval_h=interval_h)
                found[symbol] = Given(instrument, series)
            n_steps = max((len(v) for g in found.values() for v in g.series.values()), default=0)
            if len(found) > MAX_INSTRUMENTS or len(found) * n_steps > MAX_VALUES:
                most = f"{MAX_INSTRUMENTS} instruments and {MAX_VALUES:,} steps of them"
                reader.tell(key, "E108", f"a test has at most {most}")
                return None
        if not node.entries:
            reader.tell(node, "E106", '"series" names no symbol', "such as BTCUSDT: {price: 50000x60}")
            return None
        return tuple(found.values())

    def _expand(self, key: Scalar) -> Sequence[str]:
        """`COIN{01..12}USDT` stands for twelve symbols."""
        found = _RANGE.search(key.text)
        if found is None:
            return [key.text]
        first, last = int(found[1]), int(found[2])
        if not first <= last < first + MAX_INSTRUMENTS:
            self._reader.tell(key, "E108", f"a range of symbols goes up, and has at most {MAX_INSTRUMENTS}")
            return []
        before, after = key.text[: found.start()], key.text[found.end() :]
        return [f"{before}{n:0{len(found[1])}d}{after}" for n in range(first, last + 1)]

    def _instrument(self, node: Node) -> tuple[Kind | None, float, Mapping[str, F64]] | None:
        reader = self._reader
        known = (*INSTRUMENT_KEYS, *DERIVED)
        entries = reader.entries(node, known, what="an instrument")
        if entries is None:
            return None
        kind: Kind | None = None
        interval_h = 8.0
        series: dict[str, F64] = {}
        for name, (key, value) in entries.items():
            if name == "type":
                word = reader.choice(value, "type", TYPES)
                kind = next((t for t in TYPES if t == word), None)
            elif name == "funding_interval":
                found = reader.duration_ms(value, name, least_ms=HOUR_MS, most_ms=DAY_MS)
                interval_h = (found or 8 * HOUR_MS) / HOUR_MS
            elif name in DERIVED:
                message = f'"{name}" is made from other series, so that it cannot contradict them'
                reader.tell(key, "E502", message, f"give {DERIVED[name]} instead")
            elif (values := self._values(name, value)) is not None:
                series[name] = values
        return kind, interval_h, series

    def _values(self, name: str, node: Node) -> F64 | None:
        word = self._reader.word(node, name)
        if word is None or not isinstance(node, Scalar):
            return None
        read = read_series(word)
        if read.faults:
            problems = (self._reader.source.in_expression(node, fault) for fault in read.faults)
            self._reader.problems.extend(problems)
            return None
        wrong = _out_of_range(name, read.values)
        if wrong:
            fault = Fault(0, "E502", len(word), wrong, "write _ for a step without a value")
            self._reader.problems.append(self._reader.source.in_expression(node, fault))
            return None
        return read.values

    # -- what is expected ----------------------------------------------------------------------------------------

    def _expected(self, node: Node) -> tuple[ExpectedState, ...]:
        found = (self._state(item) for item in self._items(node, "expect"))
        return tuple(item for item in found if item is not None)

    def _items(self, node: Node, key: str) -> list[Node]:
        items = self._reader.items(node, what=f'"{key}"') or []
        if len(items) > MAX_EXPECTED:
            self._reader.tell(node, "E108", f'"{key}" lists {len(items):,} things; at most {MAX_EXPECTED} are read')
            return []
        return items

    def _state(self, node: Node) -> ExpectedState | None:
        reader = self._reader
        entries = reader.entries(node, STATE_KEYS, what="an expectation", required=("at", "rule"))
        if entries is None:
            return None
        nodes = {name: value for name, (_, value) in entries.items()}
        at_ms = self._at(nodes["at"]) if "at" in nodes else None
        rule = self._rule(nodes["rule"]) if "rule" in nodes else None
        symbol = self._symbol(nodes["symbol"], rule) if "symbol" in nodes else None
        state = self._state_word(nodes["state"]) if "state" in nodes else None
        value = self._written(nodes["value"]) if "value" in nodes else None
        if not {"state", "value"} & set(nodes):
            reader.tell(node, "E104", 'an expectation has no "state" and no "value"', "add state: firing")
        if at_ms is None or rule is None:
            return None
        return ExpectedState(self._line(node), at_ms, rule.id, symbol, state, value)

    def _state_word(self, node: Node) -> Expectable | None:
        word = self._reader.choice(node, "state", (*STATES, *ALSO))
        return ALSO.get(word or "", next((state for state in STATES if state == word), None))

    def _at(self, node: Node) -> int | None:
        reader, interval_ms = self._reader, self._grid.interval_ms
        word = reader.word(node, "at")
        if word is None:
            return None
        found = parse_duration_ms(word)
        if found is None:
            message = f'"{word[:40]}" is no time of a test; write how long after its start, such as 32m'
            reader.tell(node, "E503", message)
        elif found % interval_ms:
            step = number_text(Number(interval_ms, "duration"))
            near = number_text(Number(max(1, round(found / interval_ms)) * interval_ms, "duration"))
            reader.tell(node, "E503", f"nothing is evaluated then: the steps are {step} apart", f"write {near}")
        elif found // interval_ms > MAX_STEPS:
            reader.tell(node, "E503", f"a test has at most {MAX_STEPS:,} steps")
        else:
            return found
        return None

    def _rule(self, node: Node) -> Rule | None:
        word = self._reader.word(node, "rule")
        if word is None or word in self._rules:
            return self._rules.get(word or "")
        if any(rule.id == word for rule in self._grid.loaded.rules):
            self._reader.tell(node, "E504", f'the rule "{word[:40]}" is switched off', "write enabled: true there")
            return None
        meant = did_you_mean(word, frozenset(self._rules)) if len(self._rules) <= MAX_EXPECTED else None
        hint = f'did you mean "{meant}"?' if meant else ""
        self._reader.tell(node, "E504", f'the rule files have no rule "{word[:40]}"', hint)
        return None

    def _symbol(self, node: Node, rule: Rule | None) -> str | None:
        word = self._reader.word(node, "symbol")
        if word is None:
            return None
        if rule is not None and rule.per == "market":
            message = f'the rule "{rule.id}" looks at its whole scope together, not at one symbol'
            self._reader.tell(node, "E505", message, "leave symbol out")
            return None
        if word in self._symbols:
            return word
        meant = did_you_mean(word, self._symbols) if len(self._symbols) <= MAX_INSTRUMENTS else None
        meant = next((s for s in self._symbols if s.casefold() == word.casefold()), meant)
        hint = f'did you mean "{meant}"?' if meant else ""
        self._reader.tell(node, "E505", f'this test has no series of "{word[:40]}"', hint)
        return None

    def _written(self, node: Node) -> Written | None:
        word = self._reader.word(node, "value")
        found = None if word is None else parse_number(word)
        form = None if word is None else _SUFFIX.fullmatch(word)
        if found is not None and word is not None and form is not None:
            unit = parse_number(f"1{form[2]}")
            digits = len((form[1] or "").replace("_", ""))
            return Written(word, found.value, 0.5 * 10.0**-digits * (unit.value if unit else 1.0))
        if word is not None:
            self._reader.tell(node, "E106", f'"{word[:40]}" is no number; write one such as 6% or 2.5k')
        return None

    # -- messages ------------------------------------------------------------------------------------------------

    def _messages(self, node: Node) -> tuple[tuple[ExpectedMessage, ...] | None, int | None]:
        if isinstance(node, Scalar):
            return None, self._reader.whole(node, "expect_messages", least=0, most=1_000_000)
        found = (self._message(item) for item in self._items(node, "expect_messages"))
        return tuple(item for item in found if item is not None), None

    def _message(self, node: Node) -> ExpectedMessage | None:
        reader = self._reader
        entries = reader.entries(node, MESSAGE_KEYS, what="an expected message")
        if entries is None:
            return None
        nodes = {name: value for name, (_, value) in entries.items()}
        rule = self._rule(nodes["rule"]) if "rule" in nodes else None
        kind: MessageKind = "fire"
        if "kind" in nodes:
            word = reader.choice(nodes["kind"], "kind", KINDS)
            kind = next((k for k in KINDS if k == word), kind)
        return ExpectedMessage(
            line=self._line(node),
            at_ms=self._at(nodes["at"]) if "at" in nodes else None,
            rule_id=rule.id if rule is not None else None,
            symbol=self._symbol(nodes["symbol"], rule) if "symbol" in nodes else None,
            kind=kind,
            first_line=reader.word(nodes["first_line"], "first_line") if "first_line" in nodes else None,
            text=reader.words(nodes["text"], "text", most=MAX_TEXTS) or () if "text" in nodes else (),
        )


def _out_of_range(name: str, values: F64) -> str:
    """What is wrong with a value that no market has; empty where nothing is."""
    known = values[np.isfinite(values)]
    if name in _ABOVE_ZERO and (known <= 0).any():
        return f"{name} is above zero at every step"
    if (name in FLOWS or name in {"volume_24h", "taker_buy"}) and (known < 0).any():
        return f"{name} is never below zero"
    if name == "taker_buy" and (known > 1).any():
        return "taker_buy is a share of the volume, from 0 to 100%"
    return ""

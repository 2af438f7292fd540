"""Series of a rule test as people write them: `100x20 100+0.6x10 _x5` -> values, one per step.

Counted as `promtool test rules` counts: `100x20` is 100 and twenty more of it, `100+0.6x10` is 100 and ten more, each
0.6 above the one before; `_` is a step without a value and `_x5` five of them. Numbers are those of the rule language.
Nothing is expanded before its length is known to be allowed.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np

from bot.model.updates import F64
from bot.rules.check import Fault
from bot.rules.literals import parse_number

MAX_STEPS: Final = 20_160
"""Two weeks of minutes."""
MAX_LENGTH: Final = 20_000
"""Characters."""
MAX_WORDS: Final = 5_000

_AMOUNT: Final = r"(?:[0-9][0-9_]*(?:\.[0-9][0-9_]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?[kKMB%]?"
_WORD: Final = re.compile(rf"(?:_|([+-]?{_AMOUNT})(?:([+-])({_AMOUNT}))?)(?:x([0-9]{{1,9}}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Notated:
    """Values from the first step on, NaN where there is none; or what is wrong (then without values)."""

    values: F64
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class _Run:
    """One word: so many values, each `by` above the one before."""

    first: Decimal | None
    by: Decimal
    n: int

    def values(self) -> F64:
        if self.first is None:
            return np.full(self.n, np.nan)
        if not self.by:
            return np.full(self.n, float(self.first))
        # In decimals: 100+0.6x9 ends at 105.4, not at what adding floats comes to.
        return np.array([float(self.first + i * self.by) for i in range(self.n)])


def read_series(text: str) -> Notated:
    """All that is wrong at once; places are offsets in the text."""
    if len(text) > MAX_LENGTH:
        return _refused(Fault(0, "E501", 1, f"a series has at most {MAX_LENGTH:,} characters"))
    words = list(re.finditer(r"[^\s,]+", text))
    if len(words) > MAX_WORDS:
        return _refused(Fault(words[MAX_WORDS].start(), "E501", 1, f"a series has at most {MAX_WORDS:,} words"))
    if not words:
        return _refused(Fault(0, "E501", 1, "there are no values", 'write some, such as "100x20"'))
    runs: list[_Run] = []
    faults: list[Fault] = []
    n_steps = 0
    for word in words:
        read = _read_word(word[0], word.start())
        if isinstance(read, Fault):
            faults.append(read)
            continue
        n_steps += read.n
        if n_steps > MAX_STEPS:
            message = f"the series is longer than {MAX_STEPS:,} steps"
            faults.append(Fault(word.start(), "E501", len(word[0]), message, "take a coarser interval"))
            break
        runs.append(read)
    if faults:
        return _refused(*faults)
    return Notated(np.concatenate([run.values() for run in runs]))


def _refused(*faults: Fault) -> Notated:
    return Notated(np.zeros(0), faults)


def _read_word(word: str, start: int) -> _Run | Fault:
    found = _WORD.fullmatch(word)
    if found is None:
        return Fault(start, "E501", len(word), f'"{word[:40]}" is no part of a series', _hint(word))
    first, sign, by, times = found.groups()
    if first is None:
        return _Run(None, Decimal(0), 1 if times is None else int(times))
    values = [_decimal(first), _decimal(by) if by else Decimal(0)]
    if by and times is None:
        message = f'"{word[:40]}" does not say how many steps'
        return Fault(start, "E501", len(word), message, f"write {word[:40]}x10 for ten more")
    for part, value in zip((first, by), values, strict=True):
        if value is None:
            return Fault(start, "E501", len(word), f'"{part[:40]}" is no number between 1e-12 and 1e15')
    amount, step = values
    assert amount is not None
    assert step is not None
    return _Run(amount, -step if sign == "-" else step, 1 + int(times or 0))


def _decimal(text: str) -> Decimal | None:
    number = parse_number(text)
    return None if number is None else Decimal(repr(number.value))


def _hint(word: str) -> str:
    """What was probably meant."""
    for typed, meant in (("*", "x"), ("X", "x"), ("×", "x"), ("nan", "_"), ("NaN", "_"), ("null", "_"), ("stale", "_")):
        mended = word.replace(typed, meant)
        if mended != word and _WORD.fullmatch(mended):
            return f"write {mended}"
    return "write a value (100), a value and how often more (100x20), steps (100+0.6x10), or _ for none"

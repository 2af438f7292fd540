"""Which rules can be true anywhere at all: a few operations over all of them, so that quiet rules cost nothing.

A condition that is made of comparisons with constants is brought into the form "any of these terms, and a term is all
of these atoms"; in three-valued logic that changes nothing. An atom is a row of numbers and a level. First the highest
and lowest value of each row rule atoms out. What is left is compared, term by term when little is left, else all atoms
in one sweep. Conditions of another form are always looked at.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from bot.model.updates import F64
from bot.rules.ast import MIRROR, NEGATED, And, Call, Compare, Expr, Not, Number, Or
from bot.rules.language import CROSSINGS
from bot.rules.numbers import Mask

MAX_TERMS: Final = 16
MAX_ATOMS: Final = 8
SWEEP_ATOMS_PER_TERM: Final = 12
"""One term compared by itself costs as much as about this many atoms in a sweep (measured)."""
_COLUMNS: Final = 4_096

RowOf = Callable[[Expr], int | None]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Atom:
    """`row >= level`, or with `is_upper` false `row <= level`."""

    row: int
    is_upper: bool
    level: float


Terms = tuple[tuple[Atom, ...], ...]


def terms_of(condition: Expr, row_of: RowOf, *, negated: bool = False) -> Terms | None:
    """Any of the terms, all of their atoms; None where the condition has another form."""
    match condition:
        case Not(item=item):
            return terms_of(item, row_of, negated=not negated)
        case And(items=items) | Or(items=items):
            parts = [terms_of(item, row_of, negated=negated) for item in items]
            found = [p for p in parts if p is not None]
            if len(found) < len(parts):
                return None
            return _all_of(found) if isinstance(condition, And) != negated else _any_of(found)
        case Compare():
            return _comparison(condition, row_of, negated=negated)
        case Call(name=name) if name == "stale" or name in CROSSINGS:
            row = row_of(condition)
            if row is None:
                return None
            return ((Atom(row, is_upper=not negated, level=0.0 if negated else 1.0),),)
        case _:
            return None


def _any_of(parts: Sequence[Terms]) -> Terms | None:
    terms = tuple(dict.fromkeys(term for part in parts for term in part))
    return terms if len(terms) <= MAX_TERMS else None


def _all_of(parts: Sequence[Terms]) -> Terms | None:
    terms: Terms = ((),)
    for part in parts:
        terms = tuple(dict.fromkeys((*left, *right) for left in terms for right in part))
        if len(terms) > MAX_TERMS or any(len(t) > MAX_ATOMS for t in terms):
            return None
    return terms


def _comparison(compare: Compare, row_of: RowOf, *, negated: bool) -> Terms | None:
    left, right, op = compare.left, compare.right, compare.op
    if isinstance(left, Number):
        left, right, op = right, left, MIRROR[op]
    row = row_of(left)
    if row is None or not isinstance(right, Number):
        return None
    op = NEGATED[op] if negated else op
    level = right.value
    match op:
        case ">=":
            return ((Atom(row, is_upper=True, level=level),),)
        case ">":
            return ((Atom(row, is_upper=True, level=float(np.nextafter(level, np.inf))),),)
        case "<=":
            return ((Atom(row, is_upper=False, level=level),),)
        case "<":
            return ((Atom(row, is_upper=False, level=float(np.nextafter(level, -np.inf))),),)
        case "==":
            return ((Atom(row, is_upper=True, level=level), Atom(row, is_upper=False, level=level)),)
        case "!=":
            return _any_of(
                [t for o in (">", "<") if (t := _comparison(Compare(o, left, right), row_of, negated=False))]
            )


class Screen:
    """The conditions of many rules, screened together."""

    def __init__(self, conditions: Sequence[Terms], scope_of: Sequence[int]) -> None:
        """`scope_of`: which scope, by number, each condition is about."""
        pairs = sorted({(a, scope_of[i]) for i, terms in enumerate(conditions) for t in terms for a in t}, key=_order)
        number = {pair: k for k, pair in enumerate(pairs)}
        self._n_atoms = len(pairs)
        self._row = np.array([a.row for a, _ in pairs], dtype=np.int64)
        self._sign = np.array([1.0 if a.is_upper else -1.0 for a, _ in pairs])
        self._level = self._sign * np.array([a.level for a, _ in pairs])
        """An atom holds where `sign * value >= level`."""
        # The furthest values are taken once for each row, side and scope: a run of atoms, by rising level.
        keys = [(scope, a.row, a.is_upper) for a, scope in pairs]
        starts = [k for k in range(len(keys)) if k == 0 or keys[k] != keys[k - 1]]
        self._start = np.array(starts, dtype=np.int64)
        self._size: Ints = np.array([b - a for a, b in pairwise([*starts, len(keys)])], dtype=np.int64)
        self._run = np.repeat(np.arange(len(starts)), self._size)
        self._run_scope = np.array([keys[k][0] for k in starts], dtype=np.int64)
        self._runs_of = {int(s): np.flatnonzero(self._run_scope == s) for s in np.unique(self._run_scope)}
        self._rule: Ints = np.array([i for i, terms in enumerate(conditions) for _ in terms], dtype=np.int64)
        self._scope: Ints = np.array([scope_of[i] for i in self._rule], dtype=np.int64)
        width = max((len(t) for terms in conditions for t in terms), default=1)
        self._terms: Ints = np.array(
            [
                [*(number[a, scope_of[i]] for a in t), *[self._n_atoms] * (width - len(t))]
                for i, terms in enumerate(conditions)
                for t in terms
            ],
            dtype=np.int64,
        ).reshape(-1, width)
        self.n_swept = 0
        self.n_compared = 0

    def true_somewhere(self, values: F64, members: Sequence[Mask]) -> set[int]:
        """Numbers of the conditions that are true for a member at some tick.

        `values`: shape (n, T, N); `members` by scope number, shape (T, N) each.
        """
        return {int(rule) for rules, _ in self._true(values, members) for rule in np.unique(rules)}

    def true_cells(self, values: F64, members: Sequence[Mask]) -> tuple[Ints, Ints]:
        """Condition and column of all true cells of a block of one tick, each once and in order."""
        n_columns = values.shape[2]
        keys = [rules * n_columns + columns for rules, columns in self._true(values, members)]
        cells = np.unique(np.concatenate(keys)) if keys else np.zeros(0, dtype=np.int64)
        condition, column = np.divmod(cells, n_columns)
        return condition, column

    def _true(self, values: F64, members: Sequence[Mask]) -> Iterator[tuple[Ints, Ints]]:
        """Conditions and cells (tick by tick, `t * N + column`) where they are true, in pieces."""
        if not len(self._terms):
            return
        possible = self._possible(values, members)
        candidates = np.flatnonzero(possible[self._terms].all(axis=1))
        if not len(candidates):
            return
        flat = values.reshape(len(values), -1)
        inside = [m.reshape(-1) for m in members]
        if len(candidates) * SWEEP_ATOMS_PER_TERM < self._n_atoms:
            yield from self._compare(candidates, flat, inside)
        else:
            self.n_swept += len(candidates)
            for first in range(0, flat.shape[1], _COLUMNS):
                piece = slice(first, first + _COLUMNS)
                rules, cells = self._sweep(candidates, possible, flat[:, piece], [m[piece] for m in inside])
                yield rules, cells + first

    def _possible(self, values: F64, members: Sequence[Mask]) -> Mask:
        """Which atoms the furthest values of their rows allow; the last entry is the atom that always holds."""
        furthest = np.full(len(self._start), np.nan)
        for scope, runs in self._runs_of.items():
            rows, sign = self._row[self._start[runs]], self._sign[self._start[runs]]
            inside = members[scope]
            if inside.all():
                part = values if len(rows) >= len(values) else values[rows]
            else:
                part = values[rows][:, :, np.flatnonzero(inside.any(axis=0))]
            if not part.size:
                continue
            place = rows if part is values else np.arange(len(rows))
            flat = part.reshape(len(part), -1)
            highest, lowest = np.fmax.reduce(flat, axis=1)[place], np.fmin.reduce(flat, axis=1)[place]
            furthest[runs] = np.where(sign > 0, highest, -lowest)
        possible = np.ones(self._n_atoms + 1, dtype=np.bool_)
        with np.errstate(invalid="ignore"):
            np.greater_equal(furthest[self._run], self._level, out=possible[:-1])
        return possible

    def _holds(self, atom: "Ints | int", row: F64) -> Mask:
        with np.errstate(invalid="ignore"):
            held: Mask = row * self._sign[atom] >= self._level[atom]
        return held

    def _compare(self, candidates: Ints, values: F64, members: Sequence[Mask]) -> Iterator[tuple[Ints, Ints]]:
        """Term by term."""
        self.n_compared += len(candidates)
        for term in candidates:
            held = members[self._scope[term]]
            for atom in self._terms[term]:
                if atom != self._n_atoms:
                    held = held & self._holds(atom, values[self._row[atom]])
            cells = np.flatnonzero(held)
            if len(cells):
                yield np.full(len(cells), self._rule[term]), cells

    def _sweep(self, candidates: Ints, possible: Mask, values: F64, members: Sequence[Mask]) -> tuple[Ints, Ints]:
        """All candidates at once: which atoms hold in which cells is found by the order of their levels, and a term is
        looked up only in the cells of that one of its atoms that holds in the fewest.
        """
        runs = np.flatnonzero(possible[self._start])
        first = self._start[runs]
        signed = values[self._row[first]] * self._sign[first][:, None]
        with np.errstate(invalid="ignore"):
            where = np.flatnonzero(signed >= self._level[first][:, None])
        value = signed.reshape(-1)[where]
        place, cell = np.divmod(where, values.shape[1])
        start = first[place]
        n_held = self._count_held(value, start, self._size[runs][place])
        lead = self._lead(candidates, start, n_held)
        order = np.argsort(lead, kind="stable")
        terms, lead = candidates[order], lead[order]
        # Terms whose leading atom lies among the first `n_held` of the run: a stretch of the ordered terms.
        low, high = np.searchsorted(lead, start), np.searchsorted(lead, start + n_held)
        length = high - low
        chosen = np.repeat(np.arange(len(cell)), length)
        offset = np.arange(len(chosen)) - np.repeat(np.cumsum(length) - length, length)
        term, cell = terms[low[chosen] + offset], cell[chosen]
        keep = np.ones(len(term), dtype=np.bool_)
        for scope in self._runs_of:
            if not members[scope].all():
                keep &= (self._scope[term] != scope) | members[scope][cell]
        for k in range(self._terms.shape[1]):
            if not keep.all():
                term, cell = term[keep], cell[keep]
            atom = self._terms[term, k]
            real = np.minimum(atom, self._n_atoms - 1)
            keep = self._holds(real, values[self._row[real], cell]) | (atom == self._n_atoms)
        return self._rule[term[keep]], cell[keep]

    def _count_held(self, value: F64, start: Ints, size: Ints) -> Ints:
        """How many atoms of its run hold for each value: their levels rise, so a search by halves."""
        low, high = np.ones(len(value), dtype=np.int64), size.copy()
        for _ in range(int(self._size.max()).bit_length()):
            middle = (low + high + 1) // 2
            inside = self._level[np.minimum(start + middle, self._n_atoms) - 1] <= value
            low = np.where(inside, middle, low)
            high = np.where(inside, high, middle - 1)
            high = np.maximum(high, low)
        return low

    def _lead(self, candidates: Ints, start: Ints, n_held: Ints) -> Ints:
        """Of each term the atom that holds in the fewest cells."""
        counts = np.bincount(start + n_held - 1, minlength=self._n_atoms)
        # An atom also holds where a later one of its run does.
        behind = np.cumsum(counts[::-1])[::-1]
        ends = self._start + self._size
        held = behind - np.append(behind, 0)[ends[self._run]]
        held = np.append(held, np.iinfo(np.int64).max)
        terms = self._terms[candidates]
        lead: Ints = terms[np.arange(len(terms)), held[terms].argmin(axis=1)]
        return lead


def _order(pair: tuple[Atom, int]) -> tuple[int, int, bool, float]:
    """By scope, row and side; within those the atom that is easiest to reach first."""
    atom, scope = pair
    return scope, atom.row, atom.is_upper, atom.level if atom.is_upper else -atom.level

"""Which rules can be true anywhere at all: a few operations over all of them, so that quiet rules cost nothing.

A condition that is made of comparisons with constants is brought into the form "any of these terms, and a term is all
of these atoms"; in three-valued logic that changes nothing. An atom is a row of numbers and a level. First the highest
and lowest value of each row rule atoms out. What is left is compared, term by term when little is left, else all atoms
in one sweep. Conditions of another form are always looked at.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from bot.model.updates import F64
from bot.rules.ast import And, Call, Compare, CompareOp, Expr, Not, Number, Or
from bot.rules.evaluator import MIRROR
from bot.rules.language import CROSSINGS
from bot.rules.numbers import Mask

MAX_TERMS: Final = 16
MAX_ATOMS: Final = 8
SWEEP_ATOMS_PER_TERM: Final = 12
"""One term compared by itself costs as much as about this many atoms in a sweep (measured)."""
_COLUMNS: Final = 4_096
_NEGATED: Final[dict[CompareOp, CompareOp]] = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}

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
    op = _NEGATED[op] if negated else op
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
        self._atoms = [a for a, _ in pairs]
        self._level = np.array([a.level for a in self._atoms])
        self._row = np.array([a.row for a in self._atoms], dtype=np.int64)
        self._n_upper = sum(a.is_upper for a in self._atoms)
        # The highest and lowest values are taken once for each row and scope that is asked for.
        self._channels = sorted({(s, a.row) for a, s in pairs})
        place = {channel: k for k, channel in enumerate(self._channels)}
        self._channel = np.array([place[s, a.row] for a, s in pairs], dtype=np.int64)
        self._scopes = sorted({s for s, _ in self._channels})
        self._rows_of = {s: np.array([row for t, row in self._channels if t == s]) for s in self._scopes}
        self._rule: Ints = np.array([i for i, terms in enumerate(conditions) for _ in terms])
        self._scope: Ints = np.array([scope_of[i] for i, terms in enumerate(conditions) for _ in terms])
        width = max((len(t) for terms in conditions for t in terms), default=1)
        always = len(self._atoms)
        self._terms: Ints = np.array(
            [
                [*(number[a, scope_of[i]] for a in t), *[always] * (width - len(t))]
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
        found: set[int] = set()
        for conditions, held, _ in self._held(values, members):
            found.update(conditions[held.any(axis=1)].tolist())
        return found

    def true_cells(self, values: F64, members: Sequence[Mask]) -> tuple[Ints, Ints]:
        """Condition and column of all true cells of a block of one tick, each once and in order."""
        n_columns = values.shape[2]
        keys = [
            conditions[term] * n_columns + first + column
            for conditions, held, first in self._held(values, members)
            for term, column in [np.divmod(np.flatnonzero(held), held.shape[1])]
        ]
        cells = np.unique(np.concatenate(keys)) if keys else np.zeros(0, dtype=np.int64)
        condition, column = np.divmod(cells, n_columns)
        return condition, column

    def _held(self, values: F64, members: Sequence[Mask]) -> Iterator[tuple[Ints, Mask, int]]:
        """Conditions of terms, where they hold, shape (terms, cells), and the first of these cells."""
        if not len(self._terms):
            return
        possible = self._possible(values, members)
        candidates = np.flatnonzero(possible[self._terms].all(axis=1))
        if not len(candidates):
            return
        flat = values.reshape(len(values), -1) if values.flags.c_contiguous else None
        if flat is None or len(candidates) * SWEEP_ATOMS_PER_TERM < len(self._atoms):
            yield from self._compare(candidates, values, members)
        else:
            yield from self._sweep(candidates, possible, flat, members)

    def _possible(self, values: F64, members: Sequence[Mask]) -> Mask:
        """Which atoms the highest and lowest values of their rows allow; the last entry is the atom that always holds."""
        high, low = np.empty(len(self._channels)), np.empty(len(self._channels))
        at = 0
        for scope in self._scopes:
            rows = self._rows_of[scope]
            inside = members[scope]
            n = len(rows)
            chosen = values if n == len(values) else values[rows]
            everyone = bool(inside.all())
            part = (chosen if everyone else chosen[:, :, inside.any(axis=0)]).reshape(n, -1)
            if part.shape[1]:
                np.fmax.reduce(part, axis=1, out=high[at : at + n])
                np.fmin.reduce(part, axis=1, out=low[at : at + n])
            else:
                high[at : at + n], low[at : at + n] = np.nan, np.nan
            at += n
        possible = np.ones(len(self._atoms) + 1, dtype=np.bool_)
        upper = self._n_upper
        with np.errstate(invalid="ignore"):
            np.greater_equal(high[self._channel[:upper]], self._level[:upper], out=possible[:upper])
            np.less_equal(low[self._channel[upper:]], self._level[upper:], out=possible[upper:-1])
        return possible

    def _holds(self, atom: int, values: F64) -> Mask:
        with np.errstate(invalid="ignore"):
            row, level = values[self._row[atom]], self._level[atom]
            held: Mask = row >= level if atom < self._n_upper else row <= level
            return held

    def _compare(self, candidates: Ints, values: F64, members: Sequence[Mask]) -> Iterator[tuple[Ints, Mask, int]]:
        """Term by term."""
        self.n_compared += len(candidates)
        always = len(self._atoms)
        for term in candidates:
            held = members[self._scope[term]]
            for atom in self._terms[term]:
                if atom != always:
                    held = held & self._holds(atom, values)
            if held.any():
                yield self._rule[term : term + 1], held.reshape(1, -1), 0

    def _sweep(
        self, candidates: Ints, possible: Mask, values: F64, members: Sequence[Mask]
    ) -> Iterator[tuple[Ints, Mask, int]]:
        """Compare all atoms that are left, then join them term by term; in pieces, so that they stay in the cache."""
        self.n_swept += len(candidates)
        wanted = np.zeros(len(possible), dtype=np.bool_)
        wanted[self._terms[candidates]] = True
        atoms = np.flatnonzero(wanted[:-1])
        place = np.full(len(possible), len(atoms), dtype=np.int64)
        place[atoms] = np.arange(len(atoms))
        terms = place[self._terms[candidates]]
        split = int(np.searchsorted(atoms, self._n_upper))
        runs = [*_runs(self._row[atoms[:split]], 0), *_runs(self._row[atoms[split:]], split)]
        level = self._level[atoms][:, None]
        for start in range(0, values.shape[1], _COLUMNS):
            piece = values[:, start : start + _COLUMNS]
            held = np.ones((len(atoms) + 1, piece.shape[1]), dtype=np.bool_)
            with np.errstate(invalid="ignore"):
                for row, first, last in runs:
                    compare = np.greater_equal if first < split else np.less_equal
                    compare(piece[row], level[first:last], out=held[first:last])
            inside = [m.reshape(-1)[start : start + _COLUMNS] for m in members]
            yield self._rule[candidates], self._join(held, terms, candidates, inside), start

    def _join(self, held: Mask, terms: Ints, candidates: Ints, members: Sequence[Mask]) -> Mask:
        both: Mask = held[terms[:, 0]]
        for k in range(1, terms.shape[1]):
            both &= held[terms[:, k]]
        for scope in self._scopes:
            if not members[scope].all():
                both[self._scope[candidates] == scope] &= members[scope]
        return both


def _order(pair: tuple[Atom, int]) -> tuple[bool, int, float, int]:
    atom, scope = pair
    return not atom.is_upper, atom.row, atom.level, scope


def _runs(rows: Ints, offset: int) -> list[tuple[int, int, int]]:
    """(row, first, last) of stretches of atoms over the same row."""
    if not len(rows):
        return []
    cuts = np.flatnonzero(np.diff(rows)) + 1
    starts, stops = [0, *cuts.tolist()], [*cuts.tolist(), len(rows)]
    return [(int(rows[a]), offset + a, offset + b) for a, b in zip(starts, stops, strict=True)]

"""Truth at single cells: rule and instrument, for the alerts that are alive, whatever else the rules say.

`when` and `clear` of all rules whose conditions are terms of atoms lie in padded tables; any number of cells is looked up
in a few operations. Rules of another form are looked at as a whole.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from bot.market.view import Tri
from bot.model.truth import FALSE, TRUE, UNKNOWN
from bot.model.updates import F64
from bot.rules.ast import Expr
from bot.rules.numbers import Mask
from bot.rules.program import Program, Ticked
from bot.rules.schema import Rule, Scope
from bot.rules.screen import Screen, Terms, terms_of

Ints = npt.NDArray[np.int64]
_NEVER: Final = -1


class _Table:
    """Conditions by number: any of the terms, all of their atoms; padded to the longest."""

    def __init__(self, conditions: Sequence[Terms]) -> None:
        n_terms = max((len(c) for c in conditions), default=1)
        n_atoms = max((len(t) for c in conditions for t in c), default=1)
        shape = (len(conditions), n_terms, n_atoms)
        self._row = np.full(shape, _NEVER, dtype=np.int64)
        self._sign = np.ones(shape)
        self._level = np.full(shape, -np.inf)
        self._is_term = np.zeros(shape[:2], dtype=np.bool_)
        for i, terms in enumerate(conditions):
            for j, term in enumerate(terms):
                self._is_term[i, j] = True
                for k, atom in enumerate(term):
                    sign = 1.0 if atom.is_upper else -1.0
                    self._row[i, j, k], self._sign[i, j, k] = atom.row, sign
                    self._level[i, j, k] = sign * atom.level

    def truth(self, condition: Ints, column: Ints, values: F64) -> Tri:
        """`values`: shape (n, n_rows). One truth per cell."""
        row = self._row[condition]
        value = values[row, column[:, None, None]]
        with np.errstate(invalid="ignore"):
            held = value * self._sign[condition] >= self._level[condition]
        truth = np.where(np.isnan(value), UNKNOWN, np.where(held, TRUE, FALSE))
        truth[row == _NEVER] = TRUE
        term = truth.min(axis=2)
        term[~self._is_term[condition]] = FALSE
        found: Tri = term.max(axis=1).astype(np.int8)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class CellTruths:
    """`when`, `clear` and membership of some cells."""

    when: Tri
    clear: Tri
    member: Mask


class Cells:
    """The rules that can be looked at cell by cell, and the screen that finds new cells."""

    def __init__(self, rules: Sequence[Rule], program: Program, scopes: Sequence[Scope]) -> None:
        number = {scope: k for k, scope in enumerate(scopes)}
        self._scopes = tuple(scopes)
        whens: list[Terms] = []
        clears: list[Terms] = []
        self.rules: list[int] = []
        """Numbers of the rules that are looked at here."""
        self.others: list[int] = []
        """Numbers of the rules that have to be looked at as a whole."""
        for i, rule in enumerate(rules):
            row_of = _rows_in(program, rule.scope)
            when = terms_of(rule.when, row_of) if rule.per == "symbol" else None
            clear = terms_of(rule.end, row_of) if when is not None else None
            if when is None or clear is None:
                self.others.append(i)
            else:
                self.rules.append(i)
                whens.append(when)
                clears.append(clear)
        self.place_of = {rule: place for place, rule in enumerate(self.rules)}
        self._scope = np.array([number[rules[i].scope] for i in self.rules], dtype=np.int64)
        self._when, self._clear = _Table(whens), _Table(clears)
        self.screen = Screen(whens, self._scope.tolist())

    def members(self, block: Ticked) -> list[Mask]:
        """Who is in each scope; shape (T, n_rows) each."""
        return [block.members(scope) for scope in self._scopes]

    def truths(self, place: Ints, column: Ints, block: Ticked, halted: Mask) -> CellTruths:
        """Truths at a block of one tick; `place` is a rule's place among `rules`."""
        values = block.values[:, 0]
        when, clear = self._when.truth(place, column, values), self._clear.truth(place, column, values)
        known = np.array([bool(block.is_known(scope)[0]) for scope in self._scopes])
        unknown = halted[column] | ~known[self._scope[place]]
        when[unknown] = clear[unknown] = UNKNOWN
        members = np.stack(self.members(block))[:, 0]
        return CellTruths(when, clear, members[self._scope[place], column])


def _rows_in(program: Program, scope: Scope) -> Callable[[Expr], int | None]:
    return lambda expr: program.row(expr, scope)

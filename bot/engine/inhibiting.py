"""Rules that keep others quiet: which firings are held back, and when they are told after all.

Lives go on as they are; only telling is decided here. A rule is muted on an instrument while one that `inhibits` it
fires there, or fires for the whole market; one that is muted itself mutes others all the same.

- A firing while muted is held back. When no mute is left and it still goes on, it is told then; when it ended before, it
  is counted, and the end of what muted it says so.
- Escalations and repeats of a muted alert are dropped. The end of a firing that was told is told; the end of one that
  was held back is not.
- At one tick what begins to fire mutes first, and what ends mutes no more. Where rules mute each other and none of them
  was told, the one that fired first is, and among those of one tick the one that stands first.

So above each alert that is held back there is one that was told, and its end finds what is left to account for. Should
the muted rule be told of that instrument before, its own message says it: an alert that fires and was told has nothing
left to account for, so one number in its record is all that a restart needs.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.alerts.book import Change
from bot.engine.result import Result
from bot.market.universe import Universe
from bot.model.alert import AlertRecord, State, TellKind
from bot.model.chat_alert import is_alert_id
from bot.model.instrument import MARKET
from bot.model.view import HeldBack
from bot.rules.schema import Rule

MAX_COINS: Final = 10
_ENDINGS: Final = frozenset({TellKind.END, TellKind.CLOSE})

Cell = tuple[str, str]
"""Rule id and instrument key, or `*`."""


@dataclass(frozen=True, slots=True)
class Sifted:
    """A change whose `tell` is None where it is held back, and what its message accounts for."""

    change: Change
    held_back: tuple[HeldBack, ...] = ()


@dataclass(frozen=True, slots=True)
class _Unheard:
    """A firing that goes on and was not told."""

    key: str
    fired_ms: int
    value: float | None
    option: int | None = None


@dataclass(slots=True)
class _Held:
    """What is held back of one alert."""

    n_ended: int = 0
    firing: _Unheard | None = None

    @property
    def n(self) -> int:
        return self.n_ended + (self.firing is not None)


def _muted_by(muter: Rule, rules: Sequence[Rule]) -> list[str]:
    """Ids. What mutes a rule mutes its other forms too; such a form is told in one place and mutes only what is told there."""
    forms = [r.id for r in rules if r.base in muter.inhibits and (not muter.base or r.notify == muter.notify)]
    named = [] if muter.base else [i for i in muter.inhibits if i != muter.id]
    return [*named, *forms]


class Inhibiting:
    """All mutes of one engine."""

    def __init__(self, rules: Sequence[Rule], universe: Universe, records: Iterable[AlertRecord]) -> None:
        self._universe = universe
        self._arrange(rules)
        self._firing: set[Cell] = set()
        """Of rules that mute others."""
        self._held: dict[Cell, _Held] = {}
        self._changed: dict[Cell, None] = {}
        self.is_due = False
        """Whether something waits for the next tick."""
        for r in records:
            if not is_alert_id(r.rule_id):
                self._restore(r)

    def _arrange(self, rules: Sequence[Rule]) -> None:
        self._titles = {r.id: r.title for r in rules}
        self._place = {r.id: n for n, r in enumerate(rules)}
        mutes = {r.id: _muted_by(r, rules) for r in rules}
        self._muters = {i: tuple(r.id for r in rules if i in mutes[r.id]) for i in self._place}
        self._reach = {r.id: _reached(r.id, mutes) for r in rules if mutes[r.id]}

    def follow(self, rules: Sequence[Rule], records: Iterable[AlertRecord]) -> None:
        """Other rules watch from now on. `records`: the state of all alerts; what is held back is known here."""
        self._arrange(rules)
        firing = {(r.rule_id, r.instrument): r.option for r in records if r.state is State.FIRING}
        self._firing = {cell for cell in firing if cell[0] in self._reach}
        for cell, held in self._held.items():
            if held.firing is not None and firing.get(cell) is None:
                # Its rule may measure something else now.
                held.firing = replace(held.firing, option=None, value=None)
        self.is_due = self.is_due or bool(self._held)

    def _restore(self, record: AlertRecord) -> None:
        cell, fires = (record.rule_id, record.instrument), record.state is State.FIRING
        if fires and record.rule_id in self._reach:
            self._firing.add(cell)
        if record.n_held > 0:
            firing = _Unheard(record.key, record.fired_ms, record.value) if fires else None
            self._held[cell] = _Held(record.n_held - fires, firing)
            self.is_due = True

    # -- the state in records ------------------------------------------------------------------------------------

    def stamp(self, records: Iterable[AlertRecord]) -> tuple[AlertRecord, ...]:
        """The records with what is held back now."""
        return tuple(
            record if record.n_held == n else replace(record, n_held=n)
            for record in records
            for n in [self._n_held((record.rule_id, record.instrument))]
        )

    def stamp_all(
        self, records: Sequence[AlertRecord], record_of: Callable[[str, str], AlertRecord]
    ) -> tuple[AlertRecord, ...]:
        """The same, with records of what is held back where there is no alert any more, as after a delisting."""
        seen = {(r.rule_id, r.instrument) for r in records} if self._held else set()
        return self.stamp((*records, *(record_of(*cell) for cell in self._held if cell not in seen)))

    def stamp_result(self, result: Result, record_of: Callable[[str, str], AlertRecord]) -> Result:
        """The same, with the records that only this changes; `record_of` gives one by rule and instrument."""
        if not (result.records or self._changed):
            return result
        seen = {(r.rule_id, r.instrument) for r in result.records}
        more = tuple(record_of(*cell) for cell in self._changed if cell not in seen)
        self._changed.clear()
        return replace(result, records=self.stamp((*result.records, *more)))

    def _n_held(self, cell: Cell) -> int:
        held = self._held.get(cell)
        return 0 if held is None else held.n

    def muters(self, rule_id: str, instrument: str) -> tuple[str, ...]:
        """Ids of the rules that fire and keep this one quiet there now."""
        return tuple(dict.fromkeys(above[0] for above in self._above((rule_id, instrument))))

    # -- changes -------------------------------------------------------------------------------------------------

    def sift(self, changes: Sequence[Change], now: tuple[int, int] | None = None) -> list[Sifted]:
        """Decide what is told of changes, which come in order of time.

        `now`: place and time (ms) of the first tick they are of; without it what is to be told late waits for a tick.
        """
        if not (self._reach or self._held):
            return [Sifted(c) for c in changes]
        groups: dict[tuple[int, int], list[Change]] = {} if now is None or not self.is_due else {now: []}
        for change in changes:
            groups.setdefault((change.t, change.at_ms), []).append(change)
        sifted: list[Sifted] = []
        for (t, at_ms), group in groups.items():
            sifted += self._tick(group, t, at_ms, can_tell=now is not None)
        return sifted

    def _tick(self, group: Sequence[Change], t: int, at_ms: int, *, can_tell: bool) -> list[Sifted]:
        out = [Sifted(c) for c in group]
        self._move(group)
        withheld: dict[Cell, int] = {}
        over = {(c.rule_id, c.instrument) for c in group if c.state in {State.RESOLVED, State.CLOSED}}
        for n, change in enumerate(group):
            cell = (change.rule_id, change.instrument)
            if change.tell is None or is_alert_id(change.rule_id) or not self._is_withheld(change, cell):
                continue
            out[n] = Sifted(replace(change, tell=None))
            if change.tell is TellKind.FIRE:
                withheld[cell] = n
                self._hold(change, cell, goes_on=cell not in over)
            elif change.tell in _ENDINGS:
                held = self._held[cell]
                held.n_ended, held.firing = held.n, None
                self._changed[cell] = None
        late: list[Change] = []
        for cell in self._settle(can_tell=can_tell):
            held = self._held[cell]
            assert held.firing is not None
            fire = held.firing
            self._release(cell, held)
            if cell in withheld:
                out[withheld[cell]] = Sifted(group[withheld[cell]])
            else:
                late.append(self._late(cell, fire, t, at_ms))
        out += [Sifted(c) for c in late]
        if self._held:
            # Ends first: what muted says it rather than what was muted.
            for n in sorted(range(len(out)), key=lambda n: out[n].change.tell not in _ENDINGS):
                out[n] = self._accounting(out[n])
            if can_tell:
                self._forget()
        return out

    def _move(self, group: Iterable[Change]) -> None:
        for change in group:
            if change.rule_id not in self._reach:
                continue
            cell = (change.rule_id, change.instrument)
            if change.state is State.FIRING:
                self._firing.add(cell)
            elif change.state in {State.RESOLVED, State.CLOSED}:
                self._firing.discard(cell)

    def _is_withheld(self, change: Change, cell: Cell) -> bool:
        held = self._held.get(cell)
        if held is not None and held.firing is not None:
            return True
        return change.tell not in _ENDINGS and self._is_muted(cell)

    def _hold(self, change: Change, cell: Cell, *, goes_on: bool) -> None:
        held = self._held.setdefault(cell, _Held())
        if goes_on:
            held.firing = _Unheard(change.key, change.fired_ms, change.value, change.option)
        else:
            held.n_ended += 1
        self._changed[cell] = None

    def _release(self, cell: Cell, held: _Held) -> None:
        held.firing = None
        self._changed[cell] = None
        if not held.n_ended:
            del self._held[cell]

    def _late(self, cell: Cell, fire: _Unheard, t: int, at_ms: int) -> Change:
        """The firing, told at a later tick with the figures of that tick."""
        rule_id, instrument = cell
        row = self._row(instrument)
        assert row is not None
        return Change(
            t=t,
            rule_id=rule_id,
            row=row,
            instrument=instrument,
            at_ms=at_ms,
            state=None,
            tell=TellKind.FIRE,
            key=fire.key,
            value=fire.value,
            fired_ms=fire.fired_ms,
            option=fire.option,
        )

    def _row(self, instrument: str) -> int | None:
        return 0 if instrument == MARKET else self._universe.row(instrument)

    # -- mutes ---------------------------------------------------------------------------------------------------

    def _above(self, cell: Cell) -> Iterable[Cell]:
        """What mutes an alert now."""
        for muter in self._muters.get(cell[0], ()):
            for above in dict.fromkeys([(muter, cell[1]), (muter, MARKET)]):
                if above in self._firing and above != cell:
                    yield above

    def _is_muted(self, cell: Cell) -> bool:
        return any(True for _ in self._above(cell))

    def _ancestors(self, cell: Cell) -> set[Cell]:
        found: set[Cell] = set()
        left = [cell]
        while left:
            for above in self._above(left.pop()):
                if above not in found:
                    found.add(above)
                    left.append(above)
        return found

    def _is_unheard(self, cell: Cell) -> bool:
        held = self._held.get(cell)
        return held is not None and held.firing is not None

    def _settle(self, *, can_tell: bool) -> list[Cell]:
        """Firings that nothing mutes any more, or that only mute each other: those to tell now, in order."""
        waiting = [cell for cell in self._held if self._is_unheard(cell)]
        waiting.sort(key=self._order)
        free: list[Cell] = []
        unheard = set(waiting)
        while True:
            chosen = [cell for cell in waiting if not self._is_muted(cell)]
            if not chosen:
                chosen = _first_of_each([cell for cell in waiting if self._is_in_circle(cell, unheard)])
            if not chosen:
                break
            unheard.difference_update(chosen)
            waiting = [cell for cell in waiting if cell in unheard]
            free += chosen
        told = {cell: row for cell in free if can_tell and (row := self._row(cell[1])) is not None}
        self.is_due = len(told) < len(free) or (self.is_due and not can_tell)
        return sorted(told, key=lambda cell: (self._place.get(cell[0], -1), told[cell]))

    def _is_in_circle(self, cell: Cell, unheard: set[Cell]) -> bool:
        """Whether an alert mutes itself by way of others, none of which was told."""
        if cell[0] not in self._reach.get(cell[0], ()):
            return False
        above = self._ancestors(cell)
        return cell in above and above <= unheard

    def _order(self, cell: Cell) -> tuple[int, int, str]:
        firing = self._held[cell].firing
        return (0 if firing is None else firing.fired_ms, self._place.get(cell[0], -1), cell[1])

    # -- accounting ----------------------------------------------------------------------------------------------

    def _accounting(self, sifted: Sifted) -> Sifted:
        """Let the end of what muted, or the next firing of what was muted, say what nobody has told."""
        change = sifted.change
        if is_alert_id(change.rule_id):
            return sifted
        if change.tell in _ENDINGS:
            mine = [cell for cell in self._candidates(change) if self._accounts_for(change, cell)]
        elif change.tell is TellKind.FIRE:
            own = (change.rule_id, change.instrument)
            mine = [own] if own in self._held else []
        else:
            return sifted
        mine = [cell for cell in mine if self._held[cell].n_ended]
        return replace(sifted, held_back=self._take(mine, names_coins=change.instrument == MARKET))

    def _candidates(self, change: Change) -> Iterable[Cell]:
        if change.instrument == MARKET or change.rule_id not in self._place:
            return self._held
        below = ((rule_id, change.instrument) for rule_id in self._reach.get(change.rule_id, ()))
        return [cell for cell in below if cell in self._held]

    def _accounts_for(self, change: Change, cell: Cell) -> bool:
        if change.rule_id in self._place:
            return self._reaches((change.rule_id, change.instrument), cell) and not self._is_muted(cell)
        return self._is_stray(cell)  # whatever that rule muted: it is gone

    def _reaches(self, muter: Cell, cell: Cell) -> bool:
        return cell[0] in self._reach.get(muter[0], ()) and muter[1] in {MARKET, cell[1]}

    def _is_stray(self, cell: Cell) -> bool:
        return not any(self._reaches(muter, cell) and not self._is_unheard(muter) for muter in self._firing)

    def _take(self, cells: Sequence[Cell], *, names_coins: bool) -> tuple[HeldBack, ...]:
        found: dict[str, list[Cell]] = {}
        for cell in cells:
            found.setdefault(cell[0], []).append(cell)
        told = []
        for rule_id in sorted(found, key=lambda r: (self._place.get(r, -1), r)):
            own = sorted(found[rule_id], key=lambda c: c[1])
            n = sum(self._held[cell].n_ended for cell in own)
            coins = [self._coin(instrument) for _, instrument in own if names_coins and instrument != MARKET]
            told.append(HeldBack(self._titles.get(rule_id, rule_id), n, tuple(coins[:MAX_COINS]), len(coins)))
            for cell in own:
                self._account(cell)
        return tuple(told)

    def _account(self, cell: Cell) -> None:
        held = self._held[cell]
        held.n_ended = 0
        self._changed[cell] = None
        if held.firing is None:
            del self._held[cell]

    def _forget(self) -> None:
        """What is left of rules that are gone, once their closing was told: nothing will ever speak of it."""
        for cell in [c for c in self._held if c[0] not in self._place and self._is_stray(c)]:
            del self._held[cell]
            self._changed[cell] = None

    def _coin(self, instrument: str) -> str:
        row = self._universe.row(instrument)
        found = None if row is None else self._universe.at(row)
        return found.base if found is not None else instrument.rpartition(":")[2]


def _first_of_each(circles: Sequence[Cell]) -> list[Cell]:
    """One alert of each circle. Those of different contracts have nothing to do with each other."""
    if any(instrument == MARKET for _, instrument in circles):
        return list(circles[:1])
    return list({instrument: (rule_id, instrument) for rule_id, instrument in reversed(circles)}.values())


def _reached(rule_id: str, mutes: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """What a rule mutes, and what those mute, and so on. Itself only where rules mute each other."""
    found: set[str] = set()
    left = [rule_id]
    while left:
        for muted in mutes.get(left.pop(), ()):
            if muted not in found:
                found.add(muted)
                left.append(muted)
    return frozenset(found)

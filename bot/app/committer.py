"""Alert state and outbox rows into the database, without letting a slow disk stop the watching.

Changes are committed one after another, in order. The engine waits for its commit up to two seconds; then it goes on
while the commit is still under way, said once. What cannot be stored now is kept and tried again; when much has gathered
it is put together, so that hours without a disk end in one transaction. What can never be stored is said and left out.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from bot import log
from bot.clock import Clock, machine_s
from bot.errors import StorageError
from bot.model.histogram import WORK_S, Histogram
from bot.model.outbox_ports import AlertStore, Commit

PATIENCE_S: Final = 2.0
RETRY_S: Final = 5.0
MAX_WAITING: Final = 1_000
"""More than that are put together."""
MAX_ROWS: Final = 10_000
MAX_TRANSITIONS: Final = 50_000


def merged(changes: Sequence[Commit]) -> tuple[Commit, int]:
    """Many plain changes as one, and how many rows and transitions, the oldest, did not fit. Of a record the newest counts."""
    records = {(r.rule_id, r.instrument): r for change in changes for r in change.records}
    transitions = [t for change in changes for t in change.transitions]
    rows = [row for change in changes for row in change.rows]
    lost = max(0, len(transitions) - MAX_TRANSITIONS) + max(0, len(rows) - MAX_ROWS)
    return Commit(tuple(records.values()), tuple(transitions[-MAX_TRANSITIONS:]), tuple(rows[-MAX_ROWS:])), lost


def _is_plain(change: Commit) -> bool:
    return not (change.kept or change.released or change.folded)


@dataclass(slots=True)
class _Asked:
    """Somebody waits for a change."""

    is_answered: asyncio.Event = field(default_factory=asyncio.Event)
    """It is stored, or nobody waits any more."""
    is_stored: bool = False


class Committer:
    """Single producer. `run` is the component that writes."""

    def __init__(self, store: AlertStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._log = log.get("committer")
        self._waiting: deque[Commit] = deque()
        self._asked: dict[int, _Asked] = {}
        """By the identity of the change."""
        self._arrived = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._reason = ""
        self._unstorable: Commit | None = None
        self._behind_ms: float | None = None
        self.commit_s = Histogram(WORK_S)
        """How long each commit took, stored or refused, in seconds of the machine."""
        self.n_lost = 0
        """Rows, transitions and changes that no database will ever hold."""

    @property
    def n_waiting(self) -> int:
        return len(self._waiting)

    @property
    def is_behind(self) -> bool:
        """A commit took longer than the engine waits, and what came since is not stored yet."""
        return self._behind_ms is not None

    @property
    def behind_s(self) -> float:
        """For how long; 0 when it is not."""
        return 0.0 if self._behind_ms is None else (self._clock.monotonic_ms() - self._behind_ms) / 1000

    async def commit(self, change: Commit) -> bool:
        """Hand over a change; True once it is stored, False when that takes longer than the engine may wait or cannot be.

        What was handed over before is stored before, and its callers go on before.
        """
        if len(self._waiting) >= MAX_WAITING:
            self._merge()
        self._waiting.append(change)
        self._empty.clear()
        self._arrived.set()
        if self.is_behind:
            return False
        asked = self._asked[id(change)] = _Asked()
        try:
            async with self._clock.timeout(PATIENCE_S):
                await asked.is_answered.wait()
        except TimeoutError:
            # Else it was answered at the last moment: told from memory as well, it would be told twice.
            if not asked.is_answered.is_set():
                self._fall_behind()
        finally:
            del self._asked[id(change)]
        return asked.is_stored

    def _fall_behind(self) -> None:
        self._behind_ms = self._clock.monotonic_ms()
        self._log.warning("commit.delayed", waiting=len(self._waiting), after_s=PATIENCE_S)
        # What came later is not to be told before: nobody waits any more.
        for asked in self._asked.values():
            asked.is_answered.set()

    def _merge(self) -> None:
        first, *others = self._waiting  # the first is being written
        self._waiting = deque((first,))
        for is_plain, grouped in itertools.groupby(others, key=_is_plain):
            run = list(grouped)
            if is_plain:
                change, lost = merged(run)
                run = [change]
                self._lose(lost)
            # What mutes, releases or folds depends on what came before it and stays by itself.
            self._waiting.extend(run)
        while len(self._waiting) >= MAX_WAITING:
            del self._waiting[1]
            self._lose(1)

    def _lose(self, n: int) -> None:
        if n:
            self.n_lost += n
            self._log.error("commit.dropped", lost=n, lost_in_all=self.n_lost)

    async def drain(self, within_s: float) -> bool:
        """At stop: wait for what is under way."""
        try:
            async with self._clock.timeout(within_s):
                await self._empty.wait()
        except TimeoutError:
            self._log.error("commit.abandoned", waiting=len(self._waiting))
            return False
        return True

    async def run(self) -> None:
        while True:
            await self._arrived.wait()
            while self._waiting:
                if await self._store_first():
                    self._answer(self._waiting.popleft())
                else:
                    await self._clock.sleep(RETRY_S)
            if self.is_behind:
                self._log.info("commit.recovered", after_s=round(self.behind_s, 1))
                self._behind_ms = None
            self._reason = ""
            self._arrived.clear()
            self._empty.set()

    def _answer(self, change: Commit) -> None:
        asked = self._asked.get(id(change))
        if asked is not None:
            asked.is_stored = change is not self._unstorable
            asked.is_answered.set()

    async def _store_first(self) -> bool:
        """True when it needs no further try."""
        change = self._waiting[0]
        begun_s = machine_s()
        try:
            await self._store.commit(change)
        except StorageError as error:
            if not error.may_pass:
                self._leave_out(change, str(error))
                return True
            if str(error) != self._reason:
                self._reason = str(error)
                self._log.error("commit.failed", reason=self._reason, waiting=len(self._waiting))
            return False
        except Exception as error:  # noqa: BLE001, else one change would keep all behind it from ever being stored
            self._log.exception("commit.crashed")
            self._leave_out(change, type(error).__name__)
        finally:
            self.commit_s.add(machine_s() - begun_s)
        return True

    def _leave_out(self, change: Commit, reason: str) -> None:
        self._unstorable = change
        self.n_lost += 1
        self._log.error(
            "commit.unstorable", reason=reason, rows=len(change.rows), rules=sorted({r.rule_id for r in change.records})
        )

"""What is told now, and what is kept until silences, acknowledgements and quiet hours are over.

Sits between the rows of a tick and their commit; no alert's life depends on it. Pure: time is an argument.

- A firing that a silence or quiet hours mute is kept, and everything later of it with it. When nothing mutes it any more it
  is released if it still fires; if it ended meanwhile it goes into one summary for its destination.
- Of a firing that was told before, updates are kept: the newest is released if it still fires. Its end is always told.
- An acknowledgement keeps updates alone.
- Critical alerts pass quiet hours.

So each firing is told once per destination, itself or in a summary, and no end comes without it. What is kept can be
given back (`restore`) after a restart.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from bot.alerts.summary import Over, summary_row
from bot.model.alert import FOREVER_MS, TellKind, short_id
from bot.model.explanation import Hush
from bot.model.outbox import Fold, Kept, OutboxRow, Sorted, row_id
from bot.model.silence import Ack, Fired, QuietHours, Silence

ENDINGS: Final = frozenset({TellKind.END, TellKind.CLOSE})
MAX_ENDED: Final = 1_000
"""Keys of the latest ends, so that an acknowledgement that comes too late shows nothing; of those before the database knows."""
CRITICAL: Final = "critical"


@dataclass(frozen=True, slots=True)
class Subject:
    """What silences look at."""

    rule_id: str
    symbol: str
    tags: tuple[str, ...]
    severity: str
    destination: str


@dataclass(frozen=True, slots=True)
class Mute:
    """Why something is kept, and until when."""

    reason: str
    until_ms: int


@dataclass(slots=True)
class _Held:
    """What is kept of one alert for one destination."""

    subject: Subject
    about: Over
    fire: OutboxRow | None = None
    update: OutboxRow | None = None
    """The newest one."""
    has_fire: bool = False
    n_updates: int = 0
    ended: bool = False
    mute: Mute = Mute("", 0)


def group_of(destination: str) -> str:
    """The destination itself, or for a topic of it the group as a whole: what keeps that quiet keeps its topics quiet."""
    return destination.partition("/")[0]


def subject_of(row: OutboxRow) -> Subject:
    view = row.view
    return Subject(view.rule_id, view.symbol, view.tags, row.severity, row.destination)


def matches(silence: Silence, subject: Subject) -> bool:
    """Whether all matchers that a silence has fit."""
    return (
        (not silence.rule or fnmatchcase(subject.rule_id, silence.rule))
        and (not silence.symbol or fnmatchcase(subject.symbol, silence.symbol))
        and (not silence.tag or silence.tag in subject.tags)
        and (not silence.severities or subject.severity in silence.severities)
        and (not silence.destination or silence.destination in {subject.destination, group_of(subject.destination)})
    )


class Muting:
    """Decides, and remembers what is kept."""

    def __init__(
        self, *, silences: Iterable[Silence] = (), acks: Iterable[Ack] = (), quiet: Iterable[QuietHours] = ()
    ) -> None:
        self._silences = {silence.id: silence for silence in silences}
        self._acks = {(ack.key, ack.destination): ack for ack in acks}
        self._quiet = {one.destination: one for one in quiet}
        self._held: dict[tuple[str, str], _Held] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._owed: list[OutboxRow] = []
        self._look_ms = 0
        """When something that is kept may have to be released."""

    def restore(self, kept: Iterable[Kept]) -> None:
        """Take back what was kept when the bot stopped, in its order."""
        for one in kept:
            self._hold(one.row).mute = Mute(one.reason, one.until_ms)
        self._look_ms = 0

    def rename(self, old: str, new: str) -> None:
        """What is kept for one destination is kept for another, and so is what keeps it quiet there; what that has already
        stays.
        """
        held = [(key, destination) for key, destination in self._held if destination == old]
        for key, _ in held:
            one = self._held.pop((key, old))
            one.subject = replace(one.subject, destination=new)
            one.fire, one.update = (
                None if row is None else replace(row, destination=new) for row in (one.fire, one.update)
            )
            self._held.setdefault((key, new), one)
        self._owed = [replace(row, destination=new) if row.destination == old else row for row in self._owed]
        for silence in [silence for silence in self._silences.values() if silence.destination == old]:
            self._silences[silence.id] = replace(silence, destination=new)
        for key, ack in [(key, ack) for (key, destination), ack in self._acks.items() if destination == old]:
            del self._acks[key, old]
            self._acks.setdefault((key, new), replace(ack, destination=new))
        if (quiet := self._quiet.pop(old, None)) is not None:
            self._quiet.setdefault(new, replace(quiet, destination=new))
        self._look_ms = 0

    # -- what keeps quiet ------------------------------------------------------------------------------------------

    def add(self, silence: Silence) -> None:
        now_ms = silence.created_ms
        self._silences = {k: s for k, s in self._silences.items() if s.until_ms > now_ms} | {silence.id: silence}

    def expire(self, silence_id: str, at_ms: int) -> None:
        """End a silence early; what it kept comes with the next `take`."""
        if silence_id in self._silences:
            self._silences[silence_id] = replace(self._silences[silence_id], expired_ms=at_ms)
            self._look_ms = 0

    def set_quiet(self, quiet: QuietHours) -> None:
        self._quiet[quiet.destination] = quiet
        self._look_ms = 0

    def drop_quiet(self, destination: str) -> None:
        self._quiet.pop(destination, None)
        self._look_ms = 0

    def acknowledge(self, ack: Ack, fired: Fired, reason: str) -> bool:
        """Keep the updates of a firing; with the next `take` its messages say so. False where it has ended."""
        if fired.ended or ack.key in self._ended:
            return False
        self._acks[ack.key, ack.destination] = ack
        self._look_ms = 0
        for destination in fired.destinations:
            held = self._held.get((ack.key, destination))
            if ack.destination in {"", destination} and not (held is not None and held.has_fire):
                kind = TellKind.ACK
                view = replace(fired.view, kind=kind.value, at_ms=ack.at_ms, reason=reason)
                self._owed.append(
                    OutboxRow(
                        id=row_id(ack.key, kind, ack.at_ms, destination),
                        key=ack.key,
                        kind=kind,
                        destination=destination,
                        severity=fired.view.severity,
                        created_ms=ack.at_ms,
                        view=view,
                    )
                )
        return True

    # -- rows ------------------------------------------------------------------------------------------------------

    def take(self, rows: Sequence[OutboxRow], now_ms: int) -> Sorted:
        """Sort the rows of a tick, and release what nothing mutes any more. `now_ms` is venue time."""
        now, kept, released, folded = self._due(now_ms)
        now += [row for row in self._owed if row.key not in self._ended]
        self._owed.clear()
        for row in rows:
            held = self._held.get((row.key, row.destination))
            if row.kind in ENDINGS:
                self._forget_acks(row)
            if held is not None and held.has_fire:
                kept.append(Kept(row, held.mute.reason, held.mute.until_ms))
                self._hold(row)
            elif row.kind not in ENDINGS and (mute := self._mute(subject_of(row), row, now_ms)) is not None:
                kept.append(Kept(row, mute.reason, mute.until_ms))
                self._hold(row).mute = mute
                self._look_ms = min(self._look_ms, mute.until_ms)
            else:
                if held is not None:
                    del self._held[row.key, row.destination]
                    folded.append(Fold(row.key, row.destination, row.id))
                now.append(row)
        return Sorted(tuple(now), tuple(kept), tuple(released), tuple(folded))

    def _hold(self, row: OutboxRow) -> _Held:
        held = self._held.get((row.key, row.destination))
        if held is None:
            view = row.view
            coin = "Market" if view.symbol == "*" else view.base or view.symbol
            about = Over(row.key, view.rule_id, view.title, coin, short_id(row.key), row.severity, view.fired_ms)
            held = self._held[row.key, row.destination] = _Held(subject_of(row), about)
        if row.kind is TellKind.FIRE:
            held.fire, held.has_fire = row, True
        elif row.kind in ENDINGS:
            # Its views are not needed any more, and a long silence may keep many.
            held.fire, held.update, held.has_fire, held.ended = None, None, True, True
            held.about = replace(held.about, held_back=row.view.held_back)
        else:
            # New figures do not take the place of what is worth a message.
            if held.update is None or row.kind is not TellKind.UPDATE:
                held.update = row
            held.n_updates += 1
        return held

    def _forget_acks(self, row: OutboxRow) -> None:
        for destination in ("", row.destination, group_of(row.destination)):
            self._acks.pop((row.key, destination), None)
        self._ended[row.key] = None
        while len(self._ended) > MAX_ENDED:
            self._ended.popitem(last=False)

    def _due(self, now_ms: int) -> tuple[list[OutboxRow], list[Kept], list[OutboxRow], list[Fold]]:
        now: list[OutboxRow] = []
        released: list[OutboxRow] = []
        folded: list[Fold] = []
        if now_ms < self._look_ms:
            return now, [], released, folded
        self._look_ms = FOREVER_MS
        over: dict[str, list[_Held]] = {}
        for (key, destination), held in list(self._held.items()):
            row = held.fire if held.has_fire else held.update
            mute = self._mute(held.subject, row, now_ms)
            if mute is not None:
                held.mute = mute
                self._look_ms = min(self._look_ms, mute.until_ms)
                continue
            if held.fire is not None and held.update is not None:
                mute = self._mute(held.subject, held.update, now_ms)
            if held.fire is not None and mute is not None:
                # It was acknowledged meanwhile.
                released.append(replace(held.fire, created_ms=now_ms))
                held.fire, held.has_fire, held.mute = None, False, mute
                self._look_ms = min(self._look_ms, mute.until_ms)
                continue
            del self._held[key, destination]
            if held.ended:
                over.setdefault(destination, []).append(held)
                continue
            told = [replace(row, created_ms=now_ms) for row in (held.fire, held.update) if row is not None]
            released += told
            if held.n_updates > 1:
                folded.append(Fold(key, destination, told[-1].id))
        for destination, ended in over.items():
            row = summary_row(
                [one.about for one in ended], destination, now_ms, sorted({one.mute.reason for one in ended} - {""})
            )
            now.append(row)
            folded += [Fold(one.about.key, destination, row.id) for one in ended]
        self._silences = {k: s for k, s in self._silences.items() if s.until_ms > now_ms}
        return now, [], released, folded

    def _mute(self, subject: Subject, row: OutboxRow | None, now_ms: int) -> Mute | None:
        """What mutes longest; None where nothing does. `row` is None for one that has ended."""
        found = [
            Mute(f"silence {silence.id}", silence.until_ms)
            for silence in self._silences.values()
            if silence.is_active(now_ms) and matches(silence, subject)
        ]
        if row is not None and row.kind is not TellKind.FIRE:
            for destination in dict.fromkeys(("", subject.destination, group_of(subject.destination))):
                ack = self._acks.get((row.key, destination))
                if ack is not None and (ack.until_ms is None or now_ms < ack.until_ms):
                    found.append(Mute("acknowledged", FOREVER_MS if ack.until_ms is None else ack.until_ms))
        quiet = self._quiet_hours_of(subject.destination)
        if quiet is not None and subject.severity != CRITICAL and (until_ms := quiet.until_ms(now_ms)) is not None:
            found.append(Mute("quiet hours", until_ms))
        return max(found, key=lambda mute: mute.until_ms, default=None)

    def _quiet_hours_of(self, destination: str) -> QuietHours | None:
        return self._quiet.get(destination) or self._quiet.get(group_of(destination))

    # -- looking ---------------------------------------------------------------------------------------------------

    def silences(self, now_ms: int) -> list[Silence]:
        """Active ones and those still to begin, the one that ends first at the head."""
        left = [silence for silence in self._silences.values() if silence.until_ms > now_ms]
        return sorted(left, key=lambda silence: (silence.until_ms, silence.id))

    def quiet_hours(self) -> list[QuietHours]:
        return [quiet for _, quiet in sorted(self._quiet.items())]

    def quiet_of(self, destination: str) -> QuietHours | None:
        return self._quiet.get(destination)

    def hushes(self, subjects: Sequence[Subject], short: str, now_ms: int) -> list[Hush]:
        """What keeps an alert quiet now: one subject for each destination that is told of it. `short`: the id of its
        firing; empty while it does not fire.
        """
        found = [
            Hush("silence", s.author, s.until_ms, s.destination, s.id, s.comment)
            for s in self.silences(now_ms)
            if s.is_active(now_ms) and any(matches(s, subject) for subject in subjects)
        ]
        found += [
            Hush("acknowledged", ack.by, ack.until_ms, ack.destination)
            for ack in self._acks.values()
            if short and short_id(ack.key) == short and (ack.until_ms is None or now_ms < ack.until_ms)
        ]
        for subject in subjects:
            quiet = self._quiet_hours_of(subject.destination)
            if quiet is not None and subject.severity != CRITICAL and (until_ms := quiet.until_ms(now_ms)) is not None:
                found.append(Hush("quiet hours", quiet.author, until_ms, subject.destination))
        return found

    @property
    def n_kept(self) -> int:
        """Alerts of which something is kept, counted for each destination."""
        return len(self._held)

    def kept_by(self, silence: Silence) -> tuple[int, int]:
        """How many kept firings a silence matches: those that still fire, and those that ended."""
        found = [held.ended for held in self._held.values() if held.has_fire and matches(silence, held.subject)]
        return found.count(False), found.count(True)

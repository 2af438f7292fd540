"""Keeping the store in order: parts put together in their places, old ones thrown away, what a crash left cleared up.

The tidy layout has one part for each day that the bot saw itself (all instruments), and one for each month of one
instrument for everything else. Parts that were added wait beside it until they are put together with what lies in the places
they reach into: all of them at once, so that whatever ranked last before ranks last afterwards. Doing so again changes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from bot import log
from bot.errors import StorageError
from bot.history.painting import Sorted, sorted_rows
from bot.history.parts import ENDING, LOCK, TEMPORARY, Parts, VanishedError, rank
from bot.model.history import COLUMNS
from bot.model.history_ports import PartInfo

TIDY_LOCK: Final = "tidy.lock"
DAY_MS: Final = 86_400_000
CHUNK_ROWS: Final = 150_000
"""So many rows are put together at a time."""
_log = log.get("history")


@dataclass(slots=True)
class Tidied:
    """What was done."""

    n_before: int = 0
    """Parts that were put together."""
    n_after: int = 0
    n_removed: int = 0
    removed_bytes: int = 0
    n_taken_up: int = 0
    """Parts that lay there and were in no book."""
    n_cleared: int = 0
    """Files that nobody needs."""
    skipped: str = ""
    """Why nothing was done."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A part of the tidy layout: closes in (after_ms, until_ms], of one instrument or of all."""

    name: str
    after_ms: int
    until_ms: int
    key: str | None


@dataclass(slots=True)
class _Heap:
    """Places, and the parts that reach into them and into no other."""

    places: dict[str, _Place] = field(default_factory=dict)
    parts: dict[str, PartInfo] = field(default_factory=dict)


def compact(store: Parts, *, before_ms: int) -> Tidied:
    """Put parts in their places; of what the bot saw itself whole days that ended by `before_ms`, else everything."""
    done = Tidied()
    with store.files.locked(store.folder / TIDY_LOCK, alone=True, waits=False) as is_alone:
        if not is_alone:
            return Tidied(skipped="another process is at it")
        for heap in _heaps(store.index.parts()):
            if any(part.kind == "live" and _day_end(part.last_ms) > before_ms for part in heap.parts.values()):
                continue
            if all(part.place for part in heap.parts.values()):
                continue
            with store.files.locked(store.folder / LOCK, alone=False):
                try:
                    n_after = _put_together(store, heap)
                except VanishedError:
                    continue
            if n_after is not None:
                done.n_before += len(heap.parts)
                done.n_after += n_after
    return done


def _heaps(parts: Sequence[PartInfo]) -> list[_Heap]:
    """Parts that have a place in common belong together."""
    heaps: dict[str, _Heap] = {}
    for part in parts:
        places = places_of(part)
        joined = _Heap(dict(places), {part.name: part})
        for heap in {id(heaps[name]): heaps[name] for name in places if name in heaps}.values():
            joined.places.update(heap.places)
            joined.parts.update(heap.parts)
        heaps.update(dict.fromkeys(joined.places, joined))
    return list({id(heap): heap for heap in heaps.values()}.values())


def places_of(part: PartInfo) -> dict[str, _Place]:
    """Where the bars of a part belong."""
    found: dict[str, _Place] = {}
    unit = "D" if part.kind == "live" else "M"
    for first_ms, last_ms in part.spans:
        at, end = (np.datetime64(ms - 1, "ms").astype(f"datetime64[{unit}]") for ms in (first_ms, last_ms))
        while at <= end:
            after_ms, until_ms = (int(t.astype("datetime64[ms]").astype(np.int64)) for t in (at, at + 1))
            for key in (None,) if part.kind == "live" else part.keys:
                name = f"{part.kind}/{at}" + (f"/{key}" if key else "")
                found[name] = _Place(name, after_ms, until_ms, key)
            at += 1
    return found


def _day_end(close_ms: int) -> int:
    return -(-close_ms // DAY_MS) * DAY_MS


def _put_together(store: Parts, heap: _Heap) -> int | None:
    """How many parts there are now; None where others were faster."""
    parts = sorted(heap.parts.values(), key=rank)
    if len(parts) == 1 and len(heap.places) == 1:
        (name,) = heap.places
        return 1 if store.index.swap([parts[0].name], [replace(parts[0], place=name)]) else None
    made: list[PartInfo] = []
    kind = parts[0].kind
    for place in heap.places.values():
        pieces = _pieces(store, parts, place)
        part = store.write(pieces, source=kind, first_ms=place.after_ms, place=place.name)
        if part is not None:
            made.append(part)
    if not store.index.swap([part.name for part in parts], made):
        return None
    clear(store)
    return len(made)


def _pieces(store: Parts, parts: Sequence[PartInfo], place: _Place) -> Iterator[Sorted]:
    """All bars of a place, some instruments at a time."""
    here = [p for p in parts if p.last_ms > place.after_ms and p.first_ms <= place.until_ms]
    if place.key is not None:
        here = [part for part in here if place.key in part.keys]
    keys = [place.key] if place.key is not None else sorted({key for part in here for key in part.keys})
    n_minutes = (place.until_ms - place.after_ms) // 60_000
    n_keys = max(1, CHUNK_ROWS // max(1, n_minutes))
    for start in range(0, len(keys), n_keys):
        some = frozenset(keys[start : start + n_keys])
        found = [
            piece
            for part in here
            if not some.isdisjoint(part.keys)
            for piece in store.read(part, some, place.after_ms, place.until_ms, COLUMNS)
        ]
        if found:
            yield sorted_rows(found)


def prune(store: Parts, *, live_before_ms: int | None, imported_before_ms: int | None = None) -> Tidied:
    """Throw parts away that end by then. What was imported or filled in goes only when a time for it is given."""
    gone = [part for part in store.index.parts() if _is_old(part, live_before_ms, imported_before_ms)]
    if not gone or not store.index.swap([part.name for part in gone], []):
        return Tidied()
    if any(part.kind != "live" for part in gone):
        store.index.forget_files()
    clear(store)
    return Tidied(n_removed=len(gone), removed_bytes=sum(part.n_bytes for part in gone))


def _is_old(part: PartInfo, live_before_ms: int | None, imported_before_ms: int | None) -> bool:
    before_ms = live_before_ms if part.kind == "live" else imported_before_ms
    return before_ms is not None and part.last_ms <= before_ms


def clear(store: Parts) -> int:
    """Remove files that were taken out of the index; a reader that was in the middle of one looks at the index anew."""
    names = store.index.gone()
    for name in names:
        try:
            store.files.unlink(store.parts_folder / name)
        except OSError as error:
            raise StorageError(f"{store.parts_folder / name}: cannot remove: {error.strerror}") from error
    if names:
        store.index.unlinked(names)
    return len(names)


def recover(store: Parts) -> Tidied:
    """Clear up what a crash left: half-written files go, whole parts that no book knows are taken up."""
    done = Tidied()
    with store.files.locked(store.folder / LOCK, alone=True, waits=False) as is_alone:
        if not is_alone:
            return Tidied(skipped="another process is writing")
        done.n_cleared = clear(store)
        parts = store.index.parts()
        known = {part.name for part in parts}
        lying = sorted(store.parts_folder.iterdir(), key=lambda path: (path.stat().st_mtime_ns, path.name))
        for path in lying:
            if path.name.startswith(TEMPORARY):
                store.files.unlink(path)
                done.n_cleared += 1
            elif path.name.endswith(ENDING) and path.name not in known:
                part = store.inspected(path)
                if part is None:
                    continue
                if part.place and _is_held(part, parts):
                    # Put together and never entered: all it holds lies in the parts it was made of.
                    store.files.unlink(path)
                    done.n_cleared += 1
                else:
                    store.index.add(part)
                    done.n_taken_up += 1
    if done.n_taken_up:
        _log.info("history.parts_taken_up", parts=done.n_taken_up)
    return done


def _is_held(part: PartInfo, parts: Sequence[PartInfo]) -> bool:
    """Whether there are other bars of its instruments of its time; else the book of them was lost."""
    around = [p for p in parts if p.kind == part.kind and p.first_ms <= part.last_ms and p.last_ms >= part.first_ms]
    return set(part.keys) <= {key for one in around for key in one.keys}

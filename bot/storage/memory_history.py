"""The index of the history, in memory."""

from collections.abc import Sequence
from dataclasses import replace

from bot.model.history_ports import PartInfo, TakenFile, kind_of
from bot.model.instrument import Instrument


class MemoryHistoryIndex:
    """The `HistoryIndex` port."""

    def __init__(self) -> None:
        self._parts: dict[str, PartInfo] = {}
        self._gone: set[str] = set()
        self._instruments: dict[str, Instrument] = {}
        self._files: dict[str, TakenFile] = {}
        self._seq = 0

    def parts(self, *, after_ms: int | None = None, until_ms: int | None = None) -> Sequence[PartInfo]:
        found = [
            part
            for part in self._parts.values()
            if (after_ms is None or part.last_ms > after_ms) and (until_ms is None or part.first_ms <= until_ms)
        ]
        return sorted(found, key=lambda part: (part.seq, part.name))

    def find(self, source: str, digest: str) -> PartInfo | None:
        kind = kind_of(source)
        return next((part for part in self.parts() if part.digest == digest and part.kind == kind), None)

    def add(self, part: PartInfo) -> PartInfo:
        self._seq += 1
        self._parts[part.name] = replace(part, seq=self._seq)
        return self._parts[part.name]

    def swap(self, gone: Sequence[str], new: Sequence[PartInfo]) -> bool:
        if any(name not in self._parts for name in gone):
            return False
        seq = max((self._parts.pop(name).seq for name in gone), default=0)
        self._parts.update({part.name: replace(part, seq=seq) for part in new})
        self._gone |= set(gone) - {part.name for part in new}
        return True

    def gone(self) -> Sequence[str]:
        return sorted(self._gone)

    def unlinked(self, names: Sequence[str]) -> None:
        self._gone -= set(names)

    def instruments(self) -> Sequence[Instrument]:
        return [instrument for _, instrument in sorted(self._instruments.items())]

    def know(self, instruments: Sequence[Instrument]) -> None:
        self._instruments.update({instrument.key: instrument for instrument in instruments})

    def taken(self, digest: str) -> TakenFile | None:
        return self._files.get(digest)

    def take(self, file: TakenFile) -> None:
        self._files[file.digest] = file

    def forget_files(self) -> None:
        self._files.clear()

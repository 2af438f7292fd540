"""What the history store keeps in its books, and the port through which it keeps them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from bot.model.instrument import Instrument

Kind = Literal["import", "fill", "live"]
"""Where bars come from: published files, answers of a venue to a question about the past, what the bot saw itself."""
KINDS: Final[tuple[Kind, ...]] = ("import", "fill", "live")
"""Weakest first: where two have the same cell, the stronger one's counts; of one kind, what was added later."""

Spans = tuple[tuple[int, int], ...]
"""First and last close of stretches without a gap, ascending."""


def kind_of(source: str) -> Kind:
    """`import:BTCUSDT-1m-2026-02.zip` is of kind `import`. Raises `ValueError` for what is of none."""
    word = source.partition(":")[0]
    for kind in KINDS:
        if word == kind:
            return kind
    raise ValueError(f"source: expected one of {', '.join(KINDS)}, alone or before a colon, found {source!r}")


@dataclass(frozen=True, slots=True)
class PartInfo:
    """One file of bars."""

    name: str
    """Of the file, within the folder of parts."""
    source: str
    """Its kind, and after a colon what more is known; only the kind is left once parts were put together."""
    keys: tuple[str, ...]
    """Instruments in it, ascending."""
    spans: Spans
    """When it has bars of any of them."""
    n_rows: int
    n_bytes: int
    digest: str
    """Of its content: the same bars of the same kind are the same part."""
    place: str = ""
    """Which part of the tidy layout it is; empty for one that waits to be put in its place."""
    seq: int = 0
    """Of two parts of one kind the one with the higher rank counts; given by the index, several may share one."""

    @property
    def kind(self) -> Kind:
        return kind_of(self.source)

    @property
    def first_ms(self) -> int:
        return self.spans[0][0]

    @property
    def last_ms(self) -> int:
        return self.spans[-1][1]


@dataclass(frozen=True, slots=True)
class TakenFile:
    """A file of somebody else's whose bars are in the store."""

    digest: str
    """SHA-256 of the file as it lay there, hexadecimal."""
    name: str
    at_ms: int
    n_rows: int
    n_bad: int = 0


class HistoryIndex(Protocol):
    """The books of the store. Each call is one transaction, on the disk when it returns. Raises `StorageError`."""

    def parts(self, *, after_ms: int | None = None, until_ms: int | None = None) -> Sequence[PartInfo]:
        """Those with a close in (after_ms, until_ms], or that might have one; by `seq`."""
        ...

    def find(self, source: str, digest: str) -> PartInfo | None:
        """The part of the same kind with that content."""
        ...

    def add(self, part: PartInfo) -> PartInfo:
        """Enter a part as the latest of all; returned as it was entered."""
        ...

    def swap(self, gone: Sequence[str], new: Sequence[PartInfo]) -> bool:
        """Enter parts in the place of others, all or nothing. The new ones rank as the last of those others did, in their
        own order. False, and nothing is changed, where one of those others is not there any more.
        """
        ...

    def gone(self) -> Sequence[str]:
        """Names of parts that were taken out and whose files may still lie there."""
        ...

    def unlinked(self, names: Sequence[str]) -> None:
        """Those files are gone for good."""
        ...

    def instruments(self) -> Sequence[Instrument]:
        """Those that were made known, by key."""
        ...

    def know(self, instruments: Sequence[Instrument]) -> None:
        """Note what instruments are; the latest word counts."""
        ...

    def taken(self, digest: str) -> TakenFile | None:
        """Whether a file of that content was taken in."""
        ...

    def take(self, file: TakenFile) -> None:
        """Note that the bars of a file are in the store; to be called after they are."""
        ...

    def forget_files(self) -> None:
        """Imported bars were thrown away: files may be taken in anew."""
        ...

"""The history store as workers and commands open it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bot.clock import Clock, SystemClock
from bot.errors import StorageError
from bot.history.store import Store
from bot.storage.history_index import open_index


@contextlib.contextmanager
def open_store(folder: Path, *, clock: Clock | None = None) -> Iterator[Store]:
    """The store in a folder, which is made where it is missing. Raises `StorageError`."""
    clock = clock if clock is not None else SystemClock()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder}: cannot make the folder of the history: {error.strerror}") from error
    with contextlib.closing(open_index(folder, now_ms=clock.wall_ms())) as index:
        yield Store(folder, index)

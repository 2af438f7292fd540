"""The history store as workers and commands open it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bot.clock import Clock, SystemClock
from bot.errors import StorageError
from bot.history.files import Files
from bot.history.parts import PARTS
from bot.history.store import Store
from bot.storage import belonging
from bot.storage.history_index import open_index


class OwnedFiles(Files):
    """What root makes beside a service belongs to the service, which has to read it and to tidy it up."""

    def rename(self, old: Path, new: Path) -> None:
        belonging.as_folder(old, new.parent)
        super().rename(old, new)

    @contextlib.contextmanager
    def locked(self, path: Path, *, alone: bool, waits: bool = True) -> Iterator[bool]:
        with super().locked(path, alone=alone, waits=waits) as is_held:
            belonging.as_folder(path, path.parent)
            yield is_held


@contextlib.contextmanager
def open_store(folder: Path, *, clock: Clock | None = None) -> Iterator[Store]:
    """The store in a folder, which is made where it is missing. Raises `StorageError`."""
    clock = clock if clock is not None else SystemClock()
    try:
        # The data folder as `DataDir` makes it: `import` may be the first command that needs one.
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for made in (folder, folder / PARTS):
            made.mkdir(mode=0o700, parents=True, exist_ok=True)
            belonging.as_folder(made, made.parent)
    except OSError as error:
        raise StorageError(f"{folder}: cannot make the folder of the history: {error.strerror}") from error
    with contextlib.closing(open_index(folder, now_ms=clock.wall_ms())) as index:
        yield Store(folder, index, files=OwnedFiles())

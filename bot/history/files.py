"""What the store does to files, one call per step of which a crash may be the next."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


class Files:
    """Steps on the disk. Raises `OSError`."""

    def rename(self, old: Path, new: Path) -> None:
        """Give a file that is on the disk its name, for good."""
        old.rename(new)
        self.sync_folder(new.parent)

    def sync_folder(self, folder: Path) -> None:
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)

    def unlink(self, path: Path) -> None:
        """Remove a file, if it is there."""
        path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def locked(self, path: Path, *, alone: bool, waits: bool = True) -> Iterator[bool]:
        """Hold a lock against other processes, shared or alone; False where it is not to be had without waiting."""
        number = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            how = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
            try:
                fcntl.flock(number, how if waits else how | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True
        finally:
            os.close(number)

"""The data folder: made private, and held by one process at a time."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.errors import ConfigError
from bot.storage import belonging


class FolderInUseError(ConfigError):
    """A bot runs on the folder."""


class DataDir:
    """Holds the folder's lock while open. Two bots on one folder would tell everything twice."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    @property
    def database(self) -> Path:
        return self.path / "oibot.db"

    @property
    def heartbeat(self) -> Path:
        """Touched by the main loop; `oibot health` reads it."""
        return self.path / "heartbeat"

    @property
    def control(self) -> Path:
        """The socket on which the running bot answers this machine's commands."""
        return self.path / "control.sock"

    @property
    def chat_history(self) -> Path:
        """What was typed in `oibot chat`."""
        return self.path / "chat-history"

    @property
    def journal(self) -> Path:
        return self.path / "journal"

    @property
    def snapshot(self) -> Path:
        """The windows as they were; safe to delete."""
        return self.path / "snapshot" / "windows.ois"

    @property
    def history(self) -> Path:
        """One-minute bars of what was seen and imported, with an index of its own."""
        return self.path / "history"

    @property
    def charts(self) -> Path:
        """Where the drawing process keeps its list of fonts; safe to delete."""
        return self.path / "charts"

    @property
    def backups(self) -> Path:
        return self.path / "backups"

    def is_held(self) -> bool:
        """Whether a process runs on the folder. Makes nothing."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = self.path / "lock"
            self._lock = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
            belonging.as_folder(lock, self.path)
        except OSError as error:
            raise ConfigError(
                f"OIBOT_DATA_DIR: cannot write in {self.path}: {error.strerror}; make it writable or name another folder",
                may_pass=True,
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            self._lock = None
            raise FolderInUseError(
                f"{self.path}: another oibot is running on this folder; stop it, or set OIBOT_DATA_DIR for this one",
                may_pass=True,
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

"""Ctrl-C of a command that does its work in pieces: the first ends it after the piece under way, the second at once."""

import signal
from types import FrameType
from typing import Self

INTERRUPTED = 130


class StopFlag:
    """Call it to ask; only for the main thread of a process."""

    def __init__(self) -> None:
        self._is_set = False

    def __call__(self) -> bool:
        return self._is_set

    def _set(self, number: int, _frame: FrameType | None) -> None:
        self._is_set = True
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._set) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

"""Columns that take few bytes for each of very many alerts."""

from array import array
from collections.abc import Iterable, Sequence
from sys import getsizeof
from typing import Final

import numpy as np
import numpy.typing as npt

_MAX_SHORT: Final = (1 << 16) - 1
_TELEGRAM: Final = "telegram:"
_OTHERS: Final = 1 << 62
"""Above all numbers of Telegram's chats, which have 52 bits."""
_MAX_DIGITS: Final = 18
"""So many may be above `_OTHERS`."""


class Narrow:
    """Numbers from zero on: two bytes each as long as none needs more, then four."""

    def __init__(self) -> None:
        self._numbers = array("H")

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, slot: int) -> int:
        return self._numbers[slot]

    def __setitem__(self, slot: int, number: int) -> None:
        self._make_room(number)
        self._numbers[slot] = number

    def append(self, number: int) -> None:
        self._make_room(number)
        self._numbers.append(number)

    def extend(self, numbers: Iterable[int]) -> None:
        more = list(numbers)
        self._make_room(max(more, default=0))
        self._numbers.extend(more)

    def _make_room(self, number: int) -> None:
        if number > _MAX_SHORT and self._numbers.typecode == "H":
            self._numbers = array("I", self._numbers)

    def view(self) -> npt.NDArray[np.uint16] | npt.NDArray[np.uint32]:
        """To look at and to change in place. Nothing can be appended while somebody holds it."""
        numbers: bytes | array[int] = self._numbers or b""
        if self._numbers.typecode == "H":
            return np.frombuffer(numbers, dtype=np.uint16)
        return np.frombuffer(numbers, dtype=np.uint32)

    @property
    def nbytes(self) -> int:
        return getsizeof(self._numbers)


class ChatColumn:
    """Names of chats. Those of Telegram are numbers already; the few others are kept once and never forgotten."""

    def __init__(self) -> None:
        self._numbers = array("q")
        self._others: list[str] = []
        self._number_of: dict[str, int] = {}

    def __getitem__(self, slot: int) -> str:
        number = self._numbers[slot]
        return self._others[number - _OTHERS] if number >= _OTHERS else f"{_TELEGRAM}{number}"

    def __setitem__(self, slot: int, chat: str) -> None:
        self._numbers[slot] = self._number(chat)

    def append(self, chat: str) -> None:
        self._numbers.append(self._number(chat))

    def extend(self, chats: Sequence[str]) -> None:
        digits = [chat.removeprefix(_TELEGRAM) for chat in chats]
        try:
            numbers = list(map(int, digits))
        except ValueError:
            numbers = []
        # Names that come back as they were are Telegram's: no others are looked at one by one.
        if [f"{_TELEGRAM}{number}" for number in numbers] != list(chats) or max(
            map(len, digits), default=0
        ) >= _MAX_DIGITS:
            numbers = list(map(self._number, chats))
        self._numbers.extend(numbers)

    def _number(self, chat: str) -> int:
        digits = chat.removeprefix(_TELEGRAM)
        if (
            digits is not chat
            and len(digits) < _MAX_DIGITS
            and digits.removeprefix("-").isdecimal()
            and digits.isascii()
        ):
            number = int(digits)
            if str(number) == digits:
                return number
        known = self._number_of.get(chat)
        if known is None:
            known = self._number_of[chat] = _OTHERS + len(self._others)
            self._others.append(chat)
        return known

    @property
    def nbytes(self) -> int:
        return getsizeof(self._numbers)

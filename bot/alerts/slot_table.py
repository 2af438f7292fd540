"""Which slot has an alert's id? Four bytes per id, where a dictionary takes a hundred.

Ids are 40 random bits, so their highest ten share them out evenly; within a part slots stand in the order of their ids,
which are kept elsewhere.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise
from sys import getsizeof
from typing import Final

import numpy as np
import numpy.typing as npt

from bot.model.alert import CROCKFORD
from bot.model.chat_alert import PREFIX

_N_PARTS: Final = 1 << 10
_SHIFT: Final = 30
_OTHERS: Final = {code: "!" for code in range(128) if chr(code) not in CROCKFORD}
_TO_PLAIN: Final = str.maketrans(CROCKFORD, "0123456789abcdefghijklmnopqrstuv") | _OTHERS
"""To the digits that `int` reads in base 32."""
_LENGTH: Final = len(PREFIX) + 8
_PREFIX: Final = np.frombuffer(PREFIX.encode("ascii"), dtype=np.uint8)
_DIGIT: Final = np.full(128, -1, dtype=np.int64)
"""What each character is worth; -1 for those that are no digit."""
_DIGIT[[ord(digit) for digit in CROCKFORD]] = np.arange(32)
_WORTH: Final = 32 ** np.arange(7, -1, -1, dtype=np.int64)
_PAIRS: Final = tuple(high + low for high in CROCKFORD for low in CROCKFORD)


def number_of(alert_id: str) -> int:
    """The 40 bits of an id. Raises `ValueError` for what is no id of a chat alert."""
    digits = alert_id.removeprefix(PREFIX)
    try:
        if len(digits) == 8 and digits.isascii() and alert_id.startswith(PREFIX):
            return int(digits.translate(_TO_PLAIN), 32)
    except ValueError:
        pass
    raise ValueError(f"expected {PREFIX} and eight characters of {CROCKFORD}, found {alert_id!r}")


def numbers_of(alert_ids: Sequence[str]) -> npt.NDArray[np.int64]:
    """The same of many at once. Shape (len(alert_ids),)."""
    text = "".join(alert_ids)
    if set(map(len, alert_ids)) == {_LENGTH} and text.isascii():
        characters = np.frombuffer(text.encode("ascii"), dtype=np.uint8).reshape(-1, _LENGTH)
        digits = _DIGIT[characters[:, len(PREFIX) :]]
        if (characters[:, : len(PREFIX)] == _PREFIX).all() and (digits >= 0).all():
            numbers: npt.NDArray[np.int64] = digits @ _WORTH
            return numbers
    # One of them is no id.
    return np.array([number_of(alert_id) for alert_id in alert_ids], dtype=np.int64)


def id_of(number: int) -> str:
    """The inverse of `number_of`."""
    pairs = _PAIRS
    return (
        f"{PREFIX}{pairs[number >> 30]}{pairs[number >> 20 & 1023]}{pairs[number >> 10 & 1023]}{pairs[number & 1023]}"
    )


class SlotTable:
    """Numbers to slots."""

    def __init__(self, number_of_slot: Callable[[int], int]) -> None:
        """`number_of_slot`: of every slot that is here, the number that it was added with."""
        self._number_of_slot = number_of_slot
        self._slots: list[array[int]] = [array("I") for _ in range(_N_PARTS)]
        self._n = 0

    def __len__(self) -> int:
        return self._n

    @property
    def nbytes(self) -> int:
        return sum(getsizeof(part) for part in self._slots)

    def get(self, number: int) -> int | None:
        """The slot, or None."""
        slots = self._slots[number >> _SHIFT]
        place = bisect_left(slots, number, key=self._number_of_slot)
        if place < len(slots) and self._number_of_slot(slots[place]) == number:
            return slots[place]
        return None

    def add(self, slot: int) -> None:
        """Raises `KeyError` for a number that is there."""
        number = self._number_of_slot(slot)
        slots = self._slots[number >> _SHIFT]
        # Most come in the order of ids, when all are loaded.
        if slots and self._number_of_slot(slots[-1]) >= number:
            place = bisect_left(slots, number, key=self._number_of_slot)
            if self._number_of_slot(slots[place]) == number:
                raise KeyError(f"{id_of(number)} is there already")
            slots.insert(place, slot)
        else:
            slots.append(slot)
        self._n += 1

    def add_all(self, first: int, numbers: npt.NDArray[np.int64]) -> None:
        """Add slots that follow each other, of these numbers. Raises `KeyError` for a number that is there."""
        part = numbers >> _SHIFT
        starts = [0, *(np.flatnonzero(np.diff(part)) + 1).tolist(), len(numbers)] if len(numbers) else [0]
        is_ascending = bool((np.diff(numbers) > 0).all())
        for start, end in pairwise(starts):
            slots, number = self._slots[int(part[start])], int(numbers[start])
            if is_ascending and not (slots and self._number_of_slot(slots[-1]) >= number):
                slots.extend(range(first + start, first + end))
                self._n += end - start
            else:
                for slot in range(first + start, first + end):
                    self.add(slot)

    def pop(self, number: int) -> int | None:
        """Forget a number; its slot, or None."""
        slots = self._slots[number >> _SHIFT]
        place = bisect_left(slots, number, key=self._number_of_slot)
        if place >= len(slots) or self._number_of_slot(slots[place]) != number:
            return None
        self._n -= 1
        return slots.pop(place)

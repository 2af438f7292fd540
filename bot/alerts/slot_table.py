"""Which slot has an alert's id? Twelve bytes per id, where a dictionary takes a hundred.

Ids are 40 random bits, so their highest ten share them out evenly; within a part they stand sorted.
"""

from array import array
from bisect import bisect_left
from typing import Final

from bot.model.alert import CROCKFORD
from bot.model.chat_alert import PREFIX

_N_PARTS: Final = 1 << 10
_SHIFT: Final = 30
_DIGITS: Final = {char: value for value, char in enumerate(CROCKFORD)}


def number_of(alert_id: str) -> int:
    """The 40 bits of an id. Raises `ValueError` for what is no id of a chat alert."""
    digits = alert_id.removeprefix(PREFIX)
    if len(digits) != 8 or not alert_id.startswith(PREFIX) or not all(char in _DIGITS for char in digits):
        raise ValueError(f"expected {PREFIX} and eight characters of {CROCKFORD}, found {alert_id!r}")
    number = 0
    for char in digits:
        number = number << 5 | _DIGITS[char]
    return number


def id_of(number: int) -> str:
    """The inverse of `number_of`."""
    return PREFIX + "".join(CROCKFORD[(number >> shift) & 31] for shift in range(35, -1, -5))


class SlotTable:
    """Numbers to slots."""

    def __init__(self) -> None:
        self._numbers: list[array[int]] = [array("Q") for _ in range(_N_PARTS)]
        self._slots: list[array[int]] = [array("I") for _ in range(_N_PARTS)]
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def get(self, number: int) -> int | None:
        """The slot, or None."""
        part = number >> _SHIFT
        numbers = self._numbers[part]
        place = bisect_left(numbers, number)
        return self._slots[part][place] if place < len(numbers) and numbers[place] == number else None

    def add(self, number: int, slot: int) -> None:
        """Raises `KeyError` for a number that is there."""
        part = number >> _SHIFT
        numbers = self._numbers[part]
        place = bisect_left(numbers, number)
        if place < len(numbers) and numbers[place] == number:
            raise KeyError(f"{id_of(number)} is there already")
        numbers.insert(place, number)
        self._slots[part].insert(place, slot)
        self._n += 1

    def pop(self, number: int) -> int | None:
        """Forget a number; its slot, or None."""
        part = number >> _SHIFT
        numbers = self._numbers[part]
        place = bisect_left(numbers, number)
        if place >= len(numbers) or numbers[place] != number:
            return None
        del numbers[place]
        self._n -= 1
        return self._slots[part].pop(place)

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
_OTHERS: Final = {code: "!" for code in range(128) if chr(code) not in CROCKFORD}
_TO_PLAIN: Final = str.maketrans(CROCKFORD, "0123456789abcdefghijklmnopqrstuv") | _OTHERS
"""To the digits that `int` reads in base 32."""
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


def id_of(number: int) -> str:
    """The inverse of `number_of`."""
    pairs = _PAIRS
    return (
        f"{PREFIX}{pairs[number >> 30]}{pairs[number >> 20 & 1023]}{pairs[number >> 10 & 1023]}{pairs[number & 1023]}"
    )


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

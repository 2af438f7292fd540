"""What stays the same between two frames of one stream, so that only digits have to be read.

A mark-price array comes every second with the same contracts in the same order: all that differs are the digits of times
and prices. An imprint holds the bytes of one frame that was read in full, and which of them are such digits.

Promises: `read` answers only where a frame differs from the imprint in nothing but those digits, and each still is a
digit; so it is as good JSON as the frame before, and every number is exactly what `float` makes of its text. For anything
else it answers None. Never raises.
"""

import re
from typing import Final

import numpy as np
import numpy.typing as npt

from bot.feeds.binance.constants import USDM_MARKET
from bot.model.updates import F64

_TEXT: Final = rb'[^"\\\x00-\x1f]*'
_ROW: Final = re.compile(
    rb'\{"e":"markPriceUpdate","E":([1-9]\d{12}),"s":"(' + _TEXT + rb')","p":"(\d{1,7}\.\d{8})"(?:,"ap":"(\d+\.\d+)")?'
    rb'(?:,"P":"(\d+\.\d+)")?,"i":"(\d{1,7}\.\d{8}|)","r":"(-?\d{1,7}\.\d{8}|)","T":(\d{1,15})(?:,"st":(\d))?\}'
)
_EVENT, _NAME, _PRICE, _AVERAGE, _SETTLE, _INDEX, _FUNDING, _NEXT, _MARKET = range(1, 10)
_COLUMNS: Final = (_PRICE, _INDEX, _FUNDING, _EVENT)
_DIGITS_OF: Final = (_EVENT, _PRICE, _AVERAGE, _SETTLE, _INDEX, _FUNDING)

# A number of at most seven digits, a point and eight more, right-aligned. What stands left of a shorter one is at least
# `,"i":"`, which never changes and so counts as zeros. Fifteen digits are exact in a double, hence so is the quotient.
_WIDTH: Final = 16
_SCALE: Final = 1e8
_OF_NUMBER: Final = np.array([10.0**k for k in range(14, 7, -1)] + [0.0] + [10.0**k for k in range(7, -1, -1)])
_OF_TIME: Final = np.array([0.0] * 3 + [10.0**k for k in range(12, -1, -1)])
_FIRST_OF_13_DIGITS: Final = 10.0**12
_ZERO: Final = ord("0")
_OPEN: Final = ord("{")
_TAIL: Final = b"]}"

# Following more rows than this costs more than reading the frame in full.
_MOST_CHANGED: Final = 40

Bytes = npt.NDArray[np.uint8]


class Imprint:
    """The lasting part of a frame. `names`, `markets` and `nexts` (of funding, ms) are those of its rows, in order.

    One of 750 contracts takes about 0.3 MB.
    """

    def __init__(self, frame: bytes, matches: list[re.Match[bytes]]) -> None:
        self.names: list[str] = []
        self.markets: list[int] = []
        self.nexts: list[int] = []
        for m in matches:
            name, market, next_ms = _what(m)
            self.names.append(name)
            self.markets.append(market)
            self.nexts.append(next_ms)
        self._form, self._limit = _form(frame, matches)
        self._rows = np.array([m.start() for m in matches], np.intp)
        self._ends = np.array([[m.end(group) for m in matches] for group in _COLUMNS], np.intp)
        self._blank = np.array([[m.start(group) == m.end(group) for m in matches] for group in _COLUMNS])
        self._signs = np.array([_sign(m) for m in matches])
        self._prepare()

    @classmethod
    def of(cls, frame: bytes) -> "Imprint | None":
        """The imprint of a frame that is known to be sound; None where its form is not the usual one."""
        at = frame.find(b"[{") + 1
        if at < _WIDTH:
            return None
        matches: list[re.Match[bytes]] = []
        for found in _ROW.finditer(frame, at):
            if found.start() != at:
                return None
            matches.append(found)
            at = found.end() + 1
        if not matches or frame[at - 1 :] != _TAIL:
            return None
        return cls(frame, matches)

    def read(self, frame: bytes) -> tuple[F64, F64] | None:
        """Price, index and funding as an array of shape (3, n), and event times (n,) as whole numbers; NaN where the
        text is empty.
        """
        if not self._fit(frame) and not (self._move(frame) and self._fit(frame)):
            return None
        n = len(self._rows)
        digits = self._windows[self._starts].view(np.uint8).reshape(4 * n, _WIDTH).astype(np.float64)
        # Not matrix products: those would wake the threads of BLAS for a few microseconds of work.
        events: F64 = np.einsum("ij,j->i", digits[3 * n :], _OF_TIME)
        if events.min() < _FIRST_OF_13_DIGITS:
            return None
        block: F64 = (np.einsum("ij,j->i", digits[: 3 * n], _OF_NUMBER) / _SCALE).reshape(3, n)
        if self._has_signs:
            block[2] *= self._signs
        if self._has_blanks:
            block[self._blank[:3]] = np.nan
        return block, events

    def _fit(self, frame: bytes) -> bool:
        if len(frame) != len(self._form):
            return False
        np.bitwise_xor(np.frombuffer(frame, np.uint8), self._form, out=self._digits)
        np.less_equal(self._digits, self._limit, out=self._fits)
        return bool(self._fits.all())

    def _prepare(self) -> None:
        """What follows from form and ends."""
        self._digits = np.empty_like(self._form)
        self._fits = np.empty(len(self._form), np.bool_)
        shape = (len(self._form) - _WIDTH + 1,)
        self._windows = np.ndarray(shape, np.dtype((np.void, _WIDTH)), self._digits.data, 0, (1,))
        # The first bytes of a frame never change, so they stand for zeros.
        self._starts = np.where(self._blank, 0, self._ends - _WIDTH).ravel()
        self._has_signs = bool(self._signs.min() < 0)
        self._has_blanks = bool(self._blank.any())

    def _move(self, frame: bytes) -> bool:
        """Follow a frame in which a few numbers became longer or shorter; False where that is not all that happened."""
        opens = np.flatnonzero(np.frombuffer(frame, np.uint8) == _OPEN)[1:]
        if len(opens) != len(self._rows) or opens[0] != self._rows[0]:
            return False
        old = np.append(self._rows, len(self._form) - len(_TAIL) + 1)
        new = np.append(opens, len(frame) - len(_TAIL) + 1)
        changed = np.flatnonzero(np.diff(old) != np.diff(new)).tolist()
        if not 0 < len(changed) <= _MOST_CHANGED:
            return False
        ends = self._ends + (opens - self._rows)
        blank, signs = self._blank.copy(), self._signs.copy()
        forms, limits, at = [], [], 0
        for k in changed:
            row = frame[new[k] : new[k + 1] - 1]
            found = _ROW.fullmatch(row)
            if found is None or _what(found) != (self.names[k], self.markets[k], self.nexts[k]):
                return False
            ends[:, k] = [new[k] + found.end(group) for group in _COLUMNS]
            blank[:, k] = [found.start(group) == found.end(group) for group in _COLUMNS]
            signs[k] = _sign(found)
            form, limit = _form(row, [found])
            forms += [self._form[at : old[k]], form]
            limits += [self._limit[at : old[k]], limit]
            at = old[k + 1] - 1
        self._form = np.concatenate([*forms, self._form[at:]])
        self._limit = np.concatenate([*limits, self._limit[at:]])
        self._rows, self._ends, self._blank, self._signs = opens, ends, blank, signs
        self._prepare()
        return True


def _what(found: re.Match[bytes]) -> tuple[str, int, int]:
    """Name, market and next funding time of a row."""
    return found[_NAME].decode("utf-8", "replace"), int(found[_MARKET] or USDM_MARKET), int(found[_NEXT])


def _sign(found: re.Match[bytes]) -> float:
    return -1.0 if found[_FUNDING].startswith(b"-") else 1.0


def _form(frame: bytes, matches: list[re.Match[bytes]]) -> tuple[Bytes, Bytes]:
    """The frame with a zero in place of each digit that may change, and by how much each byte may differ from that."""
    form = np.frombuffer(frame, np.uint8).copy()
    limit = np.zeros(len(frame), np.uint8)
    for m in matches:
        for group in _DIGITS_OF:
            limit[slice(*m.span(group))] = 9
    limit[(form < _ZERO) | (form > _ZERO + 9)] = 0
    form[limit > 0] = _ZERO
    return form, limit

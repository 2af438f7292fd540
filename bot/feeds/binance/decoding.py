"""Reading JSON whose numbers may be text, numbers, empty or nonsense.

Promises: a bad row costs that row and is counted; only a body that is no JSON of the expected shape raises
`PayloadError`, and no other exception leaves this module. Never guesses a value: what cannot be read is NaN or None.
"""

import math
from typing import Final, Generic, TypeVar

import msgspec
import numpy as np

from bot.errors import PayloadError
from bot.model.updates import F64, I32, I64

T = TypeVar("T")

Loose = str | int | float | None
"""A number as venues write it."""

LARGEST: Final = 1e18
"""No price, amount or volume of any contract comes near: what is larger is a fault, and would be infinite in single precision."""
_LARGEST_EXACT_INT: Final = 2**53
_EXCERPT: Final = 80

# Nested or badly encoded bytes make the decoder raise the latter two.
UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)


class _ErrorAnswer(msgspec.Struct):
    code: int
    msg: str = ""


_RAWS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ERROR: Final = msgspec.json.Decoder(_ErrorAnswer, strict=False)


def number(value: Loose) -> float:
    """The value as a float of at most `LARGEST` either way, or NaN."""
    if value is None or value == "":
        return math.nan
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return math.nan
    return found if abs(found) <= LARGEST else math.nan


def positive(value: Loose) -> float | None:
    """The value as a float above zero and not absurd, or None."""
    found = number(value)
    return found if found > 0 else None


def integer(value: Loose) -> int | None:
    """The value as a whole number that a float can hold exactly, or None. Meant for times in epoch milliseconds."""
    found = number(value)
    if not -_LARGEST_EXACT_INT < found < _LARGEST_EXACT_INT:
        return None
    return int(found)


def time_ms(value: Loose) -> int | None:
    """Epoch milliseconds above zero, or None."""
    found = integer(value)
    return found if found is not None and found > 0 else None


def f64(values: list[float]) -> F64:
    return np.array(values, dtype=np.float64)


def i64(values: list[int]) -> I64:
    return np.array(values, dtype=np.int64)


def i32(values: list[int]) -> I32:
    return np.array(values, dtype=np.int32)


def excerpt(body: bytes, limit: int = _EXCERPT) -> str:
    """The beginning of a body on one line, for error texts."""
    text = " ".join(body[: 4 * limit].decode("utf-8", "replace").split())
    return text if len(text) <= limit else text[:limit] + "…"


def unexpected(what: str, body: bytes) -> PayloadError:
    """The error that says what was expected in a body and what was found instead."""
    try:
        answer = _ERROR.decode(body)
    except UNREADABLE:
        return PayloadError(f"expected {what}, found {excerpt(body)!r}")
    return PayloadError(f"expected {what}, found the error answer {answer.code} {answer.msg!r}")


class RowReader(Generic[T]):
    """Decodes a JSON array of objects, or one object, row by row where it must.

    `what` names the answer in error texts.
    """

    def __init__(self, row_type: type[T], what: str) -> None:
        self._what = what
        self._one = msgspec.json.Decoder(row_type, strict=False)
        self._many = msgspec.json.Decoder(list[row_type], strict=False)  # type: ignore[valid-type]

    def one(self, body: bytes) -> T:
        """The one object of a body."""
        try:
            return self._one.decode(body)
        except UNREADABLE:
            raise unexpected(self._what, body) from None

    def many(self, body: bytes) -> tuple[list[T], int]:
        """The rows of a body that is an array, and how many rows could not be read."""
        try:
            return self._many.decode(body), 0
        except UNREADABLE:
            return self._each(body)

    def any(self, body: bytes) -> tuple[list[T], int]:
        """As `many`, and a body that is one object counts as an array of one."""
        return ([self.one(body)], 0) if body.lstrip()[:1] == b"{" else self.many(body)

    def _each(self, body: bytes) -> tuple[list[T], int]:
        try:
            raws = _RAWS.decode(body)
        except UNREADABLE:
            raise unexpected(f"an array: {self._what}", body) from None
        rows: list[T] = []
        for raw in raws:
            try:
                rows.append(self._one.decode(raw))
            except UNREADABLE:
                continue
        return rows, len(raws) - len(rows)

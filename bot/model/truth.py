"""The three truth values. Ordered, so that `and` is the lesser, `or` the greater, and `not x` is `TRUE - x`."""

from typing import Final

FALSE: Final = 0
UNKNOWN: Final = 1
TRUE: Final = 2

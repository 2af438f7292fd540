"""Whether something differs from chance: firings beside matched random moments, with an interval from a block bootstrap.

Firings come in clusters (many contracts at once, many times in one wild day), and what follows two neighbouring firings
overlaps. So no firing counts as a witness of its own: blocks of time, over all instruments together, are drawn anew, and
with a block come its firings and its random moments. Where a few blocks hold nearly all firings the interval is widened
(Student's t over the blocks that count), and below a least number nothing is said at all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

from bot.model.updates import F64, I64

N_DRAWS: Final = 1_000
SEED: Final = 20_240_412
MIN_FIRINGS: Final = 10
MIN_BLOCKS: Final = 5.0
LEVEL: Final = 0.95
_DRAWS_AT_A_TIME: Final = 250

Differences = Callable[[F64], tuple[F64, F64]]
"""From weights of blocks, shape (draws, blocks), to the means at firings and at random moments."""


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """Values of one measure at firings, and its sums over the random moments that each is compared with.

    A cell is one instrument at one hour of day. All random moments of a cell are taken, not some of them, so that no
    luck of a draw comes in.
    """

    value: F64
    """Shape (n,), one per firing."""
    cell: I64
    """Shape (n,), into the columns of `total`."""
    block: I64
    """Shape (n,), into the rows of `total`."""
    total: F64
    """Shape (blocks, cells): the sum over the moments of a cell in a block."""
    count: F64
    """How many moments those are."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Firings beside random moments."""

    n: int
    n_blocks: float
    """How many blocks of time count: 12 firings in one block of 13 make little more than one."""
    at_firings: float
    """Mean over the firings; NaN without any."""
    at_random: float
    error: float
    """Standard error of the difference; NaN where it cannot be told."""

    @property
    def difference(self) -> float:
        return self.at_firings - self.at_random

    @property
    def is_enough(self) -> bool:
        """Whether there are firings enough, over time enough, to say anything."""
        return self.n >= MIN_FIRINGS and self.n_blocks >= MIN_BLOCKS and self.error > 0

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Of the difference; of infinite width where too little is known."""
        if not self.is_enough:
            return -np.inf, np.inf
        reach = self.error * student(level, self.n_blocks - 1)
        return self.difference - reach, self.difference + reach

    def sign(self, n_looks: int = 1) -> int:
        """1 and -1 where the difference is beyond chance, allowing for so many comparisons made; else 0."""
        low, high = self.interval(1 - (1 - LEVEL) / max(1, n_looks))
        return 1 if low > 0 else -1 if high < 0 else 0


def student(level: float, freedom: float) -> float:
    """How many standard errors an interval of that level reaches to either side, by the Cornish-Fisher expansion of Student's t.

    Within 1% of the exact value from 4 degrees of freedom on at 95%, and too wide, never too narrow, beyond.
    """
    z = NormalDist().inv_cdf(0.5 + level / 2)
    z2 = z * z
    v = max(freedom, 1.0)
    terms = (
        (z2 + 1) / 4 / v,
        ((5 * z2 + 16) * z2 + 3) / 96 / v**2,
        (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384 / v**3,
        ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / 92_160 / v**4,
    )
    return z * (1 + sum(terms))


def compare(matched: Matched, *, seed: int = SEED, n_draws: int = N_DRAWS) -> Comparison:
    """The same seed gives the same answer."""
    n = len(matched.value)
    if n == 0:
        return Comparison(0, 0.0, np.nan, np.nan, np.nan)
    n_blocks, n_cells = matched.total.shape
    value = np.bincount(matched.block, matched.value, n_blocks)
    per_block = np.bincount(matched.block, minlength=n_blocks).astype(np.float64)
    held = np.bincount(matched.block * n_cells + matched.cell, minlength=n_blocks * n_cells)
    held = held.reshape(n_blocks, n_cells).astype(np.float64)
    effective = n * n / float((per_block**2).sum())

    def differences(weight: F64) -> tuple[F64, F64]:
        """Means at firings and at random moments, per draw of blocks; NaN where a draw holds no firing."""
        with np.errstate(invalid="ignore", divide="ignore"):
            usual = (weight @ matched.total) / (weight @ matched.count)
            drawn = weight @ held
            expected = np.where(drawn > 0, usual * drawn, 0.0).sum(axis=1)
            number = weight @ per_block
            return (weight @ value) / number, expected / number

    fired, random = differences(np.ones((1, n_blocks)))
    error = np.nan
    if n_blocks > 1 and effective > 1:
        error = _error(differences, n_blocks, seed=seed, n_draws=n_draws)
    return Comparison(n, effective, float(fired[0]), float(random[0]), error)


def _error(differences: "Differences", n_blocks: int, *, seed: int, n_draws: int) -> float:
    generator = np.random.default_rng(seed)
    share = np.full(n_blocks, 1 / n_blocks)
    found = []
    for begin in range(0, n_draws, _DRAWS_AT_A_TIME):
        size = min(_DRAWS_AT_A_TIME, n_draws - begin)
        fired, random = differences(generator.multinomial(n_blocks, share, size=size).astype(np.float64))
        found.append(fired - random)
    drawn = np.concatenate(found)
    drawn = drawn[np.isfinite(drawn)]
    return float(drawn.std()) if len(drawn) > 1 else np.nan

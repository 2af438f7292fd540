"""What all files of one load may cost together, so that many files cost no more than a few large ones.

Each file and each expression has limits of its own (`nodes`, `parse`); these are the sums.
"""

from dataclasses import dataclass
from typing import Final

MAX_TOTAL_BYTES: Final = 1024 * 1024
MAX_TOTAL_NODES: Final = 60_000
MAX_TOTAL_ALIASES: Final = 500
MAX_TOTAL_CHARACTERS: Final = 500_000
"""Of expressions and templates, each time they are used: an alias costs what it stands for."""
MAX_TOTAL_WORDS: Final = 20_000
"""In lists, each time they are used."""
MAX_TOTAL_PATTERNS: Final = 5_000
"""In scopes: each is compared with every symbol of the venue."""
MAX_PROBLEMS: Final = 500
"""Nobody reads more, and a file can be made to have a hundred thousand."""
MAX_TOTAL_PARTS: Final = 50_000
"""Of all expressions: what the engine holds and evaluates."""


@dataclass(slots=True)
class Budget:
    """What is left. Spending more than that leaves nothing, so that all that follows is refused too."""

    n_bytes: int = MAX_TOTAL_BYTES
    n_nodes: int = MAX_TOTAL_NODES
    n_aliases: int = MAX_TOTAL_ALIASES
    n_characters: int = MAX_TOTAL_CHARACTERS
    n_words: int = MAX_TOTAL_WORDS
    n_patterns: int = MAX_TOTAL_PATTERNS
    n_parts: int = MAX_TOTAL_PARTS

    def spend_bytes(self, number: int) -> str | None:
        """None, or what is over."""
        self.n_bytes -= number
        return None if self.n_bytes >= 0 else f"the rule files have more than {MAX_TOTAL_BYTES // 1024:,} kB together"

    def spend_characters(self, number: int) -> str | None:
        """None, or what is over."""
        self.n_characters -= number
        limit = f"{MAX_TOTAL_CHARACTERS:,}"
        return None if self.n_characters >= 0 else f"all expressions together have more than {limit} characters"

    def spend_words(self, number: int) -> str | None:
        """None, or what is over."""
        self.n_words -= number
        return None if self.n_words >= 0 else f"all lists together have more than {MAX_TOTAL_WORDS:,} words"

    def spend_patterns(self, number: int) -> str | None:
        """None, or what is over."""
        self.n_patterns -= number
        return None if self.n_patterns >= 0 else f"all scopes together name more than {MAX_TOTAL_PATTERNS:,} symbols"

    def spend_parts(self, number: int) -> str | None:
        """None, or what is over."""
        self.n_parts -= number
        return None if self.n_parts >= 0 else f"all expressions together have more than {MAX_TOTAL_PARTS:,} parts"

"""Text on charts: whatever a venue or a rule calls itself becomes one clean line that matplotlib takes literally."""

import unicodedata
from typing import Final

_DROPPED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
CUT: Final = "…"


def safe(text: str, limit: int = 40) -> str:
    """At most `limit` characters, none of them invisible or turning the direction.

    Dollar signs stay as they are: math text is switched off for each text object, not escaped away.
    """
    kept = "".join(" " if c in "\n\r\t\v\f" else c for c in text[: 8 * limit])
    kept = " ".join("".join(c for c in kept if unicodedata.category(c) not in _DROPPED).split())
    # A base with fifty accents on it is one column wide and a hundred pixels high.
    plain: list[str] = []
    for char in kept:
        stacked = unicodedata.combining(char) and plain and unicodedata.combining(plain[-1])
        if not stacked:
            plain.append(char)
    kept = "".join(plain)
    return kept if len(kept) <= limit else kept[: limit - 1].rstrip() + CUT

"""Sizes and colours of charts, in pixels of a picture 1,080 wide. Chosen for a phone: at 400 px every text is still 9 px high.

Colours are told apart by lightness too, so that they survive colour blindness and the JPEG of chats: up is a light blue, down a
darker vermilion, and signs carry an arrow.
"""

from typing import Final

WIDTH: Final = 1_080
DPI: Final = 100
LEFT: Final = 26
EDGE: Final = 22
"""Between the widest label on the right and the edge of the picture."""
TITLE_H: Final = 84
ALERT_H: Final = 46
HEAD_H: Final = 52
PANEL_GAP: Final = 16
TIME_H: Final = 58

TITLE_PX: Final = 46
HEAD_PX: Final = 31
LABEL_PX: Final = 27
MIN_PX: Final = 26
"""No text is smaller."""

BACKGROUND: Final = "#0E131B"
GRID: Final = "#2A3342"
HATCH: Final = "#39445A"
TEXT: Final = "#F3F6FA"
DIM: Final = "#A3AEBF"
PRICE: Final = "#F3F6FA"
OI: Final = "#F2C94C"
FUNDING: Final = "#9AD0C2"
RATIO: Final = "#C9B6F2"
UP: Final = "#7CC4F5"
DOWN: Final = "#D9622B"
FLAT: Final = "#7A8699"
STALE: Final = "#FFB4A2"
SEVERITY: Final = {"info": "#A3AEBF", "warning": "#F5A623", "critical": "#FF6B6B"}


def points(px: float) -> float:
    """Font sizes and line widths are given to matplotlib in points."""
    return px * 72 / DPI

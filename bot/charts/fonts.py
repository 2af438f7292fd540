"""The fonts of charts: DejaVu Sans, which comes with matplotlib, and for Chinese names a part of Noto Sans SC beside this file.

System fonts are never looked for: what they are differs from machine to machine, and looking takes seconds.
"""

from pathlib import Path
from typing import Final

from matplotlib import font_manager, get_data_path

from bot.charts.parts import CHINESE

FAMILIES: Final = ("DejaVu Sans", "Noto Sans SC")


def use_own_fonts() -> None:
    """Let text be set in these fonts, the second where the first lacks a character."""
    manager = font_manager.fontManager
    bundled = Path(get_data_path()) / "fonts" / "ttf"
    manager.ttflist = []
    manager.afmlist = []
    for file in (bundled / "DejaVuSans.ttf", bundled / "DejaVuSans-Bold.ttf", CHINESE):
        manager.addfont(file)

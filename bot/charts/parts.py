"""What charts need of this machine, looked for without loading any of it: matplotlib costs half a second and 60 MB."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

CHINESE: Final = Path(__file__).parent / "fonts" / "NotoSansSC-GB2312.otf"
"""Hanzi of GB 2312, kana, Latin."""
LIBRARY: Final = "matplotlib"


def missing(*, library: str = LIBRARY, font: Path = CHINESE) -> str:
    """What cannot be found, for people; empty where nothing is missing."""
    if find_spec(library) is None:
        return f"the library {library} is not installed"
    return "" if font.is_file() else f"there is no font file {font}"

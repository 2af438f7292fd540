"""A QR code drawn with half blocks: two modules a character, readable by a phone from any terminal."""

from rich.console import Console
from rich.text import Text
from segno import make_qr

BORDER = 2
_BLOCKS = {(True, True): " ", (True, False): "▄", (False, True): "▀", (False, False): "█"}
"""What is dark stays the background: light modules are drawn, as on the dark ground of most terminals."""


def qr_text(content: str) -> Text:
    """Lines of one code. With colours it is white on black whatever the terminal's colours are."""
    rows = [[bool(module) for module in row] for row in make_qr(content, error="l").matrix_iter(border=BORDER)]
    if len(rows) % 2:
        rows.append([True] * len(rows[0]))
    lines = (
        "".join(_BLOCKS[upper, lower] for upper, lower in zip(above, below, strict=True))
        for above, below in zip(rows[::2], rows[1::2], strict=True)
    )
    return Text("\n").join(Text(line, style="bright_white on black") for line in lines)


def show_qr(content: str, console: Console) -> bool:
    """Draw it where a person can see it and it fits; whether it was drawn."""
    code = qr_text(content)
    width = max(line.cell_len for line in code.split())
    if not console.is_terminal or console.width < width or console.encoding.lower() not in {"utf-8", "utf8"}:
        return False
    console.print(code, soft_wrap=True)
    return True

"""The drawn code holds the very modules, and is drawn only where it can be read."""

import io

from rich.console import Console
from segno import make_qr

from bot.cli.qr import BORDER, qr_text, show_qr

LINK = "https://t.me/oi_sim_bot?start=claim_orezBFBlN03FXaw_ipFZuw"
HALVES = {" ": (1, 1), "▄": (1, 0), "▀": (0, 1), "█": (0, 0)}


def test_half_blocks_are_the_modules():
    wanted = [[int(bool(m)) for m in row] for row in make_qr(LINK, error="l").matrix_iter(border=BORDER)]
    rows = []
    for line in qr_text(LINK).plain.split("\n"):
        upper, lower = zip(*(HALVES[char] for char in line), strict=True)
        rows += [list(upper), list(lower)]
    assert rows[: len(wanted)] == wanted


def shown(**options):
    out = io.TextIOWrapper(io.BytesIO(), encoding=options.pop("encoding", "utf-8"))
    console = Console(file=out, **options)
    was_drawn = show_qr(LINK, console)
    out.flush()
    return was_drawn, out.buffer.getvalue().decode(out.encoding)


def test_a_terminal_gets_it_in_fixed_colours():
    was_drawn, text = shown(force_terminal=True, width=80, color_system="truecolor")
    assert was_drawn
    assert "\x1b[97;40m" in text


def test_a_pipe_a_narrow_terminal_and_one_without_unicode_get_none():
    assert shown(width=80) == (False, "")
    assert shown(force_terminal=True, width=20)[0] is False
    assert shown(force_terminal=True, width=80, encoding="ascii")[0] is False

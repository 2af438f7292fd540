"""Freed memory goes back to the system."""

import subprocess
import sys

CODE = """
from bot.app.memory import give_back
def rss():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
pieces = [b"x" * 5_000 for _ in range(20_000)]
kept = pieces[::50]
del pieces
before = rss()
print(give_back(), before - rss())
"""


def test_pages_of_freed_pieces_are_returned():
    """In a process of its own: a hundred megabytes in pieces, of which every fiftieth stays."""
    out = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout.split()
    returned, kilobytes = out[0] == "True", int(out[1])
    assert not returned or kilobytes > 50_000

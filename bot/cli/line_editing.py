"""A line of input with editing, history and completion by the `readline` of the standard library.

The history is a file of its owner alone, newest last, bounded. A line that begins with a space is not kept.
"""

import contextlib
import os
import readline
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self

MAX_LINES: Final = 1_000
MAX_FILE_BYTES: Final = 1_000_000


def read_history(path: Path) -> list[str]:
    """Lines of a history file, oldest first; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE_BYTES).decode("utf-8", "replace")
    except OSError:
        return []
    return [line for line in text.split("\n") if line][-MAX_LINES:]


def write_history(path: Path, lines: Sequence[str]) -> None:
    """Replace a history file, readable by its owner alone. Raises `OSError`."""
    kept = [line for line in lines if line.strip() and not line.startswith(" ")][-MAX_LINES:]
    scratch = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.writelines(line + "\n" for line in kept)
        scratch.replace(path)
    except OSError:
        scratch.unlink(missing_ok=True)
        raise


class LineEditor:
    """`read` gives lines until `EOFError`; used as a context, it keeps what was typed."""

    def __init__(self, history: Path, complete: Callable[[str], Sequence[str]], *, delimiters: str) -> None:
        """`complete`: the line up to the cursor to what its last word may become."""
        self._path = history
        self._complete = complete
        self._delimiters = delimiters
        self._found: Sequence[str] = ()

    def __enter__(self) -> Self:
        readline.set_completer_delims(self._delimiters)
        readline.set_completer(self._offer)
        is_libedit = "libedit" in (readline.__doc__ or "")
        readline.parse_and_bind("bind ^I rl_complete" if is_libedit else "tab: complete")
        readline.clear_history()
        for line in read_history(self._path):
            readline.add_history(line)
        return self

    def __exit__(self, *_: object) -> None:
        lines = [readline.get_history_item(n + 1) for n in range(readline.get_current_history_length())]
        readline.set_completer(None)
        # A full disk, or a folder that is gone: the next history is shorter, nothing else.
        with contextlib.suppress(OSError):
            write_history(self._path, [line for line in lines if line])

    def read(self, prompt: str) -> str:
        """One line, without its end. Raises `EOFError` and `KeyboardInterrupt`."""
        return input(prompt)

    def _offer(self, _: str, n: int) -> str | None:
        if n == 0:
            # An error in here would be swallowed, and the screen left as it is.
            found = self._complete(readline.get_line_buffer()[: readline.get_endidx()])
            self._found = [one + " " for one in found] if len(found) == 1 else found
        return self._found[n] if n < len(self._found) else None

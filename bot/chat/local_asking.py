"""Questions to the bot that runs on a data folder, and their answers, as they go over its control socket.

`bot.chat.local` says what may be asked.
"""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from bot.chat.front import ANSWER_DEADLINE_S
from bot.chat.wire import WireReply, Words
from bot.model.cards import BotStatus
from bot.model.explanation import Explanation
from bot.model.overview import Overview

MAX_ANSWER_BYTES: Final = 4_000_000
DEADLINE_S: Final = ANSWER_DEADLINE_S + 2.0
"""A command that takes too long is still told so."""
MAX_PATH_BYTES: Final = 100
"""The kernel takes a little more."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One question."""

    ask: str
    rule: str = ""
    symbol: str = ""
    window_ms: int = 900_000
    n: int = 10
    text: str = ""
    wait_s: float = 0.0
    """For what takes the place of the first answer."""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What comes back."""

    ok: bool
    explanation: Explanation | None = None
    png: bytes = b""
    status: BotStatus | None = None
    overview: Overview | None = None
    error: str = ""
    near: tuple[str, ...] = ()
    """What was probably meant."""
    lines: tuple[str, ...] = ()
    """What came of a reload."""
    reply: WireReply | None = None
    """To a command; where `ok` is false it was refused."""
    is_interim: bool = False
    """The job that was asked for goes on."""
    words: Words | None = None


@contextlib.contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """What to give to the kernel for a socket file: a long path goes by way of its open folder.

    Raises `OSError` where the path is too long and the system has no such way.
    """
    if len(os.fsencode(path)) <= MAX_PATH_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def encode(answer: Answer) -> bytes:
    """One line of JSON."""
    line = msgspec.json.encode(answer) + b"\n"
    if len(line) > MAX_ANSWER_BYTES:
        return encode(Answer(ok=False, error="the answer is too large to send"))
    return line


def ask(path: Path, request: Request, *, within_s: float = 2 * DEADLINE_S) -> Answer:
    """Ask the bot that serves a socket file; blocks. Raises `OSError` where none answers, `msgspec.DecodeError` where it
    answers in another form.
    """
    found = list(answers(path, request, within_s=within_s))
    if not found:
        raise ConnectionAbortedError("it hung up without one")
    return found[-1]


def answers(path: Path, request: Request, *, within_s: float = 2 * DEADLINE_S) -> Iterator[Answer]:
    """As `ask`, what it says as it comes: each takes the place of the one before."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection, socket_address(path) as address:
        connection.settimeout(within_s)
        connection.connect(address)
        connection.sendall(msgspec.json.encode(request) + b"\n")
        connection.settimeout(within_s + request.wait_s)
        received = b""
        while chunk := connection.recv(65_536):
            *lines, received = (received + chunk).split(b"\n")
            yield from (msgspec.json.decode(line, type=Answer) for line in lines)
            if len(received) > MAX_ANSWER_BYTES:
                raise OSError("the answer is too long")
    if received:
        yield msgspec.json.decode(received, type=Answer)

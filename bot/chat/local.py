"""Questions from this machine over a socket in the data folder: one JSON line in, one JSON line out.

Only the user who runs the bot is answered: the file is his alone from its first moment, and the kernel says whose process
asks. What is sent and how long it may take is bounded. Whoever starts it holds the lock of the data folder, so a
socket file that is there belongs to a bot that is gone.

Requests: `{"ask": "explain", "rule": "oi_surge", "symbol": "BTCUSDT"}`; a rule about the whole market needs no symbol.
`{"ask": "reload"}` takes the rules folder anew; the answer's `lines` say what came of it.
Or `{"ask": "chart", "symbol": "BTC 4h all"}`, whose answer carries a PNG in base64.
`{"ask": "status"}`; `{"ask": "overview", "window_ms": 900000, "n": 10}`.
`{"ask": "say", "text": "/oi BTC"}` carries out what is typed, as the owner in the terminal; `"reply"` is as in `bot.chat.wire`.
`{"ask": "words"}`: symbols, rules and ids that may be typed.
Answers: `{"ok": true, "explanation": {...}}`, `"status"` or `"overview"` likewise; or `{"ok": false, "error": "...", "near": [...]}`.
"""

import asyncio
import contextlib
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from bot import log
from bot.chat.actions import Actions
from bot.chat.asker import AT_TERMINAL
from bot.chat.chart_actions import read
from bot.chat.commands import clean, parse, shorten
from bot.chat.front import ANSWER_DEADLINE_S, answer_safely
from bot.chat.symbols import NotFound, SymbolBook
from bot.chat.why import find_rule, near_rules
from bot.chat.wire import WireReply, Words, pack
from bot.clock import Clock
from bot.model.cards import CARD_WINDOWS_MS, BotStatus
from bot.model.chart_ports import ChartMaker, ChartReader
from bot.model.charts import NoPicture
from bot.model.explanation import Explanation
from bot.model.instrument import MARKET
from bot.model.overview import Overview, OverviewReader
from bot.model.ports import MarketReader, WhyReader
from bot.model.reload import Reloads

MAX_REQUEST_BYTES: Final = 4_096
MAX_ANSWER_BYTES: Final = 4_000_000
DEADLINE_S: Final = ANSWER_DEADLINE_S + 2.0
"""A command that takes too long is still told so."""
MAX_PATH_BYTES: Final = 100
"""The kernel takes a little more."""
MAX_ROWS: Final = 100
"""Of each kind in an overview."""
MAX_OPEN: Final = 16
"""Questions at a time; one more is turned away."""
_BACKLOG: Final = 64
_MAX_DISCARDS: Final = 64
_CREDENTIALS: Final = struct.Struct("3i")

_log = log.get("chat.local")


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question."""

    ask: str
    rule: str = ""
    symbol: str = ""
    window_ms: int = 900_000
    n: int = 10
    text: str = ""


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


def bind(path: Path) -> socket.socket:
    """A listening socket whose file only its owner may use. Raises `OSError`."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(f"{path} is no socket; move it away")
        path.unlink()
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The file is private from its first moment; a later chmod would leave a gap.
    before = os.umask(0o177)
    try:
        with socket_address(path) as address:
            made.bind(address)
        made.listen(_BACKLOG)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    finally:
        os.umask(before)
    return made


def peer_uid(connection: socket.socket) -> int | None:
    """Whose process is at the other end; None where the system does not tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    _, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))
    return int(uid)


class LocalChat:
    """Answers over one socket file until cancelled."""

    def __init__(
        self,
        *,
        path: Path,
        market: MarketReader,
        why: WhyReader,
        overview: OverviewReader,
        clock: Clock,
        reloads: Reloads | None = None,
        charts: tuple[ChartReader, ChartMaker] | None = None,
        actions: Actions | None = None,
        words: Callable[[], Awaitable[Words]] | None = None,
    ) -> None:
        self._path = path
        self._actions = actions
        self._words = words
        self._charts = charts
        self._overview = overview
        self._reloads = reloads
        self._market = market
        self._why = why
        self._clock = clock
        self._n_open = 0

    async def run(self) -> None:
        """Serve; the file is gone when this ends."""
        try:
            listening = bind(self._path)
        except OSError as error:
            _log.warning("local.unavailable", path=str(self._path), reason=str(error))
            return
        try:
            async with asyncio.TaskGroup() as group:
                await self._accept(listening, group)
        finally:
            listening.close()
            with contextlib.suppress(OSError):
                self._path.unlink()

    async def _accept(self, listening: socket.socket, group: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError as error:
                # As when the process is out of file descriptors: the next one may be luckier.
                _log.warning("local.not_accepted", reason=str(error))
                await self._clock.sleep(1.0)
                continue
            if self._n_open >= MAX_OPEN:
                connection.close()
                continue
            self._n_open += 1
            group.create_task(self._serve(connection), name="control question")

    async def _serve(self, connection: socket.socket) -> None:
        try:
            connection.setblocking(False)
            uid = peer_uid(connection)
            if uid is not None and uid != os.getuid():
                _log.warning("local.refused", uid=uid)
                return
            # A fast clock must not leave a slow machine without time to compute.
            async with self._clock.timeout(max(DEADLINE_S, 3.0 * self._clock.speed)):
                answer = await self._answer(await _read_line(connection))
                await asyncio.get_running_loop().sock_sendall(connection, encode(answer))
            _discard(connection)
        except (OSError, TimeoutError) as error:
            _log.info("local.dropped", reason=type(error).__name__)
        except Exception:  # noqa: BLE001 - one question; logged, and the bot goes on
            _log.exception("local.failed")
        finally:
            self._n_open -= 1
            connection.close()

    async def _answer(self, raw: bytes) -> Answer:
        if len(raw) > MAX_REQUEST_BYTES:
            return Answer(ok=False, error=f"the question is longer than {MAX_REQUEST_BYTES} bytes")
        try:
            request = msgspec.json.decode(raw, type=Request)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return Answer(ok=False, error=f"the question is no JSON object as expected: {error}")
        try:
            match request.ask:
                case "explain":
                    return await explain_named(request.rule, request.symbol, market=self._market, why=self._why)
                case "status":
                    return Answer(ok=True, status=await self._overview.status())
                case "reload":
                    return await self._reload()
                case "overview":
                    return await self._look(request)
                case "chart":
                    return await self._chart(request)
                case "say":
                    return await self._say(request.text)
                case "words":
                    return Answer(ok=True, words=await self._words() if self._words is not None else Words())
                case other:
                    known = "explain, status, overview, reload, chart, say or words"
                    return Answer(ok=False, error=f"expected to be asked for {known}, found {shorten(clean(other))!r}")
        except Exception:  # noqa: BLE001 - logged; whoever asked is told
            _log.exception("local.failed")
            return Answer(ok=False, error="something went wrong; the bot's log has the details")

    async def _reload(self) -> Answer:
        if self._reloads is None:
            return Answer(ok=False, error="the rules of this bot are fixed")
        report = await self._reloads.reload()
        return Answer(ok=report.is_taken, lines=report.lines)

    async def _say(self, text: str) -> Answer:
        asked = parse(text, is_slash_optional=True)
        if asked is None or self._actions is None:
            return Answer(ok=False, error="expected a command, such as /oi BTC")
        reply = await answer_safely(self._actions, asked, asker=AT_TERMINAL, clock=self._clock)
        return Answer(ok=not reply.is_refusal, reply=pack(reply))

    async def _chart(self, request: Request) -> Answer:
        if self._charts is None:
            return Answer(ok=False, error="charts are switched off: OIBOT_CHARTS__ENABLED is false")
        asked = read(tuple(clean(request.symbol).split()))
        if isinstance(asked, str):
            return Answer(ok=False, error=asked)
        found = SymbolBook(self._market.instruments()).resolve(asked.symbol)
        if isinstance(found, NotFound):
            near = tuple(one.symbol for one in found.suggestions)
            return Answer(ok=False, error=f"there is no symbol {shorten(clean(asked.symbol))!r}", near=near)
        reader, maker = self._charts
        data = await reader.chart(found.key, asked.span_ms, extra=asked.panels)
        picture = data if isinstance(data, NoPicture) else await maker.draw(data)
        if isinstance(picture, NoPicture):
            return Answer(ok=False, error=f"no chart of {found.symbol}: {picture.reason}")
        return Answer(ok=True, png=picture.png)

    async def _look(self, request: Request) -> Answer:
        if request.window_ms not in CARD_WINDOWS_MS:
            known = ", ".join(str(one) for one in CARD_WINDOWS_MS)
            return Answer(ok=False, error=f"expected a window_ms of {known}, found {request.window_ms}")
        n = min(max(request.n, 1), MAX_ROWS)
        return Answer(ok=True, overview=await self._overview.overview(request.window_ms, n))


async def _read_line(connection: socket.socket) -> bytes:
    """Up to the first line break or the end; longer than allowed where it does not end in time."""
    loop = asyncio.get_running_loop()
    received = b""
    while b"\n" not in received and len(received) <= MAX_REQUEST_BYTES:
        chunk = await loop.sock_recv(connection, MAX_REQUEST_BYTES + 1)
        if not chunk:
            break
        received += chunk
    return received.partition(b"\n")[0]


def _discard(connection: socket.socket) -> None:
    """Drop what has arrived beyond the question: closed over it, the kernel would take the answer back."""
    with contextlib.suppress(OSError):
        for _ in range(_MAX_DISCARDS):
            if not connection.recv(65_536):
                return


async def explain_named(rule_name: str, symbol: str, *, market: MarketReader, why: WhyReader) -> Answer:
    """The explanation of a rule and a symbol as people write them, or what was probably meant."""
    rules = why.rules()
    rule = find_rule(rule_name, rules)
    if rule is None:
        near = tuple(one.id for one in near_rules(rule_name, rules))
        return Answer(ok=False, error=f"there is no rule {shorten(clean(rule_name))!r}", near=near)
    if not rule.is_on:
        return Answer(ok=False, error=f"the rule {rule.id!r} is switched off: its file says `enabled: false`")
    key = MARKET
    if symbol not in {"", MARKET}:
        found = SymbolBook(market.instruments()).resolve(symbol)
        if isinstance(found, NotFound):
            near = tuple(one.symbol for one in found.suggestions)
            return Answer(ok=False, error=f"there is no symbol {shorten(clean(symbol))!r}", near=near)
        key = found.key
    explanation = await why.explain(rule.id, key)
    if explanation is not None:
        return Answer(ok=True, explanation=explanation)
    if key == MARKET:
        return Answer(ok=False, error=f"the rule {rule.id!r} looks at each contract: name one")
    return Answer(ok=False, error="the rules have not been evaluated yet; try again in a few seconds")


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
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection, socket_address(path) as address:
        connection.settimeout(within_s)
        connection.connect(address)
        connection.sendall(msgspec.json.encode(request) + b"\n")
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
            if len(received) > MAX_ANSWER_BYTES:
                raise OSError("the answer is too long")
    return msgspec.json.decode(received, type=Answer)

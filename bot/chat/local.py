"""Questions from this machine over a socket in the data folder: one JSON line in, one JSON line out.

Only the user who runs the bot is answered: the file is his alone from its first moment, and the kernel says whose process
asks. What is sent and how long it may take is bounded. Whoever starts it holds the lock of the data folder, so a
socket file that is there belongs to a bot that is gone.

Requests: `{"ask": "explain", "rule": "oi_surge", "symbol": "BTCUSDT"}`; a rule about the whole market needs no symbol.
`{"ask": "reload"}` takes the rules folder anew; the answer's `lines` say what came of it.
Or `{"ask": "chart", "symbol": "BTC 4h all"}`, whose answer carries a PNG in base64.
`{"ask": "status"}`; `{"ask": "overview", "window_ms": 900000, "n": 10}`.
`{"ask": "say", "text": "/oi BTC"}` carries out what is typed, as the owner in the terminal; `"reply"` is as in `bot.chat.wire`.
With `"wait_s": 600` the answer of a job is waited for as long: each line takes the place of the one before, and one that is
`"is_interim"` is not the last, unless the time was over or the job broke.
`{"ask": "words"}`: symbols, rules and ids that may be typed.
Answers: `{"ok": true, "explanation": {...}}`, `"status"` or `"overview"` likewise; or `{"ok": false, "error": "...", "near": [...]}`.
"""

import asyncio
import contextlib
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from bot import log
from bot.chat.actions import Actions
from bot.chat.asker import AT_TERMINAL
from bot.chat.chart_actions import read
from bot.chat.commands import clean, parse, shorten
from bot.chat.front import answer_safely
from bot.chat.local_asking import DEADLINE_S, Answer, Request, encode, socket_address
from bot.chat.reply import Reply
from bot.chat.rule_words import find_rule, near_rules
from bot.chat.symbols import NotFound, SymbolBook
from bot.chat.wire import Words, pack
from bot.clock import Clock
from bot.model.cards import CARD_WINDOWS_MS
from bot.model.chart_ports import ChartMaker, ChartReader
from bot.model.charts import NoPicture
from bot.model.instrument import MARKET
from bot.model.overview import OverviewReader
from bot.model.ports import MarketReader, WhyReader
from bot.model.reload import Reloads
from bot.texts import speaking

MAX_REQUEST_BYTES: Final = 4_096
MAX_ROWS: Final = 100
"""Of each kind in an overview."""
MAX_OPEN: Final = 16
"""Questions at a time; one more is turned away."""
MAX_FOLLOWED: Final = 8
"""Of them, that wait for jobs; one more gets its first answer alone."""
MAX_WAIT_S: Final = 3_600.0
_BACKLOG: Final = 64
_MAX_DISCARDS: Final = 64
_CREDENTIALS: Final = struct.Struct("3i")

_log = log.get("chat.local")


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


class _Following(NamedTuple):
    later: Callable[[], AsyncIterator[Reply]]
    wait_s: float


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
        self._n_open = self._n_followed = 0

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
                answer, follow = await self._answer(await _read_line(connection))
                await asyncio.get_running_loop().sock_sendall(connection, encode(answer))
            if follow is not None:
                await self._follow(connection, follow)
            _discard(connection)
        except (OSError, TimeoutError) as error:
            _log.info("local.dropped", reason=type(error).__name__)
        except Exception:  # noqa: BLE001 - one question; logged, and the bot goes on
            _log.exception("local.failed")
        finally:
            self._n_open -= 1
            connection.close()

    async def _follow(self, connection: socket.socket, follow: _Following) -> None:
        """What takes the place of an answer, until that has ended or the time is over."""
        if self._n_followed >= MAX_FOLLOWED:
            return
        self._n_followed += 1
        try:
            # In the language of the first, and as slow as the work is, however fast the clock.
            with speaking(self._actions.language_of(AT_TERMINAL.chat) if self._actions is not None else ""):
                async with self._clock.timeout(follow.wait_s * max(1.0, self._clock.speed)):
                    async for reply in follow.later():
                        await asyncio.get_running_loop().sock_sendall(connection, encode(_said(reply)))
        finally:
            self._n_followed -= 1

    async def _answer(self, raw: bytes) -> tuple[Answer, _Following | None]:
        """And what to follow."""
        if len(raw) > MAX_REQUEST_BYTES:
            return Answer(ok=False, error=f"the question is longer than {MAX_REQUEST_BYTES} bytes"), None
        try:
            request = msgspec.json.decode(raw, type=Request)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return Answer(ok=False, error=f"the question is no JSON object as expected: {error}"), None
        try:
            if request.ask == "say":
                return await self._say(request)
            return await self._told(request), None
        except Exception:  # noqa: BLE001 - logged; whoever asked is told
            _log.exception("local.failed")
            return Answer(ok=False, error="something went wrong; the bot's log has the details"), None

    async def _told(self, request: Request) -> Answer:
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
            case "words":
                return Answer(ok=True, words=await self._words() if self._words is not None else Words())
            case other:
                known = "explain, status, overview, reload, chart, say or words"
                return Answer(ok=False, error=f"expected to be asked for {known}, found {shorten(clean(other))!r}")

    async def _reload(self) -> Answer:
        if self._reloads is None:
            return Answer(ok=False, error="the rules of this bot are fixed")
        report = await self._reloads.reload()
        return Answer(ok=report.is_taken, lines=report.lines)

    async def _say(self, request: Request) -> tuple[Answer, _Following | None]:
        asked = parse(request.text, is_slash_optional=True)
        if asked is None or self._actions is None:
            return Answer(ok=False, error="expected a command, such as /oi BTC"), None
        reply = await answer_safely(self._actions, asked, asker=AT_TERMINAL, clock=self._clock)
        wait_s = min(request.wait_s, MAX_WAIT_S)
        follow = _Following(reply.later, wait_s) if reply.later is not None and wait_s > 0.0 else None
        return _said(reply), follow

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


def _said(reply: Reply) -> Answer:
    return Answer(ok=not reply.is_refusal, reply=pack(reply), is_interim=reply.is_interim)


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

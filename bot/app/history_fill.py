"""The past of contracts, asked of the venue within its limits and put into the store.

It has a budget of its own, smaller while a bot runs on the same machine, so that both together stay under what the venue
allows; a pause that the bot was told is obeyed. What was answered is put down per contract, also when it is stopped or
refused, and what is known is not asked for again.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, Self

from bot.clock import Clock
from bot.errors import BotError, PayloadError
from bot.feeds.binance import bars, flows, rest
from bot.feeds.budget import CallBudget
from bot.feeds.calls import Request
from bot.feeds.client import Priority, RestClient
from bot.feeds.gate import Failure
from bot.feeds.transport import Transport
from bot.history.filling import STEP_MS, Piece, Series, missing
from bot.history.store import Store
from bot.model.history import BAR_MS, BarRows
from bot.model.instrument import Instrument
from bot.model.ports import KeyValues

DAY_MS: Final = 86_400_000
HISTORY_DAYS: Final = 30
"""So far back the venue tells open interest and ratios."""
PER_CALL: Final[dict[Series, int]] = {"price": 499, "volume": 499, "oi": 500, "long_short": 500}
"""Bars: below 500 a call costs 2, a bar least of all."""
N_FUNDINGS: Final = 1_000
SHARE_BESIDE: Final = 0.2
"""Of the weight of a minute, while a bot uses its own."""
_APART: Final = ".beside"
CALLS_BESIDE: Final = 90
"""In five minutes; the bot may use 900 of the 1,000 that the venue allows."""


class FillError(BotError):
    """The venue gives no answer, or none that can be read."""


@dataclass(slots=True)
class Filled:
    """What came of one contract."""

    instrument: Instrument
    n_rows: dict[str, int] = field(default_factory=dict)
    """By series."""
    n_calls: int = 0
    problem: str = ""
    """Why it ended early."""


class Venue(rest.BinanceRest):
    """The venue's limits, or what a running bot leaves of them."""

    def __init__(self, *, is_beside: bool) -> None:
        self._is_beside = is_beside

    def pools(self) -> Mapping[str, CallBudget]:
        if not self._is_beside:
            return super().pools()
        return {
            "data": CallBudget(limit=CALLS_BESIDE, n_fast=20, fast_per_s=2.0, per_s=0.3, regular_per_s=0.3),
            "funding": CallBudget(limit=20, n_fast=2, fast_per_s=1.0, per_s=0.05, regular_per_s=0.05),
        }


class Books:
    """The `KeyValues` of the bot. Beside a running one, only what it was told of pauses is taken from them: what it used is its own
    part of the limits, and waiting for that could take for ever. What was used here is kept apart, for the next time.
    """

    def __init__(self, values: KeyValues, *, is_beside: bool) -> None:
        self._values = values
        self._is_beside = is_beside

    async def get(self, key: str) -> str | None:
        of_bot = await self._values.get(key)
        if not self._is_beside:
            return of_bot
        own = _object(await self._values.get(f"{key}{_APART}"))
        return json.dumps({**own, "pause": _object(of_bot).get("pause", {})})

    async def put(self, key: str, value: str) -> None:
        await self._values.put(f"{key}{_APART}" if self._is_beside else key, value)


def _object(text: str | None) -> dict[str, object]:
    found = json.loads(text or "{}")
    return found if isinstance(found, dict) else {}


class Filler:
    """Use as `async with`. Raises `FillError` where nothing at all can be asked."""

    def __init__(
        self,
        store: Store,
        *,
        base_url: str,
        clock: Clock,
        values: KeyValues,
        is_beside: bool,
        weight_share: float,
        random: Random,
        transport: Transport | None = None,
    ) -> None:
        """`is_beside`: whether a bot runs that has its own part of the limits. `weight_share`: what it may use."""
        self._store = store
        self._clock = clock
        self._offset_ms = 0
        self._client = RestClient(
            venue=Venue(is_beside=is_beside),
            base_url=base_url,
            clock=clock,
            store=Books(values, is_beside=is_beside),
            random=random,
            venue_now=self.venue_now,
            weight_share=min(weight_share, SHARE_BESIDE) if is_beside else weight_share,
            transport=transport,
        )

    def venue_now(self) -> int:
        """Epoch milliseconds by the venue's clock."""
        return self._clock.wall_ms() + self._offset_ms

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._client.__aexit__(*error)

    async def instruments(self) -> tuple[Instrument, ...]:
        """What the venue lists; noted in the store. Sets its clock."""
        try:
            now_ms = rest.parse_server_time(await self._body(rest.server_time()))
            self._offset_ms = now_ms - self._clock.wall_ms()
            found = rest.parse_instruments(await self._body(rest.exchange_info()))
        except PayloadError as error:
            raise FillError(f"history fill: {error}; check OIBOT_BINANCE__REST_URL") from error
        self._store.know(found)
        return found

    async def _body(self, request: Request) -> bytes:
        answer = self._refused() or await self._client.get(request, priority=Priority.QUESTION)
        if isinstance(answer, Failure):
            raise FillError(f"history fill: {answer.text}")
        return answer

    def _refused(self) -> Failure | None:
        """Nobody waits here for the end of a ban."""
        return self._client.failure if self._client.paused_until_ms is not None else None

    async def fill(
        self,
        instrument: Instrument,
        days: float,
        *,
        tell: Callable[[int, int], None],
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> Filled:
        """Ask for what is missing of the last days. `tell` hears how many calls of how many are done."""
        until_ms = self.venue_now() // BAR_MS * BAR_MS
        after_ms = max(until_ms - round(days * DAY_MS), instrument.onboard_ms) // BAR_MS * BAR_MS
        pieces = self._missing(instrument.key, after_ms, until_ms)
        done = Filled(instrument)
        answered: list[BarRows] = []
        n_calls = len(pieces) + 1
        try:
            for piece in (*pieces, None):
                if is_stopped():
                    done.problem = "stopped"
                    break
                rows = await self._asked(instrument, piece, after_ms, until_ms)
                done.n_calls += 1
                tell(done.n_calls, n_calls)
                if isinstance(rows, Failure):
                    done.problem = rows.text
                    break
                name = "funding" if piece is None else piece.series
                done.n_rows[name] = done.n_rows.get(name, 0) + len(rows.row)
                answered.append(rows)
        finally:
            if any(len(rows.row) for rows in answered):
                self._store.add(answered, source="fill", latest_counts=True)
        return done

    def _missing(self, key: str, after_ms: int, until_ms: int) -> Sequence[Piece]:
        """Samples of the venue's last 30 days; a day less, as that limit moves on while we ask."""
        oldest_ms = (until_ms - HISTORY_DAYS * DAY_MS) // STEP_MS["oi"] * STEP_MS["oi"] + 3_600_000
        both: dict[Series, int] = {"price": PER_CALL["price"], "volume": PER_CALL["volume"]}
        found = missing(self._store, key, after_ms, until_ms, both)
        rest_of: dict[Series, int] = {"oi": PER_CALL["oi"], "long_short": PER_CALL["long_short"]}
        return [*found, *missing(self._store, key, max(after_ms, oldest_ms), until_ms, rest_of)]

    async def _asked(
        self, instrument: Instrument, piece: Piece | None, after_ms: int, until_ms: int
    ) -> BarRows | Failure:
        body = self._refused() or await self._client.get(
            _request(instrument.symbol, piece), priority=Priority.BACKGROUND
        )
        if isinstance(body, Failure):
            return body
        try:
            rows = self._read(body, instrument.key, piece)
        except PayloadError as error:
            return Failure("server", str(error))
        return _within(rows, after_ms, until_ms)

    def _read(self, body: bytes, key: str, piece: Piece | None) -> BarRows:
        if piece is None:
            return bars.of_samples(rest.parse_funding_history(body, 0), key)
        match piece.series:
            case "price":
                return bars.parse_mark_bars(body, key, now_ms=self.venue_now())
            case "volume":
                return bars.parse_traded_bars(body, key, now_ms=self.venue_now())
            case "oi":
                return bars.of_samples(rest.parse_open_interest_history(body, 0), key)
            case "long_short":
                return bars.of_samples(flows.parse_long_short(body, 0), key)


def _request(symbol: str, piece: Piece | None) -> Request:
    if piece is None:
        return rest.funding_history(symbol, limit=N_FUNDINGS)
    match piece.series:
        # Bars are named by when they open.
        case "price":
            return rest.mark_price_klines(symbol, limit=piece.n_rows, end_ms=piece.until_ms - BAR_MS)
        case "volume":
            return rest.klines(symbol, limit=piece.n_rows, end_ms=piece.until_ms - BAR_MS)
        case "oi":
            return rest.open_interest_history(symbol, limit=piece.n_rows, end_ms=piece.until_ms)
        case "long_short":
            return rest.top_position_ratio(symbol, limit=piece.n_rows, end_ms=piece.until_ms)


def _within(rows: BarRows, after_ms: int, until_ms: int) -> BarRows:
    keep = (rows.close_ms > after_ms) & (rows.close_ms <= until_ms)
    columns = {name: column[keep] for name, column in rows.columns.items()}
    return BarRows(rows.keys, rows.row[keep], rows.close_ms[keep], columns)

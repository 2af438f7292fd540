"""The simulated market: what every contract is worth, how much of it is held and traded, at any time.

Everything is a pure function of (seed, number of instruments, start, anchor, moves asked for, time): a live stream and a history
endpoint that ask for the same instant get the same number. Between the minute knots of `Series` prices follow seeded
bridges with a node every five seconds; open interest and volume run straight. Planted events (`bot.sim.events`) are
added on top.

Until `fix_anchor` is called the anchor slides: `slide(now)` sets it, and history before `now` shows the opening event
under way. Prices are in quote units, open interest in base units, times in epoch milliseconds.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.sim import events, noise, universe
from bot.sim.series import Series
from bot.sim.universe import DAY_MS, MINUTE_MS, Spec

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

NODES = 12
NODE_MS = MINUTE_MS // NODES
_BANK = 256
_FUNDING_PERIOD_MS = 6 * 3_600_000
_QUIET_BEFORE_ANCHOR_MS = 30 * 60_000
_SCRIPT_AHEAD_MS = 12 * 3_600_000
_MAX_MOVES = 1_000
"""Older moves are forgotten, as if they had not been."""


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """Knots of all contracts around one minute."""

    minute: int
    price0: F64
    price1: F64
    oi0: F64
    oi1: F64
    volume0: F64
    volume1: F64
    scale: F64
    bridge: I64


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Bars of one contract, ascending. Volumes are in quote units."""

    open_ms: I64
    open: F64
    high: F64
    low: F64
    close: F64
    volume: F64
    taker_buy: F64


class Market:
    """The whole market of one seed."""

    def __init__(self, *, seed: int, n_instruments: int, start_ms: int, script: bool = True) -> None:
        self.seed = seed
        self.start_ms = start_ms
        self.specs, self.status = universe.build(seed, n_instruments, start_ms)
        self.series = Series(seed)
        self.rows = {spec.symbol: row for row, spec in enumerate(self.specs)}
        self.frozen_ms: dict[int, int] = dict.fromkeys(self.status, start_ms - 2 * DAY_MS)
        self.delivery_ms: dict[int, int] = {}
        """Announced ends that differ from the contract's own."""
        self._script = script
        self._anchor_ms: int | None = None
        self._sliding_ms = start_ms
        self._scripted: tuple[int, int, list[events.Event]] | None = None
        self._planned: dict[int, list[events.Event]] = {}
        self._moves: deque[events.Event] = deque(maxlen=_MAX_MOVES)
        self._frames: dict[int, _Frame] = {}
        self._ranges: tuple[int, F64, F64] | None = None
        self._opened: tuple[int, F64] | None = None
        self._tail: tuple[int, F64] | None = None
        self._bank = self._make_bank()
        crypto = [
            r for r, s in enumerate(self.specs) if s.is_crypto_perpetual and s.quote == "USDT" and r not in self.status
        ]
        self.ranked = sorted(crypto, key=lambda r: -self.specs[r].oi_usd)
        """Rows of the crypto perpetuals quoted in USDT, the largest open interest first; fixed at the start."""
        self._columns()

    def _make_bank(self) -> F64:
        rng = noise.generator(noise.key_of(self.seed, "bridges"), 0)
        steps = rng.standard_normal((_BANK, NODES)) / np.sqrt(NODES)
        walks = np.concatenate((np.zeros((_BANK, 1)), np.cumsum(steps, axis=1)), axis=1)
        return np.asarray(walks - walks[:, -1:] * np.arange(NODES + 1) / NODES)

    def _columns(self) -> None:
        specs = self.specs
        self.level = np.log([s.price for s in specs])
        self.oi_level = np.log([s.oi_usd / s.price for s in specs])
        self.minute_volume = np.array([s.minute_volume_usd for s in specs])
        self.keys = np.array([s.key for s in specs], dtype=np.uint64)
        self.price_keys = np.array([s.price_key for s in specs], dtype=np.uint64)
        self.sigma = np.array([np.hypot(s.sigma, s.beta * 0.00055) for s in specs])
        self.funding_sigma = np.array([s.funding_sigma for s in specs])
        self.funding_every_ms = np.array([s.funding_h * 3_600_000 if s.is_perpetual else 0 for s in specs])
        self.onboard_ms = np.array([s.onboard_ms for s in specs], dtype=np.int64)
        self._frames.clear()
        self._ranges = self._opened = self._tail = None

    def add(self, spec: Spec) -> int:
        """Append a contract and return its row."""
        self.specs.append(spec)
        row = self.rows[spec.symbol] = len(self.specs) - 1
        self._columns()
        return row

    # The anchor and the events

    @property
    def anchor_ms(self) -> int | None:
        """When the first subscriber got its first mark price; None before."""
        return self._anchor_ms

    def slide(self, now_ms: int) -> None:
        """Move the anchor along while it is not fixed."""
        self._sliding_ms = now_ms

    def fix_anchor(self, now_ms: int) -> None:
        """Fix the anchor; later calls change nothing."""
        if self._anchor_ms is None:
            self._anchor_ms = now_ms

    def move(self, event: events.Event) -> None:
        """Add an event that begins now or later; the past must not change."""
        self._moves.append(event)

    def events_between(self, first_ms: int, last_ms: int) -> list[events.Event]:
        """Return the events that touch that span."""
        anchor_ms = self._anchor_ms if self._anchor_ms is not None else self._sliding_ms
        found: list[events.Event] = []
        for day in range(first_ms // DAY_MS - 1, last_ms // DAY_MS + 1):
            found += [
                event
                for event in self._planned_on(day)
                if not self._script or event.end_ms <= anchor_ms - _QUIET_BEFORE_ANCHOR_MS
            ]
        if self._script:
            found += self._scripted_until(anchor_ms, last_ms)
        found += self._moves
        return [e for e in found if e.start_ms <= last_ms and e.end_ms >= first_ms]

    def _planned_on(self, day: int) -> list[events.Event]:
        if day not in self._planned:
            if len(self._planned) > 120:
                self._planned.clear()
            self._planned[day] = events.planned(self.seed, day, self.ranked)
        return self._planned[day]

    def _scripted_until(self, anchor_ms: int, last_ms: int) -> list[events.Event]:
        known = self._scripted
        if known is None or known[0] != anchor_ms or known[1] < last_ms:
            until_ms = last_ms + (_SCRIPT_AHEAD_MS if self._anchor_ms is not None else 0)
            known = self._scripted = (anchor_ms, until_ms, events.scripted(self.seed, anchor_ms, until_ms, self.ranked))
        return known[2]

    # All contracts at one time

    def _frame_at(self, minute: int) -> _Frame:
        frame = self._frames.get(minute)
        if frame is None:
            while len(self._frames) >= 4:
                del self._frames[next(iter(self._frames))]
            p0, o0, v0 = self.series.at_minute(self.specs, minute)
            p1, o1, v1 = self.series.at_minute(self.specs, minute + 1)
            if (minute + 1) % 1440 == 0:
                day = minute // 1440
                v1 = np.array([self.series.day(s, day).volume[-1] for s in self.specs], dtype=np.float64)
            volatility = float(self.series.weather(minute // 1440).volatility[minute % 1440])
            bridge = (noise.hashed(self.price_keys, minute) % np.uint64(_BANK)).astype(np.int64)
            frame = self._frames[minute] = _Frame(minute, p0, p1, o0, o1, v0, v1, 0.6 * self.sigma * volatility, bridge)
        return frame

    def prices(self, t_ms: int) -> F64:
        """Return the mark price of every contract."""
        minute, rest = divmod(t_ms, MINUTE_MS)
        frame = self._frame_at(minute)
        share = rest / MINUTE_MS
        node, inner = divmod(rest, NODE_MS)
        inner_share = inner / NODE_MS
        bridge = self._bank[frame.bridge, node] * (1.0 - inner_share) + self._bank[frame.bridge, node + 1] * inner_share
        logs = self.level + frame.price0 + (frame.price1 - frame.price0) * share + frame.scale * bridge
        for event in self.events_between(t_ms, t_ms):
            logs[event.rows] += event.price * float(event.share(event.shape.price, t_ms))
        prices = np.exp(logs)
        for row, frozen_ms in self.frozen_ms.items():
            if t_ms > frozen_ms:
                prices[row] = self.price(row, frozen_ms)
        return np.asarray(prices)

    def open_interests(self, t_ms: int) -> F64:
        """Return the open interest of every contract, not yet rounded to its step."""
        minute, rest = divmod(t_ms, MINUTE_MS)
        frame = self._frame_at(minute)
        logs = self.oi_level + frame.oi0 + (frame.oi1 - frame.oi0) * (rest / MINUTE_MS)
        for event in self.events_between(t_ms, t_ms):
            logs[event.rows] += event.oi * float(event.share(event.shape.oi, t_ms))
        return np.asarray(np.exp(logs))

    def funding(self, t_ms: int) -> F64:
        """Return the funding rate of every contract per its own interval, a fraction."""
        drift = noise.smooth(self.keys ^ np.uint64(7), t_ms, _FUNDING_PERIOD_MS)
        return np.asarray(np.clip(0.00005 + self.funding_sigma * drift * (1.0 + 0.25 * drift**2), -0.02, 0.02))

    def index_prices(self, prices: F64, t_ms: int) -> F64:
        """Return the index behind each of these mark prices: a few basis points away."""
        return np.asarray(prices * (1.0 - 0.0003 * noise.smooth(self.keys ^ np.uint64(8), t_ms, 120_000)))

    def volumes_24h(self, t_ms: int) -> F64:
        """Return the quote volume of the last 24 hours of every contract."""
        frame = self._frame_at(t_ms // MINUTE_MS)
        share = (t_ms % MINUTE_MS) / MINUTE_MS
        minutes = self._yesterdays_tail(t_ms // MINUTE_MS) + frame.volume0 + (frame.volume1 - frame.volume0) * share
        for event in self.events_between(t_ms - DAY_MS, t_ms):
            minutes[event.rows] += float(event.extra_minutes(t_ms) - event.extra_minutes(t_ms - DAY_MS))
        return np.asarray(minutes * self.minute_volume)

    def running_volumes(self, t_ms: int) -> F64:
        """Return the quote volume of every contract since the begin of the minute that `t_ms` lies in."""
        frame = self._frame_at(t_ms // MINUTE_MS)
        open_ms = t_ms // MINUTE_MS * MINUTE_MS
        minutes = (frame.volume1 - frame.volume0) * ((t_ms - open_ms) / MINUTE_MS)
        for event in self.events_between(open_ms, t_ms):
            minutes[event.rows] += float(event.extra_minutes(t_ms) - event.extra_minutes(open_ms))
        return np.asarray(minutes * self.minute_volume)

    def taker_share(self, keys: npt.ArrayLike, moved: F64, minute: npt.ArrayLike) -> F64:
        """Return the buyers' part of a volume, given the move of its bar in deviations and the minute it began in."""
        lean = 0.5 + 0.18 * np.tanh(0.7 * moved) + 0.03 * noise.normal(keys, minute)
        return np.asarray(np.clip(lean, 0.05, 0.95))

    def _yesterdays_tail(self, minute: int) -> F64:
        if self._tail is None or self._tail[0] != minute:
            day, at = divmod(minute, 1440)
            volumes = [self.series.day(s, day - 1).volume for s in self.specs]
            self._tail = minute, np.array([float(v[-1]) - float(v[at]) for v in volumes])
        return self._tail[1]

    def _opened_at(self, minute: int) -> F64:
        if self._opened is None or self._opened[0] != minute:
            opened = self.prices(minute * MINUTE_MS - DAY_MS)
            for row in np.flatnonzero(self.onboard_ms > minute * MINUTE_MS - DAY_MS).tolist():
                opened[row] = self.price(row, int(self.onboard_ms[row]))
            self._opened = minute, opened
        return self._opened[1]

    def day_ranges(self, prices: F64, t_ms: int) -> tuple[F64, F64, F64]:
        """Return open, high and low of the last 24 hours, given the prices now. High and low are read every ten minutes."""
        slot = t_ms // 600_000
        if self._ranges is None or self._ranges[0] != slot:
            at = np.arange(slot * 600_000 - DAY_MS + 600_000, slot * 600_000 + 1, 600_000)
            paths = [self.price_path(row, np.maximum(at, s.onboard_ms)) for row, s in enumerate(self.specs)]
            self._ranges = slot, np.array([p.max() for p in paths]), np.array([p.min() for p in paths])
        _, high, low = self._ranges
        opened = self._opened_at(t_ms // MINUTE_MS)
        np.maximum(high, prices, out=high)
        np.minimum(low, prices, out=low)
        return opened, np.maximum(high, opened), np.minimum(low, opened)

    # One contract at many times

    def price(self, row: int, t_ms: int) -> float:
        """Return one mark price."""
        return float(self.price_path(row, np.array([t_ms]))[0])

    def price_path(self, row: int, t_ms: I64) -> F64:
        """Return mark prices of one contract at ascending times."""
        spec = self.specs[row]
        frozen_ms = self.frozen_ms.get(row)
        if frozen_ms is not None:
            t_ms = np.minimum(t_ms, frozen_ms)
        first = int(t_ms[0]) // MINUTE_MS
        knots, _, _ = self.series.knots(spec, first, int(t_ms[-1]) // MINUTE_MS - first + 2)
        minute, rest = np.divmod(t_ms, MINUTE_MS)
        at = minute - first
        node, inner = np.divmod(rest, NODE_MS)
        inner_share = inner / NODE_MS
        bridge_row = (noise.hashed(spec.price_key, minute) % np.uint64(_BANK)).astype(np.int64)
        bridge = self._bank[bridge_row, node] * (1.0 - inner_share) + self._bank[bridge_row, node + 1] * inner_share
        scale = 0.6 * self.sigma[row] * self._volatility(minute)
        logs = self.level[row] + knots[at] + (knots[at + 1] - knots[at]) * (rest / MINUTE_MS) + scale * bridge
        for event, place in self._events_of(row, int(t_ms[0]), int(t_ms[-1])):
            logs += event.price[place] * event.share(event.shape.price, t_ms)
        return np.asarray(np.exp(logs))

    def _volatility(self, minute: I64) -> F64:
        days = minute // 1440
        first, last = int(days[0]), int(days[-1])
        table = np.concatenate([self.series.weather(d).volatility for d in range(first, last + 1)])
        return np.asarray(table[minute - first * 1440])

    def _events_of(self, row: int, first_ms: int, last_ms: int) -> list[tuple[events.Event, int]]:
        found = []
        for event in self.events_between(first_ms, last_ms):
            place = int(np.searchsorted(event.rows, row))
            if place < event.rows.size and event.rows[place] == row:
                found.append((event, place))
        return found

    def oi_path(self, row: int, t_ms: I64) -> F64:
        """Return the open interest of one contract at ascending times, rounded to its step."""
        spec = self.specs[row]
        first = int(t_ms[0]) // MINUTE_MS
        _, knots, _ = self.series.knots(spec, first, int(t_ms[-1]) // MINUTE_MS - first + 2)
        minute, rest = np.divmod(t_ms, MINUTE_MS)
        at = minute - first
        logs = self.oi_level[row] + knots[at] + (knots[at + 1] - knots[at]) * (rest / MINUTE_MS)
        for event, place in self._events_of(row, int(t_ms[0]), int(t_ms[-1])):
            logs += event.oi[place] * event.share(event.shape.oi, t_ms)
        return np.asarray(np.round(np.exp(logs) / spec.step) * spec.step)

    def open_interest(self, row: int, t_ms: int) -> float:
        """Return one open interest, rounded to its step."""
        return float(self.oi_path(row, np.array([t_ms]))[0])

    def _volume_path(self, row: int, t_ms: I64) -> F64:
        spec = self.specs[row]
        first = int(t_ms[0]) // MINUTE_MS
        _, _, knots = self.series.knots(spec, first, int(t_ms[-1]) // MINUTE_MS - first + 2)
        minute, rest = np.divmod(t_ms, MINUTE_MS)
        at = minute - first
        minutes = knots[at] + (knots[at + 1] - knots[at]) * (rest / MINUTE_MS)
        for event, place in self._events_of(row, int(t_ms[0]), int(t_ms[-1])):
            minutes += event.extra_minutes(t_ms)
            del place
        return np.asarray(minutes * spec.minute_volume_usd)

    def bars(self, row: int, open_ms: I64, interval_ms: int, now_ms: int) -> Bars:
        """Return the bars that open at those (regular, ascending) times; the last may be unfinished at `now_ms`."""
        per_bar = interval_ms // NODE_MS
        at = open_ms[:, None] + np.arange(per_bar + 1) * NODE_MS
        at = np.minimum(at, now_ms)
        path = self.price_path(row, at.ravel()).reshape(at.shape)
        # Closes are the next opens, so the flat list of times is ascending but for equal neighbours.
        edges = np.minimum(np.concatenate((open_ms, open_ms[-1:] + interval_ms)), now_ms)
        traded = np.diff(self._volume_path(row, edges))
        moved = np.log(path[:, -1] / path[:, 0]) / (self.sigma[row] * np.sqrt(interval_ms / MINUTE_MS))
        share = self.taker_share(self.specs[row].key ^ 9, moved, open_ms // MINUTE_MS)
        return Bars(
            open_ms,
            path[:, 0],
            path.max(axis=1),
            path.min(axis=1),
            path[:, -1],
            traded,
            traded * share,
        )

"""The REST side of the venue: limits and faults first, then parameters, then the answer.

Every answer carries `X-MBX-USED-WEIGHT-1M`. Errors have the published codes and HTTP status 4xx.
"""

import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np
from aiohttp import web

from bot.clock import Clock
from bot.sim import answers, damage
from bot.sim.faults import Faults
from bot.sim.limits import Limits, LimitStats
from bot.sim.market import I64, Market
from bot.sim.universe import DAY_MS, MINUTE_MS

INTERVALS_MS = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360, "8h": 480,
    "12h": 720, "1d": 1440, "3d": 4320, "1w": 10080, "1M": 43200,
}  # fmt: skip
"""Minutes; a month is thirty days here."""
PERIODS = ("5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d")
HISTORY_MS = 40 * DAY_MS

PAGE = (
    "<!DOCTYPE html><html><head><title>Sign in</title><script>location='/login'</script></head>"
    "<body><h1>Welcome to the network</h1></body></html>"
)
_UNAVAILABLE = "<html><head><title>451 Unavailable For Legal Reasons</title></head><body>451</body></html>"
_HTML = "<html><head><title>403 Forbidden</title></head><body><h1>403 Forbidden</h1></body></html>"
_RESTRICTED = {
    "code": 0,
    "msg": "Service unavailable from a restricted location according to 'b. Eligibility' "
    "in https://www.binance.com/en/terms. Please contact customer service if you believe you received this message in error.",
}


_ANSWERS: dict[str, tuple[int, str | dict[str, object]]] = {
    "403": (403, _HTML),
    "451": (451, _RESTRICTED),
    "451_html": (451, _UNAVAILABLE),
    "500": (500, {"code": -1001, "msg": "Internal error; unable to process your request. Please try again."}),
    "503": (503, {"239999": "The system is under maintenance, please try again later."}),
    "429_plain": (429, {"code": -1003, "msg": "Too many requests."}),
    "1003": (400, {"code": -1003, "msg": "Too many requests; please use the websocket for live updates."}),
    "1121": (400, {"code": -1121, "msg": "Invalid symbol."}),
    "1130": (400, {"code": -1130, "msg": "Data sent for parameter 'symbol' is not valid."}),
    "4108": (400, {"code": -4108, "msg": "Symbol is on delivering or delivered or settling or closed or pre-trading."}),
    "page": (200, PAGE),
    "redirect": (302, PAGE),
}
"""Faults that are one answer: status, and a page or an error body."""


class Refusal(Exception):  # noqa: N818 - it is the venue's answer, not an error of ours
    """A request that the venue refuses, with its published code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class _Endpoint:
    weight: Callable[[dict[str, str]], int]
    answer: Callable[[dict[str, str], int], object]
    pool: str | None = None


def _number(params: dict[str, str], name: str, default: int) -> int:
    text = params.get(name)
    if text is None:
        return default
    try:
        return int(text)
    except ValueError:
        raise Refusal(
            -1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
        ) from None


def _limit(params: dict[str, str], default: int, most: int) -> int:
    limit = _number(params, "limit", default)
    if not 1 <= limit <= most:
        raise Refusal(-1130, "Data sent for parameter 'limit' is not valid.")
    return limit


def _kline_weight(params: dict[str, str]) -> int:
    text = params.get("limit", "500")
    limit = int(text) if text.isdigit() else 500
    return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10


def _fixed(weight: int) -> Callable[[dict[str, str]], int]:
    return lambda _params: weight


def _one_or_all(one: int, everything: int) -> Callable[[dict[str, str]], int]:
    return lambda params: one if "symbol" in params else everything


class Rest:
    """Answers requests. Counts them in `requests` by path."""

    def __init__(self, *, market: Market, clock: Clock, faults: Faults) -> None:
        self._market = market
        self._clock = clock
        self._faults = faults
        self._limits: dict[str, Limits] = {}
        self.limit_stats = LimitStats()
        self.requests: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        data = _fixed(0)
        self._endpoints: dict[str, _Endpoint] = {
            "/fapi/v1/ping": _Endpoint(_fixed(1), lambda _p, _now: {}),
            "/fapi/v1/time": _Endpoint(_fixed(1), lambda _p, now: {"serverTime": now}),
            "/fapi/v1/exchangeInfo": _Endpoint(_fixed(1), lambda _p, now: answers.exchange_info(market, now)),
            "/fapi/v1/openInterest": _Endpoint(_fixed(1), self._open_interest),
            "/fapi/v1/premiumIndex": _Endpoint(_one_or_all(1, 10), self._premium_index),
            "/fapi/v1/ticker/24hr": _Endpoint(_one_or_all(1, 40), self._ticker_24h),
            "/fapi/v1/ticker/price": _Endpoint(_one_or_all(1, 2), self._ticker_price),
            "/fapi/v2/ticker/price": _Endpoint(_one_or_all(1, 2), self._ticker_price),
            "/fapi/v1/klines": _Endpoint(_kline_weight, self._klines),
            "/fapi/v1/markPriceKlines": _Endpoint(_kline_weight, self._mark_klines),
            "/fapi/v1/fundingRate": _Endpoint(_fixed(0), self._funding_rate, "funding"),
            "/fapi/v1/fundingInfo": _Endpoint(_fixed(0), lambda _p, now: answers.funding_info(market, now), "funding"),
            "/futures/data/openInterestHist": _Endpoint(data, self._open_interest_history, "data"),
            "/futures/data/topLongShortPositionRatio": _Endpoint(data, self._ratio(11), "data"),
            "/futures/data/topLongShortAccountRatio": _Endpoint(data, self._ratio(12), "data"),
            "/futures/data/globalLongShortAccountRatio": _Endpoint(data, self._ratio(13), "data"),
            "/futures/data/takerlongshortRatio": _Endpoint(data, self._taker_ratio, "data"),
        }

    def limits_of(self, address: str) -> Limits:
        """Return the books on one address."""
        if address not in self._limits:
            self._limits[address] = Limits(address, self.limit_stats)
        return self._limits[address]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request of any path outside `/sim/`."""
        path = request.path
        now_ms = self._clock.wall_ms()
        self._market.slide(now_ms)
        endpoint = self._endpoints.get(path) if request.method == "GET" else None
        self.requests[path if endpoint else "other"] += 1
        while (fault := self._faults.active("timeout", now_ms, path)) is not None:
            await self._clock.sleep((fault.until_ms - now_ms) / 1000.0 + 0.001)
            now_ms = self._clock.wall_ms()
        broken = self._broken(request, path, now_ms)
        if broken is not None:
            return broken
        params = dict(request.query)
        verdict = self.limits_of(request.remote or "").request(
            now_ms, endpoint.weight(params) if endpoint else 1, endpoint.pool if endpoint else None
        )
        headers = {"X-MBX-USED-WEIGHT-1M": str(verdict.used_weight)}
        if verdict.status != 200:
            if verdict.status == 418 and self._faults.active("418_plain", now_ms, path):
                return _json({"code": -1003, "msg": "Way too many requests."}, 418, headers)
            headers["Retry-After"] = str(verdict.retry_after_s)
            return _json({"code": -1003, "msg": verdict.message}, verdict.status, headers)
        if endpoint is None:
            return _page(404, "<html><body><h2>404 Not found</h2></body></html>", headers)
        try:
            answer = _json(endpoint.answer(params, now_ms), 200, headers)
        except Refusal as refusal:
            self.errors[str(refusal.code)] += 1
            return _json({"code": refusal.code, "msg": refusal.message}, 400, headers)
        return await self._spoilt(request, answer, now_ms)

    async def _spoilt(self, request: web.Request, answer: web.Response, now_ms: int) -> web.StreamResponse:
        """Let an answer leave as a network or a wrong clock would have it."""
        path, body = request.path, bytes(answer.body) if isinstance(answer.body, bytes) else b""
        skew = self._faults.active("skew", now_ms, path)
        if skew is not None:
            body = damage.skewed(body.decode(), int(skew.amount * 1000)).encode()
            answer.body = body
        if self._faults.active("bad_json", now_ms, path):
            answer.body = body[: len(body) // 2]
            return answer
        is_cut = self._faults.active("cut", now_ms, path) is not None
        if not is_cut and not self._faults.active("trickle", now_ms, path):
            return answer
        stream = web.StreamResponse(status=200, headers={"Content-Length": str(len(body))})
        stream.content_type = "application/json"
        await stream.prepare(request)
        if is_cut:
            await stream.write(body[: len(body) // 2])
            if request.transport is not None:
                request.transport.close()
            return stream
        with contextlib.suppress(ConnectionError):  # the other side had enough
            for k in range(len(body)):
                if not self._faults.active("trickle", self._clock.wall_ms(), path):
                    await stream.write(body[k:])
                    break
                await stream.write(body[k : k + 1])
                await self._clock.sleep(1.0)
        return stream

    def _broken(self, request: web.Request, path: str, now_ms: int) -> web.Response | None:
        on = [f for f in self._faults.listed(now_ms) if f.kind in _ANSWERS and f.concerns(request.path_qs)]
        if "//" in path:
            self.errors["403"] += 1
            return _page(403, _HTML, {})
        if on:
            kind = on[0].kind
            self.errors[kind] += 1
            status, content = _ANSWERS[kind]
            if isinstance(content, str):
                return _page(status, content, {"Location": "/login"} if kind == "redirect" else {})
            return _json(content, status, {})
        fault = self._faults.active("429", now_ms, path)
        if fault is not None:
            self.limit_stats.n_429 += 1
            message = f"Too many requests; current limit of IP({request.remote}) is 2400 requests per minute"
            retry = str(max(1, -(-(fault.until_ms - now_ms) // 1000)))
            return _json({"code": -1003, "msg": message}, 429, {"Retry-After": retry, "X-MBX-USED-WEIGHT-1M": "2401"})
        return None

    # Parameters

    def _row(self, params: dict[str, str], now_ms: int) -> int:
        symbol = params.get("symbol", "")
        if not symbol:
            raise Refusal(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
        row = self._market.rows.get(symbol.upper())
        if row is None or not answers.is_shown(self._market, row, now_ms):
            raise Refusal(-1121, "Invalid symbol.")
        return row

    def _rows(self, params: dict[str, str], now_ms: int) -> list[int]:
        if "symbol" in params:
            return [self._row(params, now_ms)]
        return [
            row
            for row, spec in enumerate(self._market.specs)
            if answers.is_shown(self._market, row, now_ms) and spec.onboard_ms <= now_ms
        ]

    def _times(self, params: dict[str, str], step_ms: int, limit: int, oldest_ms: int, newest_ms: int) -> I64:
        """Return the multiples of the step that were asked for, ascending."""
        start_ms, end_ms = _number(params, "startTime", -1), _number(params, "endTime", -1)
        last = min(newest_ms, end_ms if end_ms >= 0 else newest_ms) // step_ms
        first = -(-max(oldest_ms, start_ms) // step_ms)
        if start_ms >= 0:
            last = min(last, first + limit - 1)
        else:
            first = max(first, last - limit + 1)
        return np.arange(first, last + 1, dtype=np.int64) * step_ms

    def _born_ms(self, row: int, now_ms: int, history_ms: int) -> int:
        return max(self._market.specs[row].onboard_ms, now_ms - history_ms)

    # Answers

    def _open_interest(self, params: dict[str, str], now_ms: int) -> object:
        row = self._row(params, now_ms)
        if answers.status_of(self._market, row) != "TRADING":
            raise Refusal(-4108, "Symbol is on delivering or delivered or settling or closed or pre-trading.")
        return answers.open_interest(self._market, row, now_ms)

    def _premium_index(self, params: dict[str, str], now_ms: int) -> object:
        found = answers.premium_index(self._market, self._rows(params, now_ms), now_ms)
        return found[0] if "symbol" in params else found

    def _ticker_24h(self, params: dict[str, str], now_ms: int) -> object:
        found = answers.tickers_24h(self._market, self._rows(params, now_ms), now_ms)
        return found[0] if "symbol" in params else found

    def _ticker_price(self, params: dict[str, str], now_ms: int) -> object:
        found = answers.price_tickers(self._market, self._rows(params, now_ms), now_ms)
        return found[0] if "symbol" in params else found

    def _bars(self, params: dict[str, str], now_ms: int, *, mark: bool) -> object:
        row = self._row(params, now_ms)
        interval = params.get("interval")
        if interval is None:
            raise Refusal(-1102, "Mandatory parameter 'interval' was not sent, was empty/null, or malformed.")
        if interval not in INTERVALS_MS:
            raise Refusal(-1120, "Invalid interval.")
        interval_ms = INTERVALS_MS[interval] * MINUTE_MS
        limit = _limit(params, 500, 1500)
        opens = self._times(params, interval_ms, limit, self._born_ms(row, now_ms, HISTORY_MS), now_ms)
        return answers.klines(self._market, row, opens, interval_ms, now_ms, mark=mark)

    def _klines(self, params: dict[str, str], now_ms: int) -> object:
        return self._bars(params, now_ms, mark=False)

    def _mark_klines(self, params: dict[str, str], now_ms: int) -> object:
        return self._bars(params, now_ms, mark=True)

    def _data_times(self, params: dict[str, str], now_ms: int) -> tuple[int, I64, int]:
        row = self._row(params, now_ms)
        period = params.get("period")
        if period is None:
            raise Refusal(-1102, "Mandatory parameter 'period' was not sent, was empty/null, or malformed.")
        if period not in PERIODS:
            raise Refusal(-1130, "Data sent for parameter 'period' is not valid.")
        limit = _limit(params, 30, 500)
        if _number(params, "startTime", now_ms) < now_ms - (answers.HISTORY_DAYS + 1) * DAY_MS:
            raise Refusal(-1130, "Data sent for parameter 'startTime' is not valid.")
        step_ms = INTERVALS_MS[period] * MINUTE_MS
        newest_ms = min(now_ms - answers.PUBLISH_LAG_MS, self._market.frozen_ms.get(row, now_ms))
        oldest_ms = self._born_ms(row, now_ms, answers.HISTORY_DAYS * DAY_MS)
        return row, self._times(params, step_ms, limit, oldest_ms, newest_ms), step_ms

    def _open_interest_history(self, params: dict[str, str], now_ms: int) -> object:
        row, times, _ = self._data_times(params, now_ms)
        return answers.open_interest_history(self._market, row, times)

    def _ratio(self, salt: int) -> Callable[[dict[str, str], int], object]:
        def answer(params: dict[str, str], now_ms: int) -> object:
            row, times, _ = self._data_times(params, now_ms)
            return answers.long_short(self._market, row, times, salt)

        return answer

    def _taker_ratio(self, params: dict[str, str], now_ms: int) -> object:
        row, times, step_ms = self._data_times(params, now_ms)
        return answers.taker_ratio(self._market, row, times, step_ms)

    def _funding_rate(self, params: dict[str, str], now_ms: int) -> object:
        limit = _limit(params, 100, 1000)
        if "symbol" not in params:
            rows = [r for r in self._rows(params, now_ms) if self._market.specs[r].contract.endswith("PERPETUAL")]
            step_ms = 8 * 3_600_000
            times = np.array([now_ms // step_ms * step_ms])
            return [entry for row in rows[:200] for entry in answers.funding_history(self._market, row, times)]
        row = self._row(params, now_ms)
        step_ms = self._market.specs[row].funding_h * 3_600_000
        times = self._times(params, step_ms, limit, self._born_ms(row, now_ms, HISTORY_MS), now_ms)
        return answers.funding_history(self._market, row, times)


def _page(status: int, text: str, headers: dict[str, str]) -> web.Response:
    return web.Response(status=status, text=text, content_type="text/html", headers=headers)


def _json(body: object, status: int, headers: dict[str, str]) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body), status=status, headers=headers, content_type="application/json", charset="utf-8"
    )

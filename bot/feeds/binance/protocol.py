"""Binance's market streams as a protocol: frames in, updates out, no await.

Promises: `receive` never raises, whatever the bytes; unknown events, fields and words are counted and passed over; a bad
row costs only itself. Never opens a socket and never reads a clock: the time of arrival is an argument.
"""

from dataclasses import replace
from typing import Final

import msgspec

from bot.errors import PayloadError
from bot.feeds.binance.arrays import Counters, MarkPriceReader, TickerReader
from bot.feeds.binance.constants import (
    CONTRACT_STREAM,
    LIQUIDATION_SILENCE_S,
    LIQUIDATION_STREAM,
    MARK_PRICE_SILENCE_S,
    MARK_PRICE_STREAM,
    STREAM_PATH,
    TICKER_SILENCE_S,
    TICKER_STREAM,
    USDM_MARKET,
    VENUE,
)
from bot.feeds.binance.decoding import UNREADABLE, Loose, RowReader, time_ms
from bot.feeds.binance.envelope import MESSAGE, SHUTDOWN_EVENT, Message, request
from bot.feeds.binance.flows import FlowCounters, LiquidationReader
from bot.feeds.binance.instruments import delivery_ms_of, kind_of
from bot.feeds.frames import Received, StreamSpec
from bot.model.instrument import Instrument
from bot.model.ports import Rows
from bot.model.updates import InstrumentChange, Liquidations, MarkPrices, Tickers, Update

STREAMS: Final = (
    StreamSpec(MARK_PRICE_STREAM, "mark price", MARK_PRICE_SILENCE_S),
    StreamSpec(TICKER_STREAM, "ticker", TICKER_SILENCE_S),
    StreamSpec(CONTRACT_STREAM, "contract info", None),
    StreamSpec(LIQUIDATION_STREAM, "liquidations", LIQUIDATION_SILENCE_S, is_sparse=True),
)

_MARK_FRAME: Final = b'{"stream":"!markPrice@arr'
_TICKER_FRAME: Final = b'{"stream":"!miniTicker@arr'

# Quotes of contracts that are not in any list yet; those of known contracts are added.
_USUAL_QUOTES: Final = frozenset({"USDT", "USDC"})


class _Contract(msgspec.Struct, tag_field="e", tag="contractInfo"):
    s: str
    ct: str = ""
    cs: str = ""
    dt: Loose = None
    ot: Loose = None
    st: int = USDM_MARKET


_RAWS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_CONTRACTS: Final = RowReader(_Contract, "rows of contractInfo")


def stream_url(base: str) -> str:
    """Address of the one connection that carries all we need. `base` is scheme and host."""
    names = "/".join(spec.name for spec in STREAMS)
    return f"{base.rstrip('/')}{STREAM_PATH}?streams={names}"


def split_symbol(symbol: str, quotes: frozenset[str]) -> tuple[str, str] | None:
    """Base and quote of a symbol such as `BTCUSDT` or `BTCUSDT_261225`, or None where no quote fits."""
    pair = symbol.partition("_")[0]
    fitting = [quote for quote in quotes if quote and pair.endswith(quote) and len(pair) > len(quote)]
    if not fitting:
        return None
    quote = max(fitting, key=len)
    return pair[: -len(quote)], quote


class Protocol:
    """Reads the frames of all connections to the venue; `counters` and `last_frame_ms` are over all of them."""

    streams = STREAMS

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.counters = Counters()
        self.last_frame_ms: dict[str, float] = {}
        """When each stream last brought a readable row, `Clock.monotonic_ms`. Absent before the first."""
        self._marks = MarkPriceReader(rows, self.counters)
        self._tickers = TickerReader(rows, self.counters)
        self.liquidations = FlowCounters()
        self._liquidations = LiquidationReader(rows, self.liquidations)

    def session(self) -> "Session":
        return Session()

    def receive(self, frame: bytes | str, received_ms: float) -> Received:
        body = frame.encode("utf-8", "replace") if isinstance(frame, str) else frame
        self.counters.frames += 1
        received = self._fast(body, received_ms) or self._any(body, received_ms)
        if received.stream is not None:
            self.last_frame_ms[received.stream] = received_ms
        if not received.readable:
            self.counters.frames_unreadable += 1
        return received

    def _fast(self, body: bytes, received_ms: float) -> Received | None:
        """The two arrays in the form in which they come all day; None for everything else."""
        try:
            if body.startswith(_MARK_FRAME):
                return _data(MARK_PRICE_STREAM, self._marks.frame(body, received_ms))
            if body.startswith(_TICKER_FRAME):
                return _data(TICKER_STREAM, self._tickers.frame(body, received_ms))
        except PayloadError:
            return None
        return None

    def _any(self, body: bytes, received_ms: float) -> Received:
        payload = body = body.strip()
        try:
            if body[:1] == b"{":
                message = MESSAGE.decode(body)
                payload = bytes(message.data).strip()
                if not payload:
                    return self._event(message.e, body, received_ms) or self._control(message)
            events = _RAWS.decode(payload) if payload[:1] == b"[" else [payload]
            event = MESSAGE.decode(events[0]).e if events else ""
        except UNREADABLE:
            return self._foreign(body)
        return self._event(event, payload, received_ms) or self._ignored()

    def _event(self, event: str, payload: bytes, received_ms: float) -> Received | None:
        """Read a payload by the event it carries; None for events that are not ours."""
        try:
            if event == "markPriceUpdate":
                return _data(MARK_PRICE_STREAM, self._marks.payload(payload, received_ms))
            if event == "24hrMiniTicker":
                return _data(TICKER_STREAM, self._tickers.payload(payload, received_ms))
            if event == "forceOrder":
                return _data(LIQUIDATION_STREAM, self._liquidations.payload(payload, received_ms))
            if event == "contractInfo":
                return self._contracts(payload)
            if event == SHUTDOWN_EVENT:
                return Received(ends_soon=True)
        except PayloadError:
            self.counters.rows_unreadable += 1
            return Received()
        return None

    def _control(self, message: Message) -> Received:
        """Answers to requests. An acknowledgement says nothing about data, so it belongs to no stream."""
        if message.complaint:
            self.counters.errors += 1
            return Received(error=message.complaint)
        if message.is_answer:
            self.counters.acks += 1
            return Received(listed=message.listed)
        return self._ignored()

    def _ignored(self) -> Received:
        self.counters.frames_ignored += 1
        return Received()

    def _foreign(self, body: bytes) -> Received:
        """Neither an object nor an array of the known form: foreign JSON is passed over, anything else is garbage."""
        try:
            msgspec.json.decode(body)
        except UNREADABLE:
            return Received(readable=False)
        return self._ignored()

    def _contracts(self, payload: bytes) -> Received:
        entries, n_bad = _CONTRACTS.any(payload)
        self.counters.rows += len(entries)
        self.counters.rows_unreadable += n_bad
        updates: list[Update] = []
        for entry in entries:
            if entry.st != USDM_MARKET:
                self.counters.rows_other_market += 1
                continue
            instrument = self._instrument(entry)
            if instrument is None:
                self.counters.rows_unknown += 1
            else:
                updates.append(InstrumentChange(instrument))
        return Received(updates=tuple(updates), stream=CONTRACT_STREAM if entries else None)

    def _instrument(self, entry: _Contract) -> Instrument | None:
        """The contract as this event leaves it. The event does not name base and quote: they come from what is known."""
        tracked = [instrument for _, instrument in self._rows.instruments()]
        known = next((i for i in tracked if i.symbol == entry.s and i.venue == VENUE), None)
        if known is None:
            pair = split_symbol(entry.s, _USUAL_QUOTES | {i.quote for i in tracked})
            if pair is None:
                return None
            known = Instrument(VENUE, entry.s, kind_of(entry.ct, ""), *pair, status=entry.cs)
        kind = known.kind
        # The event tells a perpetual from its settlement, but not a coin from a stock: that stays as listed.
        if entry.ct and (entry.ct != "PERPETUAL" or kind == "delivery"):
            kind = kind_of(entry.ct, "")
        return replace(
            known,
            kind=kind,
            status=entry.cs or known.status,
            onboard_ms=time_ms(entry.ot) or known.onboard_ms,
            delivery_ms=known.delivery_ms if time_ms(entry.dt) is None else delivery_ms_of(entry.dt),
        )


class Session:
    """One connection. All streams stand in its address; it asks once whether the venue counts them, as an event stream that
    is quiet for now proves nothing by itself.
    """

    def __init__(self) -> None:
        self._asked = False

    def message(self) -> str | None:
        if self._asked:
            return None
        self._asked = True
        return request("LIST_SUBSCRIPTIONS", (), 1)


def _data(stream: str, update: MarkPrices | Tickers | Liquidations | None) -> Received:
    """A frame without a readable row proves nothing; one without a tracked row proves the stream alive, no more."""
    if update is None:
        return Received()
    return Received((update,) if len(update.rows) else (), stream)

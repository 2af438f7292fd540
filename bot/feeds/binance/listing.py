"""The venue's list of contracts: when it is asked for, and what news of single contracts mean for it.

Promises: asked hourly and on contract news; what REST does not tell is taken from the last run. A list undoes no news that
came while it, or what completes it, was on its way: it may have been written before, and the next one is due then. A
contract that the poller dropped is asked about at most every five minutes, and then still.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from bot import log
from bot.clock import Clock
from bot.errors import PayloadError
from bot.feeds.binance import rest
from bot.feeds.binance.constants import DEFAULT_FUNDING_INTERVAL_H, VENUE
from bot.feeds.binance.funding import ask_intervals, intervals_of
from bot.feeds.binance.last_list import LastList
from bot.feeds.binance.tap import Tap
from bot.feeds.client import Priority, RestClient
from bot.feeds.gate import Failure
from bot.feeds.waiting import changed
from bot.model.instrument import Instrument
from bot.model.ports import KeyValues, Rows, Sink
from bot.model.updates import InstrumentList, VenueTime

REFRESH_EVERY_S: Final = 3600.0
REFRESH_GAP_S: Final = 30.0
"""Contract news come in bursts."""
_DROP_GAP_MS: Final = 300_000.0
"""A list that says `trading` of what the venue refuses would be asked for without end."""

_log = log.get("feed")


class Listing:
    """`keep` asks for ever; the first list is asked for by whoever starts the feed."""

    def __init__(
        self,
        *,
        client: RestClient,
        clock: Clock,
        rows: Rows,
        sink: Sink,
        tap: Tap,
        store: KeyValues,
        on_taken: Callable[[tuple[Instrument, ...]], None],
    ) -> None:
        """`on_taken` gets each list after the sink."""
        self._client = client
        self._clock = clock
        self._rows = rows
        self._sink = sink
        self._tap = tap
        self._last_list = LastList(store)
        self._on_taken = on_taken
        self.instruments: tuple[Instrument, ...] = ()
        """The list as it was last taken."""
        self.is_due = asyncio.Event()
        """Set by news of a contract, and wherever else the list is wanted anew."""
        self._has_dropped = False
        self._asked_for_drop_ms = float("-inf")

    async def keep(self) -> None:
        """Ask until cancelled."""
        while True:
            await changed(self._clock, self.is_due, within_s=REFRESH_EVERY_S)
            await self.ask()
            await self.ask_funding()
            await self._clock.sleep(REFRESH_GAP_S)

    async def ask(self) -> None:
        body = await self._client.get(rest.exchange_info(), priority=Priority.QUESTION)
        try:
            if not isinstance(body, Failure):
                found = rest.parse_instruments(body)
                if not self.is_due.is_set():
                    self.take(found)
                    await self.save()
                return
        except PayloadError as error:
            _log.warning("answer.unreadable", path="exchangeInfo", error=str(error))
        self.is_due.set()  # again, after the pause between two

    def take(self, instruments: Sequence[Instrument]) -> None:
        hours = self._tap.funding_interval_h
        listed = tuple(
            replace(i, funding_interval_h=hours.get(i.symbol, DEFAULT_FUNDING_INTERVAL_H)) for i in instruments
        )
        symbols = frozenset(i.symbol for i in listed)
        gone = (self._rows.row(i.symbol) for i in self.instruments if i.symbol not in symbols)
        self._tap.forget(row for row in gone if row is not None)
        self.instruments = listed
        self._sink.put(InstrumentList(VENUE, listed))
        self._on_taken(listed)

    async def save(self) -> None:
        """For a start at which REST does not answer."""
        await self._last_list.save(self.instruments)

    async def ask_funding(self) -> None:
        """Funding intervals; without an answer those known stay."""
        hours = await ask_intervals(self._client)
        if hours and hours != self._tap.funding_interval_h:
            self._tap.funding_interval_h = hours
            # After news the list is not what it was; the next one gets them.
            if not self.is_due.is_set():
                self.take(self.instruments)
                await self.save()

    async def recall_funding(self) -> None:
        """Funding intervals of the last run, until they are asked for."""
        self._tap.funding_interval_h = intervals_of(await self._last_list.load())

    async def use_last(self) -> None:
        """REST does not answer: give names to what streams in. Our own clock stands in for the venue's until a push."""
        if self.instruments:
            return
        found = await self._last_list.load()
        if found:
            _log.info("instruments.from_last_run", n=len(found))
            self._sink.put(VenueTime(self._clock.wall_ms(), self._clock.monotonic_ms()))
            self.take(found)

    def dropped(self) -> None:
        """A contract of the list is not polled any more, because the venue refused it."""
        self._has_dropped = True
        self.look()

    def look(self) -> None:
        """Let the list be asked for where it may say more of what was dropped. To be called every few seconds."""
        now_ms = self._clock.monotonic_ms()
        if self._has_dropped and now_ms - self._asked_for_drop_ms > _DROP_GAP_MS:
            self._has_dropped, self._asked_for_drop_ms = False, now_ms
            self.is_due.set()

"""The venue's last list of instruments, kept for a start at which REST cannot be asked.

Promises: a ban or an outage of REST does not leave the bot without names for the prices that stream in. What cannot be
read counts as absent. The list is replaced as soon as the venue answers.
"""

from typing import Final

import msgspec

from bot import log
from bot.model.instrument import Instrument
from bot.model.ports import KeyValues

KEY: Final = "feeds.binance.instruments"

_DECODER: Final = msgspec.json.Decoder(tuple[Instrument, ...])

_log = log.get("feed")


class LastList:
    """Reads and writes the list."""

    def __init__(self, store: KeyValues) -> None:
        self._store = store
        self._saved: tuple[Instrument, ...] = ()

    async def save(self, instruments: tuple[Instrument, ...]) -> None:
        """Store what changed; a store that fails costs a log line."""
        if instruments == self._saved:
            return
        try:
            await self._store.put(KEY, msgspec.json.encode(instruments).decode())
        except Exception as error:  # noqa: BLE001 - a full disk must not stop the feeds
            _log.warning("instruments.save_failed", error=str(error))
            return
        self._saved = instruments

    async def load(self) -> tuple[Instrument, ...]:
        """Return the stored list; empty when there is none."""
        try:
            text = await self._store.get(KEY)
            return () if text is None else _DECODER.decode(text)
        except Exception as error:  # noqa: BLE001 - a damaged database must not stop the feeds
            _log.warning("instruments.unreadable", error=str(error))
            return ()

"""What people type to an instrument, without ever guessing silently.

Order: separators stripped and upper case → the symbol itself → with USDT → with USDC → the 1000-fold contract → the table
of names. What finds nothing gets suggestions. Symbols are any Unicode. Contracts that trade are preferred; a venue may
be named before or after a colon.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from rapidfuzz.distance import JaroWinkler

from bot.chat.names import TICKER_BY_NAME
from bot.model.instrument import Instrument

SUGGESTION_SCORE: Final = 0.80
MAX_SUGGESTIONS: Final = 3
QUOTES: Final = ("USDT", "USDC")
"""In the order in which they are tried."""

_STRIPPED: Final = str.maketrans("", "", "/-_$# \"'")
_NAMES_BY_TICKER: Final[dict[str, tuple[str, ...]]] = {
    ticker: tuple(name for name, known in TICKER_BY_NAME.items() if known == ticker)
    for ticker in TICKER_BY_NAME.values()
}


@dataclass(frozen=True, slots=True)
class NotFound:
    """No instrument of that name; the nearest ones, best first."""

    text: str
    suggestions: tuple[Instrument, ...]


def _plain(text: str) -> str:
    """One spelling for matching: compatibility forms unified, upper case, separators out."""
    return unicodedata.normalize("NFKC", text).upper().translate(_STRIPPED)


def _without_perp(text: str) -> str:
    """Drop the marks that other sites put behind a perpetual: `.P` and `PERP`."""
    for mark in (".PERP", "PERP", ".P"):
        if text.endswith(mark) and len(text) > len(mark):
            return text.removesuffix(mark)
    return text


class SymbolBook:
    """An index over the instruments of one moment; building it takes about a millisecond per thousand."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        # Stable: among equals the reader's order stands.
        self._instruments = sorted(instruments, key=lambda i: (not i.is_trading, i.kind != "perpetual"))
        self._venues = {instrument.venue.upper() for instrument in self._instruments}
        self._by_symbol: dict[str, list[Instrument]] = {}
        self._by_coin: dict[str, list[Instrument]] = {}
        for instrument in self._instruments:
            self._by_symbol.setdefault(_plain(instrument.symbol), []).append(instrument)
            if instrument.multiplier > 1:
                self._by_coin.setdefault(_plain(instrument.coin + instrument.quote), []).append(instrument)

    def resolve(self, text: str) -> Instrument | NotFound:
        """Find one instrument, or say what comes near. Never raises."""
        found = self._resolve(text)
        # Nobody means what ends a sentence.
        bare = text.rstrip("?!.,;: ")
        if (
            isinstance(found, NotFound)
            and bare
            and bare != text
            and isinstance(again := self._resolve(bare), Instrument)
        ):
            return again
        return found

    def _resolve(self, text: str) -> Instrument | NotFound:
        name, venue = self._split_venue(text)
        typed = _plain(name)
        for wanted in (typed, _without_perp(typed)):
            found = self._pick(self._by_symbol.get(wanted, ()), venue, only_trading=False)
            if found is not None:
                return found
        coin = _without_perp(typed)
        for only_trading in (True, False):
            for candidates in self._by_steps(coin):
                found = self._pick(candidates, venue, only_trading=only_trading)
                if found is not None:
                    return found
        left, colon, right = text.partition(":")
        meant = [one for one in map(self.resolve, (left, right)) if isinstance(one, Instrument)] if colon else []
        if meant:
            # Of a venue that is not watched here.
            return NotFound(text, tuple(dict.fromkeys(meant)))
        return NotFound(text, self._suggest(coin, venue))

    @property
    def has_many_venues(self) -> bool:
        return len(self._venues) > 1

    def ask_for(self, instrument: Instrument) -> str:
        """What to type to get exactly this one: the symbol, with its venue where there are several."""
        return instrument.key if self.has_many_venues else instrument.symbol

    def _split_venue(self, text: str) -> tuple[str, str | None]:
        """`binance:BTCUSDT`, `BTCUSDT:binance`; also `BTC/USDT:USDT`, where the part behind the colon is the margin."""
        left, colon, right = text.partition(":")
        if not colon:
            return text, None
        if left.strip().upper() in self._venues:
            return right, left.strip().upper()
        if right.strip().upper() in self._venues:
            return left, right.strip().upper()
        return (left, None) if _plain(right) in QUOTES else (text, None)

    def _by_steps(self, coin: str) -> Iterator[list[Instrument]]:
        if not coin:
            return
        for ticker in dict.fromkeys((coin, TICKER_BY_NAME.get(coin, coin))):
            for quote in QUOTES:
                yield self._by_symbol.get(ticker + quote, [])
            for suffix in (*QUOTES, ""):
                yield self._by_coin.get(ticker + suffix, [])

    @staticmethod
    def _pick(candidates: Iterable[Instrument], venue: str | None, *, only_trading: bool) -> Instrument | None:
        for instrument in candidates:
            if (venue is None or instrument.venue.upper() == venue) and (instrument.is_trading or not only_trading):
                return instrument
        return None

    def _suggest(self, text: str, venue: str | None) -> tuple[Instrument, ...]:
        if not text:
            return ()
        scored = []
        for instrument in self._instruments:
            if not instrument.is_trading or (venue is not None and instrument.venue.upper() != venue):
                continue
            spellings = (instrument.symbol, *_NAMES_BY_TICKER.get(instrument.coin, ()))
            score = max(JaroWinkler.similarity(text, _plain(spelling)) for spelling in spellings)
            if score >= SUGGESTION_SCORE:
                scored.append((-score, instrument.quote not in QUOTES, len(instrument.symbol), instrument))
        scored.sort(key=lambda item: item[:3])
        return tuple(instrument for *_, instrument in scored[:MAX_SUGGESTIONS])


class ListsInstruments(Protocol):
    """What has instruments."""

    def instruments(self) -> Sequence[Instrument]: ...


class Books:
    """The index of a market, made anew only when its instruments have changed."""

    def __init__(self, market: ListsInstruments) -> None:
        self._market = market
        self._known: list[Instrument] | None = None
        self._book = SymbolBook(())

    def now(self) -> SymbolBook:
        instruments = list(self._market.instruments())
        # Mostly the same objects, so that this costs microseconds.
        if instruments != self._known:
            self._known, self._book = instruments, SymbolBook(instruments)
        return self._book

"""The `RiskDesk` port: what people may lose, the stops that follow the market for them, and the lines for their alerts.

Prices are looked at once a second. What is told of a stop and how far it moved are stored together, so that a crash
neither loses nor repeats it; between two messages its level is stored twice a minute. What the database does not take is told
from memory, and stored later as it was told.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from bot import log
from bot.app.chatrooms import Chatrooms
from bot.app.live import Live
from bot.app.routing import Routes
from bot.app.sending import Sending
from bot.chat import risk_pages
from bot.chat.risk_actions import RiskActions
from bot.chat.risk_text import DEFAULT_WINDOW_MS
from bot.clock import Clock
from bot.engine.engine import Engine
from bot.engine.risks import Risks
from bot.errors import StorageError
from bot.model.alert import TellKind, alert_key, short_id
from bot.model.instrument import MARKET
from bot.model.outbox import OutboxRow, row_id
from bot.model.ports import MarketReader
from bot.model.risk import LONG_WINDOW_MS, RiskFigures, RiskSettings, stop_idea
from bot.model.risk_ports import RiskReader, RiskStore
from bot.model.stop_watch import StopWatch
from bot.model.view import AlertView
from bot.storage.database import Database
from bot.storage.risk import SqliteRiskStore
from bot.texts import say, speaking

SOURCE: Final = "stop"
EVERY_S: Final = 1.0
STORE_EVERY_MS: Final = 30_000
MAX_PRICE_AGE_MS: Final = 10_000
MAX_UNSTORED: Final = 1_000
"""Messages; of those before it is only known that they were told."""

_log = log.get("risk")


async def of_rooms(database: Database, engine: Engine, live: Live, rooms: Chatrooms, sending: Sending) -> "Desk":
    """With all that is stored; it follows chats that move."""
    store = SqliteRiskStore(database)
    desk = Desk(
        store=store,
        settings=await store.all_settings(),
        watches=await store.watches(),
        risks=Risks(engine),
        routes=lambda: live.routes,
        tell=sending.tell,
        clock=rooms.clock,
        venue_now=live.venue_now,
        language_of=rooms.subscribing.language_of,
    )
    rooms.moves.listeners.append(desk.chat_moved)
    return desk


class Desk:
    """One per bot. Made by `load`."""

    def __init__(
        self,
        *,
        store: RiskStore,
        settings: Mapping[str, RiskSettings],
        watches: Sequence[StopWatch],
        risks: RiskReader,
        routes: Callable[[], Routes],
        tell: Callable[[Sequence[OutboxRow]], None],
        clock: Clock,
        venue_now: Callable[[], int],
        language_of: Callable[[str], str] = lambda _: "",
    ) -> None:
        """`tell`: rows were stored, wake the lanes; those handed over could not be. `language_of`: what is spoken in a chat."""
        self._store = store
        self._settings = dict(settings)
        self._watches = {w.id: w for w in watches if w.touched_ms is None}
        self._over = [w.id for w in watches if w.touched_ms is not None]
        self._risks = risks
        self._routes = routes
        self._tell = tell
        self._clock = clock
        self._venue_now = venue_now
        self._language_of = language_of
        self._stored = dict(self._watches)
        self._store_ms = 0.0
        self._unstored: dict[str, StopWatch] = {}
        self._unstored_rows: list[OutboxRow] = []
        """Told, or about to be. The same is stored until it is: a slow disk may have stored it when nobody waited any more."""

    def chat_moved(self, old: int, new: int) -> None:
        """A group has another number; the store is told by `ChatMoves`."""
        before, after = f"telegram:{old}", f"telegram:{new}"
        for watches in (self._watches, self._stored):
            for watch in [w for w in watches.values() if w.chat == before]:
                watches[watch.id] = dataclasses.replace(watch, chat=after)

    def actions(self, market: MarketReader) -> RiskActions:
        """The commands."""
        return RiskActions(market=market, risks=self._risks, desk=self, venue_now=self._venue_now)

    # -- the port ------------------------------------------------------------------------------------------------

    def settings_of(self, person: str) -> RiskSettings | None:
        return self._settings.get(person)

    async def set(self, person: str, settings: RiskSettings | None) -> None:
        if settings is None:
            await self._store.drop(person)
            self._settings.pop(person, None)
        else:
            await self._store.put(person, settings)
            self._settings[person] = settings

    def watches_of(self, chat: str) -> Sequence[StopWatch]:
        return [w for w in self._watches.values() if w.chat == chat]

    async def watch(self, watch: StopWatch) -> bool:
        if not await self._store.add(watch):
            return False
        self._watches[watch.id] = self._stored[watch.id] = watch
        return True

    async def unwatch(self, watch_id: str) -> None:
        await self._store.delete(watch_id)
        self._forget(watch_id)

    def _forget(self, watch_id: str) -> None:
        self._watches.pop(watch_id, None)
        self._stored.pop(watch_id, None)

    # -- following -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(EVERY_S)

    async def look(self) -> None:
        """Take the prices of now."""
        moved, rows = self._moves()
        for after in moved:
            self._take(after)
        self._unstored_rows = [*self._unstored_rows, *rows][-MAX_UNSTORED:]
        try:
            await self._keep()
        except StorageError as error:
            _log.warning("stops.not_stored", reason=str(error))
            if self._unstored and rows:
                self._tell(rows)
            if not error.may_pass:
                self._stored_all()

    def _moves(self) -> tuple[list[StopWatch], list[OutboxRow]]:
        """Stops of which something is to be told, and what."""
        now_ms = self._venue_now()
        moved, rows = [], []
        for watch in list(self._watches.values()):
            found = self._risks.price(watch.instrument)
            if found is None or found[1] > MAX_PRICE_AGE_MS:
                continue
            after, news = watch.at(found[0], now_ms)
            if after is watch:
                continue
            if news:
                moved.append(after)
                with speaking(self._language_of(after.chat)):
                    rows += self._rows(self._stored.get(watch.id, watch), after, found[0], now_ms)
            else:
                # Followed in memory, stored with the next message or twice a minute.
                self._watches[watch.id] = after
        return moved, rows

    def _take(self, after: StopWatch) -> None:
        """A stop of which something is to be told."""
        self._watches[after.id] = self._stored[after.id] = self._unstored[after.id] = after
        if after.touched_ms is not None:
            self._forget(after.id)
            self._over.append(after.id)
        _log.info("stop.told", watch=after.id, stop=after.stop, touched=after.touched_ms is not None)

    def _stored_all(self) -> None:
        self._unstored, self._unstored_rows = {}, []

    async def _keep(self) -> None:
        if self._unstored:
            await self._store.move(list(self._unstored.values()), self._unstored_rows)
            self._stored_all()
            self._tell(())
        while self._over:
            await self._store.delete(self._over[-1])
            self._over.pop()
        now_ms = self._clock.monotonic_ms()
        if now_ms >= self._store_ms:
            self._store_ms = now_ms + STORE_EVERY_MS
            late = [w for id_, w in self._watches.items() if self._stored.get(id_) != w]
            if late:
                await self._store.move(late, ())
                self._stored |= {w.id: w for w in late}

    def _rows(self, before: StopWatch, after: StopWatch, price: float, now_ms: int) -> list[OutboxRow]:
        key = alert_key(SOURCE, f"{after.id}:{after.n_told}", now_ms)
        symbol = after.instrument.partition(":")[2]
        is_touched = after.touched_ms is not None
        view = AlertView.news(
            SOURCE,
            _title(after.side, is_touched=is_touched),
            risk_pages.news_text(before, after, price),
            symbol=symbol,
            severity="critical" if is_touched else "info",
            short_id=short_id(key),
            at_ms=now_ms,
        )
        return [
            OutboxRow(
                id=row_id(key, TellKind.FIRE, 0, name),
                key=key,
                kind=TellKind.FIRE,
                destination=name,
                severity=view.severity,
                created_ms=now_ms,
                view=view,
            )
            for name in self._routes().of_chat(after.chat)
        ]

    # -- alerts --------------------------------------------------------------------------------------------------

    def personal(self, rows: Sequence[OutboxRow]) -> Sequence[OutboxRow]:
        """Rows of firings with stops and sizes, where the person of that private chat has said what they may lose."""
        if not self._settings:
            return rows
        chat_of = {destination: chat for chat, destination in self._routes().by_chat.items()}
        return tuple(self._with_lines(row, chat_of.get(row.destination, "")) for row in rows)

    def _figures(self, key: str, window_ms: int) -> RiskFigures | None:
        """Over the window of an alert; over the usual one where it has none, over the longest one where it is too long."""
        found = self._risks.figures(key, window_ms or DEFAULT_WINDOW_MS)
        if found is not None and found.atr is None and window_ms > LONG_WINDOW_MS:
            return self._risks.figures(key, LONG_WINDOW_MS)
        return found

    def _with_lines(self, row: OutboxRow, chat: str) -> OutboxRow:
        settings, view = self._settings.get(chat), row.view
        if settings is None or row.kind is not TellKind.FIRE or view.symbol == MARKET or view.report:
            return row
        key = f"{view.venue}:{view.symbol}"
        figures, instrument = self._figures(key, view.window_ms), self._risks.instrument(key)
        if figures is None or instrument is None:
            return row
        with speaking(self._language_of(chat)):
            ideas = [stop_idea(instrument, figures, side, settings=settings) for side in ("long", "short")]
            lines = risk_pages.alert_lines(instrument, figures, ideas)
        return dataclasses.replace(row, view=dataclasses.replace(view, risk=lines)) if lines else row


def _title(side: str, *, is_touched: bool) -> str:
    if side == "long":
        return say("long stop touched") if is_touched else say("long stop moved")
    return say("short stop touched") if is_touched else say("short stop moved")

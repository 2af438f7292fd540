"""Alerts on demand: `/alert`, `/alerts`, `/delete`.

Promises: what is confirmed is stored before it lives, and forgotten before it ends, so that a crash in between changes
nothing that was said; a chat sees and deletes its own alerts only.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from bot.chat import alert_pages, pages
from bot.chat.actions import Handler
from bot.chat.alert_text import AlertWish, condition_text, read_alert
from bot.chat.asker import Asker
from bot.chat.commands import Command, UsageError
from bot.chat.reply import Reply
from bot.chat.rights import alerts_of
from bot.chat.spec import Problem
from bot.chat.symbols import NotFound, SymbolBook
from bot.clock import Clock
from bot.model.chat_alert import PREFIX, ChatAlert, alert_id
from bot.model.instrument import Instrument
from bot.model.ports import ChatAlertDesk, ChatAlertStore, MarketReader

MIN_PREFIX_CHARS: Final = 4
_EXAMPLE: Final = "/alert BTC oi > 5% 15m"


class AlertActions:
    """The three commands, over the store of alerts and the engine's desk."""

    def __init__(
        self, *, market: MarketReader, store: ChatAlertStore, desk: ChatAlertDesk, clock: Clock, max_per_chat: int
    ) -> None:
        self._market = market
        self._store = store
        self._desk = desk
        self._clock = clock
        self._max_per_chat = max_per_chat
        self._making = asyncio.Lock()
        """Counting and adding are one step, so that two at once do not pass the limit."""

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {"alert": self.create, "alerts": self.show, "delete": self.delete}

    async def create(self, command: Command, asker: Asker) -> Reply:
        """`/alert SYMBOL FIGURE > NUMBER [WINDOW] …`"""
        wish = read_alert(" ".join(command.words))
        if isinstance(wish, Problem):
            return pages.usage(UsageError(f"{wish.text} Write it like {_EXAMPLE}.", (_EXAMPLE,)))
        book = SymbolBook(self._market.instruments())
        found = book.resolve(wish.symbol)
        if isinstance(found, NotFound):
            names = [(f"{book.ask_for(one)} {_rest_of(wish)}", one) for one in found.suggestions]
            return pages.not_found("alert", found, names, example=_EXAMPLE)
        async with self._making:
            return await self._make(wish, found, asker)

    async def _make(self, wish: AlertWish, instrument: Instrument, asker: Asker) -> Reply:
        here = await self._store.of_chat(asker.chat, limit=self._max_per_chat)
        for alert in here:
            if alert.instrument == instrument.key and _alike(alert, wish):
                return alert_pages.known_already(alert)
        if len(here) >= self._max_per_chat:
            return alert_pages.full(self._max_per_chat)
        if sum(alert.user == asker.user for alert in here) >= alerts_of(asker.role):
            return alert_pages.full_of_yours(alerts_of(asker.role))
        created_ms = self._clock.wall_ms()
        while not await self._store.add(alert := _alert(wish, instrument, asker, created_ms)):
            created_ms += 1  # the id of another alert; they are derived from the time
        value = self._desk.value(alert.instrument, alert.measure)
        self._desk.add(alert)
        return alert_pages.created(alert, instrument, value, assumed_window=wish.assumed_window)

    async def show(self, command: Command, asker: Asker) -> Reply:
        """`/alerts [PAGE]`"""
        n = await self._store.count(asker.chat)
        if not n:
            return alert_pages.NONE_YET
        page, n_pages = int(command.words[0]) if command.words else 1, -(-n // alert_pages.PAGE)
        if not 1 <= page <= n_pages:
            return alert_pages.no_page(n_pages)
        alerts = await self._store.of_chat(asker.chat, limit=alert_pages.PAGE, offset=(page - 1) * alert_pages.PAGE)
        listed = [(alert, self._desk.life(alert.id)) for alert in alerts]
        return alert_pages.listing(listed, page=page, n=n, now_ms=self._clock.wall_ms())

    async def delete(self, command: Command, asker: Asker) -> Reply:
        """`/delete ID` by the first characters of it, or `/delete all`."""
        typed = command.words[0]
        if typed == "all":
            return await self._delete_all(asker)
        found = await self._store.find(asker.chat, PREFIX + typed.removeprefix(PREFIX), limit=2)
        if not found:
            return alert_pages.not_found(typed)
        if len(found) > 1:
            return alert_pages.ambiguous(typed, found)
        alert = found[0]
        if not asker.may_change(alert.user):
            return alert_pages.NOT_YOURS
        await self._end(alert)
        reply = alert_pages.deleted(alert)
        did = f"deleted {alert.id} of {alert.user} in {alert.chat}"
        return reply if alert.user == asker.user else replace(reply, did=did)

    async def _delete_all(self, asker: Asker) -> Reply:
        # A lowered limit may have left more than may be made now.
        here = await self._store.of_chat(asker.chat, limit=max(1, await self._store.count(asker.chat)))
        if not here:
            return alert_pages.NONE_YET
        gone = [alert for alert in here if asker.may_change(alert.user)]
        for alert in gone:
            await self._end(alert)
        reply, n_others = (
            alert_pages.deleted_all(len(gone), len(here) - len(gone)),
            sum(a.user != asker.user for a in gone),
        )
        return replace(reply, did=f"deleted {n_others} alerts of others in {asker.chat}") if n_others else reply

    async def _end(self, alert: ChatAlert) -> None:
        await self._store.delete(alert.id)
        self._desk.remove(alert.id)


def _alike(alert: ChatAlert, wish: AlertWish) -> bool:
    names = ("measure", "op", "level", "for_ms", "cooldown_ms", "repeat_ms", "once")
    return all(getattr(alert, name) == getattr(wish, name) for name in names)


def _rest_of(wish: AlertWish) -> str:
    """The wish after its symbol, as it can be typed again; a button is too small for the options."""
    inner = wish.measure.removeprefix("pct(").removesuffix(")").split(", ")
    level = condition_text(wish).rpartition(" ")[2]
    return " ".join([inner[0], wish.op, level, *inner[1:]])


def _alert(wish: AlertWish, instrument: Instrument, asker: Asker, created_ms: int) -> ChatAlert:
    return ChatAlert(
        id=alert_id(asker.chat, f"{instrument.key} {condition_text(wish)}", created_ms),
        chat=asker.chat,
        user=asker.user,
        instrument=instrument.key,
        measure=wish.measure,
        op=wish.op,
        level=wish.level,
        is_ratio=wish.is_ratio,
        created_ms=created_ms,
        cooldown_ms=wish.cooldown_ms,
        for_ms=wish.for_ms,
        repeat_ms=wish.repeat_ms,
        once=wish.once,
    )

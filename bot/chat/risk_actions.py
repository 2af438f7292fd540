"""`/risk`, `/stop`, `/stops`: what somebody may lose, where a stop could stand, and stops that follow the market.

Promises: equity and sizes are said in private chats only; what is confirmed is stored.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from bot.chat import pages, risk_pages
from bot.chat.actions import Handler
from bot.chat.asker import Asker
from bot.chat.commands import Command, UsageError
from bot.chat.reply import Reply, code, line, refusal
from bot.chat.risk_text import StopWish, read_risk, read_stop
from bot.chat.spec import Problem
from bot.chat.symbols import NotFound, SymbolBook
from bot.model.instrument import Instrument
from bot.model.ports import MarketReader
from bot.model.risk import Refused, StopIdea, stop_idea
from bot.model.risk_ports import RiskDesk, RiskReader
from bot.model.stop_watch import PREFIX, StopWatch, watch_id
from bot.texts import say

MAX_PER_CHAT: Final = 20
_STOP: Final = "/stop BTC long"
_RISK: Final = "/risk 10000 1%"


def _is_private(asker: Asker) -> bool:
    return asker.chat == asker.user


class RiskActions:
    """The three commands."""

    def __init__(
        self, *, market: MarketReader, risks: RiskReader, desk: RiskDesk, venue_now: Callable[[], int]
    ) -> None:
        self._market = market
        self._risks = risks
        self._desk = desk
        self._venue_now = venue_now
        self._changing = asyncio.Lock()
        """Looking at what there is and changing it are one step, so that of two commands at once neither is lost."""

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {"risk": self.risk, "stop": self.stop, "stops": self.stops}

    async def risk(self, command: Command, asker: Asker) -> Reply:
        """`/risk [EQUITY] [RISK%] [LEVERAGEx]`, `/risk off`"""
        if not _is_private(asker):
            return risk_pages.only_private()
        async with self._changing:
            before = self._desk.settings_of(asker.user)
            if not command.words:
                return risk_pages.no_settings() if before is None else risk_pages.settings_page(before, is_new=False)
            if [word.casefold() for word in command.words] == ["off"]:
                await self._desk.set(asker.user, None)
                return risk_pages.forgotten()
            after = read_risk(command.words, before)
            if isinstance(after, Problem):
                like = next(iter(after.try_instead), _RISK)
                said = say("{text} Write it like {usage}.", text=after.text, usage=like)
                return pages.usage(UsageError(said, (like,)))
            await self._desk.set(asker.user, after)
            return risk_pages.settings_page(after, is_new=True)

    async def stop(self, command: Command, asker: Asker) -> Reply:
        """`/stop SYMBOL long|short [ENTRY] [WINDOW] [watch]`"""
        wish = read_stop(command.words)
        if isinstance(wish, Problem):
            return pages.usage(UsageError(say("{text} Write it like {usage}.", text=wish.text, usage=_STOP), (_STOP,)))
        book = SymbolBook(self._market.instruments())
        found = book.resolve(wish.symbol)
        if isinstance(found, NotFound):
            names = [(f"{book.ask_for(one)} {wish.side}", one) for one in found.suggestions]
            return pages.not_found("stop", found, names, example=_STOP)
        figures = self._risks.figures(found.key, wish.window_ms)
        if figures is None:
            return refusal(say("No data for "), code(found.symbol), say(" yet. Try again in a minute."))
        settings = self._desk.settings_of(asker.user) if _is_private(asker) else None
        idea = stop_idea(found, figures, wish.side, entry=wish.entry, settings=settings)
        if isinstance(idea, Refused):
            return risk_pages.refused(found, idea)
        if wish.watches:
            async with self._changing:
                return await self._watch(wish, found, idea, asker)
        name, has_entry = book.ask_for(found), wish.entry is not None
        return risk_pages.stop_page(found, idea, figures, settings, name=name, has_entry=has_entry)

    async def _watch(self, wish: StopWish, instrument: Instrument, idea: StopIdea, asker: Asker) -> Reply:
        if len(self._desk.watches_of(asker.chat)) >= MAX_PER_CHAT:
            return refusal(say("{n} stops follow here already. /stops shows them, and ends one.", n=MAX_PER_CHAT))
        now = self._risks.price(instrument.key)
        sign = 1 if wish.side == "long" else -1
        if now is not None and sign * (now[0] - idea.stop) <= 0:
            return refusal(say("The mark price is beyond that stop already, so there is nothing to follow."))
        created_ms = self._venue_now()
        while True:
            watch = StopWatch(
                id=watch_id(asker.chat, instrument.key, created_ms),
                chat=asker.chat,
                person=asker.user,
                instrument=instrument.key,
                side=idea.side,
                entry=idea.entry,
                stop=idea.stop,
                told=idea.stop,
                distance=idea.distance,
                best=idea.entry,
                tick_size=instrument.tick_size,
                n_told=0,
                created_ms=created_ms,
            )
            if await self._desk.watch(watch):
                return risk_pages.watching(watch, instrument)
            created_ms += 1  # the id of another; they are derived from the time

    async def stops(self, command: Command, asker: Asker) -> Reply:
        """`/stops`, `/stops off ID|all`"""
        here = self._desk.watches_of(asker.chat)
        if not command.words:
            return risk_pages.watches_page(here) if here else risk_pages.no_watches()
        wanted = command.words[1]
        chosen = [w for w in here if wanted == "all" or w.id.removeprefix(PREFIX).startswith(wanted)]
        if not chosen or (wanted != "all" and len(chosen) > 1):
            return refusal(say("I know no such stop, or several: "), code(wanted), say(". /stops lists them."))
        mine = [w for w in chosen if asker.may_change(w.person)]
        if not mine:
            return refusal(say("Only who made it may end it."))
        for watch in mine:
            await self._desk.unwatch(watch.id)
        return Reply((line(say("Ended: {names}.", names=", ".join(w.id for w in mine[:5]))),))

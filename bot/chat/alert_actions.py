"""Alerts on demand: `/alert`, `/alerts`, `/delete`.

Plain comparisons live in the index of chat alerts, all else as rules of the chat. Promises: what is confirmed is stored
before it lives, and forgotten before it ends, so that a crash in between changes nothing that was said; a chat sees and
deletes its own alerts only.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from bot.chat import alert_builder, alert_pages, alert_past, alert_tuning, pages
from bot.chat.actions import Handler
from bot.chat.alert_apart import apart, shown
from bot.chat.alert_deleting import AlertDeleting, noted
from bot.chat.alert_grammar import read_alert, readable
from bot.chat.alert_looking import AlertLooking, Fired, HushOf, no_hush
from bot.chat.alert_making import alert_from, alike, alike_rule, cooldown_of, ends_at, made_at
from bot.chat.alert_text import AlertWish, Threshold
from bot.chat.asker import Asker
from bot.chat.commands import Command, UsageError, shorten
from bot.chat.rehearsal_text import Rehearsal
from bot.chat.reply import Reply, refusal
from bot.chat.rights import alerts_of
from bot.chat.spec import Problem
from bot.chat.symbols import NotFound, SymbolBook
from bot.clock import Clock
from bot.model.chat_alert import PREFIX, ChatAlert
from bot.model.chat_alert_ports import ChatAlertDesk, ChatAlertStore
from bot.model.chat_rule import PREFIX as RULE_PREFIX
from bot.model.chat_rule import ChatRule, chat_rule_id
from bot.model.chat_rule_ports import ChatRuleDesk
from bot.model.instrument import Instrument
from bot.model.past import PastDesk
from bot.model.ports import MarketReader
from bot.model.rehearsal import Rehearsals
from bot.rules.ast import Call, Compare, Number, text
from bot.texts import say

MIN_PREFIX_CHARS: Final = 4
MAX_RULES_PER_CHAT: Final = 20
MAX_RULES: Final = 200
_EXAMPLE: Final = "/alert BTC oi > 5% 15m"


def _utc(_chat: str) -> str:
    return "UTC"


async def _none_fired(_since_ms: int) -> Mapping[str, int]:
    return {}


def _no_symbol(typed: str, missing: NotFound, book: SymbolBook) -> Reply:
    names = [(typed.replace(missing.text, book.ask_for(one), 1), one) for one in missing.suggestions]
    return pages.not_found("alert", missing, names, example=_EXAMPLE)


class AlertActions:
    """The three commands, over the store of alerts and the engine's desk."""

    def __init__(
        self,
        *,
        market: MarketReader,
        store: ChatAlertStore,
        desk: ChatAlertDesk,
        rules: ChatRuleDesk,
        rehearsals: Rehearsals,
        clock: Clock,
        max_per_chat: int,
        zone_of: Callable[[str], str] = _utc,
        past: PastDesk | None = None,
        fired: Fired = _none_fired,
        hush_of: HushOf = no_hush,
        venue_now: Callable[[], int] | None = None,
    ) -> None:
        """`zone_of`: the time zone of a chat; `past`: reads the stored history. `fired`: how many firings began since a time,
        by alert; `hush_of`: what keeps one quiet in its chat now; `venue_now`: venue time in ms, None where that is the clock's.
        """
        self._looking = AlertLooking(
            market=market,
            store=store,
            desk=desk,
            rules=rules,
            venue_now=clock.wall_ms if venue_now is None else venue_now,
            zone_of=zone_of,
            fired=fired,
            hush_of=hush_of,
        )
        self._deleting = AlertDeleting(store=store, desk=desk, rules=rules, clock=clock, zone_of=zone_of)
        self._market = market
        self._store = store
        self._desk = desk
        self._rules = rules
        self._rehearsals = rehearsals
        self._clock = clock
        self._max_per_chat = max_per_chat
        self._zone_of = zone_of
        self._past = past
        self._making = asyncio.Lock()
        """Looking and adding are one step, so that two at once do not pass the limit, and a double press makes no two of one."""

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {
            "alert": self.create,
            "alerts": self._looking.show,
            "delete": self._deleting.delete,
            "tune": self.tune,
            "undo": self.undo,
            "new": self.build,
        }

    async def create(self, command: Command, asker: Asker) -> Reply:
        """`/alert WHOM FIGURE > NUMBER [WINDOW] …`, see `bot.chat.alert_grammar`."""
        typed = " ".join(command.words)
        if not typed:
            return await self.build(Command("new"), asker)
        if (begun := alert_builder.begun(typed)) is not None:
            return await self.build(Command("new", begun), asker)
        wish = read_alert(typed)
        book = SymbolBook(self._market.instruments())
        if isinstance(wish, Problem):
            return self._one_each(typed, book) or alert_pages.unread(wish.text, wish.try_instead or (_EXAMPLE,))
        found = [book.resolve(symbol) for symbol in wish.symbols]
        if (missing := next((one for one in found if isinstance(one, NotFound)), None)) is not None:
            return _no_symbol(typed, missing, book)
        instruments = list({one.key: one for one in found if isinstance(one, Instrument)}.values())
        wish = self._from_here(wish, instruments)
        if isinstance(wish, Problem):
            return refusal(wish.text)
        async with self._making:
            if wish.threshold is None or wish.top is not None:
                return await self._make_rule(wish, instruments, asker)
            return await self._make_all(wish, wish.threshold, instruments, asker)

    def _one_each(self, typed: str, book: SymbolBook) -> Reply | None:
        """For several alerts typed as one, of symbols that there are."""
        found = apart(typed, readable)
        if found is None:
            return None
        names = {name: book.resolve(name) for symbols in found.symbols for name in symbols}
        missing = [one for one in names.values() if isinstance(one, NotFound)]
        if missing:
            return _no_symbol(typed, missing[0], book) if missing[0].suggestions else None
        each = [f"/alert {shown(one, symbols)}" for one, symbols in zip(found.typed, found.symbols, strict=True)]
        return alert_pages.one_each(each, is_both=found.is_both, is_one_symbol=len({*found.symbols}) == 1)

    def _from_here(self, wish: AlertWish, instruments: list[Instrument]) -> AlertWish | Problem:
        """A level that is crossed once is passed in one direction: that from the figure of now."""
        crossed = wish.condition
        if not wish.options.once or len(instruments) != 1 or not isinstance(crossed, Call) or crossed.name != "crosses":
            return wish
        figure, level = crossed.args
        if not isinstance(level, Number):
            return wish
        now = self._desk.value(instruments[0].key, text(figure))
        if now is None:
            return Problem(
                say(
                    "{figure} of {symbol} is not known yet. Try again in a minute.",
                    figure=text(figure),
                    symbol=instruments[0].symbol,
                )
            )
        return replace(wish, condition=Compare(">=" if now < level.value else "<=", figure, level))

    async def _make_all(
        self, wish: AlertWish, threshold: Threshold, instruments: list[Instrument], asker: Asker
    ) -> Reply:
        here, room = await self._store.of_chat(asker.chat, limit=self._max_per_chat), await self._room(asker)
        made: list[tuple[ChatAlert, Instrument, float | None]] = []
        known: list[ChatAlert] = []
        for instrument in instruments:
            same = next((a for a in here if a.instrument == instrument.key and alike(a, threshold, wish.options)), None)
            if same is not None:
                known.append(same)
                continue
            if len(made) >= min(room, self._max_per_chat - len(here)):
                break
            alert = await self._add(wish, threshold, instrument, asker)
            made.append((alert, instrument, self._desk.value(alert.instrument, alert.measure)))
            self._desk.add(alert)
        if not made and len(known) == len(instruments):
            return alert_pages.known_already(known, self._zone_of(asker.chat))
        if not made:
            is_mine = room <= 0 and len(here) < self._max_per_chat
            return alert_pages.full_of_yours(alerts_of(asker.role)) if is_mine else alert_pages.full(self._max_per_chat)
        if len(instruments) > 1:
            alerts = [alert for alert, _, _ in made]
            past = await alert_past.of_alerts(self._rehearsals, alerts)
            several = partial(
                alert_pages.created_several,
                made,
                past,
                n_wanted=len(instruments),
                assumed_window=wish.assumed_window,
                zone=self._zone_of(asker.chat),
            )
            return alert_past.with_history(self._past, several, lambda desk: alert_past.of_alerts(desk, alerts))
        alert, instrument, value = made[0]
        past = await alert_past.of_alert(self._rehearsals, alert)
        page = partial(
            alert_pages.created,
            alert,
            instrument,
            value,
            past,
            assumed_window=wish.assumed_window,
            zone=self._zone_of(asker.chat),
            unknown=self._why_unknown(alert, value),
        )
        return alert_past.with_history(self._past, page, lambda desk: alert_past.of_alert(desk, alert))

    def _why_unknown(self, alert: ChatAlert, value: float | None) -> str:
        return "" if value is not None else self._desk.why_unknown(alert.instrument, alert.measure)

    async def _room(self, asker: Asker) -> int:
        """How many more alerts and conditions whoever asks may have here."""
        here = await self._store.of_chat(asker.chat, limit=self._max_per_chat)
        n = sum(one.user == asker.user for one in here)
        n += sum(one.user == asker.user for one in self._rules.of_chat(asker.chat))
        return max(0, alerts_of(asker.role) - n)

    async def tune(self, command: Command, asker: Asker) -> Reply:
        """`/tune ID 8% 1h both once silent`: another one takes its place."""
        async with self._making:
            done = await self._exchange(command, asker)
        if isinstance(done, Reply):
            return done
        before, after, instrument, value = done
        past = await alert_past.of_alert(self._rehearsals, after)
        page = partial(
            alert_pages.created,
            after,
            instrument,
            value,
            past,
            assumed_window=False,
            was=before,
            zone=self._zone_of(asker.chat),
            unknown=self._why_unknown(after, value),
        )
        told = alert_past.with_history(self._past, page, lambda desk: alert_past.of_alert(desk, after))
        return noted(told, "changed", before, asker)

    async def _exchange(
        self, command: Command, asker: Asker
    ) -> tuple[ChatAlert, ChatAlert, Instrument, float | None] | Reply:
        """The alert before and after, its instrument and the figure now; or why not."""
        typed, *words = command.words
        found = await self._store.find(asker.chat, PREFIX + typed.removeprefix(PREFIX), limit=2)
        if len(found) != 1:
            return alert_pages.not_found(typed) if not found else alert_pages.ambiguous(typed, found)
        before = found[0]
        if not asker.may_change(before.user):
            return alert_pages.not_yours()
        after = alert_tuning.tuned(before, words)
        if isinstance(after, Problem):
            return pages.usage(UsageError(after.text))
        instrument = next((i for i in self._market.instruments() if i.key == after.instrument), None)
        if after == before or instrument is None:
            return alert_pages.known_already([before], self._zone_of(asker.chat))
        created_ms = max(self._clock.wall_ms(), before.created_ms + 1)
        while not await self._store.add(after := made_at(after, created_ms)):
            created_ms += 1
        # At the same time, by which is known what took whose place.
        await self._deleting.end(before, at_ms=created_ms)
        value = self._desk.value(after.instrument, after.measure)
        self._desk.add(after)
        return before, after, instrument, value

    async def undo(self, command: Command, asker: Asker) -> Reply:
        """`/undo ID`: bring back what was deleted within a day, or take back what was just made. `/undo ID BEFORE`: take
        back a change.
        """
        typed, before = command.words[0], command.words[-1]
        made = await self._store.find(asker.chat, typed, limit=2)
        if len(made) != 1:
            return await self._bring_back(before, asker)
        if before == typed:
            return await self._deleting.delete(Command("delete", (typed.removeprefix(PREFIX),)), asker)
        if not asker.may_change(made[0].user):
            return alert_pages.not_yours()
        return await self._bring_back(before, asker, after=made[0])

    async def _bring_back(self, typed: str, asker: Asker, *, after: ChatAlert | None = None) -> Reply:
        """`after`: what stands in its place, and goes only where it comes back."""
        owned_by = None if asker.may_change("") else asker.user
        alert: ChatAlert | ChatRule | None
        async with self._making:
            if after is None and (changed := await self._store.in_place_of(asker.chat, typed)) is not None:
                return alert_pages.changed_meanwhile(typed, changed, self._zone_of(asker.chat))
            if after is None and not await self._room(asker):
                return alert_pages.full_of_yours(alerts_of(asker.role))
            if typed.startswith(RULE_PREFIX):
                alert = await self._rules.restore(asker.chat, typed, user=owned_by)
            elif after is None and await self._store.count(asker.chat) >= self._max_per_chat:
                return alert_pages.full(self._max_per_chat)
            else:
                alert = await self._store.restore(asker.chat, typed, user=owned_by)
                if alert is not None:
                    self._desk.add(alert)
            if alert is not None and after is not None:
                await self._deleting.end(after)
        return (
            alert_pages.not_there()
            if alert is None
            else noted(alert_pages.restored(alert, self._zone_of(asker.chat)), "brought back", alert, asker)
        )

    async def build(self, command: Command, asker: Asker) -> Reply:
        """`/new [SYMBOL [FIGURE [SIZE [WINDOW]]]]`: an alert by buttons alone."""
        typed = alert_builder.complete(command.words)
        if typed is not None:
            return await self.create(Command("alert", tuple(typed.split())), asker)
        if command.words:
            book = SymbolBook(self._market.instruments())
            found = book.resolve(command.words[0])
            if isinstance(found, NotFound):
                names = [(book.ask_for(one), one) for one in found.suggestions]
                return pages.not_found("new", found, names, example="/new BTC")
            return await alert_past.builder(self._rehearsals, self._past, command.words, found, asker)
        largest = [k.partition(":")[2] for k in self._market.largest(alert_builder.N_SYMBOLS)]
        return alert_builder.page(command.words, largest)

    async def _add(self, wish: AlertWish, threshold: Threshold, instrument: Instrument, asker: Asker) -> ChatAlert:
        now_ms = created_ms = self._clock.wall_ms()
        ends_ms = ends_at(wish.options, self._zone_of(asker.chat), now_ms)
        while not await self._store.add(
            alert := alert_from(threshold, wish.options, instrument, asker, created_ms, ends_ms)
        ):
            created_ms += 1  # the id of another alert; they are derived from the time
        return alert

    async def _make_rule(self, wish: AlertWish, instruments: list[Instrument], asker: Asker) -> Reply:
        """Of what is no plain comparison, or speaks of the largest."""
        here = self._rules.of_chat(asker.chat)
        now_ms = created_ms = self._clock.wall_ms()
        symbols, when, options = tuple(i.symbol for i in instruments), text(wish.condition), wish.options
        same = next((r for r in here if alike_rule(r, wish, symbols)), None)
        if same is not None:
            return alert_pages.rule_known_already(same, self._zone_of(asker.chat))
        if len(here) >= MAX_RULES_PER_CHAT or self._rules.count() >= MAX_RULES:
            return alert_pages.rules_full(min(MAX_RULES_PER_CHAT, len(here)))
        if not await self._room(asker):
            return alert_pages.full_of_yours(alerts_of(asker.role))
        while True:
            rule = ChatRule(
                id=chat_rule_id(asker.chat, f"{symbols} {wish.top} {when}", created_ms),
                chat=asker.chat,
                user=asker.user,
                symbols=symbols,
                top=wish.top,
                when=when,
                created_ms=created_ms,
                cooldown_ms=cooldown_of(options),
                for_ms=options.for_ms,
                repeat_ms=options.repeat_ms,
                once=options.once,
                silent=options.silent,
                note=options.note,
                ends_ms=ends_at(options, self._zone_of(asker.chat), now_ms),
            )
            try:
                is_added = await self._rules.add(rule)
            except ValueError as error:
                return refusal(say("I cannot run that: {error}.", error=shorten(str(error), 200)))
            if is_added:
                keys = [i.key for i in instruments] if rule.top is None else self._market.largest(rule.top)
                return await self._told_of_rule(rule, wish, keys, asker)
            created_ms += 1

    async def _told_of_rule(self, rule: ChatRule, wish: AlertWish, keys: Sequence[str], asker: Asker) -> Reply:
        past, calmer = await alert_past.of_rule(self._rehearsals, rule, wish, keys)
        page = partial(
            alert_pages.rule_created,
            rule,
            past,
            calmer,
            assumed_window=wish.assumed_window,
            zone=self._zone_of(asker.chat),
        )
        if rule.top is not None:
            return page()

        async def tell(desk: PastDesk) -> Rehearsal:
            return (await alert_past.of_rule(desk, rule, wish, keys))[0]

        return alert_past.with_history(self._past, page, tell)

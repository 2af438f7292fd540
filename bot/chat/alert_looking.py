"""`/alerts`: what a chat has asked for, page by page, and one alert with what may be done to it."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from bot.chat import alert_list_pages, alert_pages, pages
from bot.chat.asker import Asker
from bot.chat.commands import Command
from bot.chat.reply import Reply
from bot.chat.symbols import NotFound, SymbolBook
from bot.model.chat_alert import PREFIX, ChatAlert
from bot.model.chat_alert_ports import ChatAlertDesk, ChatAlertStore
from bot.model.chat_rule import PREFIX as RULE_PREFIX
from bot.model.chat_rule import ChatRule
from bot.model.chat_rule_ports import ChatRuleDesk
from bot.model.explanation import Hush
from bot.model.ports import MarketReader
from bot.model.silence import last_midnight_ms

Fired = Callable[[int], Awaitable[Mapping[str, int]]]
"""How many firings began since a time, by alert."""

_ID: Final = re.compile(r"(a-|c_)[0-9a-z]{4,8}", re.ASCII)
HushOf = Callable[[ChatAlert | ChatRule], Hush | None]


def no_hush(_one: ChatAlert | ChatRule) -> Hush | None:
    """Nothing does."""
    return None


class AlertLooking:
    """Looks, and changes nothing."""

    def __init__(
        self,
        *,
        market: MarketReader,
        store: ChatAlertStore,
        desk: ChatAlertDesk,
        rules: ChatRuleDesk,
        venue_now: Callable[[], int],
        zone_of: Callable[[str], str],
        fired: Fired,
        hush_of: HushOf = no_hush,
    ) -> None:
        """`venue_now`: venue time in ms, as cooldowns and firings are kept; `hush_of`: what keeps an alert quiet in its chat now."""
        self._market = market
        self._store = store
        self._desk = desk
        self._rules = rules
        self._venue_now = venue_now
        self._zone_of = zone_of
        self._fired = fired
        self._hush_of = hush_of

    async def show(self, command: Command, asker: Asker) -> Reply:
        """`/alerts [PAGE|ID|SYMBOL]`"""
        word = command.words[0] if command.words else "1"
        if _ID.fullmatch(word):
            return await self._one(word, asker)
        if not word.isdecimal():
            return await self._of_symbol(word, asker)
        rules = self._rules.of_chat(asker.chat)
        n = await self._store.count(asker.chat) + len(rules)
        if not n:
            return alert_pages.none_yet()
        size = alert_list_pages.PAGE
        page, n_pages = int(word), -(-n // size)
        if not 1 <= page <= n_pages:
            return alert_pages.no_page(n_pages)
        # Rules come first, and plain alerts behind them.
        first = (page - 1) * size
        shown = rules[first : first + size]
        left, skipped = size - len(shown), max(0, first - len(rules))
        alerts = await self._store.of_chat(asker.chat, limit=left, offset=skipped) if left else []
        return await self._listing(asker, shown, alerts, page=page, n=n)

    async def _of_symbol(self, typed: str, asker: Asker) -> Reply:
        """The first ones of one contract."""
        book = SymbolBook(self._market.instruments())
        found = book.resolve(typed)
        if isinstance(found, NotFound):
            if await self._store.find(asker.chat, PREFIX + typed, limit=1):
                return await self._one(PREFIX + typed, asker)
            return pages.not_found("alerts", found, [(book.ask_for(one), one) for one in found.suggestions])
        every = await self._store.of_chat(asker.chat, limit=max(1, await self._store.count(asker.chat)))
        rules = [rule for rule in self._rules.of_chat(asker.chat) if found.symbol in rule.symbols]
        alerts = [alert for alert in every if alert.instrument == found.key]
        if not rules and not alerts:
            return alert_pages.none_of(found.symbol)
        size = alert_list_pages.PAGE
        rules = rules[:size]
        return await self._listing(
            asker, rules, alerts[: size - len(rules)], page=1, n=len(rules) + len(alerts), of=found.symbol
        )

    async def _listing(
        self,
        asker: Asker,
        rules: Sequence[ChatRule],
        alerts: Sequence[ChatAlert],
        *,
        page: int,
        n: int,
        of: str = "",
    ) -> Reply:
        shown = [(rule, self._rules.life(rule.id)) for rule in rules]
        listed = [(alert, self._desk.life(alert.id)) for alert in alerts]
        today, now_ms = await self._today(asker), self._venue_now()
        every: list[ChatAlert | ChatRule] = [*rules, *alerts]
        hushes = {one.id: hush for one in every if (hush := self._hush_of(one)) is not None}
        zone = self._zone_of(asker.chat)
        return alert_list_pages.listing(
            listed, rules=shown, page=page, n=n, now_ms=now_ms, today=today, zone=zone, hushes=hushes, of=of
        )

    async def _today(self, asker: Asker) -> Mapping[str, int]:
        return await self._fired(last_midnight_ms(self._zone_of(asker.chat), self._venue_now()))

    async def _one(self, typed: str, asker: Asker) -> Reply:
        rules = [rule for rule in self._rules.of_chat(asker.chat) if rule.id.startswith(typed)]
        alerts = await self._store.find(asker.chat, typed, limit=2) if typed.startswith(PREFIX) else []
        found: list[ChatAlert | ChatRule] = [*rules, *alerts]
        if len(found) != 1:
            name = typed.removeprefix(PREFIX).removeprefix(RULE_PREFIX)
            return alert_pages.ambiguous(name, found) if found else alert_pages.not_found(name)
        today = (await self._today(asker)).get(found[0].id, 0)
        zone, now_ms, hush = self._zone_of(asker.chat), self._venue_now(), self._hush_of(found[0])
        if rules:
            standing = self._rules.life(rules[0].id)
            return alert_list_pages.one_rule(rules[0], standing, n_today=today, now_ms=now_ms, zone=zone, hush=hush)
        life = self._desk.life(alerts[0].id)
        return alert_list_pages.one(alerts[0], life, n_today=today, now_ms=now_ms, zone=zone, hush=hush)

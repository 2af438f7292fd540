"""`/why`: from what people type to an explanation. The rule may stand before or after the symbol."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from bot.chat import pages, why_pages
from bot.chat.actions import Handler
from bot.chat.asker import Asker
from bot.chat.commands import Command, find
from bot.chat.reply import BLANK, Reply, line
from bot.chat.rule_words import apart, find_rule, near_rules
from bot.chat.symbols import NotFound, SymbolBook
from bot.model.alert import key_range
from bot.model.chat_alert import is_alert_id
from bot.model.explanation import Explanation, RuleName
from bot.model.instrument import MARKET, Instrument
from bot.model.ports import MarketReader, WhyReader

MIN_ID_CHARS: Final = 4
ID_CHARS: Final = 8


class Why:
    """Answers `/why`."""

    def __init__(
        self,
        market: MarketReader,
        why: WhyReader,
        *,
        destination_of: Callable[[str], str | None] = lambda _chat: None,
        told: Callable[[str, str], tuple[str, str]] = lambda _chat, rule: (rule, ""),
    ) -> None:
        """`destination_of`: where a chat is told, None where it is not.

        `told`: from a chat and a rule to the rule that the chat is told, and what it should know of that.
        """
        self._market = market
        self._why = why
        self._destination_of = destination_of
        self._told = told

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {"why": self.answer}

    async def answer(self, command: Command, asker: Asker) -> Reply:
        """Carry it out."""
        if not command.words:
            spec = find("why")
            assert spec is not None
            return pages.help_topic(spec)
        book = SymbolBook(self._market.instruments())
        rules = self._why.rules(asker.chat)
        first, *more = apart(command.words, rules)
        if first.startswith("#"):
            coin = book.resolve(first)
            is_coin = isinstance(coin, Instrument) and not await self._is_known(first[1:], asker)
            if not is_coin:
                return await self._firing(first[1:], asker)
        if (own := next((word for word in command.words if is_alert_id(word.casefold())), None)) is not None:
            return await self._made_here(own.casefold(), book, asker)
        if not more:
            return await self._one_word(first, book, rules, asker)
        symbol, word = (more[0], first) if self._is_swapped(first, more[0], book, rules) else (first, more[0])
        found = book.resolve(symbol)
        if isinstance(found, NotFound):
            near = [(f"{book.ask_for(one)} {word}", one) for one in found.suggestions]
            return pages.not_found("why", found, near)
        rule = find_rule(word, rules)
        name = book.ask_for(found)
        if rule is None and isinstance(other := book.resolve(word), Instrument):
            return why_pages.one_at_a_time([name, book.ask_for(other)])
        if rule is None:
            return why_pages.no_such_rule(word, near_rules(word, rules), name)
        return await self._rule(rule, found.key, name, asker)

    @staticmethod
    def _is_swapped(first: str, second: str, book: SymbolBook, rules: Sequence[RuleName]) -> bool:
        return find_rule(first, rules) is not None and isinstance(book.resolve(second), Instrument)

    async def _one_word(self, word: str, book: SymbolBook, rules: Sequence[RuleName], asker: Asker) -> Reply:
        found = book.resolve(word)
        if isinstance(found, Instrument):
            glances, n_more = await self._why.glances(found.key, chat=asker.chat)
            return why_pages.all_rules(found.symbol, book.ask_for(found), glances, n_more)
        rule = find_rule(word, rules)
        if rule is not None:
            return await self._rule(rule, MARKET, "", asker)
        if len(word) == ID_CHARS and key_range(word) is not None and await self._why.firing(word, asker.chat):
            return await self._firing(word, asker)
        near = near_rules(word, rules)
        if near and not found.suggestions:
            return why_pages.no_such_rule(word, near, "BTC")
        return pages.not_found("why", found, [(book.ask_for(one), one) for one in found.suggestions])

    async def _made_here(self, typed: str, book: SymbolBook, asker: Asker) -> Reply:
        """An alert of this chat, by its id or the first characters of it."""
        found = self._seen_from(asker, await self._why.explain_alert(typed, asker.chat))
        if found is None:
            return why_pages.made_in_chat(typed)
        resolved = book.resolve(f"{found.venue}:{found.symbol}")
        name = book.ask_for(resolved) if isinstance(resolved, Instrument) else found.symbol
        return why_pages.one_rule(found, name)

    async def _explain(self, rule_id: str, instrument: str, asker: Asker) -> Explanation | None:
        if is_alert_id(rule_id):
            return self._seen_from(asker, await self._why.explain_alert(rule_id, asker.chat))
        return self._seen_from(asker, await self._why.explain(rule_id, instrument, chat=asker.chat))

    def _seen_from(self, asker: Asker, found: Explanation | None) -> Explanation | None:
        """What keeps it quiet in other places is the owner's to know."""
        if found is None or asker.is_owner:
            return found
        here = {"", asker.place or self._destination_of(asker.chat)}
        return replace(found, hushed=tuple(hush for hush in found.hushed if hush.place in here))

    async def _rule(self, rule: RuleName, instrument: str, name: str, asker: Asker) -> Reply:
        if not rule.is_on:
            return why_pages.switched_off(rule)
        rule_id, note = self._told(asker.chat, rule.id)
        explanation = await self._explain(rule_id, instrument, asker)
        if explanation is None:
            return why_pages.needs_symbol(rule) if instrument == MARKET else why_pages.not_yet()
        if explanation.rule_id != rule.id:
            explanation = replace(explanation, rule_id=rule.id)
        reply = why_pages.one_rule(explanation, name)
        return replace(reply, blocks=(*reply.blocks, BLANK, line(note))) if note else reply

    async def _is_known(self, prefix: str, asker: Asker) -> bool:
        """Whether an alert's id begins so."""
        is_id = len(prefix) >= MIN_ID_CHARS and key_range(prefix) is not None
        return is_id and bool(await self._why.firing(prefix, asker.chat))

    async def _firing(self, prefix: str, asker: Asker) -> Reply:
        if len(prefix) < MIN_ID_CHARS or key_range(prefix) is None:
            return why_pages.no_such_alert(prefix)
        found = await self._why.firing(prefix, asker.chat)
        ids = list(dict.fromkeys(t.id for t in found))
        if not ids:
            return why_pages.no_such_alert(prefix)
        if len(ids) > 1:
            return why_pages.several(prefix, ids)
        newest = found[0]
        key = MARKET if newest.symbol == MARKET else f"{newest.venue}:{newest.symbol}"
        now = await self._explain(newest.rule_id, key, asker)
        return why_pages.one_firing(found, now, "" if key == MARKET else newest.symbol)

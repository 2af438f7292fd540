"""`/score`: how alerts fared afterwards, beside random moments of the same contracts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, cast

from bot.chat import pages, score_pages
from bot.chat.actions import Handler
from bot.chat.asker import Asker
from bot.chat.commands import Command, UsageError
from bot.chat.reply import Reply
from bot.chat.rule_words import find_rule
from bot.chat.symbols import NotFound, SymbolBook
from bot.model.chat_rule import is_chat_rule_id
from bot.model.explanation import RuleName
from bot.model.ports import MarketReader, WhyReader
from bot.model.scorecard import REPLIES, Replies, RuleTotals
from bot.model.scorecard_ports import ScoreDesk
from bot.texts import say

DEFAULT: Final = "default"


class ScoreActions:
    """The command."""

    def __init__(self, *, desk: ScoreDesk, market: MarketReader, why: WhyReader) -> None:
        self._desk = desk
        self._market = market
        self._why = why

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {"score": self.score}

    async def score(self, command: Command, asker: Asker) -> Reply:
        """`/score [RULE] [SYMBOL]`, `/score replies [off|quiet|on|default]`"""
        if not command.words:
            place = self._desk.place(asker.chat)
            replies = None if place is None else await self._desk.replies_of(place)
            return score_pages.list_page(await self._of_here(asker), replies)
        if command.words[0].casefold() == "replies":
            return await self._replies(command.words[1:], asker)
        return await self._totals(command.words, asker)

    async def _replies(self, words: tuple[str, ...], asker: Asker) -> Reply:
        place = self._desk.place(asker.chat)
        if place is None:
            return score_pages.not_told()
        did = ""
        if words:
            wanted = words[0].casefold()
            if len(words) > 1 or wanted not in {*REPLIES, DEFAULT}:
                return pages.usage(UsageError(say("I expected off, quiet, on or default."), ("/score replies quiet",)))
            await self._desk.set_replies(place, None if wanted == DEFAULT else cast("Replies", wanted))
            did = asker.for_all(f"set scorecards {wanted}")
        return replace(score_pages.replies_page(*await self._desk.replies_of(place)), did=did)

    async def _totals(self, words: tuple[str, ...], asker: Asker) -> Reply:
        """Rule and contract in any order."""
        book = SymbolBook(self._market.instruments())
        rule: RuleName | None = None
        symbol = ""
        for word in words:
            if rule is None and (found := await self._rule(word, asker)) is not None:
                rule = found
                continue
            instrument = book.resolve(word)
            if isinstance(instrument, NotFound):
                names = [(book.ask_for(one), one) for one in instrument.suggestions]
                return pages.not_found("score", instrument, names) if names else score_pages.unknown(word)
            if symbol:
                return pages.usage(UsageError(say("I expected one rule and one contract."), ("/score oi_surge BTC",)))
            symbol = instrument.symbol
        rule_id = rule.id if rule is not None else ""
        name = " · ".join(x for x in (rule.title if rule is not None else "", symbol) if x)
        found_totals = await self._desk.totals(rule_id=rule_id, symbol=symbol)
        return score_pages.totals_page(name, found_totals, rule_id=rule_id)

    async def _of_here(self, asker: Asker) -> Sequence[RuleTotals]:
        """Without those that other chats made."""
        own = {one.id for one in self._why.rules(asker.chat)}
        return [one for one in await self._desk.rules() if not is_chat_rule_id(one.rule_id) or one.rule_id in own]

    async def _rule(self, word: str, asker: Asker) -> RuleName | None:
        """One of now, or one that went out and is gone since."""
        if (found := find_rule(word, self._why.rules(asker.chat))) is not None:
            return found
        wanted = word.casefold()
        title = await self._desk.title_of(wanted)
        return None if title is None else RuleName(wanted, title, is_on=False)

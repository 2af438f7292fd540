"""What the targets of a silence mean: rules, symbols, tags, severities, alerts by their ids. Nothing is guessed."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Final, Literal

from bot.chat import pages, silence_pages
from bot.chat.asker import Asker
from bot.chat.commands import UsageError, shorten
from bot.chat.reply import Reply
from bot.chat.silence_text import MIN_ID_CHARS, SilenceWish, read_id
from bot.chat.spec import Problem
from bot.chat.symbols import NotFound, SymbolBook
from bot.model import chat_alert
from bot.model.chat_alert_ports import ChatAlertStore
from bot.model.instrument import Instrument
from bot.model.outbox_ports import Outbox
from bot.model.ports import MarketReader
from bot.rules.language import did_you_mean
from bot.texts import say

_SEVERITIES: Final = ("info", "warning", "critical")

Matcher = tuple[Literal["rule", "symbol", "tag", "severity"], str]


class Targets:
    """Reads them, over what there is."""

    def __init__(
        self,
        *,
        market: MarketReader,
        outbox: Outbox,
        chat_alerts: ChatAlertStore,
        rule_ids: Callable[[], Sequence[str]],
    ) -> None:
        self._market = market
        self._outbox = outbox
        self._chat_alerts = chat_alerts
        self._rule_ids = rule_ids

    async def matchers(self, wish: SilenceWish, asker: Asker, place: str) -> list[dict[str, str]] | Reply:
        """What one silence matches, by kind; one for each symbol where several are named."""
        found: dict[str, str] = {}
        book = SymbolBook(self._market.instruments())
        for target in wish.targets:
            matched = await self._matched(target, book, asker, place)
            if matched is None:
                return self._unknown(target, wish, book)
            if isinstance(matched, Reply):
                return matched
            for kind, value in matched:
                if kind in found:
                    return _two(kind, found[kind], value)
                found[kind] = value
        if not wish.symbols:
            return [found]
        if "symbol" in found:
            return _two("symbol", found["symbol"], shorten(",".join(wish.symbols)))
        several: dict[str, None] = {}
        for typed in wish.symbols:
            instrument = book.resolve(typed)
            if not isinstance(instrument, Instrument):
                return self._unknown(typed, wish, book)
            several[_literal(instrument.symbol)] = None
        return [{**found, "symbol": symbol} for symbol in several]

    async def are_targets(self, words: Sequence[str], asker: Asker, place: str) -> bool:
        """Whether words are a rule, a symbol or the like, each of them."""
        book = SymbolBook(self._market.instruments())
        found = [await self._matched(word, book, asker, place) for word in words]
        return bool(found) and all(isinstance(one, tuple) for one in found)

    async def _matched(
        self, target: str, book: SymbolBook, asker: Asker, place: str
    ) -> tuple[Matcher, ...] | Reply | None:
        """What a target means; None where it means nothing."""
        lowered = target.casefold()
        rules = {one.casefold(): one for one in self._rule_ids()}
        if target.startswith("#"):
            return await self._firing(target, place)
        if lowered.startswith("tag:") and len(lowered) > len("tag:"):
            return (("tag", target.partition(":")[2]),)
        if lowered.startswith("severity:"):
            severity = lowered.partition(":")[2]
            if severity in _SEVERITIES:
                return (("severity", severity),)
            return usage(
                Problem(say("A severity is {severities}.", severities=", ".join(_SEVERITIES))),
                "/silence severity:info 2h",
            )
        if lowered in rules:
            return (("rule", rules[lowered]),)
        prefix = lowered.removeprefix(chat_alert.PREFIX)
        if lowered.startswith(chat_alert.PREFIX) and len(prefix) >= MIN_ID_CHARS:
            return await self._asked(target, asker)
        if any(mark in target for mark in "*?"):
            if any(fnmatchcase(rule, lowered) for rule in rules):
                return (("rule", lowered),)
            upper = target.upper()
            if any(fnmatchcase(one.symbol, upper) for one in self._market.instruments()):
                return (("symbol", upper),)
            return None
        instrument = book.resolve(target)
        return (("symbol", _literal(instrument.symbol)),) if isinstance(instrument, Instrument) else None

    async def _firing(self, target: str, place: str) -> tuple[Matcher, ...] | Reply:
        """Of an alert's id: its rule on its instrument."""
        prefix = read_id(target)
        if isinstance(prefix, Problem):
            return usage(prefix, "/silence BTC 2h")
        found = await self._outbox.fired(prefix, destination=place, limit=2)
        if not found:
            return silence_pages.no_alert(prefix)
        if len(found) > 1:
            return silence_pages.ambiguous(target, [f"#{one.view.short_id}" for one in found])
        view = found[0].view
        return (("rule", view.rule_id), ("symbol", _literal(view.symbol)))

    async def _asked(self, target: str, asker: Asker) -> tuple[Matcher, ...] | Reply | None:
        """An alert that was made in this chat."""
        found = await self._chat_alerts.find(asker.chat, target.casefold(), limit=2)
        if len(found) > 1:
            return silence_pages.ambiguous(target, [one.id for one in found])
        return (("rule", found[0].id),) if found else None

    def _unknown(self, target: str, wish: SilenceWish, book: SymbolBook) -> Reply:
        names = [name] if (name := did_you_mean(target, set(self._rule_ids()))) else []
        lost = book.resolve(target)
        names += [book.ask_for(one) for one in lost.suggestions] if isinstance(lost, NotFound) else []
        names = names[:3]
        length = f"{wish.duration_ms // 60_000}m" if wish.duration_ms is not None else ""
        if wish.until_min is not None:
            length = f"until {wish.until_min // 60:02d}:{wish.until_min % 60:02d}"
        typed = [
            [
                *(name if one == target else one for one in wish.targets),
                *([",".join(name if one == target else one for one in wish.symbols)] if wish.symbols else []),
            ]
            for name in names
        ]
        commands = [" ".join(["/silence", *one, *(["here"] if wish.is_here else []), length]).strip() for one in typed]
        return silence_pages.unknown(target, names, commands)


def _two(kind: str, first: str, second: str) -> Reply:
    problem = say("A silence has one {kind}: {first}, or {second}?", kind=say(kind), first=first, second=second)
    return usage(Problem(problem), "/silence BTC 2h")


def usage(problem: Problem, example: str, *, is_button: bool = True) -> Reply:
    """What is wrong with what was typed, and how to write it."""
    return pages.usage(
        UsageError(
            say("{text} Write it like {usage}.", text=problem.text, usage=example), (example,) if is_button else ()
        )
    )


def _literal(symbol: str) -> str:
    """A glob that matches this symbol alone."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in symbol)

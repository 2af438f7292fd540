"""What the targets of a silence mean: rules, symbols, tags, severities, alerts by their ids. Nothing is guessed."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Final, Literal

from bot.chat import pages, silence_pages
from bot.chat.asker import Asker
from bot.chat.commands import UsageError
from bot.chat.grammars import MAX_SYMBOLS
from bot.chat.reply import Reply
from bot.chat.rule_words import find_rule, near_rules, near_run, rule_at
from bot.chat.silence_text import FILLERS, MIN_ID_CHARS, SilenceWish, read_clock, read_id, too_many
from bot.chat.spec import Problem
from bot.chat.symbols import NotFound, SymbolBook
from bot.model import chat_alert
from bot.model.chat_alert_ports import ChatAlertStore
from bot.model.explanation import RuleName
from bot.model.instrument import Instrument
from bot.model.outbox_ports import Outbox
from bot.model.ports import MarketReader
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
        rules: Callable[[], Sequence[RuleName]],
    ) -> None:
        self._market = market
        self._outbox = outbox
        self._chat_alerts = chat_alerts
        self._rules = rules

    async def matchers(self, wish: SilenceWish, asker: Asker, place: str) -> list[dict[str, str]] | Reply:
        """What each silence matches, by kind: one for each symbol and each rule where several are named."""
        book = SymbolBook(self._market.instruments())
        grouped = await self._grouped(wish.targets, book, asker, place)
        if isinstance(grouped, int):
            return self._unknown(wish, grouped, book)
        if isinstance(grouped, Reply):
            return grouped
        found: dict[str, dict[str, None]] = {}
        firings: dict[tuple[Matcher, ...], None] = {}
        for _, matched in grouped:
            if len(matched) > 1:
                firings[matched] = None
                continue
            ((kind, value),) = matched
            found.setdefault(kind, {})[value] = None
        for kind in ("tag", "severity"):
            if len(values := list(found.get(kind, ()))) > 1:
                return _two(kind, values[0], values[1])
        rules, symbols = found.pop("rule", {}), found.pop("symbol", {})
        if firings and (rules or symbols):
            kind, named = ("rule", rules) if rules else ("symbol", symbols)
            return _two(kind, dict(next(iter(firings)))["rule" if rules else "symbol"], next(iter(named)))
        common = {kind: next(iter(values)) for kind, values in found.items()}
        several: list[dict[str, str]] = [{**dict(one)} for one in firings] or [
            {kind: value for kind, value in (("rule", rule), ("symbol", symbol)) if value}
            for rule in rules or {"": None}
            for symbol in symbols or {"": None}
        ]
        if len(several) > MAX_SYMBOLS:
            return usage(too_many(len(several)), "/silence BTC ETH 2h")
        return [{**common, **one} for one in several]

    async def targets_in(self, words: Sequence[str], asker: Asker, place: str) -> tuple[str, ...]:
        """The words that name a rule, a symbol or the like, without those between them; none where one names nothing."""
        grouped = await self._grouped(words, SymbolBook(self._market.instruments()), asker, place)
        return tuple(typed for typed, _ in grouped) if isinstance(grouped, list) else ()

    async def _grouped(
        self, words: Sequence[str], book: SymbolBook, asker: Asker, place: str
    ) -> list[tuple[str, tuple[Matcher, ...]]] | Reply | int:
        """What each target means, as typed (a rule by its id where its name is of several words), and means; or the place
        of the first word that means nothing.
        """
        found: list[tuple[str, tuple[Matcher, ...]]] = []
        rules, at = self._rules(), 0
        while at < len(words):
            named = rule_at(words, at, rules)
            if named is not None and named[1] > at + 1:
                rule, at = named
                found.append((rule.id, (("rule", rule.id),)))
                continue
            word = words[at]
            matched = await self._matched(word, book, asker, place)
            if isinstance(matched, Reply):
                return matched
            if matched is None and word.casefold() not in FILLERS:
                return at
            if matched is not None and not (word in FILLERS and len(words) > 1):
                found.append((word, matched))
            at += 1
        return found if found or not words else 0

    async def _matched(
        self, target: str, book: SymbolBook, asker: Asker, place: str
    ) -> tuple[Matcher, ...] | Reply | None:
        """What a target means; None where it means nothing."""
        lowered = target.casefold()
        rules = {one.id.casefold(): one.id for one in self._rules()}
        if target.startswith("#"):
            firing = await self._firing(target, place)
            coin = book.resolve(target)
            return firing if isinstance(firing, tuple) or not isinstance(coin, Instrument) else _symbol(coin)
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
        if isinstance(instrument, Instrument):
            return _symbol(instrument)
        rule = find_rule(target, self._rules())
        return (("rule", rule.id),) if rule is not None else None

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

    def _unknown(self, wish: SilenceWish, at: int, book: SymbolBook) -> Reply:
        """`at`: the place of the first word that means nothing."""
        words, rules = wish.targets, self._rules()
        start, end = near_run(words, rules, (at,)) or (at, at + 1)
        target = " ".join(words[start:end])
        near = near_rules(target, rules)[:1]
        lost = book.resolve(words[at])
        names = [(rule.title if end > start + 1 else rule.id, rule.id) for rule in near]
        names += [(book.ask_for(one),) * 2 for one in lost.suggestions] if isinstance(lost, NotFound) else []
        if words[at].isdecimal() and wish.assumed_time and not names:
            names = [(f"{words[at]}{unit}",) * 2 for unit in "mh"]
        if ":" in words[at] and read_clock(words[at]) is not None and wish.assumed_time:
            names = [(f"until {words[at]}",) * 2]
        length = f"{wish.duration_ms // 60_000}m" if wish.duration_ms is not None else ""
        if wish.until_min is not None:
            length = f"until {wish.until_min // 60:02d}:{wish.until_min % 60:02d}"
        commands = [
            " ".join(
                ["/silence", *words[:start], name, *words[end:], *(["here"] if wish.is_here else []), length]
            ).strip()
            for _, name in names[:3]
        ]
        return silence_pages.unknown(target, [label for label, _ in names[:3]], commands)


def _symbol(instrument: Instrument) -> tuple[Matcher, ...]:
    return (("symbol", _literal(instrument.symbol)),)


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

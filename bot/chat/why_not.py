"""`/whynot`: what is missing for a rule to fire, and nothing else. `/why` shows everything."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from bot.chat import pages, why_pages
from bot.chat.actions import Handler
from bot.chat.asker import Asker
from bot.chat.commands import Command, find, shorten
from bot.chat.reply import BLANK, Button, Line, Reply, bold, code, line, rows_of
from bot.chat.rule_words import apart, find_rule, near_rules
from bot.chat.symbols import Books, NotFound
from bot.chat.why_text import distance_text, heading
from bot.model import numbers
from bot.model.chat_alert import is_alert_id
from bot.model.explanation import Explanation, Glance, Node, RuleName
from bot.model.instrument import MARKET, Instrument
from bot.model.ports import MarketReader, WhyReader
from bot.texts import say, say_n

MAX_MISSING: Final = 8
MAX_NEAREST: Final = 5
MAX_TEXT: Final = 200


class WhyNot:
    """Answers `/whynot`."""

    def __init__(
        self,
        market: MarketReader,
        why: WhyReader,
        told: Callable[[str, str], tuple[str, str]] = lambda _chat, rule: (rule, ""),
    ) -> None:
        """`told`: from a chat and a rule to the rule that the chat is told, and what it should know of that."""
        self._why = why
        self._told = told
        self._books = Books(market)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {"whynot": self.answer}

    async def answer(self, command: Command, asker: Asker) -> Reply:
        """`/whynot SYMBOL [RULE]`, `/whynot RULE SYMBOL`, `/whynot MARKET_RULE`"""
        if not command.words:
            spec = find("whynot")
            assert spec is not None
            return pages.help_topic(spec)
        book, rules = self._books.now(), self._why.rules(asker.chat)
        words = [word.removeprefix("#") for word in apart(command.words, rules)]
        if (own := next((word.casefold() for word in words if is_alert_id(word.casefold())), None)) is not None:
            return await self._made_here(own, asker)
        found, rule, word = self._read(words, rules)
        if isinstance(found, NotFound):
            if rule is not None and len(words) == 1:
                return await self._one(rule, MARKET, "", asker)
            near = [(f"{book.ask_for(one)}{f' {word}' if word else ''}", one) for one in found.suggestions]
            return pages.not_found("whynot", found, near)
        name = book.ask_for(found)
        if rule is not None:
            return await self._one(rule, found.key, name, asker)
        if word:
            return why_pages.no_such_rule(word, near_rules(word, rules), name)
        glances, n_more = await self._why.glances(found.key, chat=asker.chat)
        return nearest_page(found.symbol, name, glances, n_more)

    def _read(
        self, words: Sequence[str], rules: Sequence[RuleName]
    ) -> tuple[Instrument | NotFound, RuleName | None, str]:
        """The symbol, the rule and what was typed for it, in either order."""
        book = self._books.now()
        first, *more = words
        if not more:
            found = book.resolve(first)
            return found, find_rule(first, rules) if isinstance(found, NotFound) else None, ""
        if find_rule(first, rules) is not None and isinstance(book.resolve(more[0]), Instrument):
            first, more = more[0], [first]
        return book.resolve(first), find_rule(more[0], rules), more[0]

    async def _one(self, rule: RuleName, instrument: str, name: str, asker: Asker) -> Reply:
        if not rule.is_on:
            return why_pages.switched_off(rule)
        rule_id, note = self._told(asker.chat, rule.id)
        explanation = await self._why.explain(rule_id, instrument, chat=asker.chat)
        if explanation is None:
            return why_pages.needs_symbol(rule, "whynot") if instrument == MARKET else why_pages.not_yet()
        nearest: Sequence[Glance] = ()
        if instrument != MARKET:
            nearest, _ = await self._why.glances(instrument, chat=asker.chat)
        others = [g for g in nearest if g.rule_id != rule.id]
        reply = missing_page(replace(explanation, rule_id=rule.id), name, others)
        return replace(reply, blocks=(*reply.blocks, BLANK, line(note))) if note else reply

    async def _made_here(self, typed: str, asker: Asker) -> Reply:
        """An alert of this chat, by its id or the first characters of it."""
        explanation = await self._why.explain_alert(typed, asker.chat)
        if explanation is None:
            return why_pages.made_in_chat(typed)
        found = self._books.now().resolve(f"{explanation.venue}:{explanation.symbol}")
        name = self._books.now().ask_for(found) if isinstance(found, Instrument) else explanation.symbol
        return missing_page(explanation, name, ())


def missing(node: Node) -> Iterator[Node]:
    """The smallest conditions that are not true and keep this one from being true; of `not`, itself."""
    if node.verdict in {"true", None}:
        return
    conditions = [part for part in node.parts if part.verdict is not None]
    if not conditions or _is_not(node):
        yield node
        return
    for part in conditions:
        yield from missing(part)


def _is_not(node: Node) -> bool:
    """`not a and b` begins like one, but has two parts."""
    return len(node.parts) == 1 and node.text.startswith("not ")


def _missing_line(node: Node) -> Line:
    mark = "?" if node.verdict == "unknown" else "✗"
    if node.why:
        rest = node.why
    elif node.value is not None:
        value = numbers.quantity(node.value, node.unit)
        rest = f"{value}, {distance_text(node.distance)}" if node.distance else value
    else:
        rest = say("is true, and must not be") if _is_not(node) else say("false")
    return line(f"{mark} ", code(shorten(node.text, MAX_TEXT)), f" · {shorten(rest, MAX_TEXT)}")


def missing_page(explanation: Explanation, name: str, others: Sequence[Glance]) -> Reply:
    """Why it does not fire, in as few lines as that takes."""
    alert = explanation.alert
    blocks: list[Line] = [line(bold(heading(explanation)))]
    blocks += [line(f"⚠️ {shorten(reason, MAX_TEXT)}") for reason in explanation.why[:3]]
    if alert.phase == "firing":
        blocks.append(line(say("It fires right now.")))
    elif explanation.verdict == "true":
        blocks.append(
            line(
                say("Its condition is true. {next}", next=_upper(alert.next))
                if alert.next
                else say("Its condition is true.")
            )
        )
    else:
        lacking = list(missing(explanation.when))
        blocks += [_missing_line(node) for node in lacking[:MAX_MISSING]]
        if len(lacking) > MAX_MISSING:
            blocks.append(line(say("… and {n} more.", n=len(lacking) - MAX_MISSING)))
        if alert.next:
            blocks.append(line(shorten(_upper(alert.next), MAX_TEXT)))
    near = _nearest(others)
    if near:
        blocks += [BLANK, line(say("Nearer or next:")), *(why_pages.glance_line(glance) for glance in near[:3])]
    asked = " ".join(word for word in ("/whynot", name, explanation.rule_id) if word)
    full = " ".join(word for word in ("/why", name, explanation.rule_id) if word)
    buttons = [Button(say("↻ Refresh"), asked), Button(say("Everything"), full)]
    buttons += [Button(say("All rules"), f"/whynot {name}")] if name else []
    return Reply(tuple(blocks), (tuple(buttons),))


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _nearest(found: Sequence[Glance]) -> list[Glance]:
    """What does not fire, the nearest first; `found` is in that order already."""
    return [glance for glance in found if glance.phase != "firing"]


def nearest_page(symbol: str, name: str, found: Sequence[Glance], n_more: int) -> Reply:
    """The rules that come next for a contract."""
    near = _nearest(found)
    if not near:
        return Reply(
            (
                line(
                    say("Nothing is about to fire for "),
                    code(shorten(symbol)),
                    say(": no rule looks at it, or all fire."),
                ),
            )
        )
    n_firing = len(found) - len(near)
    n_left = len(near) - MAX_NEAREST + n_more
    blocks = [line(bold(symbol), say(" · what comes next")), BLANK]
    blocks += [why_pages.glance_line(glance) for glance in near[:MAX_NEAREST]]
    if n_firing:
        blocks.append(
            line(say_n("{n} fires already: /why {name}", "{n} fire already: /why {name}", n_firing, name=name))
        )
    if n_left > 0:
        blocks.append(line(say("… and {n} that are farther away.", n=n_left)))
    buttons = [Button(glance.rule_id, f"/whynot {name} {glance.rule_id}") for glance in near[:MAX_NEAREST]]
    return Reply(tuple(blocks), rows_of(buttons, 2))

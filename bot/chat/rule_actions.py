"""What one chat is told, and how: `/rules`, `/settings`, `/language`, `/here`.

Promises: what is confirmed is stored; rule files are never touched; an unknown name is never guessed. Who may do what stands in the
command table.
"""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Final, cast

from bot.chat import pages, risk_pages, rule_pages
from bot.chat.actions import Handler
from bot.chat.asker import Asker
from bot.chat.commands import Command, UsageError
from bot.chat.reply import Reply
from bot.chat.rule_words import find_rule, near_rules
from bot.chat.table.rules import CHANGES
from bot.chat.zones import known_zone, near_zone
from bot.model.explanation import RuleName
from bot.model.risk import RiskSettings
from bot.model.silence import QuietHours
from bot.model.subscriptions import (
    DETAILS,
    EVERY_RULE,
    EVERYTHING,
    Level,
    Look,
    RuleDesk,
    RuleTold,
    Subscription,
    TopicRoute,
)
from bot.rules.literals import parse_number
from bot.texts import language_of, say, speaking

MAX_TOPICS: Final = 20
"""What may be told elsewhere in one group."""
MAX_FACTOR: Final = 100.0
_ALL: Final = frozenset({"all", "*"})


class RuleActions:
    """The four commands."""

    def __init__(
        self,
        desk: RuleDesk,
        quiet_of: Callable[[str], QuietHours | None],
        problems: Callable[[], Sequence[str]] = tuple,
        risk_of: Callable[[str], RiskSettings | None] = lambda _user: None,
    ) -> None:
        """`quiet_of`: the quiet hours of a destination; `problems`: why rules on disk are not those that run; `risk_of`: what
        somebody may lose.
        """
        self._problems = problems
        self._risk_of = risk_of
        self._desk = desk
        self._quiet_of = quiet_of
        self._changing = asyncio.Lock()
        """Looking at what is set and changing a part of it are one step, so that of two commands at once neither is lost."""

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {"rules": self.rules, "settings": self.settings, "language": self.language, "here": self.here}

    # -- rules -----------------------------------------------------------------------------------------------------

    async def rules(self, command: Command, asker: Asker) -> Reply:
        """`/rules [PAGE|RULE]`, `/rules on|off|fewer|normal|more|reset [RULE]`, `/rules set RULE NUMBER`"""
        if self._desk.place(asker.chat) is None:
            return rule_pages.not_told()
        words = tuple(word.casefold() for word in command.words)
        if not words or (len(words) == 1 and words[0].isdecimal()):
            return await self._list(asker, int(words[0][:6]) if words else 1)
        verb, *more = _verb_first(words)
        if verb not in CHANGES:
            found = self._find(asker, "_".join(words), "/rules")
            return (
                found
                if isinstance(found, Reply)
                else rule_pages.rule_page(found, n_today=await self._today(asker, found))
            )
        if verb == "set":
            return await self._set_number(asker, more)
        more = ["_".join(more)] if more else []
        if verb in {"on", "off"} and not more:
            return _usage(
                say("I expected the name of one rule, or all."),
                f"/rules {verb} oi_surge",
            )
        if not more or more[0] in _ALL:
            return await self._set_all(asker, verb)
        found = self._find(asker, more[0], f"/rules {verb}")
        return found if isinstance(found, Reply) else await self._set_one(asker, verb, found)

    async def _list(self, asker: Asker, page: int) -> Reply:
        level = self._desk.wish(asker.chat).level or "normal"
        today = await self._desk.fired_today(asker.chat)
        return rule_pages.list_page(self._desk.rules(asker.chat), level, page, today, self._problems())

    async def _today(self, asker: Asker, rule: RuleTold) -> int:
        return (await self._desk.fired_today(asker.chat)).get(rule.id, 0)

    async def _set_all(self, asker: Asker, verb: str) -> Reply:
        did = asker.for_all(f"set all rules to {verb}")
        if verb == "reset":
            await self._desk.forget(asker.chat)
            return replace(await self._list(asker, 1), did=did)
        for rule in self._desk.rules(asker.chat):
            # What was said of one rule before is what this now says of all.
            own = self._desk.wish(asker.chat, rule.id)
            cleared = replace(own, is_on=None) if verb in {"on", "off"} else replace(own, level=None)
            if cleared != own:
                await self._desk.set(cleared)
        every = self._desk.wish(asker.chat, EVERY_RULE)
        if verb in {"on", "off"}:
            await self._desk.set(replace(every, is_on=None if verb == "on" else False))
        else:
            await self._desk.set(replace(every, level=cast("Level", verb) if verb != "normal" else None))
        return replace(await self._list(asker, 1), did=did)

    async def _set_one(self, asker: Asker, verb: str, rule: RuleTold) -> Reply:
        if verb in rule.ends:
            return rule_pages.at_end(rule, verb)
        own = self._desk.wish(asker.chat, rule.id)
        if verb == "reset":
            wanted = Subscription(asker.chat, rule.id)
        elif verb in {"on", "off"}:
            wanted = replace(own, is_on=verb == "on")
        else:
            wanted = replace(own, level=cast("Level", verb), number=None)
        level = say(rule_pages.NAMES.get(verb, "")).capitalize() if verb in rule_pages.NAMES else ""
        said = {
            "on": say("It is told here again."),
            "off": say("It is not told here any more."),
            "reset": say("As its file says."),
        }
        did = f"set {rule.id} to {verb}"
        return await self._store(asker, rule, wanted, said.get(verb, say("{level}, from now on.", level=level)), did)

    async def _set_number(self, asker: Asker, words: Sequence[str]) -> Reply:
        if len(words) < 2:
            return _usage(say("I expected a rule and a number."), "/rules set oi_surge 8%")
        rule, typed_number = self._find(asker, "_".join(words[:-1]), "/rules"), words[-1]
        if isinstance(rule, Reply):
            return rule
        if rule.number_of_file is None or rule.number is None:
            return rule_pages.no_number(rule)
        typed = parse_number(typed_number.removeprefix("+"))
        if typed is None or typed.unit != ("%" if rule.is_ratio else "") or not typed.value:
            return rule_pages.odd_number(rule, typed_number)
        value = typed.value
        if value > 0:
            # How far a fall goes is said without its sign.
            value = math.copysign(value, rule.number_of_file)
        share = value / rule.number_of_file
        if not 1 / MAX_FACTOR <= share <= MAX_FACTOR:
            return rule_pages.odd_number(rule, typed_number)
        own = self._desk.wish(asker.chat, rule.id)
        wanted = replace(own, number=value, is_on=None if own.is_on is False else own.is_on)
        did = f"set {rule.id} to {typed_number} (before {rule.number:g})"
        return await self._store(asker, rule, wanted, say("From now on with this number."), did)

    async def _store(self, asker: Asker, rule: RuleTold, wanted: Subscription, said: str, did: str) -> Reply:
        try:
            await self._desk.set(wanted)
        except ValueError as error:
            return rule_pages.refused(rule, str(error))
        now = next((one for one in self._desk.rules(asker.chat) if one.id == rule.id), rule)
        return replace(rule_pages.rule_page(now, said), did=asker.for_all(did))

    def _find(self, asker: Asker, word: str, command: str) -> RuleTold | Reply:
        rules = {rule.id: rule for rule in self._desk.rules(asker.chat)}
        names = [RuleName(rule.id, rule.title) for rule in rules.values()]
        found = find_rule(word, names)
        if found is None:
            return rule_pages.unknown(word, [near.id for near in near_rules(word, names)], command)
        return rules[found.id]

    # -- settings --------------------------------------------------------------------------------------------------

    async def settings(self, command: Command, asker: Asker) -> Reply:
        """`/settings`, `/settings zone [ZONE]`, `/settings detail short|normal|full`, `/settings charts on|off`"""
        if self._desk.place(asker.chat) is None:
            return rule_pages.not_told()
        look = self._desk.look(asker.chat)
        match tuple(word.casefold() for word in command.words):
            case ():
                return self._settings(asker, look)
            case ("zone",):
                return rule_pages.zones(look)
            case ("zone", typed):
                zone = await asyncio.to_thread(known_zone, typed)
                if zone is None:
                    return rule_pages.no_zone(command.words[1], await asyncio.to_thread(near_zone, typed))
                return await self._set_look(
                    asker, lambda look: replace(look, zone=zone), say("Times are told here in {zone}.", zone=zone)
                )
            case ("detail", typed) if typed in DETAILS:
                detail, said = typed, say("Detail: {detail}.", detail=say(rule_pages.NAMES[typed]))
                return await self._set_look(asker, lambda look: replace(look, detail=detail), said)
            case ("detail",) | ("charts",):
                return self._settings(asker, look)
            case ("quiet" | "risk" | "language" | "rules" as name, *_):
                return rule_pages.elsewhere(name)
            case ("charts", "on" | "off" as typed):
                return await self._set_look(
                    asker,
                    lambda look: replace(look, has_charts=typed == "on"),
                    say("Charts on.") if typed == "on" else say("Charts off."),
                )
        return _usage(say("I know zone, detail and charts."), "/settings zone Europe/Berlin")

    async def _set_look(self, asker: Asker, change: Callable[[Look], Look], said: str) -> Reply:
        async with self._changing:
            before = self._desk.look(asker.chat)
            look = change(before)
            await self._desk.set_look(asker.chat, look)
        return replace(self._settings(asker, look, said), did=_changed(asker, before, look))

    def _settings(self, asker: Asker, look: Look, said: str = "") -> Reply:
        place = self._desk.place(asker.chat)
        quiet = self._quiet_of(place) if place is not None else None
        risk = risk_pages.in_short(self._risk_of(asker.user)) if asker.is_private else ""
        return rule_pages.settings(look, quiet, risk=risk, said=said)

    async def language(self, command: Command, asker: Asker) -> Reply:
        """`/language`, `/language zh`: also where no alerts are told, for answers."""
        look = self._desk.look(asker.chat)
        if not command.words:
            return rule_pages.languages(look)
        typed = " ".join(command.words)
        code = language_of(typed)
        if code is None:
            return rule_pages.no_language(typed)
        async with self._changing:
            before = self._desk.look(asker.chat)
            look = replace(before, language=code)
            await self._desk.set_look(asker.chat, look)
        with speaking(code):
            return replace(rule_pages.languages(look), did=_changed(asker, before, look))

    # -- topics ----------------------------------------------------------------------------------------------------

    async def here(self, command: Command, asker: Asker) -> Reply:
        """`/here`, `/here TAG|RULE|all`, `/here off`"""
        if self._desk.place(asker.chat) is None:
            return rule_pages.not_told()
        if not command.words:
            return rule_pages.topics(self._desk.topics(asker.chat), asker.topic)
        if len(command.words) > 1:
            return _usage(say("I expected one rule or tag."), "/here oi_surge")
        if asker.topic is None:
            return rule_pages.no_topic()
        word = command.words[0].removeprefix("#")
        if word.casefold() == "off":
            n = await self._desk.drop_topic(asker.chat, asker.topic)
            said = say("Nothing is told here any more.") if n else say("Nothing was told here.")
            did = asker.for_all(f"ended what topic {asker.topic} is told") if n else ""
            return replace(rule_pages.topics(self._desk.topics(asker.chat), asker.topic, said), did=did)
        what = self._target(word, asker)
        if isinstance(what, Reply):
            return what
        known = self._desk.topics(asker.chat)
        if len(known) >= MAX_TOPICS and not any((one.topic, one.what) == (asker.topic, what) for one in known):
            return _usage(say("A group has at most {n} of these. End some first.", n=MAX_TOPICS), "/here off")
        await self._desk.set_topic(TopicRoute(asker.chat, asker.topic, what, 0, asker.user))
        page = rule_pages.topics(self._desk.topics(asker.chat), asker.topic, say("From the next alert on."))
        return replace(page, did=asker.for_all(f"let topic {asker.topic} be told {what}"))

    def _target(self, word: str, asker: Asker) -> str | Reply:
        if word.casefold() == EVERYTHING:
            return EVERYTHING
        names = [RuleName(rule.id, rule.title) for rule in self._desk.rules(asker.chat)]
        found = find_rule(word, names)
        if found is not None:
            return f"rule:{found.id}"
        tag = next((tag for tag in self._desk.tags() if tag.casefold() == word.casefold()), None)
        if tag is not None:
            return f"tag:{tag}"
        return rule_pages.unknown_target(word, [near.id for near in near_rules(word, names)])


def _changed(asker: Asker, before: Look, after: Look) -> str:
    names = [f.name for f in fields(Look) if getattr(before, f.name) != getattr(after, f.name)]
    changes = ", ".join(f"{n} to {getattr(after, n)} (before {getattr(before, n) or 'none'})" for n in names)
    return asker.for_all(f"set {changes}") if names else ""


def _verb_first(words: Sequence[str]) -> Sequence[str]:
    """`oi_surge off` is `off oi_surge`, and `oi_surge 8%` is `set oi_surge 8%`."""
    *name, last = words
    if not name or words[0] in CHANGES:
        return words
    if last in CHANGES and last != "set":
        return (last, *name)
    return ("set", *words) if parse_number(last.removeprefix("+")) is not None else words


def _usage(text: str, example: str) -> Reply:
    return pages.usage(UsageError(say("{text} Write it like {usage}.", text=text, usage=example), (example,)))

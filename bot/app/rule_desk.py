"""The `RuleDesk` port over a running bot."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from bot.app.live import Live
from bot.app.sending import Sending
from bot.app.subscribing import Subscribing, topic_name
from bot.engine.engine import Engine
from bot.model.alert import State
from bot.model.silence import last_midnight_ms
from bot.model.subscriptions import EVERY_RULE, FACTORS, Level, Look, RuleTold, Subscription, TopicRoute
from bot.rules.ast import text
from bot.rules.forms import number_of, settled, with_factor, with_number
from bot.rules.schema import Rule


class RuleShelf:
    """What chats are told, from the files and from what they have set."""

    def __init__(
        self,
        subscribing: Subscribing,
        *,
        engine: Engine,
        live: Live,
        sending: Sending,
        rules: Callable[[], Sequence[Rule]],
        rename: Callable[[str, str], Awaitable[None]],
        fired: Callable[[int], Awaitable[Mapping[str, int]]],
    ) -> None:
        """`rules`: those of the files. `rename`: lets all that is stored of one destination be another's. `fired`: how many
        firings began since a venue time, by rule or form.
        """
        self._subscribing = subscribing
        self._engine = engine
        self._live = live
        self._sending = sending
        self._rules = rules
        self._rename = rename
        self._fired = fired

    def place(self, chat: str) -> str | None:
        return self._live.routes.by_chat.get(chat)

    def rules(self, chat: str) -> Sequence[RuleTold]:
        return tuple(self._told(chat, rule) for rule in self._rules())

    def _told(self, chat: str, rule: Rule) -> RuleTold:
        heard, routes = self._subscribing.heard(chat, rule.id), self._live.routes
        form = self._subscribing.form(chat, rule.id)
        by_file = routes.by_chat.get(chat) in routes.of_rule(rule.id, rule.notify, rule.severity, rule.tags)
        is_on = by_file if heard.is_on is None else heard.is_on
        as_told, of_file = number_of(form or rule), number_of(rule)
        book = self._engine.book((form or rule).id)
        level: Level = next((level for level, factor in FACTORS.items() if factor == heard.factor), "normal")
        ends = _ends(rule) if of_file is not None else ()
        return RuleTold(
            id=rule.id,
            title=rule.title,
            is_enabled=rule.enabled,
            is_told=rule.enabled and (form is not None or is_on),
            condition=text((form or rule).when),
            number=as_told.number.value if as_told is not None else None,
            number_of_file=of_file.number.value if of_file is not None else None,
            is_ratio=of_file is not None and of_file.number.unit == "%",
            level="normal" if level in ends else level,
            n_firing=0 if book is None else len(book.rows_in(State.FIRING)),
            n_dropped=self._subscribing.n_dropped[chat, rule.id],
            ends=ends,
        )

    def own_number(self, chat: str, rule: str) -> float | None:
        """Of the rule as this chat is told it; None where it is that of the file."""
        form = self._subscribing.form(chat, rule)
        found = number_of(form) if form is not None else None
        return found.number.value if found is not None else None

    async def fired_today(self, chat: str) -> Mapping[str, int]:
        fired = await self._fired(last_midnight_ms(self.look(chat).zone, self._live.venue_now()))
        heard = {rule.id: (self._subscribing.form(chat, rule.id) or rule).id for rule in self._rules()}
        return {rule_id: fired[form_id] for rule_id, form_id in heard.items() if form_id in fired}

    def tags(self) -> frozenset[str]:
        return frozenset(tag for rule in self._rules() for tag in rule.tags)

    def wish(self, chat: str, rule: str = EVERY_RULE) -> Subscription:
        return self._subscribing.wish(chat, rule)

    async def set(self, one: Subscription) -> None:
        rule = next((rule for rule in self._rules() if rule.id == one.rule), None)
        if rule is not None and one.number is not None and one.number != self.wish(one.chat, one.rule).number:
            moved = with_number(rule, one.number)
            if (found := settled(moved)) is not None and settled(rule) is None:
                raise ValueError(f"{rule.id}: with {one.number:g} it would be {found} true")
        await self._subscribing.set(replace(one, since_ms=self._live.venue_now()))

    async def forget(self, chat: str) -> int:
        return await self._subscribing.forget(chat)

    async def leave(self, chat: str) -> None:
        """The chat is gone: what it has set goes, its topics and its look too."""
        await self.forget(chat)
        for topic in {route.topic for route in self.topics(chat)}:
            await self.drop_topic(chat, topic)
        await self._subscribing.forget_look(chat)

    def look(self, chat: str) -> Look:
        return self._subscribing.look(chat)

    async def set_look(self, chat: str, look: Look) -> None:
        await self._subscribing.set_look(chat, look)

    def topics(self, chat: str) -> Sequence[TopicRoute]:
        return self._subscribing.topics(chat)

    async def set_topic(self, route: TopicRoute) -> None:
        await self._subscribing.set_topic(replace(route, since_ms=self._live.venue_now()))
        for described in self._subscribing.destinations(self._live.routes):
            await self._sending.add(described)

    async def drop_topic(self, chat: str, topic: int) -> int:
        n = await self._subscribing.drop_topic(chat, topic)
        place = self.place(chat)
        if n and place is not None:
            # What waits for the topic is told in the group, which also ends what the topic was told.
            await self._rename(topic_name(place, topic), place)
            self._sending.remove(topic_name(place, topic))
        return n


def _ends(rule: Rule) -> tuple[Level, ...]:
    return tuple(level for level, factor in FACTORS.items() if factor != 1 and with_factor(rule, factor) == rule)

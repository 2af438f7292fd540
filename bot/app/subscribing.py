"""How each chat is told the rules of the files: which ones, with what numbers, and in which topic.

A rule with another number is a rule of its own, the *form* of a rule for one chat (see `extra_rules`); the rule itself is
then not told there. What a chat is told is decided when a firing goes out, and holds for it until its end.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from bot import log
from bot.alerts.muting import group_of
from bot.app.extra_rules import ExtraRules
from bot.app.followed import Followed
from bot.app.loading import Loaded
from bot.app.routing import Routes, row_of
from bot.chat.asker import telegram_number
from bot.delivery.layout import ENDINGS
from bot.model.alert import Notice, TellKind
from bot.model.destinations import Described, TelegramTarget
from bot.model.outbox import OutboxRow
from bot.model.subscriptions import (
    EVERY_RULE,
    EVERYTHING,
    FACTORS,
    Look,
    Subscription,
    SubscriptionStore,
    TopicRoute,
    form_id,
)
from bot.rules.forms import with_factor, with_number
from bot.rules.schema import Rule
from bot.texts import say

MAX_UNTOLD: Final = 10_000
SOURCE: Final = "subscriptions"
"""Of the forms, among the rules that come from chat."""

_log = log.get("rules")


@dataclass(frozen=True, slots=True)
class Heard:
    """What a chat wants of one rule: its own wish, else that for every rule."""

    is_on: bool | None
    factor: float
    number: float | None
    since_ms: int


class Subscribing:
    """What all chats have set, and what follows from it. Made by `load`."""

    def __init__(
        self,
        store: SubscriptionStore,
        *,
        subscriptions: Sequence[Subscription] = (),
        looks: dict[str, Look] | None = None,
        topics: Sequence[TopicRoute] = (),
        before: Callable[[str], str] = lambda chat: chat,
        followed: Followed | None = None,
        ways: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`before`: the name by which the settings know a chat, which may have moved. `followed`: who was told what fires. `ways`:
        destinations of chats that no plan knows, as of now.
        """
        self._before = before
        self._unplanned = ways
        self._followed = followed if followed is not None else Followed()
        self._store = store
        self._wishes = {(one.chat, one.rule): one for one in subscriptions}
        self._chats = dict.fromkeys(one.chat for one in subscriptions)
        """In which anything was set in this run, or is."""
        self._looks = dict(looks or {})
        self._topics = {(one.chat, one.topic, one.what): one for one in topics}
        self._extra: ExtraRules | None = None
        self._rules: frozenset[str] = frozenset()
        """Ids of the rules of the files."""
        self._bases: dict[str, tuple[str, str]] = {}
        """Of each form that there was in this run: its chat and its rule."""
        self._told_by_form: frozenset[tuple[str, str]] = frozenset()
        """Chats and rules for which there is a form now."""
        self._untold: dict[tuple[str, str], None] = {}
        """Firings and destinations that were not told them, so that they are not told the end either."""
        self.n_dropped: Counter[tuple[str, str]] = Counter()
        """Firings that a chat was not told since the start, by chat and rule."""

    @classmethod
    async def load(
        cls,
        store: SubscriptionStore,
        extra: ExtraRules,
        before: Callable[[str], str] = lambda chat: chat,
        followed: Followed | None = None,
        ways: Mapping[str, str] = MappingProxyType({}),
    ) -> "Subscribing":
        """With all that was stored; from now on there are forms."""
        subscriptions, looks, topics = await store.all(), await store.looks(), await store.topics()
        made = cls(
            store,
            subscriptions=subscriptions,
            looks=looks,
            topics=topics,
            before=before,
            followed=followed,
            ways=ways,
        )
        made.begin(extra)
        return made

    def begin(self, extra: ExtraRules) -> None:
        self._extra = extra
        extra.follow(SOURCE, self._forms, leaves_out=True)

    # -- wishes ----------------------------------------------------------------------------------------------------

    def wish(self, chat: str, rule: str = EVERY_RULE) -> Subscription:
        return self._wishes.get((chat, rule)) or Subscription(chat, rule)

    def heard(self, chat: str, rule: str) -> Heard:
        own, every = self.wish(chat, rule), self.wish(chat)
        level = own.level or every.level or "normal"
        is_on = every.is_on if own.is_on is None else own.is_on
        return Heard(is_on, FACTORS[level], own.number, max(own.since_ms, every.since_ms))

    async def set(self, one: Subscription) -> None:
        """Store a wish and follow it from the next tick on. Raises `ValueError` where its rule cannot be run so."""
        before = self._wishes.get((one.chat, one.rule))
        ways = self._ways(one.chat)
        self._keep(one)
        try:
            self._follow()
            if before is not None and self._ways(one.chat) == ways:
                # Nothing is told in another way than before, so what fires now needs no care.
                one = replace(one, since_ms=before.since_ms)
                self._keep(one)
            await self._store.put(one)
        except BaseException:
            self._keep(before or Subscription(one.chat, one.rule))
            self._follow()
            raise

    def _ways(self, chat: str) -> dict[str, bool | None]:
        """Of each rule: False where it is not told as it is, True where it is told beyond its file, else None."""
        dropped = {rule for one, rule in self._told_by_form if one == chat}
        return {rule: False if rule in dropped else self.heard(chat, rule).is_on for rule in self._rules}

    def _keep(self, one: Subscription) -> None:
        self._chats[one.chat] = None
        if one.says_nothing:
            self._wishes.pop((one.chat, one.rule), None)
        else:
            self._wishes[one.chat, one.rule] = one

    async def forget(self, chat: str) -> int:
        """Let the chat be told all as the files say; returns how many wishes went."""
        n = await self._store.forget(chat)
        self._wishes = {key: one for key, one in self._wishes.items() if key[0] != chat}
        self._follow()
        return n

    def _follow(self) -> None:
        if self._extra is not None:
            self._extra.follow(SOURCE, self._forms)

    def follow_again(self, chat: str) -> None:
        """A chat has a way that it had not: what it has set holds from now on."""
        if self._extra is not None and chat in self._chats:
            self._extra.follow(SOURCE, self._forms, leaves_out=True)

    # -- forms -----------------------------------------------------------------------------------------------------

    def form(self, chat: str, rule: str) -> Rule | None:
        """The form of a rule that a chat is told; None where it is told the rule itself, or nothing."""
        forms = () if self._extra is None else self._extra.of(SOURCE)
        return next((one for one in forms if one.id == form_id(chat, rule)), None)

    def _forms(self, loaded: Loaded) -> list[Rule]:
        routes = loaded.plan.routes
        rules = [rule for rule in loaded.rules.rules if rule.enabled]
        chats = dict.fromkeys(chat for chat, _ in self._wishes if self._place(routes, chat) is not None)
        found = {(chat, rule.id): form for chat in chats for rule in rules if (form := self._form(rule, chat, routes))}
        self._rules = frozenset(rule.id for rule in loaded.rules.rules)
        self._bases |= {form.id: key for key, form in found.items()}
        self._told_by_form = frozenset(found)
        return list(found.values())

    def _place(self, routes: Routes, chat: str) -> str | None:
        """Routes of files alone know neither where chats went nor those that no file names."""
        names = (chat, self._before(chat))
        found = (routes.by_chat.get(name) or self._unplanned.get(name) for name in names)
        return next(filter(None, found), None)

    def _form(self, rule: Rule, chat: str, routes: Routes) -> Rule | None:
        heard = self.heard(chat, rule.id)
        is_told = self._place(routes, chat) in routes.of_rule(rule.id, rule.notify, rule.severity, rule.tags)
        if heard.is_on is False or not (is_told or heard.is_on or heard.number is not None):
            return None
        try:
            moved = with_factor(rule, heard.factor) if heard.number is None else with_number(rule, heard.number)
        except ValueError as error:
            # Its file has another number by now, of which this one cannot be a form.
            _log.error("rules.extra_left_out", rule=rule.id, reason=str(error))
            return None
        if moved == rule and is_told:
            return None
        return replace(moved, id=form_id(chat, rule.id), base=rule.id, notify=(chat,))

    def why(self, chat: str, rule: str) -> tuple[str, str]:
        """The rule that has to be explained to a chat that asks for one, and what it should know of it."""
        form, heard = self.form(chat, rule), self.heard(chat, rule)
        n = self.n_dropped[chat, rule]
        if form is not None:
            return form.id, say("With the number of this chat; /rules shows both.")
        if rule in self._rules and heard.is_on is False:
            return rule, say("Switched off in this chat: {n} firings were not told here since my start.", n=n)
        return rule, ""

    # -- rows ------------------------------------------------------------------------------------------------------

    def rows(self, routes: Routes, notices: Sequence[Notice]) -> tuple[OutboxRow, ...]:
        """What is told where."""
        if not notices:
            return ()
        places = routes.places | {described.name for described in self.destinations(routes)}
        chat_of = {name: chat for chat, name in routes.by_chat.items()}
        return tuple(row for notice in notices for row in self._rows(routes, notice, places, chat_of))

    def _rows(
        self, routes: Routes, notice: Notice, places: Collection[str], chat_of: Mapping[str, str]
    ) -> list[OutboxRow]:
        names = dict.fromkeys(routes.destinations(notice))
        rule = notice.rule_id
        unwilling: list[str] = []
        if rule in self._bases:
            # People know it by the name of the rule in the file.
            rule = self._bases[rule][1]
            notice = replace(notice, view=replace(notice.view, rule_id=rule))
        elif rule in self._rules:
            unwilling = self._sift(names, routes, notice)
        for route in self._topics.values():
            self._redirect(names, routes, notice, route)
        told = self._followed.of(notice, names, places, unwilling)
        return [self._looking(row_of(notice, name), chat_of.get(group_of(name))) for name in told]

    def _looking(self, row: OutboxRow, chat: str | None) -> OutboxRow:
        look = None if chat is None else self._looks.get(chat)
        if look is None:
            return row
        has_chart = row.view.chart and look.has_charts
        return replace(row, view=replace(row.view, zone=look.zone, detail=look.detail, chart=has_chart))

    def _sift(self, names: dict[str, None], routes: Routes, notice: Notice) -> list[str]:
        """Returns who wants no more of this alert than its end."""
        unwilling: list[str] = []
        for chat in self._chats:
            name = routes.by_chat.get(chat)
            if name is None:
                continue
            if (notice.key, name) in self._untold:
                names.pop(name, None)
                if notice.kind in ENDINGS:
                    del self._untold[notice.key, name]
                continue
            heard = self.heard(chat, notice.rule_id)
            has_form = (chat, notice.rule_id) in self._told_by_form
            is_later = notice.view.fired_ms >= heard.since_ms
            if has_form or heard.is_on is False:
                unwilling.append(name)
            if name in names and (has_form or heard.is_on is False):
                # Who was told a firing is told its end.
                if is_later or notice.kind not in ENDINGS:
                    del names[name]
                    self._leave_untold(chat, name, notice)
            elif heard.is_on and not has_form and is_later:
                names[name] = None
        return unwilling

    def _leave_untold(self, chat: str, name: str, notice: Notice) -> None:
        if notice.kind is not TellKind.FIRE:
            return
        self.n_dropped[chat, notice.rule_id] += 1
        self._untold[notice.key, name] = None
        while len(self._untold) > MAX_UNTOLD:
            self._untold.pop(next(iter(self._untold)))

    def _redirect(self, names: dict[str, None], routes: Routes, notice: Notice, route: TopicRoute) -> None:
        name = routes.by_chat.get(route.chat)
        rule = notice.view.rule_id
        if name is None or notice.view.fired_ms < route.since_ms:
            return
        kind, _, wanted = route.what.partition(":")
        is_meant = wanted == rule if kind == "rule" else wanted in notice.view.tags
        is_of_files = notice.rule_id in self._rules and (route.chat, rule) not in self._told_by_form
        # What was named is told there even if the group is not told it.
        is_added = is_meant and is_of_files and self.heard(route.chat, rule).is_on is not False
        is_here = name in names or topic_name(name, route.topic) in names or is_added
        if is_here and (is_meant or kind == EVERYTHING):
            names.pop(name, None)
            names[topic_name(name, route.topic)] = None

    def moved(self, old: str, new: str) -> None:
        """A group became another chat; the store is told by `ChatMoves`."""
        self._wishes |= {
            (new, rule): replace(one, chat=new) for (chat, rule), one in self._wishes.items() if chat == old
        }
        self._topics |= {(new, *key[1:]): replace(one, chat=new) for key, one in self._topics.items() if key[0] == old}
        self._looks |= {new: self._looks[old]} if old in self._looks else {}
        self._wishes = {key: one for key, one in self._wishes.items() if key[0] != old}
        self._topics = {key: one for key, one in self._topics.items() if key[0] != old}
        self._looks.pop(old, None)
        self._chats |= {new: None} if old in self._chats else {}
        self._follow()

    # -- look and topics -------------------------------------------------------------------------------------------

    def look(self, chat: str) -> Look:
        return self._looks.get(chat) or Look()

    def zone_of(self, chat: str) -> str:
        return self.look(chat).zone

    def language_of(self, chat: str) -> str:
        """What was chosen there; empty where nothing was."""
        return self.look(chat).language

    def language_at(self, routes: Routes, destination: str) -> str:
        """The same, of the chat that is told by a destination or by a topic of it."""
        group = group_of(destination)
        found = (
            look.language for chat, look in self._looks.items() if look.language and self._place(routes, chat) == group
        )
        return next(found, "")

    async def set_look(self, chat: str, look: Look) -> None:
        await self._store.put_look(chat, look)
        self._looks[chat] = look

    async def forget_look(self, chat: str) -> None:
        await self._store.forget_look(chat)
        self._looks.pop(chat, None)

    def topics(self, chat: str) -> tuple[TopicRoute, ...]:
        return tuple(route for route in self._topics.values() if route.chat == chat)

    async def set_topic(self, route: TopicRoute) -> None:
        await self._store.put_topic(route)
        self._topics[route.chat, route.topic, route.what] = route

    async def drop_topic(self, chat: str, topic: int) -> int:
        n = await self._store.drop_topic(chat, topic)
        self._topics = {key: one for key, one in self._topics.items() if key[:2] != (chat, topic)}
        return n

    def destinations(self, routes: Routes) -> tuple[Described, ...]:
        """Of the topics that something goes to."""
        found = {}
        for route in self._topics.values():
            name, number = self._place(routes, route.chat), telegram_number(route.chat)
            if name is not None and number is not None:
                made = Described(topic_name(name, route.topic), TelegramTarget(number, route.topic))
                found[made.name] = made
        return tuple(found.values())


def topic_name(destination: str, topic: int) -> str:
    """Of the destination that is a topic of a group; silences and quiet hours of the group hold for it too."""
    return f"{destination}/{topic}"
